"""`hoi score` on files of another system: the same columns, and every slip refused by name."""

import json

import numpy as np
import pytest
import trimesh

from hoi.errors import InputError
from hoi.evaluate.hand import mpjpe_mm
from hoi.metrics import METRICS
from hoi.score import score

N = 6
JOINTS = np.random.default_rng(0).normal(size=(N, 21, 3)) * 0.05 + [0, 0, 0.5]
CONFIG = """
seed: 0
score_clip:
  samples: 1000
  relative_samples: 300
  registration: {starts: 16, coarse_points: 100, coarse_steps: 5, refined: 2, points: 300, polished: 1}
"""


def box() -> trimesh.Trimesh:
    return trimesh.creation.box([0.1, 0.06, 0.03]).subdivide().subdivide()


def poses(n=N):
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, 3] = [0, 0, 0.5]
    return T


def write(folder, mesh=None, **arrays):
    folder.mkdir()
    (box() if mesh is None else mesh).export(folder / "object.obj")
    defaults = {"T_cam_obj": poses(), "joints_cam": JOINTS}
    given = {key: value for key, value in (defaults | arrays).items() if value is not None}
    np.savez(folder / "poses.npz", **given)
    return folder


@pytest.fixture
def scored(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)

    def run(pred, truth):
        score(pred, truth, tmp_path / "out.json", 15.0, tmp_path / "config.yaml")
        return json.loads((tmp_path / "out.json").read_text())

    return run


def test_another_systems_files_get_the_same_columns(tmp_path, scored, capsys):
    noisy = JOINTS + np.random.default_rng(1).normal(size=JOINTS.shape) * 0.003
    out = scored(write(tmp_path / "rival", joints_cam=noisy, extra=np.zeros(3)), write(tmp_path / "truth"))
    assert set(METRICS) <= set(out) and out["failed"] is False
    assert out["f10"] > 0.99 and out["mpjpe_mm"] == pytest.approx(mpjpe_mm(noisy, JOINTS), rel=1e-4)
    assert out["penetration_mm"] is None, "no hand surface was given"
    assert "MPJPE" in capsys.readouterr().out


def test_some_frames_can_be_named(tmp_path, scored):
    frames = np.array([1, 4])
    pred = write(tmp_path / "rival", T_cam_obj=poses(2), joints_cam=JOINTS[frames], frames=frames)
    assert scored(pred, write(tmp_path / "truth"))["mpjpe_mm"] == pytest.approx(0, abs=1e-3)


def test_acceleration_goes_by_the_numbers_of_frames(tmp_path, scored):
    bent = JOINTS + 0.5 * 2.0 * (np.arange(N)[:, None, None] / 15) ** 2 * [1, 0, 0]  # 2 m/s², at 15 frames a second
    truth = write(tmp_path / "truth")

    def error(name, frames):
        arrays = {"T_cam_obj": poses(len(frames)), "joints_cam": bent[frames], "frames": np.array(frames)}
        return scored(write(tmp_path / name, **arrays), truth)["acceleration_m_s2"]

    assert error("all", [0, 1, 2, 3, 4, 5]) == pytest.approx(2.0, rel=1e-3)
    assert error("gap", [0, 1, 2, 4, 5]) == pytest.approx(2.0, rel=1e-3)
    assert error("sparse", [0, 2, 4]) is None, "no three frames follow each other"


def test_frames_of_both_sides_are_matched_by_number(tmp_path, scored):
    frames = np.array([0, 10, 20, 30, 40, 50])
    truth = write(tmp_path / "truth", frames=frames)
    few = {"T_cam_obj": poses(2), "joints_cam": JOINTS[[3, 1]]}
    assert scored(write(tmp_path / "few", frames=frames[[3, 1]], **few), truth)["mpjpe_mm"] == pytest.approx(
        0, abs=1e-3
    )
    with pytest.raises(InputError, match=r"(?s)frame 5.*0 to 50"):
        scored(write(tmp_path / "other", frames=np.array([5, 10]), **few), truth)


def test_a_textured_mesh_is_closed_along_its_seams(tmp_path, scored):
    ball = trimesh.creation.icosphere(1, 0.02)
    hand = {"hand_vertices_cam": np.tile(ball.vertices + np.array([0, 0, 0.5]), (N, 1, 1)), "hand_faces": ball.faces}
    rival = write(tmp_path / "rival", **hand)
    cube = trimesh.creation.box([0.1, 0.06, 0.03])
    corners = "".join(f"v {x} {y} {z}\n" for x, y, z in cube.vertices)
    seams = "".join(f"vt {i / 36} {i / 36}\n" for i in range(1, 37))
    faces = "".join(
        "f " + " ".join(f"{v + 1}/{3 * i + k + 1}" for k, v in enumerate(face)) + "\n"
        for i, face in enumerate(cube.faces)
    )
    (rival / "object.obj").write_text(corners + seams + faces)
    out = scored(rival, write(tmp_path / "truth"))
    assert out["penetration_mm"] > 1 and out["intersection_cm3"] > 1


def test_fewer_frames_than_the_truth(tmp_path, scored):
    pred = write(tmp_path / "rival", T_cam_obj=poses(4), joints_cam=JOINTS[:4])
    with pytest.raises(InputError, match=r"(?s)poses.npz.*4 frames.*6.*`frames`"):
        scored(pred, write(tmp_path / "truth"))


def test_an_empty_mesh_is_a_failure_with_penalties(tmp_path, scored):
    pred = write(tmp_path / "rival")
    (pred / "object.obj").write_text("")
    out = scored(pred, write(tmp_path / "truth"))
    assert out["failed"] is True and out["f5"] == 0.0 and out["cd_cm2"] == 100.0


def test_an_open_mesh_has_no_inside_and_is_said_so(tmp_path, scored, capsys):
    mesh, ball = box(), trimesh.creation.icosphere(1, 0.02)
    mesh.update_faces(np.arange(len(mesh.faces)) > 0)
    hand = {"hand_vertices_cam": np.tile(ball.vertices + np.array([0, 0, 0.5]), (N, 1, 1)), "hand_faces": ball.faces}
    out = scored(write(tmp_path / "rival", mesh, **hand), write(tmp_path / "truth"))
    assert out["penetration_mm"] is None and out["intersection_cm3"] is None and out["contact_ratio"] == 1.0
    assert "not watertight" in " ".join(capsys.readouterr().out.split())


def test_nan_vertices(tmp_path, scored):
    pred = write(tmp_path / "rival")
    text = (pred / "object.obj").read_text().splitlines()
    first = next(i for i, line in enumerate(text) if line.startswith("v "))
    (pred / "object.obj").write_text("\n".join([*text[:first], "v nan 0 0", *text[first + 1 :]]))
    with pytest.raises(InputError, match="1 vertices with NaN"):
        scored(pred, write(tmp_path / "truth"))


def test_mirrored_hands(tmp_path, scored):
    pred = write(tmp_path / "rival", joints_cam=JOINTS * [-1, 1, 1])
    with pytest.raises(InputError, match="if mirrored"):
        scored(pred, write(tmp_path / "truth"))


def test_millimetres_for_metres(tmp_path, scored):
    large = box()
    large.apply_scale(1000)
    with pytest.raises(InputError, match="millimetres"):
        scored(write(tmp_path / "rival", large), write(tmp_path / "truth"))
    with pytest.raises(InputError, match=r"(?s)T_cam_obj.*millimetres"):
        scored(write(tmp_path / "far", T_cam_obj=poses() * [1, 1, 1, 1000]), tmp_path / "truth")
    with pytest.raises(InputError, match=r"(?s)joints_cam.*millimetres"):
        scored(write(tmp_path / "other", joints_cam=1000 * JOINTS), tmp_path / "truth")


def test_a_truth_without_hands_leaves_columns_empty(tmp_path, scored, capsys):
    out = scored(write(tmp_path / "rival"), write(tmp_path / "truth", joints_cam=None))
    assert out["mpjpe_mm"] is None and out["cd_h_cm2"] is None and out["f5"] is not None
    line = next(line for line in capsys.readouterr().out.splitlines() if " MPJPE mm" in line)
    assert "–" in line and "0" not in line


def test_a_folder_without_a_mesh(tmp_path, scored):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match=r"object\.ply"):
        scored(tmp_path / "nothing", write(tmp_path / "truth"))


def test_settings_that_are_not_there_and_a_rate_that_is_none_are_told(tmp_path):
    write(tmp_path / "a")
    with pytest.raises(InputError, match=r"(?s)none.yaml.*no such file.*config/config.yaml"):
        score(tmp_path / "a", tmp_path / "a", config=tmp_path / "none.yaml")
    for fps in (0.0, float("nan"), -3.0):
        with pytest.raises(InputError, match=r"(?s)--fps.*above 0"):
            score(tmp_path / "a", tmp_path / "a", fps=fps)

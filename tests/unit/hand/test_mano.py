"""MANO's files: read without being run, the same hand as smplx and manopth make of them, and what is refused."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hoi.artefacts import SCHEMAS
from hoi.config import HandChoice
from hoi.errors import InputError
from hoi.geometry.rotations import axis_angle_to_matrix, transform
from hoi.hand.choice import chosen_hand, hand_keys, hand_of
from hoi.hand.convert import converted
from hoi.hand.fitting import HandFit
from hoi.hand.mano import NAMES, border, load_mano, mano_arrays, read_mano, skin_places
from hoi.hand.manopth import as_manopth_reads
from hoi.hand.model import OPEN_HAND, load_hand, read_arrays

from .synthetic_mano import chumpy_modules, mano_content, sock, write_mano

SIDES = ("right", "left")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("mano")
    for side in SIDES:
        write_mano(path, side)
    return str(path)


def random_parameters(n=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(n, k, generator=g) for k, scale in ((45, 0.4), (10, 1.0), (3, 1.0), (3, 0.3))]


def smplx_hand(content, side, **words):
    smplx = pytest.importorskip("smplx")
    data = SimpleNamespace(**{k: v for k, v in content.items() if k != "J"})
    # its constructor prints a hint that MANO's left hand has a fault of its own
    return smplx.MANO("", data_struct=data, is_rhand=side == "right", use_pca=words.pop("use_pca", False), **words)


def test_the_synthetic_mesh_has_mano_s_sizes():
    faces = sock().astype(np.int64)
    edges = {tuple(sorted((f[i], f[i - 1]))) for f in faces.tolist() for i in range(3)}
    assert faces.shape == (1538, 3) and len(np.unique(faces)) == 778 and 778 - len(edges) + 1538 == 1
    assert sorted(border(faces)) == list(range(16))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("components", [None, 6, 44])
def test_vertices_and_joints_are_smplx_s(folder, side, flat, components):
    pose, betas, turn, shift = random_parameters()
    coefficients = pose if components is None else pose[:, :components]
    pca = {"use_pca": True, "num_pca_comps": components} if components else {}
    theirs = smplx_hand(mano_content(side), side, flat_hand_mean=flat, **pca)
    expected = theirs(betas=betas, hand_pose=coefficients, global_orient=turn, transl=shift)
    file, hand = read_mano(folder, side), load_mano(folder, side)
    full = file.flat_pose(coefficients.numpy().astype(np.float64), pca=components is not None, mean=not flat)
    wrist = torch.tensor(np.stack([file.wrist(b) for b in betas.numpy()]), dtype=torch.float32)
    ours = hand(torch.tensor(full, dtype=torch.float32), betas, turn, wrist + shift)
    torch.testing.assert_close(ours.vertices, expected.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.joints, expected.joints[:, :16], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.keypoints[:, [8]], expected.vertices[:, [317]], atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", SIDES)
def test_vertices_and_keypoints_are_manopth_s(folder, side):
    pytest.importorskip(
        "manopth.manolayer", reason="manopth is GPL-3 and not on PyPI: docs/stack.md says how it was tried"
    )
    pose, betas, turn, shift = random_parameters()
    ours = load_mano(folder, side)(pose, betas, turn, shift)
    theirs = chosen_hand(side, HandChoice(model="manopth", files=folder))(pose, betas, turn, shift)
    for name in ("vertices", "joints", "keypoints"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("components", [None, 6, 45])
def test_parameters_are_read_as_manopth_reads_them(folder, side, flat, components, monkeypatch):
    manolayer = pytest.importorskip("manopth.manolayer", reason="as above")
    pose, betas, *_ = random_parameters()
    coefficients = pose if components is None else pose[:, :components]
    file, hand = read_mano(folder, side), load_mano(folder, side)
    monkeypatch.setattr(manolayer, "ready_arguments", lambda _path: as_manopth_reads(file))
    theirs = manolayer.ManoLayer(
        flat_hand_mean=flat, ncomps=components or 45, side=side, use_pca=components is not None
    )
    vertices, keypoints = theirs(torch.cat([torch.zeros(4, 3), coefficients], 1), betas)
    full = file.flat_pose(coefficients.numpy().astype(np.float64), pca=components is not None, mean=not flat)
    wrist = torch.tensor(np.stack([file.wrist(b) for b in betas.numpy()]), dtype=torch.float32)
    ours = hand(torch.tensor(full, dtype=torch.float32), betas, transl=wrist)
    torch.testing.assert_close(ours.vertices, vertices / 1000, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.keypoints, keypoints / 1000, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", SIDES)
def test_place_of_the_hand_from_mano_s_own_parameters(folder, side):
    """MANO turns about the wrist in the template's frame, then adds a translation."""
    content, file = mano_content(side), read_mano(folder, side)
    _, betas, turn, shift = random_parameters(1)
    R = axis_angle_to_matrix(turn)[0].numpy().astype(np.float64)
    T = file.T_cam_hand(R, shift[0].numpy().astype(np.float64), betas[0].numpy().astype(np.float64))
    flat = load_mano(folder, side)(torch.zeros(1, 45), betas)
    theirs = smplx_hand(content, side, flat_hand_mean=True)
    expected = theirs(betas=betas, hand_pose=torch.zeros(1, 45), global_orient=turn, transl=shift).vertices
    placed = transform(torch.tensor(T, dtype=torch.float32)[None], flat.vertices)
    torch.testing.assert_close(placed, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", SIDES)
def test_anatomy_bends_as_the_open_hand_s(folder, side):
    """A curled finger goes to the palm, angles and pose are inverse, axes stay orthonormal."""
    hand, like = load_mano(folder, side), load_hand(side)
    torch.testing.assert_close(hand.joint_axes @ hand.joint_axes.mT, torch.eye(3).expand(15, 3, 3), atol=1e-5, rtol=0)
    angles = torch.zeros(1, 15, 3)
    angles[0, :3, 0] = 1.0
    curled = hand(hand.pose_from_angles(angles), torch.zeros(1, 10)).keypoints[0, 8]
    expected = like(like.pose_from_angles(angles), torch.zeros(1, 10)).keypoints[0, 8]
    torch.testing.assert_close(curled, expected, atol=0.006, rtol=0)  # its joints are regressed from other vertices
    torch.testing.assert_close(hand.angles_from_pose(hand.pose_from_angles(angles)), angles, atol=1e-4, rtol=0)


def test_skin_places_of_the_open_hand_are_its_own():
    hand = read_arrays(OPEN_HAND)
    moved = 1.3 * hand.template + np.array([0.1, 0, 0.2])
    found = skin_places(moved, hand.faces, hand.tips, hand.joint_regressor, hand)
    np.testing.assert_allclose(found, hand.face_uv, atol=1e-4)


def test_uv_and_border_are_complete(folder):
    arrays = mano_arrays(read_mano(folder, "right"), "right")
    assert arrays.uv.shape == (778, 2) and arrays.face_uv.shape == (1538, 3, 2)
    assert arrays.face_uv.min() >= 0 and arrays.face_uv.max() <= 1 and np.ptp(arrays.uv, axis=0).min() > 0.5
    assert len(arrays.wrist_ring) == 16


def given_open(n=3):
    hand, g = load_hand("right"), torch.Generator().manual_seed(4)
    u = torch.rand(n, 15, 3, generator=g)
    pose = hand.pose_from_angles(hand.angle_lower + u * (hand.angle_upper - hand.angle_lower))
    T = np.tile(np.eye(4, dtype=np.float32), (n, 1, 1))
    T[:, 2, 3] = 0.5
    return HandFit(T, pose.numpy(), torch.randn(10, generator=g).numpy())


def keypoints_cam(fit, hand):
    pose, betas = torch.from_numpy(fit.pose), torch.from_numpy(fit.betas).expand(len(fit.pose), -1)
    return transform(torch.from_numpy(fit.T_cam_hand), hand(pose, betas).keypoints)


def test_parameters_carry_over_to_mano_and_back(folder):
    given, hand, mano = given_open(), load_hand("right"), load_mano(folder, "right")
    there = converted(given, hand, mano)
    off = (keypoints_cam(there, mano) - keypoints_cam(given, hand)).norm(dim=-1)
    assert off.mean() < 0.001 and off.max() < 0.004
    back = converted(there, mano, hand)
    assert (keypoints_cam(back, hand) - keypoints_cam(given, hand)).norm(dim=-1).mean() < 0.001
    assert abs(back.betas[0] - given.betas[0]) < 0.3  # the hand's size; the rest is told by flesh, not keypoints


def test_parameters_carry_over_to_a_hand_of_other_bones(tmp_path):
    """What ten shapes cannot stretch is left over: docs/stack.md says how much."""
    write_mano(tmp_path, "right", **mano_content("right", stranger=True))
    given, hand, mano = given_open(), load_hand("right"), load_mano(str(tmp_path), "right")
    off = 1000 * (keypoints_cam(converted(given, hand, mano), mano) - keypoints_cam(given, hand)).norm(dim=-1)
    as_it_is = 1000 * (keypoints_cam(given, mano) - keypoints_cam(given, hand)).norm(dim=-1)
    assert as_it_is.mean() > 4 and 0.5 < off.mean() < 1.2 and off.max() < 3.5


def test_a_hand_carried_over_to_itself_stays():
    given, hand = given_open(), load_hand("right")
    same = converted(given, hand, hand)
    assert (keypoints_cam(same, hand) - keypoints_cam(given, hand)).norm(dim=-1).max() < 5e-4


def test_artefacts_say_which_hand(folder):
    choice = HandChoice(model="mano", files=folder)
    keys = hand_keys(choice)
    assert set(keys) <= set(SCHEMAS["hands"]) and set(keys) <= set(SCHEMAS["poses"])
    assert hand_of({**keys, "is_right": np.array(False)}) is load_mano(folder, "left")
    assert hand_of({"is_right": np.array(True)}) is load_hand("right")


# ---- refused


def test_the_other_hand_s_file_is_refused(tmp_path):
    write_mano(tmp_path, "left")
    (tmp_path / NAMES["left"]).rename(tmp_path / NAMES["right"])
    with pytest.raises(InputError, match="a hand of the other side"):
        read_mano(str(tmp_path), "right")


def test_an_smpl_file_is_refused(tmp_path):
    write_mano(tmp_path, "right", v_template=np.zeros((6890, 3)))
    with pytest.raises(InputError, match="SMPL file"):
        read_mano(str(tmp_path), "right")


def test_a_body_without_hand_components_is_refused(tmp_path):
    (tmp_path / NAMES["right"]).write_bytes(pickle.dumps({"v_template": np.zeros((778, 3))}))
    with pytest.raises(InputError, match="SMPL file"):
        read_mano(str(tmp_path), "right")


@pytest.mark.parametrize("value", [5, "text", None, {"a": 1}, np.zeros((778, 3), "U1"), ["text"]])
def test_what_is_no_array_of_numbers_is_named(tmp_path, value):
    write_mano(tmp_path, "right", v_template=value)
    with pytest.raises(InputError, match="v_template"):
        read_mano(str(tmp_path), "right")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"MANO_RIGHT\.pkl(.|\n)*mano_v1_2"):
        read_mano(str(tmp_path), "right")


def test_a_choice_without_files_says_what_to_set():
    with pytest.raises(InputError, match=r"hand\.files"):
        chosen_hand("right", HandChoice(model="mano", files=None))


def test_manopth_missing_is_said(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "manopth.manolayer", None)
    from hoi.hand.manopth import mano_layer

    with pytest.raises(InputError, match="not on PyPI"):
        mano_layer(read_mano(folder, "right"), "right")


def test_chumpy_is_not_needed(folder):
    assert "chumpy" not in __import__("sys").modules and read_mano(folder, "right").template.shape == (778, 3)
    assert chumpy_modules().keys() == {"chumpy", "chumpy.ch", "chumpy.reordering"}

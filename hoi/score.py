"""`hoi score --pred DIR --truth DIR`: the columns of our tables for files of any system. The format: docs/evaluation.md."""

import math
from pathlib import Path

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from hoi.artefacts import SCHEMAS, check, load_arrays, write_json
from hoi.clip import Clip, Truth, read_clip, read_truth
from hoi.config import HandChoice, ScoreClip
from hoi.errors import InputError
from hoi.evaluate.hand import pa_mpjpe_mm
from hoi.evaluate.score import Hand, Metrics, Placed, failed_scores, is_failed, score_placed
from hoi.hand.choice import OPEN, hand_keys
from hoi.imports import PACKAGE
from hoi.meshes import read_mesh
from hoi.metrics import METRICS
from hoi.present.hands import open_hand_cam
from hoi.provenance import score_record

MESHES = ("object.ply", "object.obj", "object.off", "object.stl", "object.glb")
SETTINGS = PACKAGE.parent / "config/config.yaml"
OWN = {"pose", "betas", "T_cam_hand", "is_right"}  # keys of poses.npz from which our own hand is built


def score(
    pred: Path, truth: Path, output: Path | None = None, fps: float | None = None, config: Path = SETTINGS
) -> None:
    """Score a prediction (object.ply, poses.npz) against a truth of the same form or a prepared clip; print a table.

    --output writes the score as JSON; --fps gives frames a second, for the acceleration error.
    """
    if not config.is_file():
        raise InputError(config, "no such file", "the settings of a checkout", "--config=CHECKOUT/config/config.yaml")
    if fps is not None and not 0 < fps < math.inf:
        raise InputError("--fps", str(fps), "frames a second, above 0", "leave it out where it is not known")
    content = yaml.safe_load(config.read_text())
    settings, seed = ScoreClip.model_validate(content["score_clip"]), int(content["seed"])
    true, known_fps = _read_truth(truth)
    found = _read_side(pred)
    true = _chosen(true, found, pred, truth)
    failed = is_failed(found.mesh)
    if failed:
        measured = failed_scores(true, {})
    else:
        _check_sane(found, true, pred)
        measured = score_placed(found, true, settings, seed, fps or known_fps)
    about = {"clip": truth.name, "variant": pred.name, "category": None, "source": str(pred), "failed": failed}
    record = score_record(None, settings, seed)
    if output is not None:
        write_json(output, {**about, **measured, "made_by": record})
    Console().print(_shown(measured, failed, found))


def _shown(measured: Metrics, failed: bool, found: Placed) -> Table:
    notes = ["no object in the prediction: charged the penalties"] if failed else []
    if not failed and found.mesh is not None and not found.mesh.is_watertight:
        notes.append("the predicted mesh is not watertight: no penetration, no volume")
    table = Table("metric", "value", caption="; ".join(notes) or None)
    for key, metric in METRICS.items():
        if not metric.name.startswith(("hand_found", "mask", "silhouette", "seconds", "memory")):
            value = measured.get(key)
            table.add_row(metric.title, "–" if value is None else f"{value:.{metric.decimals}f}")
    return table


def placed_fit(mesh: object, poses: dict[str, np.ndarray]) -> Placed:
    """A fit of ours (schema `poses`) as it stands in the camera, with its hand."""
    return Placed(mesh, poses["T_cam_obj"], poses["joints_cam"], Hand(*open_hand_cam(poses, bool(poses["is_right"]))))


def placed_truth(source: Clip, truth: Truth, choice: HandChoice) -> Placed:
    """What is known of a prepared clip; where given hands are true ones and of the chosen model, with their surface."""
    poses = truth.poses or {}
    given = source.given_hands() if truth.hands_given else None
    hand = None
    if given is not None and str(given["model"]) == choice.model:
        hand = Hand(*open_hand_cam(given | hand_keys(choice), source.info.side == "right"))
    mesh = read_mesh(truth.object_path) if truth.object_path else None
    return Placed(mesh, poses.get("T_cam_obj"), poses.get("joints_cam"), hand, poses.get("known"))


def _read_truth(folder: Path) -> tuple[Placed, float | None]:
    if (folder / "source.json").exists():
        clip = read_clip(folder)
        return placed_truth(clip, read_truth(folder), OPEN), clip.info.fps
    return _read_side(folder), None


def _read_side(folder: Path) -> Placed:
    """Object and hand of a folder."""
    meshes = [folder / name for name in MESHES if (folder / name).exists()]
    if not meshes:
        found = f"{sorted(p.name for p in folder.iterdir())}" if folder.is_dir() else "no such folder"
        raise InputError(folder, found, f"one of {', '.join(MESHES)}", "see docs/evaluation.md for the format")
    mesh, path = read_mesh(meshes[0]), folder / "poses.npz"
    if not path.exists():
        return Placed(mesh, None, None)
    arrays = load_arrays(path, OWN | set(SCHEMAS["scored_poses"]))
    known = {key: value for key, value in arrays.items() if key in SCHEMAS["scored_poses"]}
    poses = check("scored_poses", known, path)
    hand = None
    if "hand_vertices_cam" in poses and "hand_faces" in poses:
        hand = Hand(poses["hand_vertices_cam"], poses["hand_faces"])
    elif set(arrays) >= OWN:
        hand = Hand(*open_hand_cam(arrays, bool(arrays["is_right"])))
    return Placed(mesh, poses.get("T_cam_obj"), poses.get("joints_cam"), hand, frames=poses.get("frames"))


def _rows(placed: Placed) -> int | None:
    hand = None if placed.hand is None else placed.hand.vertices_cam
    return next((len(part) for part in (placed.T_cam_obj, placed.joints_cam, hand) if part is not None), None)


def _chosen(true: Placed, found: Placed, pred: Path, truth: Path) -> Placed:
    """The truth at the prediction's frames."""
    n, m = _rows(found), _rows(true)
    if n is None or m is None or (found.frames is None and n == m):
        return true
    if found.frames is None:
        raise InputError(
            pred / "poses.npz", f"{n} frames", f"{m}, as in {truth}", "predict every frame, or say which: key `frames`"
        )
    row_of = {int(frame): row for row, frame in enumerate(range(m) if true.frames is None else true.frames)}
    absent = [int(frame) for frame in found.frames if int(frame) not in row_of]
    if absent:
        expected = f"frames of {truth}: {min(row_of)} to {max(row_of)}"
        raise InputError(
            pred / "poses.npz: frames", f"frame {absent[0]}", expected, "number the frames as the truth does"
        )
    return true.at(np.array([row_of[int(frame)] for frame in found.frames]))


def _distance(placed: Placed) -> float:
    """From the camera to the middle of the object, where there is one, else to its frame's origin; median over frames."""
    middle = np.zeros(3) if placed.mesh is None else placed.mesh.bounds.mean(0)
    return float(np.median(np.linalg.norm(placed.T_cam_obj[:, :3, :3] @ middle + placed.T_cam_obj[:, :3, 3], axis=1)))


def _check_sane(found: Placed, true: Placed, pred: Path) -> None:
    """Refuse what is surely a slip: another unit, the other hand."""
    sizes = [(f"{pred}: object", found.mesh, true.mesh)]
    for where, mine, theirs in sizes:
        if theirs is not None and not 0.02 < (ratio := float(np.max(mine.extents) / np.max(theirs.extents))) < 50:
            unit = "millimetres" if 200 < ratio < 5000 else "another unit"
            found_size = f"{np.max(mine.extents):.4g} long, {ratio:.3g} times the true object"
            raise InputError(where, f"{found_size}: {unit}?", "metres", "scale the mesh and the poses to metres")
    if found.T_cam_obj is not None and true.T_cam_obj is not None:
        far, truly_far = (_distance(placed) for placed in (found, true))
        if not 0.02 * truly_far <= far <= 50 * truly_far:
            at = f"an object {far:.4g} from the camera: millimetres?"
            expected = f"metres; the true one is at {truly_far:.3g}"
            raise InputError(f"{pred}: T_cam_obj", at, expected, "scale the poses to metres")
    if found.joints_cam is None or true.joints_cam is None:
        return
    size, true_size = (float(np.ptp(j, axis=1).max()) for j in (found.joints_cam, true.joints_cam))
    if not 0.1 < size / true_size < 10:
        expected = f"metres; the true hand is {true_size:.3g} long"
        raise InputError(f"{pred}: joints_cam", f"a hand {size:.4g} long: millimetres?", expected, "scale to metres")
    as_is, mirrored = (pa_mpjpe_mm(found.joints_cam * [x, 1, 1], true.joints_cam) for x in (1, -1))
    if mirrored < 0.5 * as_is and as_is > 10:
        text = f"joints that fit the truth to {as_is:.0f} mm, and to {mirrored:.0f} mm if mirrored"
        raise InputError(
            f"{pred}: joints_cam", text, "a hand of the same side", "do not flip left hands; undo the mirror"
        )

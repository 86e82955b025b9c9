"""HO-3D v3 (Hampali et al.) and DexYCB (Chao et al.): hands holding YCB objects.

HO-3D: ROOT/{train,evaluation}/SEQUENCE/{rgb/%04d.jpg, meta/%04d.pkl}, ROOT/models/OBJECT/textured_simple.obj. Its camera
is OpenGL's (y up, looking along -z), which is turned here; poses count from the flat hand. No masks are read.
DexYCB: ROOT/SUBJECT/SEQUENCE/meta.yml, .../CAMERA/{color_%06d.jpg, labels_%06d.npz}, ROOT/calibration, ROOT/models. Its
camera is OpenCV's; poses are 45 principal components from MANO's mean.
"""

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
import yaml
from jaxtyping import Bool

from hoi.artefacts import load_arrays
from hoi.clip import Prepared
from hoi.config import HandChoice, PrepareClip
from hoi.errors import InputError
from hoi.hand.mano import ManoFile, read_mano
from hoi.hand.model import KEYPOINTS
from hoi.hand.plain_pickle import numbers, read_pickle
from hoi.sources.datasets import (
    NO_MANO,
    DatasetTruth,
    ManoHands,
    Recording,
    chosen_frames,
    file_of,
    mano_file,
    numbered,
    prepared,
    read_rgb,
    rigid,
    rotations,
    sequence_of,
    to_size,
)
from hoi.table import ClipRow

FPS = 30.0
OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0])
# DexYCB's numbers of the YCB objects, from 1
YCB = (
    "002_master_chef_can", "003_cracker_box", "004_sugar_box", "005_tomato_soup_can", "006_mustard_bottle",
    "007_tuna_fish_can", "008_pudding_box", "009_gelatin_box", "010_potted_meat_can", "011_banana", "019_pitcher_base",
    "021_bleach_cleanser", "024_bowl", "025_mug", "035_power_drill", "036_wood_block", "037_scissors",
    "040_large_marker", "051_large_clamp", "052_extra_large_clamp", "061_foam_brick",
)  # fmt: skip
HAND = 255  # DexYCB's label of the hand
NOTES = ("camMat", "objRot", "objTrans", "handJoints3D")  # of a frame in HO-3D
HAND_NOTES = ("handPose", "handTrans", "handBeta")  # left out where a split is evaluated


def load_ho3d(row: ClipRow, settings: PrepareClip, choice: HandChoice) -> tuple[Prepared, DatasetTruth]:
    """A sequence of HO-3D v3; a frame without annotation stays, with the nearest one's in its place, marked as such."""
    path = Path(str(row.path)).absolute()
    folder = sequence_of(path, "a sequence, ROOT/train/SEQUENCE, with rgb/ and meta/", path.parents[1], ("models",))
    files = numbered(folder / "rgb", (".jpg", ".png"), "frames 0000.jpg, ...")
    indices = chosen_frames(row, len(files), folder / "rgb")
    notes, known = _ho3d_notes([folder / "meta" / f"{files[i].stem}.pkl" for i in indices])
    K = notes[0]["camMat"].astype(np.float64)
    frames = np.stack([read_rgb(files[i]) for i in indices])
    recording = to_size(Recording(frames, K, indices), settings.longest_side_px)
    R = np.stack([rotations(n["objRot"].reshape(1, 3))[0] for n in notes])
    t = np.stack([n["objTrans"].reshape(3) for n in notes])
    F = OPENCV_FROM_OPENGL
    poses = {"T_cam_obj": rigid(F @ R, t @ F).astype(np.float32), "known": known}
    joints = np.stack([n["handJoints3D"] for n in notes])
    if joints.shape[1:] == (21, 3):  # the evaluation split has the wrist alone
        poses["joints_cam"] = (joints[:, KEYPOINTS] @ F).astype(np.float32)
    file = mano_file(choice, "right")
    full = all("handPose" in n for n in notes)
    hands = _ho3d_hands(notes, file) | {"found": known} if file is not None and full else None
    name = str(notes[0]["objName"])
    mesh = _ycb_mesh(folder.parents[1] / "models", name)
    origin = {
        "hands": "meta" if hands else NO_MANO if full else "left out: this split has none",
        "unannotated": [i for i, is_known in zip(indices, known, strict=True) if not is_known],
    }
    return prepared(row, recording, "right", _word(name), FPS, hands, origin), DatasetTruth(mesh, poses)


def _ho3d_notes(paths: list[Path]) -> tuple[list[dict[str, Any]], Bool[np.ndarray, "N"]]:
    """Annotations a frame, and whether they are its own: None in a file means that its frame has none."""
    own = [read_pickle(path) for path in paths]
    keys = (*NOTES, "objName")
    known = np.array([all(notes.get(key) is not None for key in keys) for notes in own])
    places = np.flatnonzero(known)
    if len(places) == 0:
        raise InputError(
            paths[0], f"{len(paths)} frames without annotation", f"{', '.join(keys)} in some", "take other frames"
        )
    nearest = np.abs(places - np.arange(len(own))[:, None]).argmin(1)
    read = [_ho3d_arrays(own[i], paths[i]) for i in places]
    return [read[i] for i in nearest], known


def _ho3d_arrays(notes: dict[str, Any], path: Path) -> dict[str, Any]:
    """An annotated frame's arrays, and the object's name."""
    arrays = {key: numbers(notes, key, path) for key in (*NOTES, *HAND_NOTES) if key in notes}
    return arrays | {"objName": notes["objName"]}


def _ho3d_hands(notes: list[dict[str, Any]], file: ManoFile) -> dict[str, np.ndarray]:
    """Schema `given_hands`: MANO placed in OpenGL's camera, then brought to ours."""
    pose, trans = (np.stack([n[k].astype(np.float64) for n in notes]) for k in ("handPose", "handTrans"))
    betas = np.mean([n["handBeta"] for n in notes], 0)
    hands = ManoHands("right", rotations(pose[:, :3]), trans, pose[:, 3:], betas).given(file)
    return hands | {"T_cam_hand": np.diag([1, -1, -1, 1]).astype(np.float32) @ hands["T_cam_hand"]}


def load_dexycb(row: ClipRow, settings: PrepareClip, choice: HandChoice) -> tuple[Prepared, DatasetTruth]:
    """One camera of a DexYCB sequence, from the first frame of the range in which the hand is annotated."""
    path = Path(str(row.path)).absolute()
    root, what = path.parents[2], "ROOT/SUBJECT/SEQUENCE/CAMERA, with color_%06d.jpg and labels_%06d.npz"
    folder, meta = sequence_of(path, what, root, ("calibration", "models")), _yaml(path.parent / "meta.yml")
    files = numbered(folder, (".jpg",), "frames color_000000.jpg, ...")
    indices, labels = _dexycb_labels(folder, chosen_frames(row, len(files), folder))
    frames = np.stack([read_rgb(files[i]) for i in indices])
    height, width = frames.shape[1:3]
    camera = _yaml(root / f"calibration/intrinsics/{folder.name}_{width}x{height}.yml")["color"]
    K = np.array([[camera["fx"], 0, camera["ppx"]], [0, camera["fy"], camera["ppy"]], [0, 0, 1]])
    held = int(meta["ycb_ids"][meta["ycb_grasp_ind"]])
    masks = {"object": _is(labels, held), "hand": _is(labels, HAND)}
    recording = to_size(Recording(frames, K, indices, masks), settings.longest_side_px)
    T = np.stack([label["pose_y"][meta["ycb_grasp_ind"]] for label in labels])
    poses = {
        "T_cam_obj": rigid(T[:, :, :3], T[:, :, 3]).astype(np.float32),
        "joints_cam": np.stack([label["joint_3d"][0] for label in labels]).astype(np.float32),
    }
    side = "right" if meta["mano_sides"][0] == "right" else "left"
    betas = np.array(_yaml(root / f"calibration/mano_{meta['mano_calib'][0]}/mano.yml")["betas"])
    hands = None
    if choice.files is not None:
        file, pose_m = read_mano(choice.files, side), np.stack([label["pose_m"][0] for label in labels])
        pose = file.flat_pose(pose_m[:, 3:48].astype(np.float64), pca=True, mean=True)
        R, t = rotations(pose_m[:, :3]), pose_m[:, 48:].astype(np.float64)
        hands = ManoHands(side, R, t, pose, betas).given(file)
    mesh = _ycb_mesh(root / "models", YCB[held - 1])
    origin = {"hands": "labels" if hands else NO_MANO}
    return (
        prepared(row, recording, side, _word(YCB[held - 1]), FPS, hands, origin),
        DatasetTruth(mesh, poses, recording.masks),
    )


def _dexycb_labels(folder: Path, indices: list[int]) -> tuple[list[int], list[dict[str, np.ndarray]]]:
    """Labels from the first frame with a hand on; a gap after it is an error."""
    kept, labels = [], []
    for i in indices:
        path = file_of(folder, [f"labels_{i:06d}.npz"], "labels, one file a frame")
        label = load_arrays(path, ("seg", "pose_y", "pose_m", "joint_3d"))
        if (label["pose_m"] == 0).all():
            if not kept:
                continue
            raise InputError(
                path, "no hand", "a hand in every frame after the first", "end the range before this frame"
            )
        kept.append(i)
        labels.append(label)
    if len(kept) < 2:
        raise InputError(folder, f"a hand in {len(kept)} frames", "2 or more", "choose another range of frames")
    return kept, labels


def _is(labels: list[dict[str, np.ndarray]], value: int) -> Bool[np.ndarray, "N H W"]:
    return np.stack([label["seg"] == value for label in labels])


def _yaml(path: Path) -> dict[str, Any]:
    return yaml.safe_load(file_of(path.parent, [path.name], "a file of the release").read_text())


def _ycb_mesh(models: Path, name: str) -> trimesh.Trimesh:
    return trimesh.load_mesh(file_of(models / name, ["textured_simple.obj"], f"{name}'s YCB model"), process=False)


def _word(name: str) -> str:
    """ "006_mustard_bottle" -> "mustard bottle"."""
    return " ".join(part for part in name.split("_") if not part.isdigit())

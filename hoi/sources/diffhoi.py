"""The preprocessed folders of DiffHOI's release (Ye et al., ICCV 2023), HOI4D and in the wild.

ROOT/NAME/: image/, obj_mask/, hand_mask/ with pictures in one order; cameras_hoi{suffix}.npz; hands{suffix}.npz; text.txt; and,
for HOI4D, oObj.obj and eval_poses.npz. A wild clip's oObj.obj is a placeholder, its pictures have names of their own. The
hand frame there is MANO's template's, with the wrist off the origin.
"""

from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Bool

from hoi.artefacts import load_arrays
from hoi.clip import FRAME_SUFFIXES, Prepared
from hoi.config import HandChoice, PrepareClip
from hoi.errors import InputError
from hoi.hand.mano import ManoFile
from hoi.sources.datasets import (
    NO_MANO,
    PAGE,
    DatasetTruth,
    Recording,
    chosen_frames,
    file_of,
    folder_of,
    keypoints_cam,
    mano_file,
    moved,
    one_camera,
    prepared,
    read_rgb,
    sequence_of,
)
from hoi.table import ClipRow

FPS = 15.0
SUFFIXES = ("_smooth_100", "_smooth_100_pred_pred")  # of the hands that the published fits start from, HOI4D and wild
NEAR = 32  # ASSUME: grey values so far from 0 or 255 are edges of resized or compressed masks
TRUE = ""  # no suffix: annotated hands


def load_diffhoi(row: ClipRow, settings: PrepareClip, choice: HandChoice) -> tuple[Prepared, DatasetTruth]:
    """A folder of the release; the row's `hands` names the suffix of the given hands."""
    path = Path(str(row.path))
    folder = sequence_of(path, "a folder of DiffHOI's release, with image/, obj_mask/, hand_mask/", path.parent)
    suffix = _suffix(folder, row.hands)
    files = _pictures(folder / "image")
    indices = chosen_frames(row, len(files), folder / "image")
    cameras = _arrays(folder, f"cameras_hoi{suffix}.npz", ("cTw", "K_pix"), len(files), optional=("wTh",))
    recording = _recording(folder, files, indices, cameras, settings.longest_side_px)
    file = mano_file(choice, "right")
    hands = None if file is None else _hands(folder, suffix, cameras, indices, file)
    notes = {"hands": f"hands{suffix}.npz" if hands else NO_MANO}
    words = (folder / "text.txt").read_text().strip().lower() if (folder / "text.txt").is_file() else "object"
    clip = prepared(row, recording, "right", words, FPS, hands, notes)
    return clip, DatasetTruth(*_truth(folder, indices, file, choice, len(files)), recording.masks)


def _suffix(folder: Path, hands: str | None) -> str:
    """The suffix of the hands that a row asks for; of those that it has, if it asks for none."""
    if hands is not None:
        return TRUE if hands == "gt" else f"_{hands}"
    return next((s for s in SUFFIXES if (folder / f"cameras_hoi{s}.npz").is_file()), SUFFIXES[0])


def _pictures(folder: Path) -> list[Path]:
    """Pictures of a folder, by name."""
    found = folder_of(folder, "a picture a frame, in order").iterdir()
    return sorted(p for p in found if p.suffix.lower() in FRAME_SUFFIXES)


def _arrays(
    folder: Path, name: str, keys: tuple[str, ...], count: int, optional: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Arrays of a file, one row per frame; those of optional keys where it has them."""
    path = file_of(folder, [name], f"{', '.join(keys)}, one row per frame")
    arrays = load_arrays(path, keys + optional)
    for key in keys:
        if key not in arrays or len(arrays[key]) != count:
            found = f"{key}: {len(arrays[key])} rows" if key in arrays else "no such key"
            raise InputError(path, found, f"{key}: {count} rows, one per frame of image/", f"{PAGE}; unpack it again")
    return arrays


def _recording(
    folder: Path, files: list[Path], indices: list[int], cameras: dict[str, np.ndarray], longest_px: int
) -> Recording:
    """Frames and masks, each cropped anew by the release, brought into one camera."""
    K = cameras["K_pix"][indices, :3, :3].astype(np.float64)
    pictures = [read_rgb(files[i]) for i in indices]
    shared, size = one_camera(K, pictures[0].shape[:2], longest_px)
    frames = np.stack([moved(p, k, shared, size) for p, k in zip(pictures, K, strict=True)])
    masks = {}
    for name, source in (("object", "obj_mask"), ("hand", "hand_mask")):
        own = _masks(folder / source, indices, len(files))
        masks[name] = np.stack(
            [moved(255 * m.astype(np.uint8), k, shared, size) > 127 for m, k in zip(own, K, strict=True)]
        )
    return Recording(frames, shared, indices, masks)


def _masks(folder: Path, indices: list[int], count: int) -> list[Bool[np.ndarray, "h w"]]:
    """Masks of frames, in their pictures' order, above half of 255 as published; resized ones have grey edges."""
    files = _pictures(folder)
    if len(files) != count:
        raise InputError(folder, f"{len(files)} masks", f"{count}, one per frame of image/", f"{PAGE}; unpack it again")
    grey = [read_rgb(files[i])[..., 0] for i in indices]
    lit, bright = (sum(int((m > least).sum()) for m in grey) for least in (NEAR, 255 - NEAR))
    if any(m.any() for m in grey) and bright <= lit / 2:
        found = f"{bright} pixels near 255 of {lit} not near 0"
        raise InputError(folder, found, "0 and 255: another palette?", "write masks as 0/255")
    return [m > 127 for m in grey]


def _hands(
    folder: Path, suffix: str, cameras: dict[str, np.ndarray], indices: list[int], file: ManoFile
) -> dict[str, np.ndarray]:
    """Schema `given_hands`: their hand frame moved to the wrist, one shape a clip."""
    arrays = _arrays(folder, f"hands{suffix}.npz", ("hA", "beta"), len(cameras["cTw"]))
    T_cam_template = cameras["cTw"].astype(np.float64)
    if "wTh" in cameras:
        T_cam_template = T_cam_template @ cameras["wTh"]
    R = T_cam_template[:, :3, :3]
    if np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)).max() > 1e-3:
        raise InputError(
            folder / f"cameras_hoi{suffix}.npz", "cTw wTh that scales", "rotations", "hands are metric here"
        )
    betas = arrays["beta"].reshape(len(arrays["beta"]), 10).mean(0).astype(np.float64)
    to_wrist = np.eye(4)
    to_wrist[:3, 3] = file.wrist(betas)
    return {
        "model": np.array("mano"),
        "T_cam_hand": (T_cam_template @ to_wrist)[indices].astype(np.float32),
        "pose": arrays["hA"].reshape(-1, 45)[indices].astype(np.float32),
        "betas": betas.astype(np.float32),
    }


def _truth(
    folder: Path, indices: list[int], file: ManoFile | None, choice: HandChoice, count: int
) -> tuple[trimesh.Trimesh | None, dict[str, np.ndarray] | None]:
    """True shape and poses; clips in the wild have neither, whatever their oObj.obj."""
    if not (folder / "eval_poses.npz").is_file():
        return None, None
    mesh = trimesh.load_mesh(file_of(folder, ["oObj.obj"], "the true shape"), process=False)
    poses = _arrays(folder, "eval_poses.npz", ("cTo", "cTh"), count)
    known = {"T_cam_obj": poses["cTo"][indices].astype(np.float32)}
    if file is not None and (folder / "hands.npz").is_file():
        hands = _hands(folder, TRUE, {"cTw": poses["cTh"]}, indices, file)
        known["joints_cam"] = keypoints_cam(hands, "right", choice)
    return mesh, known

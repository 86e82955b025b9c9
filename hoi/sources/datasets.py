"""What the readers of published data sets share: looking for files, one camera a clip, hands of MANO, the truth to score by."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float, UInt8

from hoi.artefacts import write_npz
from hoi.clip import ClipInfo, Intrinsics, Prepared, write_masks
from hoi.config import HandChoice
from hoi.errors import InputError, SetupError
from hoi.geometry.rotations import axis_angle_to_matrix, transform
from hoi.hand.mano import ManoFile, load_mano, read_mano
from hoi.hand.model import Side
from hoi.sources.video import FrameRange
from hoi.table import ClipRow

PAGE = "docs/datasets.md says what lies where"
NO_MANO = "left out: hand.files is not set, and they are MANO's"


@dataclass(frozen=True)
class DatasetTruth:
    """What a data set knows of a clip beyond its frames; every part may be missing. Rows and masks go by prepared frame."""

    object_mesh: trimesh.Trimesh | None = None
    poses: dict[str, np.ndarray] | None = None  # schema `true_poses`
    masks: dict[str, Bool[np.ndarray, "N H W"]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """object.ply, poses.npz, masks/{object,hand}/."""
        folder.mkdir()
        if self.object_mesh is not None:
            self.object_mesh.export(folder / "object.ply")
        if self.poses is not None:
            write_npz("true_poses", folder / "poses.npz", **self.poses)
        for name, masks in self.masks.items():
            write_masks(folder / "masks" / name, dict(enumerate(masks)))


@dataclass(frozen=True)
class Recording:
    """Frames as a data set has them, with one camera for all."""

    frames: UInt8[np.ndarray, "N H W 3"]
    K: Float[np.ndarray, "3 3"]
    indices: list[int]
    masks: dict[str, Bool[np.ndarray, "N H W"]] = field(default_factory=dict)


@dataclass(frozen=True)
class ManoHands:
    """Hands by MANO's parameters: turned about the wrist by R_cam_hand, then moved by trans (metres)."""

    side: Side
    R_cam_hand: Float[np.ndarray, "N 3 3"]
    trans: Float[np.ndarray, "N 3"]
    pose: Float[np.ndarray, "N 45"]  # axis-angle from the flat hand
    betas: Float[np.ndarray, "10"]

    def given(self, file: ManoFile) -> dict[str, np.ndarray]:
        """Schema `given_hands`."""
        T = [file.T_cam_hand(R, t, self.betas) for R, t in zip(self.R_cam_hand, self.trans, strict=True)]
        return {
            "model": np.array("mano"), "T_cam_hand": np.stack(T).astype(np.float32),
            "pose": self.pose.astype(np.float32), "betas": self.betas.astype(np.float32),
        }  # fmt: skip


def mano_file(choice: HandChoice, side: Side) -> ManoFile | None:
    """MANO's file of a side, where the config says where it lies."""
    return None if choice.files is None else read_mano(choice.files, side)


def keypoints_cam(given: dict[str, np.ndarray], side: Side, choice: HandChoice) -> Float[np.ndarray, "N 21 3"]:
    """The 21 keypoints of given MANO hands in the camera, metres."""
    pose = torch.from_numpy(given["pose"])
    with torch.no_grad():
        out = load_mano(str(choice.files), side)(pose, torch.from_numpy(given["betas"]).expand(len(pose), -1))
        return transform(torch.from_numpy(given["T_cam_hand"]), out.keypoints).numpy()


def rotations(axis_angle: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3 3"]:
    """Rotation matrices of axis-angle vectors (radians)."""
    return axis_angle_to_matrix(torch.from_numpy(np.asarray(axis_angle, np.float64))).numpy()


def rigid(R: Float[np.ndarray, "*n 3 3"], t: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 4 4"]:
    """Transforms from rotations and translations."""
    T = np.zeros((*R.shape[:-2], 4, 4))
    T[..., :3, :3], T[..., :3, 3], T[..., 3, 3] = R, t, 1
    return T


def sequence_of(path: Path, what: str, root: Path, parts: tuple[str, ...] = ()) -> Path:
    """A clip's folder, in a data set with these parts; a SetupError where one is not there: it is not unpacked, or elsewhere."""
    for folder in (path, *(root / part for part in parts)):
        if not folder.is_dir():
            expected = what if folder == path else f"a part of the data set: {', '.join(parts)}"
            raise SetupError(folder, "no such folder", expected, f"{PAGE}; check the path in the clips table")
    return path


def folder_of(path: Path, what: str) -> Path:
    """A folder of the data set that must be there."""
    if not path.is_dir():
        raise InputError(path, "no such folder", what, f"{PAGE}; unpack the data set again, or leave the clip out")
    return path


def file_of(folder: Path, names: list[str], what: str) -> Path:
    """The first of some names that a folder has."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        folder / names[0], "no such file", what, f"{PAGE}; unpack the data set again, or take other frames"
    )


def chosen_frames(row: ClipRow, count: int, where: Path) -> list[int]:
    """Indices of a row's frame range among `count` frames."""
    span = FrameRange(row.first, row.last, row.stride)
    if row.last is not None and row.last >= count:
        raise InputError(where, f"{count} frames", f"frame {row.last} and those before", "correct `last` of the row")
    indices = [i for i in range(count) if i in span]
    if len(indices) < 2:
        raise InputError(where, f"{len(indices)} frames in the range", "2 or more", "correct first, last, stride")
    return indices


def numbered(folder: Path, suffixes: tuple[str, ...], what: str) -> list[Path]:
    """Pictures whose names are their numbers; none may be missing between the first, 0 or 1, and the last."""
    files = sorted((p for p in folder_of(folder, what).iterdir() if p.suffix.lower() in suffixes), key=lambda p: p.stem)
    numbers = [int("".join(c for c in p.stem if c.isdigit()) or -1) for p in files]
    start = numbers[0] if numbers else 0
    missing = sorted(set(range(start, start + len(files))) - set(numbers))
    if not files or missing or start > 1:
        found = f"{len(files)} pictures" + (f", none of number {missing[0]}" if missing else "")
        raise InputError(folder, found, f"{what}, without gaps", f"{PAGE}; unpack the data set again")
    return files


def read_rgb(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """A picture; an unreadable or missing one is an InputError."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        found = "an unreadable picture" if path.is_file() else "no such file"
        raise InputError(path, found, "a png or jpg", f"{PAGE}; unpack the data set again")
    return picture[..., ::-1]


def affine_between(
    K_from: Float[np.ndarray, "3 3"], K_to: Float[np.ndarray, "3 3"]
) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Scale a and shift b with u_to = a u_from + b for pixels of the same rays."""
    a = np.array([K_to[0, 0] / K_from[0, 0], K_to[1, 1] / K_from[1, 1]])
    return a, K_to[:2, 2] - a * K_from[:2, 2]


def one_camera(
    K: Float[np.ndarray, "N 3 3"], size: tuple[int, int], longest_px: int
) -> tuple[Float[np.ndarray, "3 3"], tuple[int, int]]:
    """A camera and picture size (height, width) that hold every frame's window of one turning-free camera.

    As published, clips are cropped anew in every frame; here a clip has one camera. It has the coarsest frame's focal
    length, so that none is enlarged, or less, for the longest side.
    """
    f = np.array([K[:, 0, 0].min(), K[:, 1, 1].min()])
    scale = f / np.stack([K[:, 0, 0], K[:, 1, 1]], 1)
    corners = scale[:, None] * (np.array([[0, 0], [size[1], size[0]]]) - K[:, None, :2, 2])
    low, high = corners.min((0, 1)), corners.max((0, 1))
    s = min(1.0, longest_px / (high - low).max())
    width, height = (round(float(x)) for x in s * (high - low))
    shared = np.eye(3)
    shared[0, 0], shared[1, 1] = s * f
    shared[:2, 2] = -s * low
    return shared, (height, width)


def moved(
    picture: UInt8[np.ndarray, "h w *c"],
    K: Float[np.ndarray, "3 3"],
    shared: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
) -> UInt8[np.ndarray, "H W *c"]:
    """A picture as the shared camera sees it, black beyond its border; reduced by areas, so that nothing aliases."""
    a, b = affine_between(K, shared)
    h, w = picture.shape[:2]
    if (a < 0.999).any():
        small = (max(1, round(w * float(a[0]))), max(1, round(h * float(a[1]))))
        picture, a = cv2.resize(picture, small, interpolation=cv2.INTER_AREA), a * [w / small[0], h / small[1]]
    M = np.array([[a[0], 0, 0.5 * a[0] + b[0] - 0.5], [0, a[1], 0.5 * a[1] + b[1] - 0.5]])
    return cv2.warpAffine(picture, M, size[::-1], flags=cv2.INTER_LINEAR)


def prepared(
    row: ClipRow,
    recording: Recording,
    side: Side,
    category: str,
    fps: float,
    hands: dict[str, np.ndarray] | None,
    notes: dict[str, Any],
) -> Prepared:
    """The clip of a data set; its truth is written beside it, row for row."""
    K = recording.K
    camera = Intrinsics(fx=K[0, 0], fy=K[1, 1], cx=K[0, 2], cy=K[1, 2])
    info = ClipInfo(category=row.category or category, side=side, fps=fps / (row.stride or 1), intrinsics=camera)
    origin = {
        "source": row.source, "path": row.path, "sha256": None, "frames": list(range(len(recording.frames))),
        "source_frames": recording.indices, "intrinsics": "given", "truth": "gt", **notes,
    }  # fmt: skip
    masks = {name: dict(enumerate(m)) for name, m in recording.masks.items()}
    return Prepared(recording.frames, info, origin, masks or None, hands)


def to_size(recording: Recording, longest_px: int, window: tuple[int, int, int, int] | None = None) -> Recording:
    """Frames, masks and camera cut to a window (x0, y0, x1, y1) and scaled down to the longest side."""
    height, width = recording.frames.shape[1:3]
    x0, y0, x1, y1 = window or (0, 0, width, height)
    K = recording.K.astype(np.float64).copy()
    K[:2, 2] -= [x0, y0]
    shared, size = one_camera(K[None], (y1 - y0, x1 - x0), longest_px)
    frames = np.stack([moved(f[y0:y1, x0:x1], K, shared, size) for f in recording.frames])
    masks = {
        name: np.stack([moved(m[y0:y1, x0:x1].astype(np.uint8) * 255, K, shared, size) > 127 for m in stack])
        for name, stack in recording.masks.items()
    }
    return Recording(frames, shared, recording.indices, masks)

"""One function a source: a row of the clips table to a prepared clip."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from hoi.artefacts import read_npz
from hoi.clip import Clip, ClipInfo, Intrinsics, Prepared, read_clip, read_masks
from hoi.config import PrepareClip
from hoi.errors import InputError
from hoi.sources.video import Footage, FrameRange, find_video, read_footage
from hoi.table import ClipRow


def load_video(row: ClipRow, settings: PrepareClip) -> Prepared:
    """A video file: frames alone; the focal length is assumed."""
    path = Path(str(row.path))
    footage = read_footage(path, _span(row), settings.longest_side_px, settings.limits)
    info = _info(row, ClipInfo(), footage, settings)
    return Prepared(footage.frames, info, _origin(row, path, footage, None, assumed_focal=True))


def load_folder(row: ClipRow, settings: PrepareClip) -> Prepared:
    """A clip folder: frames or a video, with what else it brings. Its `gt/` is pointed to, not opened."""
    clip = read_clip(Path(str(row.path)))
    media = clip.path / "frames" if (clip.path / "frames").is_dir() else find_video(clip.path)
    footage = read_footage(media, _span(row), settings.longest_side_px, settings.limits)
    info = _info(row, clip.info, footage, settings)
    truth = str((clip.path / "gt").resolve()) if (clip.path / "gt").is_dir() else None
    origin = _origin(row, media, footage, truth, assumed_focal=clip.info.intrinsics is None)
    return Prepared(footage.frames, info, origin, _given_masks(clip, footage), _given_hands(clip, footage))


def stand_in(row: ClipRow, settings: PrepareClip) -> Prepared:
    """In place of a clip that cannot be read: two grey frames, so that pictures and pages have something to show."""
    frames = np.full((2, 120, 160, 3), 128, np.uint8)
    footage = Footage(frames, [0, 1], None, 1.0, (120, 160))
    info = _info(row, ClipInfo(), footage, settings)
    return Prepared(frames, info, _origin(row, Path(str(row.path)), footage, None, assumed_focal=True))


def _span(row: ClipRow) -> FrameRange:
    return FrameRange(row.first, row.last, row.stride)


def _info(row: ClipRow, given: ClipInfo, footage: Footage, settings: PrepareClip) -> ClipInfo:
    height, width = footage.frames.shape[1:3]
    side = row.side or given.side
    if side not in (None, "right", "left"):
        raise InputError(f"clip {row.clip}: side", repr(side), "right, left or empty", "correct clip.yaml")
    if given.intrinsics is None:
        focal = settings.focal_over_width * width
        camera = Intrinsics(fx=focal, fy=focal, cx=width / 2, cy=height / 2)
    else:
        s = footage.scale
        camera = Intrinsics(**{key: value * s for key, value in given.intrinsics.model_dump().items()})
    fps = footage.fps or (given.fps / (row.stride or 1) if given.fps else settings.fps_if_unknown)
    return ClipInfo(category=row.category or given.category or "object", side=side, fps=fps, intrinsics=camera)


def _origin(row: ClipRow, media: Path, footage: Footage, truth: str | None, assumed_focal: bool) -> dict:
    return {
        "source": row.source, "path": str(media), "sha256": _sha256(media), "frames": footage.indices, "scale": footage.scale,
        "intrinsics": "assumed" if assumed_focal else "given", "truth": truth,
    }  # fmt: skip


def _sha256(path: Path) -> str | None:
    """Of a file, read piece by piece; None for a folder."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _given_masks(clip: Clip, footage: Footage) -> dict[str, dict[int, np.ndarray]] | None:
    if not (clip.path / "masks").is_dir():
        return None
    height, width = footage.frames.shape[1:3]
    out: dict[str, dict[int, np.ndarray]] = {}
    for name in ("object", "hand"):
        masks = read_masks(clip.path / "masks" / name, footage.source_size)
        taken = {new: masks[old] for new, old in enumerate(footage.indices) if old in masks}
        out[name] = {
            i: cv2.resize(m.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
            for i, m in taken.items()
        }
    return out


def _given_hands(clip: Clip, footage: Footage) -> dict[str, np.ndarray] | None:
    path = clip.path / "hands.npz"
    if not path.exists():
        return None
    hands = read_npz("given_hands", path)
    if len(hands["pose"]) <= max(footage.indices):
        raise InputError(path, f"{len(hands['pose'])} rows", f"more than {max(footage.indices)}", "one row per frame")
    rows = {key: hands[key][footage.indices] for key in ("T_cam_hand", "pose")}
    return {"model": hands["model"], "betas": hands["betas"], **rows}

"""One function a source: a row of the clips table to a prepared clip."""

import re
from pathlib import Path

import numpy as np

from hoi.artefacts import read_npz
from hoi.clip import Clip, ClipInfo, Hint, Intrinsics, Prepared, frame_files, read_clip, read_masks, scaled_mask
from hoi.config import PrepareClip
from hoi.errors import InputError
from hoi.geometry.bars import content_box
from hoi.provenance import file_sha256
from hoi.sources.probe import lens_px, probe
from hoi.sources.video import FindHand, Footage, FrameRange, find_video, read_footage
from hoi.table import ClipRow

ASSUMED = "assumed"  # of a focal length that nothing tells


def load_video(row: ClipRow, settings: PrepareClip, find_hand: FindHand | None = None) -> Prepared:
    """A video file: frames alone; the focal length is the table's, the file's, or assumed. `find_hand`: where to look in a
    long one (hoi.sources.video.read_footage), unless a hint says so.
    """
    path, find = Path(str(row.path)), find_hand if row.hint_frame is None else None
    footage = read_footage(path, _span(row), settings.longest_side_px, settings.limits, settings.max_frames, find)
    info, lens = _info(row, ClipInfo(), footage, path, settings)
    return Prepared(footage.frames, info, _origin(row, path, footage, None, lens))


def load_folder(row: ClipRow, settings: PrepareClip) -> Prepared:
    """A clip folder: frames or a video, with what else it brings. Its `gt/` is pointed to, not opened."""
    clip = read_clip(Path(str(row.path)))
    media = clip.path / "frames" if (clip.path / "frames").is_dir() else find_video(clip.path)
    _check_numbers(clip.path)
    footage = read_footage(media, _span(row), settings.longest_side_px, settings.limits)
    info, lens = _info(row, clip.info, footage, media, settings)
    truth = str((clip.path / "gt").resolve()) if (clip.path / "gt").is_dir() else None
    origin = _origin(row, media, footage, truth, lens)
    given = _given_masks(clip, footage), _given_hands(clip, footage, lens), _given_tracks(clip, footage)
    return Prepared(footage.frames, info, origin, *given)


def _check_numbers(folder: Path) -> None:
    """Masks go by the number of their frame, rows and prepared frames by its place: refuse frames of which the two differ."""
    files = frame_files(folder / "frames")
    masked = [name for name in ("masks", "gt/masks") if (folder / name).is_dir()]
    numbers = [int(n) for p in files for n in re.findall("[0-9]+", p.stem)[-1:]]
    if masked and numbers != list(range(len(files))):
        found = f"{len(files)} frames, {files[0].name} to {files[-1].name}"
        expected = f"numbers from 0 without a gap, by which {masked[0]}/ goes"
        raise InputError(folder / "frames", found, expected, "renumber frames and masks from 0")


def stand_in(row: ClipRow, settings: PrepareClip) -> Prepared:
    """In place of a clip that cannot be read: two grey frames, so that pictures and pages have something to show."""
    frames = np.full((2, 120, 160, 3), 128, np.uint8)
    footage, path = Footage(frames, [0, 1], None, 1.0, (120, 160)), Path(str(row.path))
    info, lens = _info(row.model_copy(update={"hint_frame": None}), ClipInfo(), footage, Path(), settings)
    return Prepared(frames, info, _origin(row, path, footage, None, lens))


def _span(row: ClipRow) -> FrameRange:
    return FrameRange(row.first, row.last, row.stride)


def _info(row: ClipRow, given: ClipInfo, footage: Footage, media: Path, settings: PrepareClip) -> tuple[ClipInfo, str]:
    """What is known of the clip, and where its focal length is from."""
    side = row.side or given.side
    if side not in (None, "right", "left"):
        raise InputError(f"clip {row.clip}: side", repr(side), "right, left or empty", "correct clip.yaml")
    camera, lens = _camera(row, given, footage, media, settings)
    apart = (footage.indices[-1] - footage.indices[0]) / max(len(footage.indices) - 1, 1)  # frames of the source
    fps = given.fps / max(apart, 1) if given.fps else footage.fps or settings.fps_if_unknown / max(apart, 1)
    info = ClipInfo(
        category=row.category or given.category or "object", side=side, fps=fps, intrinsics=camera,
        hint=_hint(row, given, footage),
    )  # fmt: skip
    return info, lens


def _camera(
    row: ClipRow, given: ClipInfo, footage: Footage, media: Path, settings: PrepareClip
) -> tuple[Intrinsics, str]:
    """Intrinsics of the prepared frames: from the table, the clip folder, the file's lens, or assumed; and which."""
    (height, width), s = footage.frames.shape[1:3], footage.scale
    if given.intrinsics is not None:
        _check_centre(given.intrinsics, footage.source_size)
        fx, fy, cx, cy = (value * s for value in given.intrinsics.model_dump().values())
        zoom = 1.0 if row.focal_px is None else row.focal_px * s / fx
        camera = Intrinsics(fx=fx * zoom, fy=fy * zoom, cx=cx, cy=cy)
        return camera, "given" if row.focal_px is None else "clips table"
    lens = probe(media).lens_35mm if row.focal_px is None and media.is_file() else None
    if row.focal_px is not None:
        focal, source = row.focal_px * s, "clips table"
    elif lens is not None:
        focal, source = lens_px(lens, width, height), f"the file's lens, {lens:g} mm (35 mm equivalent)"
    else:
        rows, columns = content_box(footage.frames)
        longer = max(rows.stop - rows.start, columns.stop - columns.start)
        focal, source = settings.focal_over_width * longer, f"{ASSUMED}: the picture's longer side"
    return Intrinsics(fx=focal, fy=focal, cx=width / 2, cy=height / 2), source


def _check_centre(camera: Intrinsics, size: tuple[int, int]) -> None:
    """Refuse intrinsics of another resolution: the middle that they name is that of larger or smaller pictures."""
    across, down = 2 * camera.cx / size[1], 2 * camera.cy / size[0]
    if down > 0 and abs(across / down - 1) < 0.1 and not 0.67 < across < 1.5:
        found = f"cx {camera.cx:g}, cy {camera.cy:g}: the middle of {2 * camera.cx:.0f}x{2 * camera.cy:.0f}"
        expected = f"those of the frames, which are {size[1]}x{size[0]}"
        raise InputError("clip.yaml: intrinsics", found, expected, "scale fx, fy, cx and cy to the frames")


def _check_hint(hint: Hint, size: tuple[int, int], where: str) -> None:
    """Refuse a hint beside the picture: it would say that the object is nowhere."""
    left, top, right, bottom = hint.box_px or (*hint.click_px, *hint.click_px)
    if right < 0 or bottom < 0 or left > size[1] or top > size[0]:
        found = " ".join(f"{v:g}" for v in hint.box_px or hint.click_px)
        raise InputError(where, found, f"inside {size[1]}x{size[0]}", "give pixels of the source's frame")


def _hint(row: ClipRow, given: ClipInfo, footage: Footage) -> Hint | None:
    """The hint of the table or of clip.yaml, at the prepared frames' scale and at the nearest frame that was taken."""
    if row.hint_frame is not None:
        hint = Hint(frame=row.hint_frame, box_px=row.hint_box, click_px=row.hint_click)
    elif given.hint is not None:
        hint = given.hint
    else:
        return None
    if not min(footage.indices) <= hint.frame <= max(footage.indices):
        expected = f"a frame from {min(footage.indices)} to {max(footage.indices)}"
        raise InputError(f"clip {row.clip}: hint_frame", str(hint.frame), expected, "correct the hint or the range")
    _check_hint(hint, footage.source_size, f"clip {row.clip}: hint")
    return hint.moved(int(np.abs(np.array(footage.indices) - hint.frame).argmin()), footage.scale)


def _origin(row: ClipRow, media: Path, footage: Footage, truth: str | None, lens: str) -> dict:
    return {
        "source": row.source, "path": str(media), "sha256": file_sha256(media) if media.is_file() else None,
        "frames": footage.indices, "scale": footage.scale, "size": footage.source_size,
        "intrinsics": lens, "truth": truth,
    } | footage.notes  # fmt: skip


def _given_masks(clip: Clip, footage: Footage) -> dict[str, dict[int, np.ndarray]] | None:
    if not (clip.path / "masks").is_dir():
        return None
    height, width = footage.frames.shape[1:3]
    out: dict[str, dict[int, np.ndarray]] = {}
    for name in ("object", "hand"):
        masks = read_masks(clip.path / "masks" / name, footage.source_size)
        taken = {new: masks[old] for new, old in enumerate(footage.indices) if old in masks}
        out[name] = {i: scaled_mask(m, (height, width)) for i, m in taken.items()}
    return out


def _given_hands(clip: Clip, footage: Footage, lens: str) -> dict[str, np.ndarray] | None:
    path = clip.path / "hands.npz"
    if not path.exists():
        return None
    if lens.startswith(ASSUMED):
        expected = "the focal length by which these hands, in metres, were placed"
        raise InputError(path, "hands without intrinsics", expected, "write intrinsics into clip.yaml, or focal_px")
    hands = read_npz("given_hands", path)
    if len(hands["pose"]) <= max(footage.indices):
        raise InputError(path, f"{len(hands['pose'])} rows", f"more than {max(footage.indices)}", "one row per frame")
    rows = {key: hands[key][footage.indices] for key in ("T_cam_hand", "pose", "found") if key in hands}
    return {"model": hands["model"], "betas": hands["betas"], **rows}


def _given_tracks(clip: Clip, footage: Footage) -> dict[str, np.ndarray] | None:
    """Another tracker's rows of the frames that were taken, renumbered, its focal length at their scale."""
    tracks = clip.given_tracks()
    if tracks is None:
        return None
    path, count = clip.path / "tracks.npz", len(frame_files(clip.path / "frames"))
    first, last = int(tracks["frames"].min(initial=0)), int(tracks["frames"].max(initial=0))
    if first < 0 or 0 < count <= last:
        raise InputError(path, f"rows of frames {first} to {last}", f"0 to {count - 1}", "number the frames from 0")
    trust = tracks.get("confidence", np.ones(1, np.float32))
    if not ((trust >= 0) & (trust <= 1)).all():
        raise InputError(
            path, f"confidence {trust.min():g} to {trust.max():g}", "0 to 1", "divide by its greatest value"
        )
    place = {old: new for new, old in enumerate(footage.indices)}
    kept = np.isin(tracks["frames"], footage.indices)
    rows = {key: value[kept] for key, value in tracks.items() if value.ndim and key != "frames"}
    frames = np.array([place[int(t)] for t in tracks["frames"][kept]], np.int64)
    return rows | {"frames": frames, "focal_px": tracks["focal_px"] * np.float32(footage.scale)}

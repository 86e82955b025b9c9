"""Frames from a video file, or from a folder of pictures, with a frame range and a stride."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
from jaxtyping import UInt8

from hoi.clip import check_whole, frame_files, picture_size, read_picture
from hoi.config import MediaLimits
from hoi.errors import InputError
from hoi.sources.probe import probe, refuse
from hoi.sources.timing import Timing, video_timing

# HDR (BT.2020) on an ordinary screen: diffuse white, 203 cd/m² (ITU-R BT.2408), is white, and what is brighter too
SCREEN = "zscale=min=2020_ncl:pin=2020:t=linear:npl=203:p=bt709,format=gbrpf32le,zscale=t=iec61966-2-1:m=gbr:r=pc,format=gbrp"
VIDEO_SUFFIXES = (".mp4", ".mov", ".webm", ".gif", ".m4v", ".avi", ".mkv")

LOOKS_PER_SECOND, LOOK_PX, MARGIN_LOOKS = 3, 320, 2  # at a long video, for a hand; taken with it, before and behind
FindHand = Callable[[Iterable[UInt8[np.ndarray, "h w 3"]]], tuple[int, int] | None]


@dataclass(frozen=True)
class FrameRange:
    """Frames first, first + stride, ... up to and including last; None leaves an end open."""

    first: int | None
    last: int | None
    stride: int | None

    def __contains__(self, index: int) -> bool:
        first = self.first or 0
        return (
            first <= index <= (self.last if self.last is not None else index)
            and (index - first) % (self.stride or 1) == 0
        )


WHOLE = FrameRange(None, None, None)


@dataclass(frozen=True)
class Footage:
    """Frames with their index in the source, frames per second after striding, the scale they were resized by from the
    source's size (height, width), and what its owner should know of the file."""

    frames: UInt8[np.ndarray, "N H W 3"]
    indices: list[int]
    fps: float | None
    scale: float
    source_size: tuple[int, int]
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Take:
    """What one reading of a source gave: the frames of the range, and how many were read up to its end."""

    frames: list[UInt8[np.ndarray, "H W 3"]]
    indices: list[int]
    scale: float
    source_size: tuple[int, int] | None
    read: int
    decoder: str


def read_footage(
    path: Path,
    span: FrameRange,
    longest_side_px: int,
    limits: MediaLimits,
    max_frames: int | None = None,
    find_hand: FindHand | None = None,
) -> Footage:
    """Read a video file, or the pictures of a folder, scaled down to the longest side; what is too large is refused.

    Of a video that would give more than `max_frames`, and whose stride is not given, every second, third, ... frame; where
    no range is given either, of the part in which `find_hand`, told of a few frames a second, finds first and last of them.
    """
    _check_size(path, limits)
    fps, notes = None, {}
    if path.is_dir():
        take = _take(_folder_frames(path, span, limits), path, span, longest_side_px, limits)
    else:
        timing, lost_too = video_timing(path), span.last is None
        span, looked = _chosen(path, span, timing, max_frames, find_hand)
        wanted = len(timing.times_s) if span.last is None else min(span.last + 1, len(timing.times_s))
        take, fps = _read_video(path, span, longest_side_px, limits, wanted), timing.rate()
        notes = {
            "decoder": take.decoder, "fps": fps, "variable_rate": timing.varies(), "stride": span.stride or 1,
            "missing_frames": max(0, wanted - take.read) + (timing.lost if lost_too else 0),
        } | looked  # fmt: skip
    if len(take.frames) < 2:
        read = len(frame_files(path)) if path.is_dir() else take.read
        raise _too_few(path, span, len(take.frames), read)
    fps = fps / (span.stride or 1) if fps else None
    return Footage(_joined(take.frames), take.indices, fps, take.scale, take.source_size, notes)


def _chosen(
    path: Path, span: FrameRange, timing: Timing, max_frames: int | None, find_hand: FindHand | None
) -> tuple[FrameRange, dict[str, Any]]:
    """The range with a stride for at most `max_frames`, of a long video's part with a hand; and what to note of that part."""
    count, looked = len(timing.times_s), {}
    if max_frames is None or span.stride is not None:
        return span, {}
    if find_hand and span == WHOLE and count > max_frames:
        span = _hand_span(path, timing, find_hand)
        looked = {"stretch": None if span == WHOLE else {"first": span.first, "last": span.last, "of": count}}
    last = count - 1 if span.last is None else min(span.last, count - 1)
    return replace(span, stride=max(1, -(-(last + 1 - (span.first or 0)) // max_frames))), looked


def _hand_span(path: Path, timing: Timing, find_hand: FindHand) -> FrameRange:
    """The part of a video in which a hand is seen, and a little before and behind it; the whole where none is."""
    every = max(1, round((timing.rate() or LOOKS_PER_SECOND) / LOOKS_PER_SECOND))
    small = f"scale={LOOK_PX}:{LOOK_PX}:force_original_aspect_ratio=decrease"
    seen = find_hand(ffmpeg_frames(path, f"select=not(mod(n\\,{every}))", small))
    if seen is None:
        return WHOLE
    first, last = (every * look for look in (seen[0] - MARGIN_LOOKS, seen[1] + MARGIN_LOOKS))
    return FrameRange(max(0, first), min(last, len(timing.times_s) - 1), None)


def _read_video(path: Path, span: FrameRange, longest_side_px: int, limits: MediaLimits, wanted: int) -> Take:
    """By OpenCV; where it ends before it has read `wanted` frames, by ffmpeg too: whichever read more."""
    takes: list[Take] = []
    aspect = probe(path).pixel_aspect
    for decoder, frames in (("opencv", opencv_frames), ("ffmpeg", ffmpeg_frames)):
        source = ((i, _squared(frame, aspect), f"{path}, frame {i}") for i, frame in enumerate(frames(path)))
        takes.append(_take(source, path, span, longest_side_px, limits, decoder))
        if takes[-1].read >= wanted:
            break
    best = max(takes, key=lambda take: take.read)
    if best.read == 0:
        raise refuse(path, probe(path))
    return best


def _take(
    source: Iterator[tuple[int, np.ndarray, Path | str]], path: Path, span: FrameRange, longest_side_px: int,
    limits: MediaLimits, decoder: str = "",
) -> Take:  # fmt: skip
    """The frames of the range, scaled, out of a source's (index, frame, where it is from)."""
    frames, indices, scale, size, read = [], [], 1.0, None, 0
    for index, frame, where in source:
        if span.last is not None and index > span.last:
            break
        read += 1
        if index not in span:
            continue
        size = size or frame.shape[:2]
        _check_pixels(path, *frame.shape[1::-1], limits)
        if frame.shape[:2] != size:
            raise InputError(
                where, f"{frame.shape[1]}x{frame.shape[0]}", f"{size[1]}x{size[0]}", "make all frames one size"
            )
        if len(frames) == limits.frames:
            raise InputError(
                path, f"more than {limits.frames} frames in the range", f"at most {limits.frames}",
                "narrow first, last and stride in the clips table, or raise prepare_clip.limits.frames",
            )  # fmt: skip
        scale = min(1.0, longest_side_px / max(size))
        frames.append(_resize(frame, scale))
        indices.append(index)
    return Take(frames, indices, scale, size, read, decoder)


def _too_few(path: Path, span: FrameRange, taken: int, read: int) -> InputError:
    """A range that holds no clip; `read` frames are there up to its end."""
    if span.first and span.first >= read > 1:
        found = f"{read} frames, none from first = {span.first} on"
        return InputError(path, found, f"first at most {read - 2}", "say an earlier first (make clip: FIRST)")
    if path.is_dir() and read == 0:
        kinds = ", ".join(sorted({p.suffix or p.name for p in path.iterdir()})) or "nothing"
        return InputError(path, f"0 frames: {kinds}", "png or jpg", "convert the frames to png")
    found = f"{taken} in the range, of {read} frames up to its end"
    todo = "use a longer clip or a wider range: first, last, stride (make clip: FIRST, LAST)"
    return InputError(path, found, "a video with at least 2 frames there", todo)


def _check_size(path: Path, limits: MediaLimits) -> None:
    """Refuse a file or a folder's pictures by their size, and a video by its frames', before any frame is decoded."""
    files = frame_files(path) if path.is_dir() else [path] if path.is_file() else []
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    if megabytes > limits.megabytes:
        raise InputError(
            path, f"{megabytes:.1f} MB", f"at most {limits.megabytes:g} MB",
            "cut or compress the video, or raise prepare_clip.limits.megabytes",
        )  # fmt: skip
    if not path.is_file():
        return
    capture = cv2.VideoCapture(str(path))
    width, height = (int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    capture.release()
    _check_pixels(path, width, height, limits)


def _check_pixels(path: Path, width: int, height: int, limits: MediaLimits) -> None:
    """Refuse frames of too many pixels."""
    if width * height / 1e6 > limits.megapixels:
        raise InputError(
            path, f"frames of {width}x{height}", f"at most {limits.megapixels:g} megapixels",
            "scale the frames down, or raise prepare_clip.limits.megapixels",
        )  # fmt: skip


def find_video(folder: Path) -> Path:
    """The folder's one `clip.*` video."""
    videos = sorted(p for p in folder.glob("clip.*") if p.suffix.lower() in VIDEO_SUFFIXES)
    if len(videos) != 1:
        raise InputError(
            folder, f"no frames/ and {len(videos)} videos named clip.*", "frames/00000.png, ... or one clip.mp4",
            "put the frames or the video there (docs/clip_folder.md)",
        )  # fmt: skip
    return videos[0]


def _resize(frame: UInt8[np.ndarray, "H W 3"], scale: float) -> UInt8[np.ndarray, "h w 3"]:
    if scale == 1.0:
        return frame
    h, w = (round(s * scale) for s in frame.shape[:2])
    return cv2.resize(frame, (w, h), interpolation=cv2.INTER_AREA)


def _squared(frame: UInt8[np.ndarray, "H W 3"], aspect: float) -> UInt8[np.ndarray, "H _W 3"]:
    """A picture as players show it, its pixels square; what is off by 2 % or less is a rounding."""
    if abs(aspect - 1) <= 0.02:
        return frame
    h, w = frame.shape[:2]
    return cv2.resize(
        frame, (max(1, round(w * aspect)), h), interpolation=cv2.INTER_AREA if aspect < 1 else cv2.INTER_LINEAR
    )


def _joined(frames: list[UInt8[np.ndarray, "H W 3"]]) -> UInt8[np.ndarray, "N H W 3"]:
    """Frames as one array; they leave the list one by one, so that memory holds them once."""
    out = np.empty((len(frames), *frames[0].shape), np.uint8)
    for i in range(len(out) - 1, -1, -1):
        out[i] = frames.pop()
    return out


def _folder_frames(folder: Path, span: FrameRange, limits: MediaLimits) -> Iterator[tuple[int, np.ndarray, Path]]:
    for index, path in enumerate(frame_files(folder)):
        if index in span:
            height, width = picture_size(path)
            _check_pixels(path, width, height, limits)
            check_whole(path)
            yield index, read_picture(path)[..., ::-1], path


def opencv_frames(path: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Every frame that OpenCV decodes, RGB, turned upright as the file says."""
    capture = cv2.VideoCapture(str(path))
    try:
        while True:
            more, frame = capture.read()
            if not more:
                return
            yield frame[..., ::-1]
    finally:
        capture.release()


def ffmpeg_frames(path: Path, *filters: str) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Likewise by ffmpeg, which has more decoders (AV1) and goes on behind damage; `filters` of its own come first."""
    chain = [*filters, SCREEN] if probe(path).hdr else [*filters, "null"]
    words = ["-map", "0:V:0", "-fps_mode", "passthrough", "-vf", ",".join(chain)]
    reader = imageio_ffmpeg.read_frames(str(path.resolve()), output_params=words)
    try:
        w, h = next(reader)["size"]
        for raw in reader:
            yield np.frombuffer(raw, np.uint8).reshape(h, w, 3)
    except (OSError, RuntimeError, StopIteration):  # ffmpeg cannot either: the caller says so
        return
    finally:
        reader.close()

"""Frames from a video file, or from a folder of pictures, with a frame range and a stride."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
from jaxtyping import UInt8

from hoi.clip import frame_files, read_picture
from hoi.config import MediaLimits
from hoi.errors import InputError
from hoi.sources.probe import probe, refuse

VIDEO_SUFFIXES = (".mp4", ".mov", ".webm", ".gif", ".m4v", ".avi", ".mkv")


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


@dataclass
class Timing:
    """Frames that a file promises (0: it does not say) and its rate; then when the frames that came were shown, seconds."""

    promised: int
    fps: float | None
    times_s: list[float] = field(default_factory=list)
    decoder: str = "opencv"

    def rate(self) -> float | None:
        """Frames per second as shown; as the file says where its frames have no times."""
        shown = self.times_s[-1] - self.times_s[0] if len(self.times_s) > 1 else 0.0
        fps = (len(self.times_s) - 1) / shown if shown > 0 else self.fps
        return fps if fps and 1.0 <= fps <= 240.0 else None

    def notes(self, whole: bool) -> dict[str, Any]:
        """What to know of the file: whether its rate varies by more than a tenth, and, if all was read, frames missing."""
        steps = np.diff(self.times_s)
        varies = bool(len(steps) > 2 and np.std(steps) > 0.1 * np.mean(steps))
        missing = max(0, self.promised - len(self.times_s)) if whole else 0
        return {"decoder": self.decoder, "variable_rate": varies, "missing_frames": missing}


def read_footage(
    path: Path, span: FrameRange, longest_side_px: int, limits: MediaLimits, max_frames: int | None = None
) -> Footage:
    """Read a video file, or the pictures of a folder, scaled down to the longest side; what is too large is refused.

    Of a video that would give more than `max_frames`, and whose stride is not given, every second, third, ... frame.
    """
    _check_size(path, limits)
    timing = None
    if path.is_dir():
        source = _folder_frames(path, span)
    else:
        timing = video_timing(path)
        if max_frames and span.stride is None:
            last = timing.promised - 1 if span.last is None else min(span.last, timing.promised - 1)
            span = replace(span, stride=max(1, -(-(last + 1 - (span.first or 0)) // max_frames)))
        source = _video_frames(path, span, timing)
    frames, indices, scale, size = [], [], 1.0, None
    for index, frame, where in source:
        size = size or frame.shape[:2]
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
    if len(frames) < 2:
        raise InputError(
            path, f"{len(frames)} frames in the range {span.first}..{span.last}, stride {span.stride or 1}",
            "at least 2 frames", "use a longer clip or a wider frame range",
        )  # fmt: skip
    fps = timing.rate() if timing else None
    notes = timing.notes(whole=span.last is None) | {"stride": span.stride or 1} if timing else {}
    return Footage(np.stack(frames), indices, fps / (span.stride or 1) if fps else None, scale, size, notes)


def _check_size(path: Path, limits: MediaLimits) -> None:
    """Refuse a file by its size, and a video by the size of its frames, before any frame is decoded."""
    if not path.is_file():
        return
    megabytes = path.stat().st_size / 1e6
    if megabytes > limits.megabytes:
        raise InputError(
            path, f"{megabytes:.1f} MB", f"at most {limits.megabytes:g} MB",
            "cut or compress the video, or raise prepare_clip.limits.megabytes",
        )  # fmt: skip
    capture = cv2.VideoCapture(str(path))
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    capture.release()
    if width * height / 1e6 > limits.megapixels:
        raise InputError(
            path, f"frames of {width:.0f}x{height:.0f}", f"at most {limits.megapixels:g} megapixels",
            "scale the video down, or raise prepare_clip.limits.megapixels",
        )  # fmt: skip


def video_timing(path: Path) -> Timing:
    """What a video file says of its frames."""
    if not path.is_file():
        raise InputError(path, "no such file", "a video (mp4, mov, webm, gif)", "check the path in the clips table")
    capture = cv2.VideoCapture(str(path))
    count, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return Timing(int(count) if 0 < count < 1e7 else 0, fps if fps > 0 else None)


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


def _folder_frames(folder: Path, span: FrameRange) -> Iterator[tuple[int, np.ndarray, Path]]:
    for index, path in enumerate(frame_files(folder)):
        if index in span:
            yield index, read_picture(path)[..., ::-1], path


def _video_frames(path: Path, span: FrameRange, timing: Timing) -> Iterator[tuple[int, np.ndarray, str]]:
    """The frames of the span, RGB, turned upright as the file says; `timing` learns when each was shown."""
    index = -1
    for index, (frame, seconds) in enumerate(_decoded(path, timing)):
        if span.last is not None and index > span.last:
            break
        timing.times_s.append(seconds)
        if index in span:
            yield index, frame, f"{path}, frame {index}"
    if index < 0:
        raise refuse(path, probe(path))


def _decoded(path: Path, timing: Timing) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], float]]:
    """Every frame and its time in seconds, by OpenCV; by ffmpeg what OpenCV has no decoder for (AV1), as `timing` tells."""
    capture, empty = cv2.VideoCapture(str(path)), True
    try:
        while True:
            more, frame = capture.read()
            if not more:
                break
            empty = False
            yield frame[..., ::-1], capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    finally:
        capture.release()
    if not (empty and probe(path).has_video):
        return
    timing.decoder = "ffmpeg"
    reader = imageio_ffmpeg.read_frames(str(path), output_params=["-fps_mode", "passthrough"])
    try:
        meta = next(reader)
        w, h = meta["size"]
        for i, raw in enumerate(reader):
            yield np.frombuffer(raw, np.uint8).reshape(h, w, 3), i / (meta["fps"] or 1.0)
    except (OSError, RuntimeError, StopIteration):  # ffmpeg cannot either: the caller says so
        return
    finally:
        reader.close()

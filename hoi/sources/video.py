"""Frames from a video file, or from a folder of pictures, with a frame range and a stride."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from hoi.clip import frame_files, read_picture
from hoi.config import MediaLimits
from hoi.errors import InputError

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
    """Frames with their index in the source, frames per second after striding, and the scale they were resized by
    from the source's size (height, width)."""

    frames: UInt8[np.ndarray, "N H W 3"]
    indices: list[int]
    fps: float | None
    scale: float
    source_size: tuple[int, int]


def read_footage(path: Path, span: FrameRange, longest_side_px: int, limits: MediaLimits) -> Footage:
    """Read a video file, or the pictures of a folder, scaled down to the longest side; what is too large is refused."""
    _check_size(path, limits)
    if path.is_dir():
        source, fps = _folder_frames(path, span), None
    else:
        source, fps = _video_frames(path, span), video_fps(path)
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
    return Footage(np.stack(frames), indices, fps / (span.stride or 1) if fps else None, scale, size)


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


def video_fps(path: Path) -> float | None:
    """Frames per second as the file says, None where it does not."""
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return fps if 1.0 <= fps <= 240.0 else None


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


def _video_frames(path: Path, span: FrameRange) -> Iterator[tuple[int, np.ndarray, str]]:
    if not path.is_file():
        raise InputError(path, "no such file", "a video (mp4, mov, webm, gif)", "check the path in the clips table")
    capture = cv2.VideoCapture(str(path))
    index = -1
    try:
        while True:
            more, frame = capture.read()
            if not more:
                break
            index += 1
            if span.last is not None and index > span.last:
                break
            if index in span:
                yield index, frame[..., ::-1], f"{path}, frame {index}"
    finally:
        capture.release()
    if index < 0:
        raise InputError(path, "no frame could be decoded", "a video (mp4, mov, webm, gif)", "convert it with ffmpeg")

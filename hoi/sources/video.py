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
from hoi.sources.timing import video_timing

# HDR (BT.2020) on an ordinary screen: diffuse white, 203 cd/m² (ITU-R BT.2408), is white, and what is brighter too
SCREEN = "zscale=min=2020_ncl:pin=2020:t=linear:npl=203:p=bt709,format=gbrpf32le,zscale=t=iec61966-2-1:m=gbr:r=pc,format=gbrp"
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
) -> Footage:
    """Read a video file, or the pictures of a folder, scaled down to the longest side; what is too large is refused.

    Of a video that would give more than `max_frames`, and whose stride is not given, every second, third, ... frame.
    """
    _check_size(path, limits)
    if path.is_dir():
        take, fps, notes = _take(_folder_frames(path, span), path, span, longest_side_px, limits), None, {}
    else:
        timing = video_timing(path)
        if max_frames and span.stride is None:
            span = _thinned(span, len(timing.times_s), max_frames)
        take, fps = _read_video(path, span, longest_side_px, limits, len(timing.times_s)), timing.rate()
        missing = timing.lost + max(0, len(timing.times_s) - take.read) if span.last is None else 0
        notes = {
            "decoder": take.decoder, "fps": fps, "variable_rate": timing.varies(), "missing_frames": missing,
            "stride": span.stride or 1,
        }  # fmt: skip
    if len(take.frames) < 2:
        raise InputError(
            path, f"{len(take.frames)} frames in the range {span.first}..{span.last}, stride {span.stride or 1}",
            "at least 2 frames", "use a longer clip or a wider frame range",
        )  # fmt: skip
    fps = fps / (span.stride or 1) if fps else None
    return Footage(np.stack(take.frames), take.indices, fps, take.scale, take.source_size, notes)


def _thinned(span: FrameRange, count: int, max_frames: int) -> FrameRange:
    """The range with the least stride that takes at most `max_frames` of a video's `count` frames."""
    last = count - 1 if span.last is None else min(span.last, count - 1)
    return replace(span, stride=max(1, -(-(last + 1 - (span.first or 0)) // max_frames)))


def _read_video(path: Path, span: FrameRange, longest_side_px: int, limits: MediaLimits, count: int) -> Take:
    """By OpenCV; where it ends before `count` frames or the range do, by ffmpeg too: whichever read more."""
    wanted = count if span.last is None else min(span.last + 1, count)
    takes: list[Take] = []
    for decoder, frames in (("opencv", opencv_frames), ("ffmpeg", ffmpeg_frames)):
        source = ((i, frame, f"{path}, frame {i}") for i, frame in enumerate(frames(path)))
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

"""What a video file says of itself, read with the ffmpeg that comes with the package; and what its lens means."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from hoi.errors import InputError

DIAGONAL_35MM = 43.27  # of the 24 x 36 mm frame that "35 mm equivalent" speaks of


@dataclass(frozen=True)
class Probe:
    """Streams and lens of a video file; `trouble` is ffmpeg's last word where it could not read it."""

    has_video: bool
    has_audio: bool
    hdr: bool  # its brightness is coded as PQ or HLG
    lens_35mm: float | None  # focal length, 35 mm equivalent, as phones write it
    trouble: str
    pixel_aspect: float = 1.0  # how many times as wide as high a pixel is shown, upright


def probe(path: Path) -> Probe:
    """Ask ffmpeg about a file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path.resolve())]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    return told(done.stderr.decode("utf-8", "replace"))


def told(text: str) -> Probe:
    """What ffmpeg's description of a file says."""
    lens = re.search(r"focal_length\.35mm_equivalent\s*:\s*([0-9.]+)", text)
    video = re.search(r"^ *Stream #.*Video:.*$", text, re.M)
    lines = [line for line in text.strip().splitlines() if "At least one output file" not in line]
    trouble = "the file's index is missing (moov atom): it is not whole" if "moov atom not found" in text else ""
    return Probe(
        video is not None and "attached pic" not in video.group(),
        "Audio:" in text,
        video is not None and re.search("smpte2084|arib-std-b67", video.group()) is not None,
        float(lens.group(1)) if lens and float(lens.group(1)) > 0 else None,
        trouble or (lines[-1].strip() if lines else "no words"),
        _pixel_aspect(text, video.group() if video else ""),
    )


def _pixel_aspect(text: str, video: str) -> float:
    """Of what ffmpeg says of a file and of its video: SAR is that of the picture as stored, before a quarter turn."""
    found = re.search(r"SAR ([0-9]+):([0-9]+)", video)
    if found is None or "0" in found.groups():
        return 1.0
    aspect = int(found.group(1)) / int(found.group(2))
    turned = re.search(r"rotation of -?(90|270)\.", text)
    return 1 / aspect if turned else aspect


def refuse(path: Path, about: Probe) -> InputError:
    """Why no frame of a file could be read, and what to do."""
    if about.has_audio and not about.has_video:
        return InputError(
            path, "sound alone, no pictures", "a video (mp4, mov, webm, gif, ...)", "name the video itself"
        )
    found = "no frame could be decoded" + ("" if about.has_video else f": {about.trouble}")
    again = f"copy it again, or convert it: ffmpeg -i {path.name} -c:v libx264 new.mp4"
    return InputError(path, found, "a whole video (mp4, mov, webm, gif, ...)", again)


def lens_px(lens_35mm: float, width: int, height: int) -> float:
    """Focal length in pixels of frames of that size; both cameras see the same along the diagonal."""
    return lens_35mm * float(np.hypot(width, height)) / DIAGONAL_35MM

"""When the frames of a video file are shown: read from its packets, without decoding a frame."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
from jaxtyping import Float

from hoi.errors import InputError

DISCARDED = 4  # flag of packets that an edit list leaves out (a clip that was trimmed on the phone)
CUT = re.compile("partial file|ended prematurely")  # a demuxer's words where a file ends before its index does
TOGETHER = 0.3  # of the usual step: packets nearer than that are one frame (VP8 hides a reference behind a frame)
RATES = (0.1, 10_000.0)  # frames a second that are believed


@dataclass(frozen=True)
class Timing:
    """When each frame is shown, seconds, ascending; and how many more the index of a file promises that is cut short."""

    times_s: Float[np.ndarray, "n"]
    lost: int = 0

    def promised(self) -> int:
        """Frames that the whole file has or had."""
        return len(self.times_s) + self.lost

    def rate(self) -> float | None:
        """Frames per second of all that follow each other at about the usual step: pauses do not count."""
        steps = np.diff(self.times_s)
        if len(steps) == 0:
            return None
        usual = np.median(steps)
        rate = 1 / steps[abs(steps - usual) <= 0.5 * usual].mean()
        return float(rate) if RATES[0] <= rate <= RATES[1] else None

    def varies(self) -> bool:
        """Whether steps differ by more than a tenth, pauses among them."""
        steps = np.diff(self.times_s)
        return bool(len(steps) > 2 and np.std(steps) > 0.1 * np.mean(steps))


def video_timing(path: Path) -> Timing:
    """What a video file's packets say of its frames; no times where it has no video."""
    if not path.is_file():
        raise InputError(
            path, "no such file", "a video (mp4, mov, webm, gif, ...)", "check the path in the clips table"
        )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path.resolve())]
    command += ["-map", "0:V:0", "-c", "copy", "-f", "framecrc", "-"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    times_s, packets = shown(done.stdout.decode("utf-8", "replace"))
    lost = max(0, _promised(path) - packets) if CUT.search(done.stderr.decode("utf-8", "replace")) else 0
    return Timing(times_s, lost)


def shown(text: str) -> tuple[Float[np.ndarray, "n"], int]:
    """Times of the frames in ffmpeg's list of packets (`framecrc`), seconds; and how many packets there are in all."""
    rows = [line.split(",") for line in text.splitlines() if line.startswith("0,")]
    kept = [row for row in rows if not _flags(row) & DISCARDED]
    stamps = np.array([[int(row[1]), int(row[2])] for row in kept], np.int64).reshape(-1, 2)
    decoding, showing = stamps.T
    ticks = np.sort(decoding if (showing == np.iinfo(np.int64).min).any() else showing)
    tick = re.search(r"^#tb 0: (\d+)/(\d+)", text, re.M)
    times_s = ticks * (int(tick.group(1)) / int(tick.group(2))) if tick else ticks.astype(float)
    steps = np.diff(times_s)
    return times_s[np.r_[True, steps > TOGETHER * np.median(steps)]] if len(steps) else times_s, len(rows)


def _flags(row: list[str]) -> int:
    return next((int(word.strip()[4:], 16) for word in row if word.strip().startswith("F=0x")), 1)


def _promised(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    return int(count) if 0 < count < 1e7 else 0

"""Where the picture is in frames with black bars."""

import numpy as np
from jaxtyping import Bool, UInt8

BLACK, NOISE = 24, 0.001  # grey value that black does not exceed, but for so many pixels


def content_box(frames: UInt8[np.ndarray, "n h w 3"]) -> tuple[slice, slice]:
    """Rows and columns of the picture without black bars, judged on up to 8 frames.

    A bar is black all along, and as wide as the one on the other side: a dark scene has neither.
    """
    bright = frames[:: max(1, len(frames) // 8)].max(-1) > BLACK
    rows, columns = (_between_bars(bright.mean(axes) > NOISE) for axes in ((0, 2), (0, 1)))
    return rows, columns


def _between_bars(lit: Bool[np.ndarray, "_n"]) -> slice:
    """From the first to the last lit row, if as many are dark before as behind it."""
    n, at = len(lit), np.flatnonzero(lit)
    if len(at) == 0 or abs(at[0] - (n - 1 - at[-1])) > max(2, 0.01 * n):
        return slice(0, n)
    return slice(int(at[0]), int(at[-1]) + 1)

"""Masks made small: what the start of a fit reads of them is smooth."""

import cv2
import numpy as np
from jaxtyping import Bool

LONGEST_PX = 160


def small_size(h: int, w: int, longest_px: int = LONGEST_PX) -> tuple[tuple[int, int], float]:
    """(width, height) of the small image, and its scale."""
    scale = min(1.0, longest_px / max(h, w))
    return (round(w * scale), round(h * scale)), scale


def shrink(mask: Bool[np.ndarray, "h w"], size: tuple[int, int]) -> Bool[np.ndarray, "_h _w"]:
    """The mask at (width, height): where more than half of the area is in it."""
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5

"""Masks made small, for what the start of a fit reads of them is smooth; and distances in them."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32

LONGEST_PX = 160
THIN = 0.2  # share of a small pixel that is enough where nothing fills half of one: a pen, a blade seen edge-on


def small_size(h: int, w: int, longest_px: int = LONGEST_PX) -> tuple[tuple[int, int], float]:
    """(width, height) of the small image, and its scale."""
    scale = min(1.0, longest_px / max(h, w))
    return (round(w * scale), round(h * scale)), scale


def shrink(mask: Bool[np.ndarray, "h w"], size: tuple[int, int]) -> Bool[np.ndarray, "_h _w"]:
    """The mask at (width, height): where more than half of the area is in it; of what is too thin for that, where a fifth is."""
    area = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    broad = area > 0.5
    return broad if broad.any() else area >= THIN


def distance_px(mask: Bool[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """From each pixel of a mask to the nearest beyond it, pixels; the picture's diagonal where all are in it, 0 beyond."""
    return np.minimum(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32(np.hypot(*mask.shape)))

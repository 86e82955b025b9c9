"""How far each frame's masks can be believed, and the part of the clip in which the object is held.

A held object changes slowly as seen from the hand: its mask, moved into the hand's axes, is nearly that of the frames
around it, and has nearly the clip's usual size. A mask that leaks or is lost breaks both. On made clips for training,
frames of an IoU below 0.6 get 0.05 in the mean, frames above 0.9 get 0.90 (how decided the pixels are: 0.97 and 0.96).
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from hoi.observe.handzone import hand_axes, steady_sizes

GRID, REACH = 96, 3.2  # as the masker's hand-centred map: pixels a side, hand sizes from its middle to its sides
AROUND = (-3, -2, -1, 1, 2, 3)  # frames that a mask is compared with
AGREEMENT = (
    0.3,
    0.7,
)  # ASSUME: median IoU with those: at the first a mask is not believed at all, from the second wholly
USUAL = 0.5  # how far the logarithm of the size may be from the clip's median
BREAK = 5  # frames without an object that do not end a hold: a mask is lost for a moment, a hand is not


def trust(object_mask: Bool[np.ndarray, "n h w"], keypoints_px: Float[np.ndarray, "n 21 2"]) -> Float[np.ndarray, "n"]:
    """Between 0 (no object, or nothing like the frames around it) and 1."""
    keypoints = keypoints_px.astype(np.float64)
    sizes = steady_sizes(keypoints)
    held = np.stack([in_hand(m, k, float(s)) for m, k, s in zip(object_mask, keypoints, sizes, strict=True)])
    area = object_mask.sum((1, 2)) / sizes**2
    return agreement(held) * usual_size(area)


def in_hand(
    mask: Bool[np.ndarray, "h w"], keypoints: Float[np.ndarray, "21 2"], size: float
) -> Bool[np.ndarray, "96 96"]:
    """A mask in hand-centred axes."""
    A = hand_axes(keypoints, size)
    A[:, 2] += REACH + A[:, :2] @ (0.5, 0.5)
    A *= GRID / (2 * REACH)
    A[:, 2] -= 0.5
    return cv2.warpAffine(mask.astype(np.float32), A, (GRID, GRID), flags=cv2.INTER_LINEAR) > 0.5


def agreement(held: Bool[np.ndarray, "n g g"]) -> Float[np.ndarray, "n"]:
    """The median IoU with the masks of the frames around, from AGREEMENT to 0 and 1."""
    n = len(held)
    median = np.zeros(n)
    for t in range(n):
        near = [t + d for d in AROUND if 0 <= t + d < n]
        union = [(held[t] | held[k]).sum() for k in near]
        inner = [(held[t] & held[k]).sum() for k in near]
        median[t] = np.median([i / u if u else 0.0 for i, u in zip(inner, union, strict=True)]) if near else 1.0
    low, high = AGREEMENT
    return np.clip((median - low) / (high - low), 0, 1)


def usual_size(area: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """1 near the median of the frames that show the object, falling with the ratio beyond that."""
    shown = area > 0
    if not shown.any():
        return np.zeros(len(area))
    off = np.abs(np.log(np.maximum(area, 1e-6) / np.median(area[shown])))
    return np.where(shown, np.exp(-np.maximum(0, off - USUAL)), 0.0)


def held_part(holds: Bool[np.ndarray, "n"]) -> tuple[int, int]:
    """First and last frame of the longest hold, in which at most BREAK frames in a row do not show it; (0, -1): never."""
    times = np.flatnonzero(holds)
    if len(times) == 0:
        return 0, -1
    parts = np.split(times, np.flatnonzero(np.diff(times) > BREAK + 1) + 1)
    longest = max(parts, key=len)
    return int(longest[0]), int(longest[-1])

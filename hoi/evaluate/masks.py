"""Overlap of masks. numpy."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

Mask, Stack = Bool[np.ndarray, "H W"], Bool[np.ndarray, "N H W"]
REACH = 0.6  # ASSUME: of the hand's own pixels around a keypoint, in lengths from wrist to middle knuckle


def iou(pred: Mask, true: Mask) -> float | None:
    """Intersection over union of two masks, 0 to 1; None where both are empty: there is nothing to measure."""
    union = np.count_nonzero(pred | true)
    return np.count_nonzero(pred & true) / union if union else None


def mean_iou(pred: Stack | Mapping[int, Mask], true: Mapping[int, Mask]) -> float | None:
    """Mean over the frames that have a truth (by index) of the IoU; None if none of them can be measured."""
    found = [iou(pred[i], mask) for i, mask in sorted(true.items())]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def near_hand(keypoints_px: Float[np.ndarray, "21 2"], height: int, width: int) -> Bool[np.ndarray, "height width"]:
    """Pixels that are evidence of the hand: near its keypoints, and not behind the wrist.

    A mask of the hand may go on along the forearm, and data sets differ in how far: what lies behind the wrist says
    nothing about the hand. In: centres nearer than 0.6 times the hand's unit to some keypoint (OpenPose order), and in
    front of the line through the wrist across the direction to the knuckles. The unit is the greatest distance from
    the wrist to a knuckle or between knuckles, so that a hand that points at the camera keeps its size; where the
    knuckles lie nearer to the wrist than 0.3 units, that direction says nothing and the line is not drawn.
    """
    wrist, knuckles = keypoints_px[0], keypoints_px[[5, 9, 13, 17]]
    spread = np.concatenate([wrist[None], knuckles])
    unit = np.linalg.norm(spread[:, None] - spread, axis=-1).max()
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    near = np.zeros((height, width), bool)
    for px, py in keypoints_px:
        near |= (x - px) ** 2 + (y - py) ** 2 < (REACH * unit) ** 2
    forward = knuckles.mean(0) - wrist
    if np.linalg.norm(forward) > 0.3 * unit:
        near &= (x - wrist[0]) * forward[0] + (y - wrist[1]) * forward[1] > 0
    return near

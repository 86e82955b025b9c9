"""The palm detector's output decoded: anchors, boxes with seven keypoints, weighted non-maximum suppression.

The network is the palm detector of MediaPipe Hands (Zhang et al. 2020, arXiv 2006.10214), an SSD (Liu et al. 2016).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

INPUT_PX = 192
LAYERS = ((8, 2), (16, 6))  # (stride in pixels, anchors a cell): one layer of stride 8, three of stride 16 merged
WRIST, MIDDLE_KNUCKLE = 0, 2  # of the detector's seven keypoints


@dataclass(frozen=True)
class Palm:
    """One detected palm: box (x0, y0, x1, y1) and keypoints (7, 2) in pixels of the image, score in [0, 1]."""

    box_px: Float[np.ndarray, "4"]
    keypoints_px: Float[np.ndarray, "7 2"]
    score: float


def anchors() -> Float[np.ndarray, "2016 2"]:
    """Anchor centres in units of the square input, (x, y); all anchors have the input's size."""
    centres = []
    for stride, per_cell in LAYERS:
        side = (np.arange(INPUT_PX // stride) + 0.5) * stride / INPUT_PX
        y, x = np.meshgrid(side, side, indexing="ij")
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), per_cell, axis=0))
    return np.concatenate(centres).astype(np.float32)


def decode(
    raw: Float[np.ndarray, "n 18"], centres: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n 7 2"]]:
    """Boxes (x0, y0, x1, y1) and keypoints in units of the square input; raw are offsets to the anchors in pixels."""
    offset = raw.reshape(-1, 9, 2) / INPUT_PX
    middle, half = offset[:, 0] + centres, offset[:, 1] / 2
    return np.concatenate([middle - half, middle + half], 1), offset[:, 2:] + centres[:, None]


def sigmoid(x: Float[np.ndarray, "*s"]) -> Float[np.ndarray, "*s"]:
    """Logistic function, clipped at +-100 as the detector was trained."""
    return 1 / (1 + np.exp(-np.clip(x, -100, 100)))


def box_iou(box: Float[np.ndarray, "4"], boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    """Intersection over union of one box with many."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    inner = np.clip(high - low, 0, None).prod(1)
    areas = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1)
    return inner / np.maximum((box[2:] - box[:2]).prod() + areas - inner, 1e-12)


def weighted_nms(
    boxes: Float[np.ndarray, "n 4"],
    keypoints: Float[np.ndarray, "n 7 2"],
    scores: Float[np.ndarray, "n"],
    min_iou: float = 0.3,
) -> list[Palm]:
    """Overlapping detections become one: their score-weighted mean, with the best one's score."""
    rest, found = np.argsort(-scores, kind="stable"), []
    while len(rest):
        same = box_iou(boxes[rest[0]], boxes[rest]) > min_iou
        same[0] = True
        group = rest[same]
        weight = scores[group] / scores[group].sum()
        found.append(
            Palm(weight @ boxes[group], np.einsum("n,nij->ij", weight, keypoints[group]), float(scores[group[0]]))
        )
        rest = rest[~same]
    return found

"""Overlap of masks. numpy."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool


def iou(pred: Bool[np.ndarray, "H W"], true: Bool[np.ndarray, "H W"]) -> float | None:
    """Intersection over union of two masks, 0 to 1; None where both are empty: there is nothing to measure."""
    union = np.count_nonzero(pred | true)
    return np.count_nonzero(pred & true) / union if union else None


def mean_iou(pred: Bool[np.ndarray, "N H W"], true: Mapping[int, Bool[np.ndarray, "H W"]]) -> float | None:
    """Mean over the frames that have a truth (by index) of the IoU; None if none of them can be measured."""
    found = [iou(pred[i], mask) for i, mask in sorted(true.items())]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None

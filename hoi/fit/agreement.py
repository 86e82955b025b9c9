"""How well a body explains the masks, before any fit: what the prior imagines is believed only where it does."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoi.fit.grid import GridField
from hoi.fit.observations import Observations
from hoi.fit.small import shrink, small_size
from hoi.geometry.cameras import project
from hoi.geometry.rotations import transform
from hoi.geometry.sampling import evenly

FRAMES = 12  # looked at, evenly spread
POINTS = 20000  # of the body


@torch.no_grad()
def agreement(
    body: GridField,
    observed: Observations,
    T_cam_obj: Float[Tensor, "n 4 4"],
    K: Float[Tensor, "n 3 3"],
    rng: np.random.Generator,
) -> float:
    """Mean over frames of the object's pixels that the body covers, over those and the pixels of background that it covers.

    0 to 1; what lies behind or before the hand counts neither way. Bodies are drawn as points over a small image.
    """
    size, scale = small_size(*observed.object_mask.shape[1:])
    trusted = np.flatnonzero((observed.confidence > 0) & observed.object_mask.any((1, 2)))
    cells = (body.values < body.step.max() / 2).nonzero()
    if len(cells) == 0 or len(trusted) == 0:
        return 0.0
    cells = cells[torch.from_numpy(rng.integers(0, len(cells), min(len(cells), POINTS)))]
    points = body.low + cells * body.step
    shares = []
    for i in evenly(trusted, FRAMES):
        thing, hand = (shrink(mask[i], size) for mask in (observed.object_mask, observed.hand_mask))
        points_cam = transform(T_cam_obj[i], points)
        cell_px = scale * float(body.step.max() * K[i, 0, 0] / points_cam[:, 2].median().clamp_min(1e-3))
        covered = _drawn(project(K[i], points_cam).numpy() * scale, thing.shape, cell_px)
        shares.append((covered & thing).sum() / max((thing | (covered & ~hand)).sum(), 1))
    return float(np.mean(shares))


def _drawn(px: Float[np.ndarray, "p 2"], shape: tuple[int, int], apart_px: float) -> Bool[np.ndarray, "h w"]:
    """Pixels that points fall on, and those between points that are so far apart: else a coarse grid seen from near is dots."""
    seen = np.zeros(shape, np.uint8)
    column, row = np.floor(px).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < shape[1]) & (row < shape[0])
    seen[row[inside], column[inside]] = 1
    side = max(3, 2 * math.ceil(min(apart_px, max(shape)) / 2) + 1)
    return cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) > 0

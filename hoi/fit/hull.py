"""The classical baseline: the visual hull of the masks (Laurentini 1994)."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from hoi.config import FitClip
from hoi.fit.observations import Fit, Observations, Report
from hoi.fit.surface import mesh_from_grid
from hoi.fit.variables import Variables
from hoi.geometry.rotations import transform


def votes(
    points_px: Float[np.ndarray, "p 2"], object_mask: np.ndarray, hand_mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of projected points in one frame: which fall on the object, which on background. Hand pixels and the outside
    are neither."""
    height, width = object_mask.shape
    col, row = np.floor(points_px).astype(int).T
    within = (col >= 0) & (col < width) & (row >= 0) & (row < height)
    col, row = col.clip(0, width - 1), row.clip(0, height - 1)
    on = object_mask[row, col] & within
    return on, within & ~object_mask[row, col] & ~hand_mask[row, col]


@torch.no_grad()
def fit_hull(observed: Observations, settings: FitClip, seed: int, progress: Report) -> Fit:
    """Keep the voxels that few frames see on background and enough frames see on the object; poses stay as tracked."""
    h = settings.hull
    variables = Variables(observed.hands, torch.device("cpu"))
    low = variables.grasp.numpy() - h.reach_m
    high = variables.grasp.numpy() + h.reach_m
    axes = [np.linspace(a, b, h.cells, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    points = torch.from_numpy(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3))
    T_cam_obj, K = variables.T_cam_hand() @ variables.T_hand_obj(), variables.K()
    on, off = np.zeros(len(points), np.float32), np.zeros(len(points), np.float32)
    frames = np.flatnonzero(observed.confidence > 0)
    for done, t in enumerate(frames):
        px = transform(T_cam_obj[t], points) @ K[t].T
        before = (px[:, 2] > 0).numpy()
        seen, clear = votes((px[:, :2] / px[:, 2:]).numpy(), observed.object_mask[t], observed.hand_mask[t])
        on, off = on + (seen & before), off + (clear & before)
        progress(done + 1, len(frames), "hull")
    # positive outside; the sliver keeps values off zero, where the mesh would not close
    value = np.maximum(off / len(frames) - h.outside, h.seen - on / len(frames)).reshape((h.cells,) * 3) + 1e-3
    mesh = mesh_from_grid(value.astype(np.float32), low, high)
    return Fit(mesh, variables.result(), pd.DataFrame([{"step": 0, "objective": float((value < 0).mean())}]))

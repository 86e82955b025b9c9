"""A grid of distances that is measured closely only near the surface: a coarse grid tells where that is."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch.nn import functional

COARSE = 4  # every fourth vertex is measured, and of the others those near the surface


def banded_grid(
    at: Callable[[Integer[np.ndarray, "n 3"]], Float[np.ndarray, "n"]], shape: tuple[int, int, int], step_m: float
) -> Float[np.ndarray, "x y z"]:
    """Distances (metres) on a grid of cells of `step_m`: as `at` has them at indices near the surface, elsewhere
    interpolated. Indices up to three beyond `shape` are asked for too."""
    few = [np.arange(0, n + COARSE - 1, COARSE) for n in shape]
    index = np.stack(np.meshgrid(*few, indexing="ij"), -1)
    coarse = at(index.reshape(-1, 3)).reshape(index.shape[:3])
    steps = [torch.arange(n) * 2 / f[-1] - 1 for n, f in zip(shape, few, strict=True)]
    unit = torch.stack(torch.meshgrid(*steps, indexing="ij"), -1).flip(-1)
    out = functional.grid_sample(torch.from_numpy(coarse)[None, None], unit[None].float(), align_corners=True)[
        0, 0
    ].numpy()
    # ASSUME: a distance changes by at most the way; half a coarse cell's diagonal, and as much again for interpolation
    near = np.argwhere(np.abs(out) < 3**0.5 * COARSE * step_m)
    out[tuple(near.T)] = at(near)
    return out

"""Distances to the nearest points of clouds, differentiable. On the CPU."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoi.field.compiled import compiled, in_parts


def distance_to_nearest(points: Float[Tensor, "*b m d"], cloud: Float[Tensor, "*b n d"]) -> Float[Tensor, "*b m"]:
    """From each point to the nearest of the cloud, in both's unit; as `torch.cdist(points, cloud).amin(-1)`.

    That one's way back goes through every pair, though only the nearest have a gradient: here they are found without.
    """
    index = torch.from_numpy(_nearest_of_each(points, cloud))
    nearest = cloud.gather(-2, index[..., None].expand(*index.shape, cloud.shape[-1]))
    return torch.linalg.vector_norm(points - nearest, dim=-1)


def _nearest_of_each(points: Tensor, cloud: Tensor) -> np.ndarray:
    """Which of the cloud is nearest to each point."""
    (*batch, m, d), n = points.shape, cloud.shape[-2]
    if n == 0:
        raise ValueError("a cloud without points has none that is nearest")
    index = np.empty((int(np.prod(batch)), m), np.int64)
    flat = points.detach().reshape(-1, m, d), cloud.detach().reshape(-1, n, d).mT
    in_parts(_search, *(a.contiguous().numpy() for a in flat), index)
    return index.reshape(*batch, m)


@compiled()
def _search(points, cloud, index, part, parts) -> None:
    """`cloud` has a row a coordinate, so that the loops over its points vectorise."""
    count, m, d = points.shape
    n = cloud.shape[2]
    square = np.empty(n, np.float32)
    for b in range(count * part // parts, count * (part + 1) // parts):
        for i in range(m):
            square[:] = np.float32(0)
            for k in range(d):
                at, row = points[b, i, k], cloud[b, k]
                for j in range(n):
                    square[j] += (row[j] - at) * (row[j] - at)
            least = square[0]
            for j in range(1, n):
                least = min(least, square[j])
            j = 0
            while j < n - 1 and square[j] > least:
                j += 1
            index[b, i] = j

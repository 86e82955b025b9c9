"""The field's arithmetic in plain torch: hash-grid encoding, small MLP, sphere start. This is the reference of
every twin.

Encoding after Müller et al., "Instant neural graphics primitives" (SIGGRAPH 2022), sections 3 and 4: features at the
vertices of L grids, trilinearly interpolated; coarse grids are stored densely, fine ones hashed into a table.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

PRIMES = (1, 2654435761, 805459861)  # of the spatial hash, as in the paper


@dataclass(frozen=True)
class GridSpec:
    """Shape of a multi-resolution grid over the cube `centre` ± `half_m`."""

    centre: tuple[float, float, float]
    half_m: float
    resolutions: tuple[int, ...]
    table_size: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Entries of each level: all vertices where they fit into the table, else the table's size."""
        return tuple(min((r + 1) ** 3, self.table_size) for r in self.resolutions)

    @property
    def offsets(self) -> tuple[int, ...]:
        """First row of each level in the joint table."""
        return tuple(int(n) for n in np.cumsum((0, *self.sizes))[:-1])

    @property
    def rows(self) -> int:
        """Rows of the joint table."""
        return sum(self.sizes)


def geometric_resolutions(levels: int, coarsest: int, finest: int) -> tuple[int, ...]:
    """Cells a side of each level, in geometric progression."""
    return tuple(round(float(r)) for r in np.geomspace(coarsest, finest, levels))


def _rows(cell: Tensor, resolution: int, size: int) -> Tensor:
    x, y, z = cell.unbind(-1)
    if (resolution + 1) ** 3 <= size:
        return (x * (resolution + 1) + y) * (resolution + 1) + z
    return ((x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])) & (size - 1)


def encode(
    x: Float[Tensor, "n 3"], table: Float[Tensor, "rows 2"], level_weights: Float[Tensor, "levels"], spec: GridSpec
) -> Float[Tensor, "n features"]:
    """Two features a level at points x (metres, grid frame); points outside the cube take the values on its border
    cells."""
    centre = torch.tensor(spec.centre, dtype=x.dtype, device=x.device)
    unit = ((x - centre) / (2 * spec.half_m) + 0.5).clamp(0, 1)
    features = []
    for level, (resolution, offset, size) in enumerate(zip(spec.resolutions, spec.offsets, spec.sizes, strict=True)):
        position = unit * resolution
        cell = position.detach().floor().clamp(0, resolution - 1)
        frac = position - cell
        cell = cell.long()
        value = torch.zeros(len(x), 2, dtype=x.dtype, device=x.device)
        for corner in range(8):
            bits = torch.tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1], device=x.device)
            weight = torch.where(bits.bool(), frac, 1 - frac).prod(-1, keepdim=True)
            value = value + weight * table[offset + _rows(cell + bits, resolution, size)]
        features.append(value * level_weights[level])
    return torch.cat(features, -1)


def squareplus(x: Tensor) -> Tensor:
    """A smooth ReLU without exponentials: (x + sqrt(x² + 0.01)) / 2 (Barron 2021)."""
    return 0.5 * (x + torch.sqrt(x * x + 0.01))


def sdf_torch(
    x: Float[Tensor, "n 3"],
    table: Float[Tensor, "rows 2"],
    weights: tuple[Tensor, ...],
    sphere: Float[Tensor, "4"],
    level_weights: Float[Tensor, "levels"],
    spec: GridSpec,
) -> Float[Tensor, "n"]:
    """Signed distance in metres: that of the start sphere (cx, cy, cz, radius) plus an MLP of the encoding.

    `weights` = (W1 (h, 2L), b1, W2 (h, h), b2, w3 (h,), b3 (1,)).
    """
    return sdf_of_features(x, encode(x, table, level_weights, spec), weights, sphere)


def sphere_distance(x: Float[Tensor, "*n 3"], sphere: Float[Tensor, "4"]) -> Float[Tensor, "*n"]:
    """Signed distance from the start sphere (centre, radius), smooth at its centre; metres."""
    return torch.sqrt(((x - sphere[:3]) ** 2).sum(-1) + 1e-8) - sphere[3]


def sdf_of_features(
    x: Float[Tensor, "n 3"],
    features: Float[Tensor, "n features"],
    weights: tuple[Tensor, ...],
    sphere: Float[Tensor, "4"],
) -> Float[Tensor, "n"]:
    """Signed distance in metres: that of the start sphere plus the MLP of the encoding."""
    w1, b1, w2, b2, w3, b3 = weights
    hidden = squareplus(features @ w1.T + b1)
    hidden = squareplus(hidden @ w2.T + b2)
    return sphere_distance(x, sphere) + hidden @ w3 + b3

"""Values on a regular grid of the object frame: the field as last looked at, a first guess, a body that the prior imagined."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoi.field.render import look_up_beyond


class GridField(NamedTuple):
    """About signed distances at the vertices of a grid from `low` to `high`, metres."""

    values: Float[Tensor, "x y z"]
    low: Float[Tensor, "3"]
    high: Float[Tensor, "3"]

    @property
    def step(self) -> Float[Tensor, "3"]:
        """Size of a cell, metres."""
        return (self.high - self.low) / (torch.tensor(self.values.shape, device=self.low.device) - 1)

    def at(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Trilinear values; beyond the box, its border's value plus the way to it."""
        return look_up_beyond(self.values, self.low, self.high, x)

    def near(self, count: int, band_m: float, rng: np.random.Generator) -> Float[Tensor, "count 3"]:
        """Random points of the cells whose value is within the band (of any cell where none is)."""
        cells = np.argwhere((self.values.abs() < band_m).cpu().numpy())
        if len(cells) == 0:
            cells = np.argwhere(np.ones(self.values.shape, bool))
        cell = cells[rng.integers(0, len(cells), count)] + rng.random((count, 3)) - 0.5
        return self.low + torch.from_numpy(cell.astype(np.float32)).to(self.low.device) * self.step

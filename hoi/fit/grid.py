"""Values on a regular grid of the object frame: the field as last looked at, a first guess, a body that the prior imagined."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoi.field.render import look_up_beyond


@dataclass(frozen=True, eq=False)
class GridField:
    """About signed distances at the vertices of a grid from `low` to `high`, metres. They stay as they are."""

    values: Float[Tensor, "x y z"]
    low: Float[Tensor, "3"]
    high: Float[Tensor, "3"]
    _within: dict[float, Int[np.ndarray, "c 3"]] = field(default_factory=dict, init=False, repr=False)

    def to(self, device: torch.device | str) -> "GridField":
        """The same on a device."""
        return GridField(self.values.to(device), self.low.to(device), self.high.to(device))

    @property
    def step(self) -> Float[Tensor, "3"]:
        """Size of a cell, metres."""
        return (self.high - self.low) / (torch.tensor(self.values.shape, device=self.low.device) - 1)

    def at(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Trilinear values; beyond the box, its border's value plus the way to it."""
        return look_up_beyond(self.values, self.low, self.high, x)

    def near(self, count: int, band_m: float, rng: np.random.Generator) -> Float[Tensor, "count 3"]:
        """Random points of the cells whose value is within the band (of any cell where none is)."""
        if band_m not in self._within:
            cells = np.argwhere((self.values.abs() < band_m).cpu().numpy())
            self._within[band_m] = cells if len(cells) else np.argwhere(np.ones(self.values.shape, bool))
        cells = self._within[band_m]
        cell = cells[rng.integers(0, len(cells), count)] + rng.random((count, 3)) - 0.5
        return self.low + torch.from_numpy(cell.astype(np.float32)).to(self.low.device) * self.step

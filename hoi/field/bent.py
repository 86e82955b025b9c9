"""A body that is known, bent: its distances, read where a smooth displacement leads."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hoi.field.render import look_up_all, look_up_beyond
from hoi.field.sdf import Field

FINE = 6  # vertices of the displacement's grid a cell of the lattice


class BentField(Field):
    """Signed distance body(x + d(x)): d is a cubic B-spline on a lattice over the body's box (free-form deformation: Sederberg
    & Parry 1986; its bending held down: Rueckert et al. 1999).

    A sum that corrects distances takes a thin wall away as soon as it exceeds half the wall; a displacement moves it. What is
    displaced is a distance but for the stretch: where d changes by a tenth of the way, it is wrong by a tenth.
    """

    def __init__(
        self,
        values: Float[Tensor, "x y z"],
        low: Float[Tensor, "3"],
        high: Float[Tensor, "3"],
        cell_m: float,
        beta_m: float,
    ) -> None:
        super().__init__(beta_m)
        self.body, self.cell_m = (values, low, high), cell_m
        cells = ((high - low) / cell_m).round().long().clamp_min(1).tolist()
        self.lattice = nn.Parameter(torch.zeros(*(n + 3 for n in cells), 3))
        self.splines = [cubic_b_spline(n, FINE).to(low.device) for n in cells]
        self.to(low.device)

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by what their learning rate is called."""
        return {"bend": [self.lattice]} | super().learned()

    def displacement(self) -> Float[Tensor, "3 x y z"]:
        """d at the vertices of a fine grid over the box, metres."""
        d = self.lattice  # x y z, and the components
        for spline in self.splines:
            d = torch.tensordot(d, spline, dims=([0], [1]))  # the axis that is resolved goes last
        return d

    def forward(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Signed distance in metres, negative inside."""
        values, low, high = self.body
        return look_up_beyond(values, low, high, x + look_up_all(self.displacement(), low, high, x))

    def bending(self) -> Float[Tensor, ""]:
        """Squared change of the stretch from one cell of the lattice to the next: mean over the lattice, sum over pairs of axes.

        Nothing where all is moved, turned, stretched and sheared alike.
        """
        pairs = [(a, b) for a in range(3) for b in range(3)]
        second = [self.lattice.diff(dim=a).diff(dim=b) / self.cell_m for a, b in pairs]
        return sum(change.square().sum(-1).mean() for change in second)


def cubic_b_spline(cells: int, fine: int) -> Float[Tensor, "v c"]:
    """The cells + 3 uniform cubic B-splines of so many cells, at `fine` vertices a cell, ends included."""
    at = torch.arange(cells * fine + 1) / fine
    cell = at.floor().long().clamp_max(cells - 1)
    t = at - cell
    near = torch.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], -1) / 6
    return torch.zeros(len(at), cells + 3).scatter(1, cell[:, None] + torch.arange(4), near)

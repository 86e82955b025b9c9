"""The object's shape: a signed distance field that starts as a sphere, or as a correction of a body that is known roughly."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hoi.field.hashgrid import GridSpec, sdf_torch, sphere_distance
from hoi.field.kernels import sdf_numba
from hoi.field.render import look_up_beyond

CHUNK = 65536  # points at a time, where there are many: bounds memory
Kernel = Literal["torch", "numba", "compile", "tcnn"]


def sdf_kernel(kernel: Kernel) -> Callable[..., Tensor]:
    """The implementation by name: the plain reference, its compiled form (needs a C++ compiler), the numba twin (CPU), or
    that on tiny-cuda-nn (needs the package and a GPU)."""
    if kernel == "compile":
        return torch.compile(sdf_torch, dynamic=True)
    if kernel == "tcnn":
        from hoi.field.tcnn import sdf_tcnn, tiny_cuda_nn

        tiny_cuda_nn()
        return sdf_tcnn
    return sdf_numba if kernel == "numba" else sdf_torch


class Field(nn.Module):
    """Signed distances in metres at points of the object frame, with VolSDF's learned density scale β (metres)."""

    def __init__(self, beta_m: float) -> None:
        super().__init__()
        self.log_beta = nn.Parameter(torch.tensor(float(np.log(beta_m))))

    @property
    def beta(self) -> Float[Tensor, ""]:
        """Density scale in metres."""
        return self.log_beta.exp()

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by what their learning rate is called."""
        return {"beta": [self.log_beta]}

    def fade(self, levels: float) -> None:
        """Use the first `levels` levels; what has none is used whole."""

    def on_grid(self, low: np.ndarray, high: np.ndarray, shape: tuple[int, int, int]) -> Float[Tensor, "x y z"]:
        """Signed distances at the vertices of a regular grid from `low` to `high` (metres, ends included)."""
        axes = [torch.linspace(float(a), float(b), n) for a, b, n in zip(low, high, shape, strict=True)]
        return self.of_many(torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)).reshape(shape)

    @torch.no_grad()
    def of_many(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """Signed distances at any number of points, some at a time; no gradient."""
        return torch.cat([self(some.to(self.log_beta.device)) for some in x.split(CHUNK)])


class SdfField(Field):
    """A multi-resolution hash grid and a small MLP.

    `level_weights` fade levels in from coarse to fine. The MLP's output is scaled so that one unit is 5 cm.
    """

    def __init__(
        self, spec: GridSpec, radius_m: float, beta_m: float, hidden: int, kernel: Kernel, generator: torch.Generator
    ) -> None:
        super().__init__(beta_m)
        self.spec, self.kernel, self._sdf = spec, kernel, sdf_kernel(kernel)
        width = 2 * len(spec.resolutions)

        def normal(*shape: int, scale: float) -> nn.Parameter:
            """Normally distributed weights."""
            return nn.Parameter(torch.randn(shape, generator=generator) * scale)

        self.table = nn.Parameter((torch.rand(spec.rows, 2, generator=generator) * 2 - 1) * 1e-3)
        self.w1, self.b1 = normal(hidden, width, scale=(2 / width) ** 0.5), nn.Parameter(torch.zeros(hidden))
        self.w2, self.b2 = normal(hidden, hidden, scale=(2 / hidden) ** 0.5), nn.Parameter(torch.zeros(hidden))
        self.w3, self.b3 = normal(hidden, scale=0.05 * hidden**-0.5), nn.Parameter(torch.zeros(1))
        self.register_buffer("sphere", torch.tensor([*spec.centre, radius_m]))
        self.register_buffer("level_weights", torch.ones(len(spec.resolutions)))
        self.base: tuple[Tensor, Tensor, Tensor] | None = None
        on_cpu = sdf_torch if kernel == "tcnn" else self._sdf
        with torch.no_grad():
            self.b3 -= on_cpu(torch.tensor([spec.centre]), *self._parts())[0] + radius_m

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by what their learning rate is called."""
        return {"table": [self.table], "network": [*self._network()]} | super().learned()

    def forward(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Signed distance in metres, negative inside."""
        sdf = self._sdf(x.reshape(-1, 3), *self._parts()).reshape(x.shape[:-1])
        if self.base is None:
            return sdf
        return sdf - sphere_distance(x, self.sphere) + look_up_beyond(*self.base, x)

    @torch.no_grad()
    def rebase(self, values: Float[Tensor, "x y z"], low: Float[Tensor, "3"], high: Float[Tensor, "3"]) -> None:
        """Become this grid of signed distances (metres, from `low` to `high`) in place of the sphere, uncorrected as yet.

        The grid may be finer than the field's own levels, and walls thinner than these resolve survive in it.
        """
        self.base = values, low, high
        self.w3.zero_()
        self.b3.zero_()

    @torch.no_grad()
    def sharpen(self, beta_m: float) -> None:
        """Bring the density's scale down to so many metres, where it is above."""
        self.log_beta.clamp_(max=float(np.log(beta_m)))

    def _network(self) -> tuple[nn.Parameter, ...]:
        return self.w1, self.b1, self.w2, self.b2, self.w3, self.b3

    def _parts(self) -> tuple[Any, ...]:
        """What a kernel takes beside the points."""
        return self.table, self._network(), self.sphere, self.level_weights, self.spec

    def fade(self, levels: float) -> None:
        """Use the first `levels` levels, the last of them by its fraction."""
        index = torch.arange(len(self.level_weights), device=self.level_weights.device)
        self.level_weights.copy_((levels - index).clamp(0, 1))

"""The mean of what is learned over the last steps: it lies nearer the optimum than the steps do, which jitter about it (Polyak
and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 1992)."""

from collections.abc import Iterable

import torch
from torch import Tensor


class Average:
    """A running mean of tensors that change in place."""

    def __init__(self, count: int = 0, means: Iterable[Tensor] = ()) -> None:
        self.count, self.means = count, list(means)

    @torch.no_grad()
    def add(self, values: list[Tensor]) -> None:
        """Count the values as they are now."""
        if self.count == 0:
            self.means = [torch.zeros_like(value) for value in values]
        self.count += 1
        for mean, value in zip(self.means, values, strict=True):
            mean.lerp_(value, 1 / self.count)

    @torch.no_grad()
    def give(self, values: list[Tensor]) -> None:
        """Make the values their mean, if any were counted."""
        if self.count:
            for mean, value in zip(self.means, values, strict=True):
                value.copy_(mean)

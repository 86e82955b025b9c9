"""Volume rendering of the SDF along rays, and its blend with the hand. A position along a ray is its z-depth in
metres."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


class Samples(NamedTuple):
    """Stratified samples of rays: their z-depths and the lengths of their intervals, metres."""

    depth: Float[Tensor, "rays samples"]
    length: Float[Tensor, "rays samples"]


def density(sdf: Float[Tensor, "*n"], beta: Float[Tensor, ""]) -> Float[Tensor, "*n"]:
    """Density in 1/m: the CDF of a Laplace distribution of scale β at -sdf, over β (Yariv et al. 2021, VolSDF, eq.
    2, 3)."""
    tail = 0.5 * torch.exp(-sdf.abs() / beta)
    return torch.where(sdf > 0, tail, 1 - tail) / beta


def ray_weights(
    sigma: Float[Tensor, "rays samples"], length: Float[Tensor, "rays samples"]
) -> Float[Tensor, "rays samples"]:
    """Share of each sample in its ray's colour: its opacity times the transmittance before it; their sum is the
    mask."""
    optical = sigma * length
    before = torch.cumsum(optical, -1) - optical
    return torch.exp(-before) * -torch.expm1(-optical)


def look_up(
    grid: Float[Tensor, "x y z"], low: Float[Tensor, "3"], high: Float[Tensor, "3"], x: Float[Tensor, "*n 3"]
) -> Float[Tensor, "*n"]:
    """Trilinear values of a grid whose corner vertices lie at `low` and `high`; border values outside."""
    return look_up_all(grid[None], low, high, x)[..., 0]


def look_up_all(
    grids: Float[Tensor, "c x y z"], low: Float[Tensor, "3"], high: Float[Tensor, "3"], x: Float[Tensor, "*n 3"]
) -> Float[Tensor, "*n c"]:
    """As `look_up`, of several grids over one box."""
    unit = (2 * (x - low) / (high - low) - 1).flip(-1).reshape(1, 1, 1, -1, 3)
    values = functional.grid_sample(grids[None], unit, align_corners=True, padding_mode="border")
    return values.reshape(len(grids), -1).T.reshape(*x.shape[:-1], len(grids))


def look_up_beyond(
    grid: Float[Tensor, "x y z"], low: Float[Tensor, "3"], high: Float[Tensor, "3"], x: Float[Tensor, "*n 3"]
) -> Float[Tensor, "*n"]:
    """Trilinear distances of a grid; beyond its box, its border's value plus the way to it."""
    inside = torch.minimum(torch.maximum(x, low), high)
    return look_up(grid, low, high, inside) + (x - inside).norm(dim=-1)


def propose(
    sdf: Float[Tensor, "rays bins"],
    near: Float[Tensor, "rays"],
    far: Float[Tensor, "rays"],
    scale_m: float,
    count: int,
    jitter: Float[Tensor, "rays count"],
) -> Samples:
    """Samples where a coarse SDF, known at bin centres between near and far, says that the surface is.

    The probability of a bin is exp(-|sdf| / scale) plus a floor, so that every stretch keeps some samples;
    quantiles of it
    bound the intervals. `jitter` in [0, 1) places each sample in its interval.
    """
    bins = sdf.shape[-1]
    p = torch.exp(-sdf.abs() / scale_m) + 0.5 / bins
    cdf = functional.pad(torch.cumsum(p / p.sum(-1, keepdim=True), -1), (1, 0))
    u = torch.linspace(0, 1, count + 1, device=sdf.device).expand(len(sdf), -1).contiguous()
    right = torch.searchsorted(cdf, u, right=True).clamp(1, bins)
    c0, c1 = cdf.gather(-1, right - 1), cdf.gather(-1, right)
    unit = (right - 1 + ((u - c0) / (c1 - c0).clamp_min(1e-9)).clamp(0, 1)) / bins
    edges = near[:, None] + unit * (far - near)[:, None]
    length = edges.diff(dim=-1)
    return Samples(edges[:, :-1] + jitter * length, length)


def sphere_span(
    origin: Float[Tensor, "rays 3"], direction: Float[Tensor, "rays 3"], centre: Float[Tensor, "3"], radius: float
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays"]]:
    """Where rays enter and leave a sphere; rays that miss it get a stretch of 1 mm at their closest point."""
    a = (direction * direction).sum(-1)
    b = ((centre - origin) * direction).sum(-1) / a
    gap_sq = ((origin + b[:, None] * direction - centre) ** 2).sum(-1)
    half = ((radius**2 - gap_sq).clamp_min(1e-6) / a).sqrt()
    return (b - half).clamp_min(0.02), (b + half).clamp_min(0.021)


def blend(
    weights: Float[Tensor, "rays samples"],
    depth: Float[Tensor, "rays samples"],
    hand_alpha: Float[Tensor, "rays"],
    hand_depth: Float[Tensor, "rays"],
    softness_m: float,
) -> Float[Tensor, "rays 3"]:
    """The label image (object, hand, background), composited front to back; a row sums to 1.

    The hand is one layer of opacity `hand_alpha` at its z-depth, put in its place among the object's samples; the
    order is
    softened over `softness_m` so that it can be learned.
    """
    front = torch.sigmoid((hand_depth[:, None] - depth) / softness_m)
    object_front = (weights * front).sum(-1)
    mask = weights.sum(-1)
    hand = hand_alpha * (1 - object_front)
    visible = mask - hand_alpha * (mask - object_front)
    return torch.stack([visible, hand, (1 - mask) * (1 - hand_alpha)], -1)


def expected_depth(
    weights: Float[Tensor, "rays samples"], depth: Float[Tensor, "rays samples"]
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays"]]:
    """Mask and mean z-depth in metres of each ray (the depth is 0 where the mask is)."""
    mask = weights.sum(-1)
    return mask, (weights * depth).sum(-1) / mask.clamp_min(1e-6)

"""Where a known shape is: guesses of its pose, moved onto a surface or judged by silhouettes.

Clouds of points stand for shapes; many guesses are moved at once. On the CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from hoi.fit.nearest import distance_to_nearest
from hoi.fit.observations import Observations
from hoi.geometry.registration import umeyama
from hoi.geometry.rotations import axis_angle_to_matrix, rigid, transform
from hoi.geometry.sampling import evenly

GUESSED = ("R0", "turn", "place", "log_scale")


@dataclass(frozen=True)
class Views:
    """What the chosen frames ask: where the object may be seen, and pixels where it must be. Guesses are made in frame b."""

    T_cam_b: Float[Tensor, "f 4 4"]
    K: Float[Tensor, "f 3 3"]
    outside_px: Float[Tensor, "f h w"]  # distance to the nearest pixel of object or hand; 0 on them
    object_px: Float[Tensor, "f m 2"]  # pixels drawn from the object's mask
    size_px: Float[Tensor, "f"]  # square root of its area: errors are counted in it


@dataclass(frozen=True)
class Guess:
    """Shapes in frame b: x_b = exp(log_scale) axis_angle_to_matrix(turn) R0 x + place (metres)."""

    R0: Float[Tensor, "k 3 3"]
    turn: Float[Tensor, "k 3"]
    place: Float[Tensor, "k 3"]
    log_scale: Float[Tensor, "k"]

    @staticmethod
    def at(place: Float[Tensor, "k 3"]) -> "Guess":
        """Unturned and unscaled; free to turn and move, not to grow."""
        k = len(place)
        free = (torch.zeros(k, 3), place.clone())
        return Guess(torch.eye(3).repeat(k, 1, 1), *(part.requires_grad_() for part in free), torch.zeros(k))

    def of(self, kept: Tensor) -> "Guess":
        """The chosen ones, free to move."""
        parts = (self.turn, self.place, self.log_scale)
        return Guess(self.R0[kept], *(part.detach()[kept].clone().requires_grad_() for part in parts))

    @staticmethod
    def joined(parts: "list[Guess]") -> "Guess":
        """Several as one."""
        return Guess(*(torch.cat([getattr(p, name).detach() for p in parts]) for name in GUESSED))

    def rotation(self) -> Float[Tensor, "k 3 3"]:
        """Of the shape in frame b."""
        return axis_angle_to_matrix(self.turn) @ self.R0

    def posed(self, points: Float[Tensor, "*#k n 3"]) -> Float[Tensor, "k n 3"]:
        """Points of one shape, or of each its own, in frame b."""
        return self.log_scale.exp()[:, None, None] * points @ self.rotation().mT + self.place[:, None]


def views_of(
    observed: Observations,
    T_cam_b: Float[Tensor, "n 4 4"],
    K: Float[Tensor, "n 3 3"],
    frames: int,
    pixels: int,
    seed: int,
) -> Views:
    """The chosen frames: spread over those that are trusted and show the object."""
    rng = np.random.default_rng(seed)
    seen = np.flatnonzero(observed.object_mask.any((1, 2)) & (observed.confidence > 0))
    chosen = evenly(seen, frames)
    masks = observed.object_mask[chosen]
    outside = [distance_transform_edt(~(m | h)) for m, h in zip(masks, observed.hand_mask[chosen], strict=True)]
    drawn = [rng.permutation(np.argwhere(m))[np.arange(pixels) % m.sum()][:, ::-1] + 0.5 for m in masks]
    to_torch = (torch.from_numpy(np.asarray(a, np.float32)) for a in (outside, drawn, np.sqrt(masks.sum((1, 2)))))
    return Views(T_cam_b[chosen], K[chosen], *to_torch)


def misfit(points: Float[Tensor, "*#k n 3"], guess: Guess, views: Views) -> Float[Tensor, "k"]:
    """How badly each guess explains the masks, squared distances in object sizes, mean over frames.

    Points of the shape that fall beside object and hand are charged their distance to them; pixels of the object that
    no point falls near are charged the distance to the nearest one.
    """
    R, t = views.T_cam_b[:, :3, :3], views.T_cam_b[:, :3, 3]
    px = guess.posed(points)[:, None] @ (views.K @ R).mT + (views.K @ t[..., None]).mT
    px = px[..., :2] / px[..., 2:].clamp_min(1e-3)
    height, width = views.outside_px.shape[1:]
    grid = (2 * px / torch.tensor([width, height]) - 1).transpose(0, 1)
    beside = torch.nn.functional.grid_sample(
        views.outside_px[:, None], grid, padding_mode="border", align_corners=False
    )[:, 0].transpose(0, 1)
    missed = distance_to_nearest(views.object_px.expand(len(px), -1, -1, -1), px)
    size = views.size_px[:, None]
    return ((beside / size) ** 2).mean((1, 2)) + ((missed / size) ** 2).mean((1, 2))


def descend(
    objective: Callable[[Guess], Float[Tensor, "k"]], guess: Guess, rate: float, steps: int
) -> Float[Tensor, "k"]:
    """Adam on all guesses at once, in place; their objectives at the end. `rate`: radians a step; a tenth of it in metres."""
    groups = [
        {"params": [guess.turn], "lr": rate},
        {"params": [guess.place], "lr": 0.1 * rate},
        {"params": [guess.log_scale], "lr": 0.3 * rate},
    ]
    optimiser = torch.optim.Adam(groups)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(guess).sum().backward()
        optimiser.step()
    with torch.no_grad():
        return objective(guess)


def settle(
    clouds: Float[Tensor, "k n 3"], surface: Float[Tensor, "m 3"], steps: int, floor_m: float
) -> Float[Tensor, "k n 3"]:
    """Clouds moved rigidly onto a surface from where they are: symmetric ICP, every pair of points weighted by one over its
    distance, but by no more than one over `floor_m` (least absolute distances: a part that only one has pulls little)."""
    there = surface.expand(len(clouds), -1, -1)
    for _ in range(steps):
        away = torch.cdist(clouds, there)
        to, of = away.min(2), away.min(1)
        start = torch.cat([clouds, clouds.gather(1, of.indices[..., None].expand(-1, -1, 3))], 1)
        end = torch.cat([surface[to.indices], there], 1)
        weights = 1 / torch.cat([to.values, of.values], 1).clamp_min(floor_m)
        clouds = transform(motion(start, end, weights), clouds)
    return clouds


def motion(
    start: Float[Tensor, "k n 3"], end: Float[Tensor, "k n 3"], weights: Float[Tensor, "k n"] | None = None
) -> Float[Tensor, "k 4 4"]:
    """The rigid motions that bring clouds from one place to another, least squares."""
    weights = torch.ones(start.shape[:2]) if weights is None else weights
    R, t, _ = umeyama(*(a.double().numpy() for a in (start, end, weights)), False)
    return rigid(torch.from_numpy(R), torch.from_numpy(t)).float()

"""The learned prior in the fit: what a denoiser makes of novel views of the scene.

Two ways, as data (`fit_clip.prior.method`). `score`: the published one, score distillation (Poole et al. 2023; DiffHOI,
section 3.2): a view is rendered and noised, and w(t) (ε̂ - ε) is its gradient. `views`: pictures that are denoised in several
steps, made anew now and then, and fused into one body that the field is drawn to: the views agree in it, whatever each of
them errs in, and between two renewals a step costs no network and no rendering.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch import Tensor
from torch.nn import functional

from hoi.config import FitPrior
from hoi.fit.grid import GridField
from hoi.fit.small import distance_px
from hoi.geometry.cameras import project, ray_directions
from hoi.geometry.rotations import transform
from hoi.hand.model import HandModel
from hoi.prior.denoiser import Denoiser
from hoi.prior.encode import decode_object, encode_hand, encode_object, pooled
from hoi.prior.memory import Memory
from hoi.prior.render import Ball, HandImage, ObjectImage, Sdf, all_pixels, pixel_centres, render_hand, render_object
from hoi.prior.samples import AROUND_M
from hoi.prior.views import View, draw_view

BATCH = 8  # pictures denoised at once
LOWEST = 20  # noise level of 1000 that score distillation draws at least: 2 of the published 100
LEAST_FACING = 0.25  # cosine: surfaces seen more aslant tell their distance along the ray instead
MARGIN_M = 0.02  # around the fused surfaces
LEAST_POINTS = 20  # of all pictures; fewer are no object
TOLD = 0.9  # of the reach: distances nearer than this are a picture's own, not its clip


@dataclass(frozen=True)
class Prior:
    """A denoiser, the category that a clip is said to show (None: unknown), and objects that are remembered.

    The denoiser is opened when it is first asked: that takes seconds, and most clips are explained by what is remembered.
    """

    open_denoiser: Callable[[], Denoiser]
    category: str | None
    memory: Memory | None = None

    @cached_property
    def denoiser(self) -> Denoiser:
        """Opened."""
        return self.open_denoiser()


@dataclass(frozen=True)
class Scene:
    """The fit's present scene: the object's field (and a coarse look at it), the rough body that silhouettes alone gave, points
    near both surfaces, and hand and object of some frames."""

    sdf: Sdf
    coarse: Sdf
    points_obj: Float[Tensor, "p 3"]
    rough: Sdf
    rough_points_obj: Float[Tensor, "q 3"]
    vertices_hand: Float[Tensor, "f v 3"]
    T_hand_obj: Float[Tensor, "f 4 4"]
    hand: HandModel


def noise_level(progress: float, settings: FitPrior) -> float:
    """Greatest noise level, of 1, at a share of the fit (0 to 1): from `noise_start` to `noise_end`.

    r(s) = c (b/a)^(4s) + (a - c), c = (a - b) / (1 - (b/a)^4) (DiffHOI, section 3.3); constant where both are equal.
    """
    a, b = settings.noise_start, settings.noise_end
    if a == b:
        return a
    c = (a - b) / (1 - (b / a) ** 4)
    return c * (b / a) ** (4 * progress) + (a - c)


class Distillation:
    """One clip's novel views, and what the denoiser makes of them."""

    def __init__(self, prior: Prior, settings: FitPrior, seed: int, device: torch.device) -> None:
        self.denoiser, self.settings, self.device = prior.denoiser.to(device), settings, device
        self.rng, self.generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        name = prior.category if settings.condition != "hand" else None
        self.category = self.denoiser.category_index(name)
        self.spec = self.denoiser.spec

    def _view(self, scene: Scene) -> tuple[View, HandImage]:
        """A view from the training's distribution, of one frame's hand."""
        frame = int(self.rng.integers(len(scene.vertices_hand)))
        vertices, T = scene.vertices_hand[frame], scene.T_hand_obj[frame]
        points = torch.cat([scene.points_obj, scene.rough_points_obj])
        view = draw_view(self.rng, transform(T, points), vertices, T, self.spec.views)
        return view, render_hand(vertices, scene.hand.faces, scene.hand.face_uv, view)

    def _picture(self, scene: Scene, view: View, hand: HandImage) -> Float[Tensor, "5 r r"]:
        """The object's channels in a view, rendered as for the training."""
        beta, ball = torch.tensor(self.spec.render.beta_m, device=self.device), Ball.around(scene.points_obj, AROUND_M)
        image = render_object(scene.sdf, beta, view, ball, self.spec.render, rough=scene.coarse)
        return pooled(_square(encode_object(image, hand.mean_depth)), self.spec.views.pool)

    def _given(self, scene: Scene, view: View, hand: HandImage) -> Float[Tensor, "12 r r"]:
        """The channels of hand and rough body, 0 where the prior is not shown them."""
        s, beta = self.settings, torch.tensor(self.spec.render.beta_m, device=self.device)
        ball = Ball.around(scene.rough_points_obj, AROUND_M)
        rough = encode_object(render_object(scene.rough, beta, view, ball, self.spec.render), hand.mean_depth)
        parts = encode_hand(hand) * (s.condition != "category"), rough * s.rough
        return pooled(_square(torch.cat(parts)), self.spec.views.pool)

    def _noise(self, x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=self.generator).to(self.device)

    @torch.no_grad()
    def imagine(self, scene: Scene, progress: float) -> list[tuple[View, ObjectImage]]:
        """Novel views as the prior would have them: the scene's own, noised to the present level and denoised in steps.

        On the CPU, where they are fused. A picture with NaN shows no object.
        """
        s, last = self.settings, self.spec.schedule.steps - 1
        t = round(last * noise_level(progress, s))
        made = []
        for first in range(0, s.views, BATCH):
            views, hands = zip(*(self._view(scene) for _ in range(min(BATCH, s.views - first))), strict=True)
            x = torch.stack([self._picture(scene, v, h) for v, h in zip(views, hands, strict=True)])
            level = torch.full((len(x),), t, device=self.device)
            noised = self.denoiser.add_noise(x, self._noise(x), level)
            category = torch.full((len(x),), self.category, device=self.device)
            given = torch.stack([self._given(scene, v, h) for v, h in zip(views, hands, strict=True)])
            clean = self.denoiser.denoise(noised, given, category, t, s.steps, s.guidance)
            small = [v.pooled(self.spec.views.pool).cpu() for v in views]
            made += [
                (v, decode_object(c.flatten(1), h.mean_depth))
                for v, h, c in zip(small, hands, clean.cpu(), strict=True)
            ]
        return made

    def score(self, scene: Scene, progress: float) -> Float[Tensor, ""]:
        """A term whose gradient on the channels of one novel view is w(t) (ε̂ - ε), w = sqrt(ᾱ (1 - ᾱ)); where the network gives
        NaN it is 0."""
        s, last = self.settings, self.spec.schedule.steps - 1
        view, hand = self._view(scene)
        x = self._picture(scene, view, hand)[None]
        highest = max(round(last * noise_level(progress, s)), LOWEST + 1)
        t = torch.tensor([int(self.rng.integers(LOWEST, highest))], device=self.device)
        noise, category = self._noise(x), torch.tensor([self.category], device=self.device)
        with torch.no_grad():
            noised = self.denoiser.add_noise(x, noise, t)
            given = self._given(scene, view, hand)[None]
            error = self.denoiser.predict_noise(noised, given, category, t, s.guidance) - noise
            signal, sigma = self.denoiser.signal_and_noise(t)
            channel = torch.tensor([s.mask, *[s.normal] * 3, s.depth], device=self.device)[:, None, None]
            gradient = torch.nan_to_num(signal * sigma * channel * error)
        return (gradient * x).sum() / x[0, 0].numel()


def _square(channels: Float[Tensor, "c p"]) -> Float[Tensor, "c r r"]:
    side = round(channels.shape[1] ** 0.5)
    return channels.unflatten(1, (side, side))


@torch.no_grad()
def fuse(pictures: list[tuple[View, ObjectImage]], settings: FitPrior) -> GridField | None:
    """One body of many pictures of it: in every view a point is before, behind or beside the pictured surface, and a point
    that a share `free` of the views, of those that tell of it, sees in free space is outside; None where the pictures show
    nothing. ASSUME: what none of them tells of is free.

    Truncated distances as of Curless & Levoy (1996); a quantile instead of their mean, because a picture that misses a part
    must not carve it, and one that invents a part must not add it.
    """
    surfaces = [transform(torch.linalg.inv(view.T_view_obj), _surface(view, image)) for view, image in pictures]
    everywhere = torch.cat(surfaces)
    if len(everywhere) < LEAST_POINTS:
        return None
    low, high = everywhere.quantile(0.005, 0) - MARGIN_M, everywhere.quantile(0.995, 0) + MARGIN_M
    step = float((high - low).prod() / settings.cells) ** (1 / 3)
    count = ((high - low) / step).ceil().int() + 1
    high = low + step * (count - 1)
    axes = [torch.linspace(float(a), float(b), int(n)) for a, b, n in zip(low, high, count, strict=True)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    flat = points.reshape(-1, 3)
    seen = torch.stack([distances(view, image, flat, settings) for view, image in pictures])
    values = voted(seen, settings.free).nan_to_num(settings.reach_m).reshape(points.shape[:3])
    values = torch.from_numpy(gaussian_filter(values.numpy(), settings.smooth_m / step))
    return GridField(extended(values, TOLD * settings.reach_m, step), low, high)


def voted(seen: Float[Tensor, "v p"], free: float) -> Float[Tensor, " p"]:
    """Of the distances that views tell, the one that a share `free` of them reaches, the greatest at least; NaN: not told."""
    told = ~seen.isnan()
    rank = (free * told.sum(0).double()).round().long().clamp_min(1)
    falling = seen.where(told, -torch.inf).topk(int(rank.max()), 0).values
    return falling.gather(0, rank[None] - 1)[0].where(told.any(0), torch.nan)


def extended(values: Float[Tensor, "x y z"], reach_m: float, step_m: float) -> Float[Tensor, "x y z"]:
    """Signed distances that are told up to `reach_m`; beyond it the way to the nearest vertex of the other sign (Euclidean)."""
    inside = (values < 0).numpy()
    if inside.all() or not inside.any():
        return values
    way = distance_transform_edt(~inside, sampling=step_m) - distance_transform_edt(inside, sampling=step_m)
    far = torch.from_numpy(way).float()
    return torch.where((values.abs() < reach_m) | (far.abs() < reach_m), values, far)


def _surface(view: View, image: ObjectImage) -> Float[Tensor, "p 3"]:
    """The pictured surface's points, in the view's camera."""
    on = (image.mask > 0.5).nonzero()[:, 0]
    return image.depth[on, None] * _rays(view)[on]


def _rays(view: View) -> Float[Tensor, "p 3"]:
    """Directions of all pixels, z = 1."""
    return ray_directions(view.K, pixel_centres(view, all_pixels(view)))


def distances(view: View, image: ObjectImage, points: Float[Tensor, "p 3"], settings: FitPrior) -> Float[Tensor, " p"]:
    """Signed distance (metres, clipped) of points of the object frame from what one picture shows, positive in free space.

    On the object's pixels: distance from the pixel's surface, along its normal (weight `normal` > 0) and with its depth
    (`depth` > 0); farther behind than the clip nothing is known, which counts as inside. Elsewhere: distance from the outline,
    or, where that is not to be used (`mask` = 0), NaN: nothing is told.
    """
    reach, r = settings.reach_m, view.resolution
    X = transform(view.T_view_obj, points)
    at = project(view.K, X)
    column, row = at.floor().long().clamp(0, r - 1).unbind(-1)
    pixel = row * r + column
    on = image.mask > 0.5
    outline = torch.from_numpy(_outline_px(on.reshape(r, r).numpy()).flatten())
    beside = (outline[pixel] * X[:, 2] / view.focal_px).clamp(-reach, reach)
    if settings.depth == 0:
        return beside
    surface = image.depth[:, None] * _rays(view)
    sight = -functional.normalize(surface, dim=-1)
    normal = functional.normalize(image.normal, dim=-1, eps=1e-6)
    facing = (normal * sight).sum(-1, keepdim=True) > LEAST_FACING
    if settings.normal == 0:
        facing = torch.zeros_like(facing)
    normal = torch.where(facing, normal, sight)
    off = ((X - surface[pixel]) * normal[pixel]).sum(-1)
    behind = X[:, 2] - image.depth[pixel] > reach
    before = torch.where(behind, torch.full_like(off, -reach), off.clamp(-reach, reach))
    return torch.where(on[pixel], before, beside if settings.mask > 0 else torch.nan)


def _outline_px(on: np.ndarray) -> Float[np.ndarray, "r r"]:
    """Signed distance from a mask's outline in pixels, positive outside."""
    return distance_px(~on) - distance_px(on)

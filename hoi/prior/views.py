"""Novel views of a hand with an object: the camera turns freely about the hand, a square crop holds both."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoi.config import PriorViews
from hoi.geometry.cameras import intrinsics
from hoi.geometry.rotations import quaternion_to_matrix, rigid, transform


@dataclass(frozen=True)
class View:
    """A square image of `resolution` pixels a side, seen by a pinhole camera in OpenCV's convention; metres and pixels."""

    T_view_obj: Float[Tensor, "4 4"]
    T_view_hand: Float[Tensor, "4 4"]
    focal_px: float
    centre_px: tuple[float, float]
    resolution: int

    @property
    def K(self) -> Float[Tensor, "3 3"]:
        """Intrinsics in pixels."""
        return intrinsics(self.focal_px, self.focal_px, *self.centre_px).to(self.T_view_obj.device)

    def cpu(self) -> "View":
        """The same view, its tensors on the CPU."""
        return replace(self, T_view_obj=self.T_view_obj.cpu(), T_view_hand=self.T_view_hand.cpu())

    def pooled(self, pool: int) -> "View":
        """The same camera, with `pool` x `pool` pixels made one."""
        middle = self.centre_px[0] / pool, self.centre_px[1] / pool
        return replace(self, focal_px=self.focal_px / pool, centre_px=middle, resolution=self.resolution // pool)


def random_rotation(rng: np.random.Generator) -> Float[Tensor, "3 3"]:
    """A rotation drawn uniformly from SO(3): a normalised Gaussian quaternion."""
    q = rng.normal(size=4)
    return quaternion_to_matrix(torch.from_numpy(q / np.linalg.norm(q)).float())


def draw_view(
    rng: np.random.Generator,
    object_points_hand: Float[Tensor, "p 3"],
    hand_vertices: Float[Tensor, "v 3"],
    T_hand_obj: Float[Tensor, "4 4"],
    settings: PriorViews,
) -> View:
    """A random view; points and vertices in the hand frame, metres.

    The rotation is uniform; the camera looks at the mean of the hand's vertices from `distance_m` ± its jitter. The crop is
    the square around the projected hand and object, `margin` times as wide and shifted by up to `shift` of its half side in
    either direction. ASSUME: a margin that varies this much, and a shift, do not tell how far the object extends.
    """
    R_view_hand = random_rotation(rng).to(hand_vertices)
    distance_m = settings.distance_m + settings.distance_jitter_m * float(rng.uniform(-1, 1))
    low, high = settings.margin
    margin, shift = float(rng.uniform(low, high)), rng.uniform(-settings.shift, settings.shift, 2)
    away = torch.tensor([0.0, 0.0, distance_m]).to(hand_vertices)
    T_view_hand = rigid(R_view_hand, away - R_view_hand @ hand_vertices.mean(0))
    X_view = transform(T_view_hand, torch.cat([object_points_hand, hand_vertices]))
    xy = X_view[:, :2] / X_view[:, 2:].clamp_min(0.02)
    lowest, highest = (b.double().cpu().numpy() for b in (xy.amin(0), xy.amax(0)))
    half = float((highest - lowest).max()) / 2 * margin
    middle = (lowest + highest) / 2 + shift * half
    focal_px = settings.resolution / 2 / half
    centre_px = settings.resolution / 2 - focal_px * middle
    return View(T_view_hand @ T_hand_obj, T_view_hand, focal_px, (float(centre_px[0]), float(centre_px[1])),
                settings.resolution)  # fmt: skip

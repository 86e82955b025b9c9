"""Where the object is in each frame, from silhouettes: a tracked hand turns and drifts against what it holds.

Before the fit proper, the inflated body and the object's poses are improved in turns. Turns in the image plane are well seen;
those out of it, and depth, are hardly told from shape, and stay near the tracker.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from hoi.config import FitStart
from hoi.fit.nearest import distance_to_nearest
from hoi.fit.small import distance_px, shrink, small_size
from hoi.geometry.cameras import project
from hoi.geometry.rotations import axis_angle_to_matrix, rigid, transform

OUTLINE_POINTS = 48  # a frame
TOLERANCE_M = 0.005  # gaps are counted in these, and hardly pull beyond four
NEAR_HAND_PX = 9  # the object's outline beside the hand is the hand's


@dataclass(frozen=True)
class Outlines:
    """Per frame: distance beyond object and hand over a small image, and points of the object's outline before background."""

    beyond_px: Float[Tensor, "n a b"]
    points_px: Float[Tensor, "n o 2"]
    has_points: Bool[Tensor, " n"]
    size: tuple[int, int]  # height, width of the frames

    @staticmethod
    def of(
        object_mask: Bool[np.ndarray, "n h w"], hand_mask: Bool[np.ndarray, "n h w"], rng: np.random.Generator
    ) -> "Outlines":
        """Outlines of all frames."""
        n, h, w = object_mask.shape
        small, scale = small_size(h, w)
        beyond, points = [], np.zeros((n, OUTLINE_POINTS, 2), np.float32)
        for i, (obj, hand) in enumerate(zip(object_mask, hand_mask, strict=True)):
            beyond.append(distance_px(~shrink(obj | hand, small)) / scale)
            rim = obj & ~(cv2.erode(obj.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
            at = np.argwhere(rim & ~(cv2.dilate(hand.astype(np.uint8), np.ones((NEAR_HAND_PX,) * 2, np.uint8)) > 0))
            if len(at):
                points[i] = at[rng.integers(0, len(at), OUTLINE_POINTS), ::-1] + 0.5
        has = torch.from_numpy(points.any((1, 2)))
        return Outlines(torch.from_numpy(np.stack(beyond)).float(), torch.from_numpy(points), has, (h, w))


@dataclass(frozen=True)
class Touch:
    """Skin of the fingers that hold the object (metres, in the surface's frame), and how much their gaps to it count, in which
    unit."""

    pads: Float[Tensor, "*#n fingers q 3"]
    weight: float
    unit_m: float = TOLERANCE_M

    def gap_m(self, surface: Float[Tensor, "n p 3"]) -> Float[Tensor, "n fingers"]:
        """From each finger's pad to the surface."""
        points = self.pads.flatten(-3, -2).expand(len(surface), -1, -1)
        return distance_to_nearest(points, surface).unflatten(1, self.pads.shape[-3:-1]).amin(-1)

    def price(self, surface: Float[Tensor, "n p 3"]) -> Float[Tensor, " n"]:
        """What gaps cost, mean over the fingers; beyond four units hardly more, for not every finger holds."""
        return self.weight * _robust(self.gap_m(surface) / self.unit_m).mean(1)


def moved(
    T_cam_obj: Float[Tensor, "n 4 4"], centre: Float[Tensor, "3"], xi: Float[Tensor, "n 6"]
) -> Float[Tensor, "n 4 4"]:
    """Poses turned (rad, about `centre`, in the camera) and shifted (m) by residuals."""
    R = axis_angle_to_matrix(xi[:, :3]) @ T_cam_obj[:, :3, :3]
    arm = T_cam_obj[:, :3, :3] @ centre + T_cam_obj[:, :3, 3]
    return rigid(R, arm + xi[:, 3:] - R @ centre)


def _robust(gap: Tensor) -> Tensor:
    return gap**2 / (1 + gap**2 / 16)


def register(
    T_cam_obj: Float[Tensor, "n 4 4"],
    K: Float[Tensor, "n 3 3"],
    centre: Float[Tensor, "3"],
    surface: Float[Tensor, "p 3"],
    outlines: Outlines,
    trust: Float[Tensor, " n"],
    start: Float[Tensor, "n 6"],
    settings: FitStart,
    touch: Touch | None = None,
) -> Float[Tensor, "n 6"]:
    """Residuals that bring a surface (points, object frame, metres) under its silhouettes, near zero and smooth in time.

    Points must project into object or hand, every point of the outline must have a projected one near, and so must the fingers
    that touch it.
    """
    xi = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([xi], lr=settings.rate)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, settings.steps)
    unit = (T_cam_obj[:, :3, :3] @ centre + T_cam_obj[:, :3, 3])[:, 2] / K[:, 0, 0] / TOLERANCE_M
    known = (trust > 0).float().mean()  # as much evidence a frame, however many frames have none
    scale = torch.tensor([settings.tilt_rad] * 2 + [settings.turn_rad] + [settings.shift_m] * 2 + [settings.depth_m])
    for _ in range(settings.steps):
        T = moved(T_cam_obj, centre, xi)
        surface_cam = transform(T, surface.expand(len(T), -1, -1))
        px = project(K, surface_cam)
        at = 2 * px / torch.tensor(outlines.size[::-1]) - 1
        beyond = functional.grid_sample(
            outlines.beyond_px[:, None], at[:, None], padding_mode="border", align_corners=False
        )
        gap = distance_to_nearest(outlines.points_px, px)
        seen = 4 * _robust(beyond[:, 0, 0] * unit[:, None]).mean(1) + outlines.has_points * _robust(
            gap * unit[:, None]
        ).mean(1)
        if touch:
            seen = seen + touch.price(surface_cam)
        small = (xi / scale).square().sum(-1).mean()
        smooth = (xi.diff(n=2, dim=0) / scale).square().sum(-1).mean() if len(xi) > 2 else 0.0
        objective = known * (seen * trust).sum() / trust.sum() + 0.1 * small + 0.3 * smooth
        optimiser.zero_grad()
        objective.backward()
        optimiser.step()
        decay.step()
    return xi.detach()

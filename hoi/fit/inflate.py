"""A first guess of the shape: every silhouette blown up to a round body, and what most of these bodies share.

A silhouette says nothing of depth; most things that a hand holds are about as deep as they are wide. So each frame's mask is
inflated about a middle depth: where the local half width of the silhouette is R and the distance to its outline is d, the
body is (z - z_middle)² + (R - d)² < R² (in the manner of Teddy, Igarashi et al. 1999). The middle depth is that of the grasp
at first, then that of the body found so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from hoi.fit.small import distance_px, shrink, small_size
from hoi.geometry.cameras import project
from hoi.geometry.rotations import transform
from hoi.geometry.sampling import evenly

WIDTHS = 24  # steps of the local half width
VIEWS = 24  # frames used, evenly spread
CARVED = (
    0.9  # share of the views that must not see background at a point of the body; the others may: masks and poses err
)
MIDDLE_BLUR_PX = 4.0
BESIDE_M = 0.04  # a point that all but a few views see farther than this beside the silhouette is in no body


def behind_hand(object_mask: Bool[np.ndarray, "h w"], hand_mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The object's mask with the hand's pixels that its convex hull covers: what the hand most likely hides."""
    points = np.argwhere(object_mask)[:, ::-1].astype(np.int32)
    if len(points) < 3:
        return object_mask
    hull = cv2.fillConvexPoly(np.zeros(object_mask.shape, np.uint8), cv2.convexHull(points), 1) > 0
    return object_mask | (hull & hand_mask)


def half_width(inside: Bool[np.ndarray, "h w"]) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Per pixel, in pixels: signed distance to the outline (positive inside), and the radius of the greatest disc within
    the silhouette that covers the pixel (outside: that of the nearest pixel inside)."""
    distance = distance_px(inside)
    radius = np.zeros_like(distance)
    for r in np.geomspace(1, max(float(distance.max()), 1.0), WIDTHS):
        beyond = distance_px(distance < r)
        radius[(beyond < r) & inside] = r
    beside = (~inside).astype(np.uint8)
    outside, label = cv2.distanceTransformWithLabels(beside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return distance - outside, np.where(inside, radius, _of_label(label, inside, radius))


def _of_label(label: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Each pixel's value at the nearest pixel of `at`, which carries its label."""
    table = np.zeros(label.max() + 1, np.float32)
    table[label[at]] = values[at]
    return table[label]


@dataclass(frozen=True)
class Silhouette:
    """One frame's mask, small: signed distance to the outline, local half width, distance beyond object and hand."""

    frame: int
    maps_px: Float[Tensor, "3 h w"]  # in pixels of the full frame


def silhouettes(
    object_mask: Bool[np.ndarray, "n h w"], hand_mask: Bool[np.ndarray, "n h w"], trust: Float[np.ndarray, " n"]
) -> list[Silhouette]:
    """Silhouettes of some trusted frames, evenly spread over the clip."""
    size, scale = small_size(*object_mask.shape[1:])
    frames = np.flatnonzero((trust > 0) & object_mask.any((1, 2)))
    out = []
    for i in evenly(frames, VIEWS):
        filled, known = (
            shrink(m, size) for m in (behind_hand(object_mask[i], hand_mask[i]), object_mask[i] | hand_mask[i])
        )
        if filled.any():
            maps = np.stack([*half_width(filled), distance_px(~known)]).astype(np.float32) / scale
            out.append(Silhouette(int(i), torch.from_numpy(maps)))
    return out


def middle_depth(
    inside: Bool[Tensor, " p"],
    cam: Float[Tensor, "p 3"],
    uv: Float[Tensor, "p 2"],
    shape: tuple[int, int],
    otherwise: float,
) -> Float[Tensor, "h w"]:
    """Mean depth (metres) of a body's points over a small image, smoothed, and filled from the nearest pixel beyond it."""
    h, w = shape
    seen = inside & (uv >= 0).all(-1) & (uv[:, 0] < w) & (uv[:, 1] < h)
    if not seen.any():
        return torch.full((h, w), otherwise)
    flat = (uv[seen, 1].long() * w + uv[seen, 0].long()).numpy()
    count = np.bincount(flat, minlength=w * h).reshape(h, w).astype(np.float32)
    total = np.bincount(flat, cam[seen, 2].numpy(), w * h).reshape(h, w).astype(np.float32)
    count, total = (cv2.GaussianBlur(a, (0, 0), MIDDLE_BLUR_PX) for a in (count, total))
    near = count > 1e-3
    if not near.any():
        return torch.full((h, w), otherwise)
    depth = total / np.maximum(count, 1e-6)
    _, label = cv2.distanceTransformWithLabels((~near).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return torch.from_numpy(_of_label(label, near, depth))


def inflate(
    views: list[Silhouette],
    T_cam_obj: Float[Tensor, "n 4 4"],
    K: Float[Tensor, "n 3 3"],
    size: tuple[int, int],
    middle: Float[Tensor, "3"],
    points: Float[Tensor, "p 3"],
    share: float,
    rounds: int,
    guess: Float[Tensor, " p"] | None = None,
) -> Float[Tensor, " p"]:
    """About signed distances (metres) of the inflated body at points of the object frame.

    A point is inside where the bodies of a `share` of the views hold it and few views see background there. `middle` is the
    grasp, in the object frame; `size` is (height, width) of the frames. Every round takes the middle depths from the body before
    it, the first from `guess`, or from the grasp: an object that lies far from it, as a kettle does, is reached in ten.
    """
    everywhere = near = torch.ones(len(points), dtype=torch.bool)
    for number in range(rounds):
        chosen = near if 0 < number < rounds - 1 and near.any() else everywhere
        x, before = points[chosen], None if guess is None else guess[chosen]
        bodies, free, beside = zip(
            *(_body(v, T_cam_obj[v.frame], K[v.frame], size, middle, x, before) for v in views), strict=True
        )
        body, carved = over_views(bodies, share), over_views(free, CARVED)
        found = torch.maximum(body, torch.where(carved > 0, carved, body))
        guess = found if guess is None else guess.masked_scatter(chosen, found)
        if number == 0:
            near = over_views(beside, share) < BESIDE_M
    assert guess is not None
    return guess


def over_views(values: Sequence[Float[Tensor, " p"]], share: float) -> Float[Tensor, " p"]:
    """The quantile of each point's values; numpy's, which sorts no more than it must, takes half of torch's time."""
    return torch.from_numpy(np.quantile(torch.stack(list(values)).numpy(), np.float32(share), axis=0))


def _body(
    view: Silhouette,
    T_cam_obj: Tensor,
    K: Tensor,
    size: tuple[int, int],
    middle: Tensor,
    points: Tensor,
    guess: Tensor | None,
) -> tuple[Float[Tensor, " p"], Float[Tensor, " p"], Float[Tensor, " p"]]:
    """One view's inflated body; how far its points lie in the picture beyond object and hand, and beside the object; metres."""
    h, w = view.maps_px.shape[1:]
    z_grasp = float(transform(T_cam_obj, middle[None])[0, 2])
    cam = transform(T_cam_obj, points)
    uv = project(K, cam) * (w / size[1])
    z = torch.full((h, w), z_grasp) if guess is None else middle_depth(guess < 0, cam, uv, (h, w), z_grasp)
    maps = torch.cat([view.maps_px * z_grasp / K[0, 0], z[None]])
    at = (2 * uv / torch.tensor([w, h]) - 1)[None, None]
    d, r, free, z_middle = functional.grid_sample(maps[None], at, padding_mode="border", align_corners=False)[0, :, 0]
    edge = torch.tensor([w, h])
    beyond_px = (uv - torch.minimum(uv.clamp_min(0), edge)).norm(dim=-1) * (size[1] / w)
    d = d - beyond_px * z_grasp / K[0, 0]  # what the picture's edge cuts ends about as far beyond it as it is deep
    return torch.sqrt((cam[:, 2] - z_middle) ** 2 + (r - d).clamp_min(0) ** 2) - r, free, -d

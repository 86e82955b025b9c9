"""Amodal pictures of object and hand in a novel view, by one renderer for training and distillation.

The object is any signed distance function, rendered by VolSDF's weights along rays and differentiable; the hand is a
rasterised mesh. Depth is z in metres, normals are in the camera (x right, y down, z forward); 0 where nothing is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from hoi.config import PriorRender
from hoi.field.rasterise import plane_depth, visible_faces
from hoi.field.render import density, expected_depth, propose, ray_weights, sphere_span
from hoi.geometry.cameras import project, ray_directions
from hoi.geometry.rotations import invert_rigid, rotate, transform
from hoi.prior.views import View

Sdf = Callable[[Float[Tensor, "*n 3"]], Float[Tensor, "*n"]]  # signed distance, metres, at points of the object frame

TAIL_BETAS = 6.0  # ASSUME: a ray that stays this many β off the surface sees nothing of it: its mask is below e^-6
PROPOSAL_M = 0.004  # beside 2 β: how far from a rough surface samples are spread


@dataclass(frozen=True)
class ObjectImage:
    """The object at pixels: mask in [0, 1], unit normals times mask (camera), z-depth in metres (0 off the object)."""

    mask: Float[Tensor, "*p"]
    normal: Float[Tensor, "*p 3"]
    depth: Float[Tensor, "*p"]


@dataclass(frozen=True)
class HandImage:
    """The hand at pixels: mask 0 or 1, unit normals (camera), z-depth in metres, UV in [0, 1]; 0 off the hand.

    mean_depth: of its vertices, metres: what depths are told relative to.
    """

    mask: Float[Tensor, "*p"]
    normal: Float[Tensor, "*p 3"]
    depth: Float[Tensor, "*p"]
    uv: Float[Tensor, "*p 2"]
    mean_depth: float


@dataclass(frozen=True)
class Ball:
    """A sphere of the object frame that holds the object: where rays are sampled."""

    centre: Float[Tensor, "3"]
    radius_m: float

    @staticmethod
    def around(points: Float[Tensor, "p 3"], margin_m: float) -> "Ball":
        """The ball about the middle of the points' box."""
        centre = (points.amin(0) + points.amax(0)) / 2
        return Ball(centre, float((points - centre).norm(dim=-1).max()) + margin_m)


def pixel_centres(view: View, pixels: Int[Tensor, "n"]) -> Float[Tensor, "n 2"]:
    """Positions (x, y) of flat pixel indices (row-major)."""
    return torch.stack([pixels % view.resolution, pixels // view.resolution], -1) + 0.5


def all_pixels(view: View) -> Int[Tensor, "n"]:
    """Every pixel's flat index; results reshape to (resolution, resolution)."""
    return torch.arange(view.resolution**2, device=view.T_view_obj.device)


def render_object(
    sdf: Sdf,
    beta: Float[Tensor, ""],
    view: View,
    ball: Ball,
    settings: PriorRender,
    pixels: Int[Tensor, "n"] | None = None,
    rough: Sdf | None = None,
    jitter: Float[Tensor, "n samples"] | None = None,
) -> ObjectImage:
    """The object at flat pixel indices (all by default: fields of n = resolution² rows), differentiable in `sdf` and `beta`.

    `rough` is a cheaper sdf that says where to sample (its gradient is not used); `jitter` in [0, 1) places each sample in
    its interval (the middle by default). ASSUME: one normal a ray, that of the field where half of the mask is reached,
    instead of the mean of normals along the ray: 6 evaluations a ray instead of 6 a sample, and on a thin wall the front's
    normal instead of a mean over front and back. The point where it is taken counts as fixed.
    """
    pixels = all_pixels(view) if pixels is None else pixels
    d_cam = ray_directions(view.K, pixel_centres(view, pixels))
    T_obj_view = invert_rigid(view.T_view_obj)
    direction = rotate(T_obj_view, d_cam)
    origin = T_obj_view[:3, 3].expand_as(direction)
    with torch.no_grad():
        near, far = sphere_span(origin, direction, ball.centre, ball.radius_m)
        at = (torch.arange(settings.bins, device=near.device) + 0.5) / settings.bins
        z = near[:, None] + at * (far - near)[:, None]
        distance = (rough or sdf)(origin[:, None] + z[..., None] * direction[:, None])
        bin_m = (far - near) / settings.bins * direction.norm(dim=-1)
        met = (distance < (TAIL_BETAS * beta + bin_m / 2)[:, None]).any(-1).nonzero()[:, 0]
        if jitter is None:
            jitter = torch.full((len(pixels), settings.samples), 0.5, device=near.device)
        samples = propose(
            distance[met], near[met], far[met], 2 * float(beta) + PROPOSAL_M, settings.samples, jitter[met]
        )
    direction, origin = direction[met], origin[met]
    x = origin[:, None] + samples.depth[..., None] * direction[:, None]
    length_m = samples.length * direction.norm(dim=-1, keepdim=True)
    weights = ray_weights(density(sdf(x), beta), length_m)
    mask, depth = expected_depth(weights, samples.depth)
    half = (weights.detach().cumsum(-1) < 0.5 * mask.detach()[:, None]).sum(-1, keepdim=True)
    surface = x.detach().gather(1, half.clamp_max(x.shape[1] - 1)[..., None].expand(-1, 1, 3)).squeeze(1)
    normal = mask[:, None] * rotate(view.T_view_obj, unit_gradient(sdf, surface, settings.probe_m))
    return ObjectImage(*(_placed(v, met, len(pixels)) for v in (mask, normal, depth)))


def unit_gradient(sdf: Sdf, x: Float[Tensor, "n 3"], step_m: float) -> Float[Tensor, "n 3"]:
    """Unit normals of a field by central differences."""
    step = step_m * torch.eye(3, device=x.device)
    value = sdf(x[:, None] + torch.cat([step, -step]))
    return functional.normalize(value[:, :3] - value[:, 3:], dim=-1, eps=1e-6)


def _placed(value: Tensor, rows: Int[Tensor, "m"], count: int) -> Tensor:
    """Rows put at their places among `count`, the others 0."""
    return torch.zeros(count, *value.shape[1:], dtype=value.dtype, device=value.device).index_copy(0, rows, value)


def render_hand(
    vertices: Float[Tensor, "v 3"],
    faces: Int[Tensor, "f 3"],
    face_uv: Float[Tensor, "f 3 2"],
    view: View,
) -> HandImage:
    """The whole hand (vertices in the hand frame, metres) at all pixels of the view, rasterised; fields of resolution² rows."""
    X_view = transform(view.T_view_hand, vertices)
    px = project(view.K, X_view).cpu().numpy()
    size = (view.resolution, view.resolution)
    seen = visible_faces(px, X_view[:, 2].cpu().numpy(), faces.cpu().numpy(), size).reshape(-1)
    face = torch.from_numpy(seen.astype(np.int64)).to(vertices.device)
    row = (face >= 0).nonzero()[:, 0]
    triangle = X_view[faces[face[row]]]
    d_cam = ray_directions(view.K, pixel_centres(view, row))
    depth = plane_depth(triangle, d_cam)
    a, b, c = triangle.unbind(1)
    normal = functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1, eps=1e-12)
    normal = torch.where((normal * d_cam).sum(-1, keepdim=True) > 0, -normal, normal)
    uv = (barycentric(triangle, depth[:, None] * d_cam)[..., None] * face_uv[face[row]]).sum(1)
    fields = (torch.ones_like(depth), normal, depth, uv)
    return HandImage(*(_placed(v, row, len(face)) for v in fields), mean_depth=float(X_view[:, 2].mean()))


def barycentric(triangle: Float[Tensor, "n 3 3"], x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Weights of the corners at points of the triangles' planes, within [0, 1], their sum 1."""
    a, b, c = triangle.unbind(1)
    n = torch.linalg.cross(b - a, c - a)
    parts = [(torch.linalg.cross(q - p, x - p) * n).sum(-1) for p, q in ((b, c), (c, a), (a, b))]
    w = torch.stack(parts, -1).clamp_min(0)
    return w / w.sum(-1, keepdim=True).clamp_min(1e-20)

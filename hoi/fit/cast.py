"""From a step's pixels to the points at which the field is looked at."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from hoi.field.render import Samples
from hoi.fit.pixels import Rays
from hoi.fit.variables import Posed
from hoi.geometry.cameras import ray_directions
from hoi.geometry.rotations import invert_rigid, rotate


class RayPoints(NamedTuple):
    """Samples along rays: positions (object frame), z-depths and lengths in metres; camera directions with z = 1."""

    x: Float[Tensor, "rays samples 3"]
    depth: Float[Tensor, "rays samples"]
    length: Float[Tensor, "rays samples"]
    d_cam: Float[Tensor, "rays 3"]


def cast(rays: Rays, posed: Posed, samples: Callable[[Tensor, Tensor], Samples]) -> RayPoints:
    """Points along the rays of pixels; `samples` says where along them, from origins and directions (object frame)."""
    uv = (rays.pixel.flip(-1) + 0.5)[:, None].float()
    d_cam = ray_directions(posed.K[rays.slot], uv).squeeze(1)
    T_obj_cam = invert_rigid(posed.T_cam_obj)[rays.slot]
    origin, direction = T_obj_cam[:, :3, 3], rotate(T_obj_cam, d_cam[:, None]).squeeze(1)
    depth, length = samples(origin.detach(), direction.detach())
    x = origin[:, None] + depth[..., None] * direction[:, None]
    return RayPoints(x, depth, length * direction.norm(dim=-1, keepdim=True), d_cam)

"""What touches what: signed distances of an object on a grid and exactly, hollows, and the check of a grasp."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import open3d as o3d
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_closing, binary_fill_holes
from torch import Tensor

from hoi.sources.shading import scene_of


class DistanceGrid:
    """Signed distance to a mesh on a grid (metres, negative inside), trilinear, continued outside its box."""

    def __init__(
        self, values: Float[np.ndarray, "x y z"], low: Float[np.ndarray, " 3"], high: Float[np.ndarray, " 3"]
    ) -> None:
        self.values = torch.from_numpy(values)[None, None]
        self.centre = torch.as_tensor((low + high) / 2, dtype=torch.float32)
        self.half = torch.as_tensor((high - low) / 2, dtype=torch.float32)

    def __call__(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]:
        """Distances at points in the object frame; outside the box the way to it is added."""
        local = (points - self.centre) / self.half
        inside = local.clamp(-1, 1)
        grid = inside.flip(-1)[None, :, :, None, :]  # grid_sample wants (z, y, x) for a volume stored (x, y, z)
        value = F.grid_sample(self.values, grid, mode="bilinear", align_corners=True)[0, 0, :, :, 0]
        return value + ((local - inside) * self.half).norm(dim=-1)


@dataclass(frozen=True)
class Obstacle:
    """An object as the parts of a hand meet it.

    A thin wall stops nobody who looks at depth alone, so a hollow (what a level slice encloses, as in a cup) counts as
    solid for the hand; the thumb of a hand at the rim belongs in the hollow: for it the outside is solid up to the rim.
    """

    surface: DistanceGrid
    hand: DistanceGrid
    thumb: DistanceGrid

    def distance(self, points: Float[Tensor, "b n 3"], is_thumb: Bool[Tensor, " n"]) -> Float[Tensor, "b n"]:
        """What each point of a hand's skin keeps from what is solid for it, metres."""
        return torch.where(is_thumb, self.thumb(points), self.hand(points))


def make_obstacle(
    vertices: np.ndarray, faces: np.ndarray, voxel_m: float, within: Literal["none", "thumb"]
) -> Obstacle:
    """Distance grids of an object; `within`: the part of the hand that is in the hollow."""
    low, high = vertices.min(0) - 0.02, vertices.max(0) + 0.02
    count = np.ceil((high - low) / voxel_m).astype(int) + 1
    high = low + voxel_m * (count - 1)
    axes = [np.linspace(a, b, n, dtype=np.float32) for a, b, n in zip(low, high, count, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    d = signed_distance(vertices, faces, points.reshape(-1, 3), votes=1).reshape(count)
    hollow = _enclosed(d < 0) & (d > 0)
    without = np.where(hollow, -d, d)
    outside = ~hollow & (d > 0) & (points[..., 2] < vertices[:, 2].max() - 0.003)
    thumb = without if within == "none" else np.where(outside, -d, d)
    return Obstacle(*(DistanceGrid(x, low, high) for x in (d, without, thumb)))


def _enclosed(solid: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, "x y z"]:
    """Every level slice with its holes filled; a slice is sealed a little, so that voxels do not leak."""
    return np.stack([binary_fill_holes(binary_closing(solid[:, :, k])) for k in range(solid.shape[2])], 2)


def signed_distance(
    vertices: np.ndarray, faces: np.ndarray, points: Float[np.ndarray, "n 3"], votes: int = 3
) -> Float[np.ndarray, " n"]:
    """Exact signed distances to a watertight mesh, metres, negative inside (`votes` rays decide on the side)."""
    scene = scene_of([(vertices, faces)])
    tensor = o3d.core.Tensor(np.ascontiguousarray(points, np.float32))
    return scene.compute_signed_distance(tensor, nthreads=1, nsamples=votes).numpy()


def check_contact(
    skin: Float[np.ndarray, "v 3"],
    skin_faces: Int[np.ndarray, "f 3"],
    pads: list[np.ndarray],
    vertices: Float[np.ndarray, "w 3"],
    faces: Int[np.ndarray, "g 3"],
) -> tuple[Float[np.ndarray, " k"], float, int]:
    """Exact distances of the pads to the surface, greatest penetration of any skin vertex (metres), walls pierced.

    `skin` lies in the object's frame. Pierced: edges of the hand that go in on one side of a wall and out on its other
    side (surface normals opposed), as where a finger passes through a cup though no vertex is deep in it.
    """
    points = skin.astype(np.float32)
    d = signed_distance(vertices, faces, points)
    f = skin_faces
    edges = np.unique(np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), 1), axis=0)
    edges = edges[(d[edges] > 0).all(1) & (d[edges] < 0.008).any(1)]
    a, b = points[edges[:, 0]], points[edges[:, 1]]
    length = np.linalg.norm(b - a, axis=1, keepdims=True)
    rays = np.concatenate([np.concatenate([a, (b - a) / length], 1), np.concatenate([b, (a - b) / length], 1)])
    hit = scene_of([(vertices, faces)]).cast_rays(o3d.core.Tensor(rays.astype(np.float32)))
    through = (hit["t_hit"].numpy().reshape(2, -1) < length[:, 0]).all(0)
    entry, exit = hit["primitive_normals"].numpy().reshape(2, -1, 3)
    pierced = through & ((entry * exit).sum(1) < -0.5)
    return np.array([np.abs(d[p]).min() for p in pads]), float(max(0.0, -d.min())), int(pierced.sum())

"""The signed distance of a mesh on a grid: what the prior's training renders instead of the fit's field."""

from dataclasses import dataclass

import numpy as np
import open3d as o3d
import torch
import trimesh
from jaxtyping import Bool, Float, Float32, Integer
from torch import Tensor

from hoi.errors import InputError
from hoi.field.render import look_up_beyond
from hoi.geometry.banded_grid import banded_grid
from hoi.geometry.raycast import build_scene

NUDGE = (
    0.137,
    0.271,
    0.419,
)  # of a voxel: made meshes have edges in planes of symmetry, where a ray may miss both faces
VOTES = (
    11  # rays in all directions that decide on the side of a point where a mesh has holes, through which one may leave
)


@dataclass(frozen=True)
class GridSdf:
    """Trilinear signed distances in metres (negative inside); beyond the box, its border's value plus the way to it."""

    values: Float[Tensor, "x y z"]
    low: Float[Tensor, "3"]
    high: Float[Tensor, "3"]

    def __call__(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Signed distances at points of the object frame."""
        return look_up_beyond(self.values, self.low, self.high, x)


def grid_sdf(
    vertices: Float[np.ndarray, "v 3"],
    faces: Integer[np.ndarray, "f 3"],
    voxel_m: float,
    max_cells: int,
    margin_m: float,
) -> GridSdf:
    """The grid of a mesh: a box `margin_m` wider than it, voxels as small as given or as `max_cells` allows.

    Inside is where a ray meets the surface an odd number of times, or where most of several do if it is not watertight.
    """
    if not np.isfinite(vertices).all() or len(faces) == 0:
        raise InputError("grid_sdf", f"{len(faces)} faces, vertices finite: {np.isfinite(vertices).all()}",
                         "a mesh in metres", "repair the mesh")  # fmt: skip
    low, high = vertices.min(0) - margin_m, vertices.max(0) + margin_m
    voxel = max(voxel_m, float(np.prod(high - low) / max_cells) ** (1 / 3))
    low = low - voxel * np.array(NUDGE)
    count = np.ceil((high - low) / voxel).astype(int) + 1
    high = low + voxel * (count - 1)
    watertight = trimesh.Trimesh(vertices, faces, process=False).is_watertight
    mesh = _Mesh(build_scene(vertices, faces), low.astype(np.float32), np.float32(voxel), watertight)
    values = banded_grid(mesh.at, tuple(count.tolist()), voxel)
    return GridSdf(torch.from_numpy(values), *(torch.as_tensor(b).float() for b in (low, high)))


@dataclass(frozen=True)
class _Mesh:
    """Exact distances to a mesh at vertices of a grid."""

    scene: o3d.t.geometry.RaycastingScene
    low: Float[np.ndarray, "3"]
    voxel: np.float32
    watertight: bool

    def at(self, index: Integer[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Signed distances at grid indices."""
        points = (self.low + self.voxel * index).astype(np.float32)
        if self.watertight:
            return self.scene.compute_signed_distance(o3d.core.Tensor(points), nthreads=1, nsamples=1).numpy()
        distance = self.scene.compute_distance(o3d.core.Tensor(points), nthreads=1).numpy()
        return np.where(self._voted_inside(points), -distance, distance)

    def _voted_inside(self, points: Float32[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Do most rays from a point meet the surface an odd number of times? Open3D's own `nsamples` all go about one way."""
        rays = np.empty((len(points), VOTES, 6), np.float32)
        rays[..., :3], rays[..., 3:] = points[:, None], np.random.default_rng(0).normal(size=(VOTES, 3))
        met = self.scene.count_intersections(o3d.core.Tensor(rays), nthreads=1).numpy()
        return (met % 2).sum(-1) > VOTES / 2

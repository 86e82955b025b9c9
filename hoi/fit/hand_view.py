"""The posed hand as the images see it: refreshed now and then, between which its discrete part stands still."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from hoi.field.rasterise import Raster, Topology, raster
from hoi.fit.variables import Posed, Variables


@dataclass(frozen=True)
class HandView:
    """Raster of all frames, outward normals (hand frame), and the vertex nearest to each observed contour point."""

    raster: Raster
    normals: Float[Tensor, "n v 3"]
    nearest: Int[Tensor, "n p"]


def vertex_normals(vertices: Float[Tensor, "n v 3"], faces: Int[Tensor, "f 3"]) -> Float[Tensor, "n v 3"]:
    """Unit normals of vertices, weighted by the areas of their faces."""
    a, b, c = vertices[:, faces].unbind(-2)
    face_normals = torch.linalg.cross(b - a, c - a)
    summed = torch.zeros_like(vertices)
    for corner in range(3):
        summed.index_add_(1, faces[:, corner], face_normals)
    return torch.nn.functional.normalize(summed, dim=-1)


@torch.no_grad()
def look(
    variables: Variables, mesh: Topology, size: tuple[int, int], contour_px: Float[np.ndarray, "n p 2"]
) -> HandView:
    """The hand of all frames as posed now, in images of (height, width)."""
    posed: Posed = variables.posed(torch.arange(len(contour_px), device=variables.start_pose.device))
    px, depth = posed.vertices_px.cpu().numpy(), posed.vertices_cam[..., 2].cpu().numpy()
    nearest = np.stack([cKDTree(v).query(c)[1] for v, c in zip(px, contour_px, strict=True)])
    normals = vertex_normals(posed.vertices_hand, variables.hand.faces)
    return HandView(raster(px, depth, mesh, size), normals, torch.from_numpy(nearest).to(normals.device))


def contour_points(
    hand_mask: Bool[np.ndarray, "n h w"],
    object_mask: Bool[np.ndarray, "n h w"],
    forearm_mask: Bool[np.ndarray, "n h w"],
    count: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "n p 2"], Float[np.ndarray, "n p"]]:
    """Pixels (x, y) of the observed hand that touch background, the forearm's left out, and weights (0: the frame
    has none)."""
    points, weights = np.zeros((len(hand_mask), count, 2), np.float32), np.zeros((len(hand_mask), count), np.float32)
    free = ~(hand_mask | object_mask)
    beside = np.zeros_like(free)
    beside[:, 1:] |= free[:, :-1]
    beside[:, :-1] |= free[:, 1:]
    beside[:, :, 1:] |= free[:, :, :-1]
    beside[:, :, :-1] |= free[:, :, 1:]
    for frame, contour in enumerate(hand_mask & ~forearm_mask & beside):
        found = np.argwhere(contour)
        if len(found):
            points[frame] = found[rng.integers(0, len(found), count)][:, ::-1] + 0.5
            weights[frame] = 1
    return points, weights

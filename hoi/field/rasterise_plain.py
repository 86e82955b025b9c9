"""The plain reference of `hoi.field.rasterise`: every pixel against every face and every edge, nothing kept, no
loops."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoi.field.rasterise import REACH_PX, Topology, plane_depth, segment_distance


def _turn(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    u, v = b - a, c - a
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def covered(p: Float[Tensor, "n 2"], triangles_px: Float[Tensor, "f 3 2"]) -> Bool[Tensor, "n f"]:
    """Which points lie in which triangles."""
    a, b, c = triangles_px[None].unbind(-2)
    q = p[:, None]
    sides = torch.stack([_turn(b, c, q), _turn(c, a, q), _turn(a, b, q)], -1) / _turn(a, b, c)[..., None]
    return (sides >= 0).all(-1)


def hand_layer_plain(
    mesh: Topology,
    point_px: Float[Tensor, "n 2"],
    direction: Float[Tensor, "n 3"],
    vertices_cam: Float[Tensor, "v 3"],
    vertices_px: Float[Tensor, "v 2"],
    sigma_px: float,
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Soft amodal mask and z-depth (1 km off the hand) of one frame, differentiable in the vertices."""
    faces, edges = torch.from_numpy(mesh.faces), torch.from_numpy(mesh.edges)
    triangles_px = vertices_px[faces]
    hits = covered(point_px, triangles_px)
    n, f = hits.shape
    depths = plane_depth(vertices_cam[faces].repeat(n, 1, 1), direction.repeat_interleave(f, 0)).reshape(n, f)
    depth = torch.where(hits, depths, torch.full_like(depths, 1e3)).amin(-1)
    turns = _turn(*triangles_px.unbind(-2))[torch.from_numpy(mesh.edge_faces)]
    a, b = vertices_px[edges].unbind(-2)
    along = (b - a).detach()
    normal = along.flip(-1) * torch.tensor([-1.0, 1.0]) / along.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    middle = ((a + b) / 2).detach()
    inner = covered(middle + normal, triangles_px).any(-1) & covered(middle - normal, triangles_px).any(-1)
    outline = (turns.prod(-1) <= 0) & ~inner
    distance = segment_distance(point_px[:, None], a[outline][None], b[outline][None]).amin(-1)
    distance = torch.where(distance < REACH_PX, distance, torch.full_like(distance, 1e3))
    inside = hits.any(-1)
    return torch.sigmoid(torch.where(inside, distance, -distance) / sigma_px), depth

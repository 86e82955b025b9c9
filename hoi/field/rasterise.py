"""The hand in the image: which face and which silhouette edge each pixel sees, then depth and soft mask,
differentiable.

The discrete part (a z-buffer, the nearest edge of the outline) is compiled and kept between refreshes; the
differentiable
part is a few operations a ray: the plane of the face gives z-depth, the distance to the edge gives the soft amodal
mask,
as in Liu et al., "Soft rasterizer" (ICCV 2019), eq. 1 and 3, where only the nearest face matters.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoi.field.compiled import compiled, in_parts

REACH_PX = 8  # the soft mask is 0 or 1 farther than this from the outline


@dataclass(frozen=True)
class Topology:
    """Faces and edges of a closed mesh: vertex indices of each, and the two faces at each edge."""

    faces: Int[np.ndarray, "f 3"]
    edges: Int[np.ndarray, "e 2"]
    edge_faces: Int[np.ndarray, "e 2"]

    @staticmethod
    def of(faces: Int[np.ndarray, "f 3"]) -> "Topology":
        """From the faces; an edge of one face only (a border) counts that face twice."""
        pairs = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), -1)
        edges, edge = np.unique(pairs, axis=0, return_inverse=True)
        order = np.argsort(edge.ravel(), kind="stable")
        face = np.repeat(np.arange(len(faces)), 3)[order]
        first = np.searchsorted(edge.ravel()[order], np.arange(len(edges)))
        last = np.searchsorted(edge.ravel()[order], np.arange(len(edges)), side="right") - 1
        return Topology(faces.astype(np.int64), edges.astype(np.int64), np.stack([face[first], face[last]], -1))


@dataclass(frozen=True)
class Raster:
    """Face (-1: none) and nearest outline edge (-1: none within reach) at each pixel."""

    face: Int[np.ndarray, "frames h w"]
    edge: Int[np.ndarray, "frames h w"]


@compiled(forceinline=True)
def _area(a, b, c) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@compiled(forceinline=True)
def _raster_faces(px, z, faces, face_map) -> None:
    height, width = face_map.shape
    inverse = np.zeros((height, width), np.float32)
    for f in range(faces.shape[0]):
        i0, i1, i2 = faces[f]
        a, b, c = px[i0], px[i1], px[i2]
        area = _area(a, b, c)
        if z[i0] < 0.01 or z[i1] < 0.01 or z[i2] < 0.01 or abs(area) < 1e-9:
            continue
        left = max(int(np.ceil(min(a[0], b[0], c[0]) - 0.5)), 0)
        right = min(int(np.floor(max(a[0], b[0], c[0]) - 0.5)), width - 1)
        top = max(int(np.ceil(min(a[1], b[1], c[1]) - 0.5)), 0)
        bottom = min(int(np.floor(max(a[1], b[1], c[1]) - 0.5)), height - 1)
        p = np.empty(2, np.float32)
        for row in range(top, bottom + 1):
            for col in range(left, right + 1):
                p[0], p[1] = col + 0.5, row + 0.5
                u, v, w = _area(b, c, p) / area, _area(c, a, p) / area, _area(a, b, p) / area
                if u >= 0 and v >= 0 and w >= 0:
                    near = u / z[i0] + v / z[i1] + w / z[i2]
                    if near > inverse[row, col]:
                        inverse[row, col] = near
                        face_map[row, col] = f


@compiled(forceinline=True)
def _covered(face_map, x, y) -> bool:
    row, col = int(np.floor(y)), int(np.floor(x))
    return 0 <= row < face_map.shape[0] and 0 <= col < face_map.shape[1] and face_map[row, col] >= 0


@compiled(forceinline=True)
def _outline_edges(px, faces, edges, edge_faces, face_map, edge_map) -> None:
    height, width = face_map.shape
    nearest = np.full((height, width), REACH_PX**2, np.float32)
    for e in range(edges.shape[0]):
        f, g = edge_faces[e]
        turn_f = _area(px[faces[f, 0]], px[faces[f, 1]], px[faces[f, 2]])
        turn_g = _area(px[faces[g, 0]], px[faces[g, 1]], px[faces[g, 2]])
        if turn_f * turn_g > 0 and f != g:
            continue
        a, b = px[edges[e, 0]], px[edges[e, 1]]
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = np.sqrt(dx * dx + dy * dy) + 1e-9
        mx, my = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
        nx, ny = -dy / length, dx / length
        if _covered(face_map, mx + nx, my + ny) and _covered(face_map, mx - nx, my - ny):
            continue  # an inner outline, with more of the hand on both sides
        left = max(int(min(a[0], b[0])) - REACH_PX, 0)
        right = min(int(max(a[0], b[0])) + REACH_PX, width - 1)
        top = max(int(min(a[1], b[1])) - REACH_PX, 0)
        bottom = min(int(max(a[1], b[1])) + REACH_PX, height - 1)
        for row in range(top, bottom + 1):
            for col in range(left, right + 1):
                qx, qy = col + 0.5 - a[0], row + 0.5 - a[1]
                t = min(max((qx * dx + qy * dy) / (length * length), 0.0), 1.0)
                d = (qx - t * dx) ** 2 + (qy - t * dy) ** 2
                if d < nearest[row, col]:
                    nearest[row, col] = d
                    edge_map[row, col] = e


@compiled()
def _raster_frames(px, z, faces, edges, edge_faces, face_map, edge_map, part, parts) -> None:
    frames = px.shape[0]
    for t in range(frames * part // parts, frames * (part + 1) // parts):
        _raster_faces(px[t], z[t], faces, face_map[t])
        _outline_edges(px[t], faces, edges, edge_faces, face_map[t], edge_map[t])


def raster(
    vertices_px: Float[np.ndarray, "frames v 2"],
    depth: Float[np.ndarray, "frames v"],
    mesh: Topology,
    size: tuple[int, int],
) -> Raster:
    """What each pixel of a (height, width) image sees of a mesh with projected vertices (pixels) and z-depths
    (metres)."""
    px, z = np.ascontiguousarray(vertices_px, np.float32), np.ascontiguousarray(depth, np.float32)
    face_map, edge_map = np.full((2, len(px), *size), -1, np.int16)
    in_parts(_raster_frames, px, z, mesh.faces, mesh.edges, mesh.edge_faces, face_map, edge_map)
    return Raster(face_map, edge_map)


def visible_faces(
    vertices_px: Float[np.ndarray, "v 2"],
    depth: Float[np.ndarray, "v"],
    faces: Int[np.ndarray, "f 3"],
    size: tuple[int, int],
) -> Int[np.ndarray, "h w"]:
    """The nearest face (-1: none) at each pixel centre of a (height, width) image: the hard part of `raster` alone."""
    face_map = np.full(size, -1, np.int16)
    px, z = np.ascontiguousarray(vertices_px, np.float32), np.ascontiguousarray(depth, np.float32)
    _raster_faces(px, z, faces.astype(np.int64), face_map)
    return face_map


def segment_distance(
    p: Float[Tensor, "*#n 2"], a: Float[Tensor, "*#n 2"], b: Float[Tensor, "*#n 2"]
) -> Float[Tensor, "..."]:
    """Distance of points to segments from a to b."""
    along = b - a
    t = (((p - a) * along).sum(-1) / (along * along).sum(-1).clamp_min(1e-9)).clamp(0, 1)
    return (((p - a - t[..., None] * along) ** 2).sum(-1) + 1e-9).sqrt()


def plane_depth(triangle: Float[Tensor, "rays 3 3"], direction: Float[Tensor, "rays 3"]) -> Float[Tensor, "rays"]:
    """Depth at which rays from the camera's centre meet the planes of triangles."""
    a, b, c = triangle.unbind(-2)
    normal = torch.linalg.cross(b - a, c - a)
    slope = (normal * direction).sum(-1)
    slope = torch.where(slope.abs() < 1e-9, torch.full_like(slope, 1e-9), slope)
    return ((normal * a).sum(-1) / slope).clamp(torch.amin(triangle[..., 2], -1), torch.amax(triangle[..., 2], -1))


def hand_layer(
    raster: Raster,
    mesh: Topology,
    frame: Int[Tensor, "rays"],
    slot: Int[Tensor, "rays"],
    pixel: Int[Tensor, "rays 2"],
    direction: Float[Tensor, "rays 3"],
    vertices_cam: Float[Tensor, "slots v 3"],
    vertices_px: Float[Tensor, "slots v 2"],
    sigma_px: float,
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays"]]:
    """Soft amodal mask and z-depth (metres) of the hand at pixels (row, column), differentiable in its vertices.

    mask = sigmoid(signed distance to the outline / sigma). `frame` indexes the raster, `slot` the vertices given.
    Off the hand the depth is that of the nearest outline edge, or 1 km where none is near.
    """
    index = (frame.cpu().numpy(), *pixel.cpu().numpy().T)
    face = torch.from_numpy(raster.face[index].astype(np.int64)).to(frame.device)
    edge = torch.from_numpy(raster.edge[index].astype(np.int64)).to(frame.device)
    corners = torch.from_numpy(mesh.faces).to(frame.device)[face.clamp_min(0)]
    ends = torch.from_numpy(mesh.edges).to(frame.device)[edge.clamp_min(0)]
    inside, near = face >= 0, edge >= 0
    point = pixel.flip(-1) + 0.5
    distance = segment_distance(point, vertices_px[slot, ends[:, 0]], vertices_px[slot, ends[:, 1]])
    distance = torch.where(near, distance, torch.full_like(distance, 1e3))
    alpha = torch.sigmoid(torch.where(inside, distance, -distance) / sigma_px)
    on = plane_depth(vertices_cam[slot[:, None], corners], direction)
    off = vertices_cam[slot[:, None], ends][..., 2].mean(-1)
    depth = torch.where(inside, on, torch.where(near, off, torch.full_like(off, 1e3)))
    return alpha, depth

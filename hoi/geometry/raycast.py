"""Exact pictures of triangle meshes by ray casting (open3d's Embree scene): depth, instance, normals, barycentrics.

OpenCV's camera: x right, y down, z forward; pixel (row i, column j) is looked through at its centre (j + 0.5, i + 0.5).
Meshes are given in camera coordinates, metres. Deterministic; no graphics driver is needed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import open3d as o3d
from jaxtyping import Bool, Float, Float32, Int32, Integer

VerticesFaces = tuple[Float[np.ndarray, "_v 3"], Integer[np.ndarray, "_f 3"]]


class Cast(NamedTuple):
    """What the rays through the pixel centres met first. Background: depth 0, instance -1, face -1, normals 0."""

    depth: Float32[np.ndarray, "h w"]  # z in the camera, metres (not the length of the ray)
    instance: Int32[np.ndarray, "h w"]  # index into the list of meshes
    normals: Float32[np.ndarray, "h w 3"]  # unit, of the face, in the camera, turned towards the viewer
    face: Int32[np.ndarray, "h w"]  # index into that mesh's faces
    barycentric: Float32[np.ndarray, "h w 3"]  # weights of the face's three corners


class Posed(NamedTuple):
    """A mesh that is prepared once and looked at in many poses."""

    scene: o3d.t.geometry.RaycastingScene
    T_cam_mesh: Float[np.ndarray, "4 4"]


def build_scene(
    vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"]
) -> o3d.t.geometry.RaycastingScene:
    """A mesh prepared for casting rays, in its own frame (metres)."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(np.ascontiguousarray(vertices, np.float32)),
        o3d.core.Tensor(np.ascontiguousarray(faces, np.uint32)),
    )
    return scene


def pixel_rays(K: Float[np.ndarray, "3 3"], width: int, height: int) -> Float32[np.ndarray, "h w 3"]:
    """Directions through the pixel centres with z = 1: distance along one is depth."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    pixels = np.stack([x, y, np.ones_like(x)], -1)
    return (pixels @ np.linalg.inv(K.astype(np.float64)).T).astype(np.float32)


def cast(meshes: Sequence[VerticesFaces], K: Float[np.ndarray, "3 3"], width: int, height: int) -> Cast:
    """Look at meshes [(vertices in the camera (m), faces)] through a pinhole camera K (pixels)."""
    return cast_posed([Posed(build_scene(v, f), np.eye(4)) for v, f in meshes], K, width, height)


def cast_posed(posed: Sequence[Posed], K: Float[np.ndarray, "3 3"], width: int, height: int) -> Cast:
    """As `cast`, of prepared meshes: the rays are moved into each mesh's frame, where they keep their depth."""
    directions = pixel_rays(K, width, height)
    nearest = np.full((height, width), np.inf, np.float32)
    instance, face = np.full((2, height, width), -1, np.int32)
    normals, barycentric = np.zeros((2, height, width, 3), np.float32)
    for i, (scene, T) in enumerate(posed):
        hits = scene.cast_rays(_moved_rays(np.zeros(3, np.float32), directions, T))
        depth = hits["t_hit"].numpy()
        won = depth < nearest
        nearest[won], instance[won] = depth[won], i
        face[won] = hits["primitive_ids"].numpy()[won].astype(np.int32)
        normals[won] = hits["primitive_normals"].numpy()[won] @ T[:3, :3].T.astype(np.float32)
        uv = hits["primitive_uvs"].numpy()[won]
        barycentric[won] = np.concatenate([1 - uv.sum(-1, keepdims=True), uv], -1)
    away = (normals * directions).sum(-1, keepdims=True) > 0
    depth = np.where(instance >= 0, nearest, 0).astype(np.float32)
    return Cast(depth, instance, np.where(away, -normals, normals), face, barycentric)


def _moved_rays(
    origins: Float[np.ndarray, "*#n 3"], directions: Float[np.ndarray, "*n 3"], T_cam_mesh: Float[np.ndarray, "4 4"]
) -> o3d.core.Tensor:
    """Rays in the camera to rays in the mesh's frame."""
    R, t = T_cam_mesh[:3, :3].astype(np.float32), T_cam_mesh[:3, 3].astype(np.float32)
    start = np.broadcast_to((origins - t) @ R, directions.shape)
    return o3d.core.Tensor(np.concatenate([start, directions @ R], -1))


def occluded(
    posed: Sequence[Posed], origins: Float32[np.ndarray, "n 3"], directions: Float32[np.ndarray, "n 3"]
) -> Bool[np.ndarray, " n"]:
    """Does the ray from each origin (camera, metres) meet anything?"""
    met = np.zeros(len(origins), bool)
    for scene, T in posed:
        met |= scene.test_occlusions(_moved_rays(origins, directions, T)).numpy()
    return met


def distances_within(
    surface: VerticesFaces, points: Float[np.ndarray, "*n 3"], reach_m: float, signed: bool
) -> Float32[np.ndarray, "*n"]:
    """Distance of points to a surface, both in one frame, metres; infinite for points farther from its box than a reach.

    Signed: negative inside; the surface must then be watertight.
    """
    vertices = np.asarray(surface[0])
    close = ((points > vertices.min(0) - reach_m) & (points < vertices.max(0) + reach_m)).all(-1)
    scene, asked = build_scene(*surface), o3d.core.Tensor(np.ascontiguousarray(points[close], np.float32))
    out = np.full(points.shape[:-1], np.inf, np.float32)
    out[close] = (scene.compute_signed_distance if signed else scene.compute_distance)(asked).numpy()
    return out


def visible_masks(
    object_mesh: VerticesFaces,
    T_cam_obj: Float[np.ndarray, "N 4 4"],
    hand_vertices_cam: Float[np.ndarray, "N V 3"],
    hand_faces: Integer[np.ndarray, "F 3"],
    K: Float[np.ndarray, "N 3 3"],
    width: int,
    height: int,
) -> tuple[Bool[np.ndarray, "N h w"], Bool[np.ndarray, "N h w"]]:
    """Pixels where the object and where the hand is seen, each hidden by the other, in every frame."""
    scene, object_rows = build_scene(*object_mesh), np.ascontiguousarray(object_mesh[0].T)
    seen = np.zeros((2, len(K), height, width), bool)
    for i, (T, hand, k) in enumerate(zip(T_cam_obj, hand_vertices_cam, K, strict=True)):
        both = [Posed(scene, T), Posed(build_scene(hand, hand_faces), np.eye(4))]
        points = np.concatenate([T[:3, :3] @ object_rows + T[:3, 3:], hand.T], 1)
        rows, columns = _window(points, k, width, height)
        inside = k - np.array([[0, 0, columns.start], [0, 0, rows.start], [0, 0, 0]])
        shape = columns.stop - columns.start, rows.stop - rows.start
        if min(shape) > 0:
            met = cast_posed(both, inside, *shape).instance
            seen[:, i, rows, columns] = met == 0, met == 1
    return seen[0], seen[1]


def distance_to_surface(
    points: Float[np.ndarray, "n 3"], vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"]
) -> Float32[np.ndarray, " n"]:
    """Distance from each point to the nearest point of a mesh (not only of its vertices), in the unit of the points."""
    queries = o3d.core.Tensor(np.ascontiguousarray(points, np.float32))
    return build_scene(vertices, faces).compute_distance(queries).numpy()


def _window(
    points_cam: Float[np.ndarray, "3 n"], K: Float[np.ndarray, "3 3"], width: int, height: int
) -> tuple[slice, slice]:
    """Rows and columns of the picture outside which no ray can meet what lies within these points."""
    if points_cam[2].min() < 1e-3:
        return slice(0, height), slice(0, width)
    px = K[:2] @ points_cam / points_cam[2]
    low = np.clip(np.floor(px.min(1)), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(px.max(1)), 0, [width, height]).astype(int)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

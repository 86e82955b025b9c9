"""Shaded pictures of meshes in the camera by ray casting: smooth normals, soft sky with shadows, antialiased edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import open3d as o3d
from jaxtyping import Float, Float32, Int32, Integer
from scipy.spatial import ConvexHull, QhullError

from hoi.geometry.raycast import Cast, Posed, build_scene, cast_posed, occluded

OBJECT_RGB = (0.36, 0.55, 0.82)  # blue-ish, sRGB
HAND_RGB = (0.93, 0.70, 0.55)  # warm
TRUTH_RGB = (0.50, 0.70, 0.48)  # green: never mistaken for a fit
Corners = Float[np.ndarray, "F 3 3"]
FEW = 5000  # vertices are looked at one by one


@dataclass(frozen=True)
class Shape:
    """A mesh in its own frame, metres. `rgb` (sRGB, 0 to 1): one colour, or one a vertex."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Integer[np.ndarray, "F 3"]
    rgb: tuple[float, float, float] | Float[np.ndarray, "V 3"]
    crease_deg: float = 40.0  # faces that bend more keep their edge; 180: everything is smooth

    @cached_property
    def scene(self) -> o3d.t.geometry.RaycastingScene:
        """Prepared for rays, once."""
        return build_scene(self.vertices, self.faces)

    @cached_property
    def outer(self) -> Float[np.ndarray, "H 3"]:
        """Vertices of the convex hull, which reach as far as all in every direction; all, where they are few or flat."""
        if len(self.vertices) <= FEW:
            return self.vertices
        try:
            return self.vertices[ConvexHull(self.vertices).vertices]
        except QhullError:
            return self.vertices

    @cached_property
    def normals(self) -> Corners:
        """Of each face's corners."""
        return corner_normals(self.vertices, self.faces, self.crease_deg).astype(np.float32)


@dataclass(frozen=True)
class Body:
    """A shape to draw, and where it is."""

    shape: Shape
    T_cam_shape: Float[np.ndarray, "4 4"]

    def outer_cam(self) -> Float[np.ndarray, "H 3"]:
        """The shape's outer vertices in the camera, metres."""
        return self.shape.outer @ self.T_cam_shape[:3, :3].T + self.T_cam_shape[:3, 3]


@dataclass(frozen=True)
class Picture:
    """What was drawn. `instance` is the body that each pixel shows (-1 where there is none)."""

    rgb: Float32[np.ndarray, "h w 3"]  # sRGB, 0 to 1, multiplied by coverage
    coverage: Float32[np.ndarray, "h w"]  # share of the pixel that any body covers
    instance: Int32[np.ndarray, "h w"]


def corner_normals(vertices: Float[np.ndarray, "V 3"], faces: Integer[np.ndarray, "F 3"], crease_deg: float) -> Corners:
    """Unit normals at each face's corners: the area-weighted mean of those faces around the vertex that bend less than
    `crease_deg` away from the face, so that smooth surfaces look smooth and edges stay sharp.
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    unit = area / np.linalg.norm(area, axis=1, keepdims=True).clip(1e-15)
    order = np.argsort(faces.ravel(), kind="stable")  # corners grouped by vertex
    start = np.searchsorted(faces.ravel()[order], np.arange(len(vertices) + 1))
    degree = np.diff(start)[faces.ravel()]
    mine = np.repeat(np.arange(faces.size), degree)  # pairs (corner, any corner at the same vertex)
    step = np.arange(len(mine)) - np.repeat(np.cumsum(degree) - degree, degree)
    other = order[np.repeat(start[faces.ravel()], degree) + step]
    near = np.einsum("nk,nk->n", unit[mine // 3], unit[other // 3]) > np.cos(np.radians(crease_deg))
    total = np.stack([np.bincount(mine, near * area[other // 3, k], faces.size) for k in range(3)], -1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-15, total / length.clip(1e-15), np.repeat(unit, 3, 0)).reshape(-1, 3, 3)


def _sky(n: int) -> tuple[Float32[np.ndarray, "n 3"], Float32[np.ndarray, " n"]]:
    """Directions over the sphere (camera axes) and the light each brings, sum 1; most from above, left and behind."""
    i = np.arange(n) + 0.5
    up, turn = 1 - 2 * i / n, np.pi * (1 + 5**0.5) * i
    ring = np.sqrt(1 - up**2)
    directions = np.stack([ring * np.cos(turn), -up, ring * np.sin(turn)], -1)
    key = np.array([-0.45, -0.75, -0.5]) / np.linalg.norm([-0.45, -0.75, -0.5])
    light = 0.15 + 0.35 * np.clip(-directions[:, 1], 0, 1) + 2.4 * np.clip(directions @ key, 0, 1) ** 4
    light += 0.15 * np.clip(-directions[:, 2], 0, 1)
    return directions.astype(np.float32), (light / light.sum()).astype(np.float32)


@dataclass(frozen=True)
class _Points:
    """The surface points that rays met, one a ray."""

    position: Float32[np.ndarray, "n 3"]
    normal: Float32[np.ndarray, "n 3"]
    linear_rgb: Float32[np.ndarray, "n 3"]


def _surface(bodies: Sequence[Body], seen: Cast, fine_K: Float[np.ndarray, "3 3"]) -> _Points:
    """Position, shading normal (turned towards the viewer) and colour at every pixel that shows a body."""
    rows, columns = np.nonzero(seen.instance >= 0)
    which, face, weight = (x[rows, columns] for x in (seen.instance, seen.face, seen.barycentric))
    pixels = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], -1).astype(np.float32)
    rays = pixels @ np.linalg.inv(fine_K).T.astype(np.float32)
    normal, colour = np.zeros((2, len(rows), 3), np.float32)
    for i, body in enumerate(bodies):
        mine = np.flatnonzero(which == i)
        shape, R = body.shape, body.T_cam_shape[:3, :3].astype(np.float32)
        normal[mine] = _between(weight[mine], shape.normals[face[mine]]) @ R.T
        if isinstance(shape.rgb, tuple):
            colour[mine] = shape.rgb
        else:
            colour[mine] = _between(weight[mine], shape.rgb.astype(np.float32)[shape.faces[face[mine]]])
    normal *= np.sign((normal * seen.normals[rows, columns]).sum(-1, keepdims=True))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-9)
    return _Points(rays * seen.depth[rows, columns, None], normal, colour**2.2)


def _between(weight: Float32[np.ndarray, "n 3"], corners: Float32[np.ndarray, "n 3 3"]) -> Float32[np.ndarray, "n 3"]:
    """Values between three corners, by barycentric weights."""
    return weight[:, :1] * corners[:, 0] + weight[:, 1:2] * corners[:, 1] + weight[:, 2:] * corners[:, 2]


def _light(posed: Sequence[Posed], at: _Points, sky: int, shadows: bool) -> Float32[np.ndarray, " n"]:
    """Light that arrives at each point from the sky, as far as no body is in the way; about 0 to 1."""
    directions, strength = _sky(sky)
    cosine = np.clip(at.normal @ directions.T, 0, 1)
    if shadows:
        for k, direction in enumerate(directions):
            lit = np.flatnonzero(cosine[:, k] > 0)
            start = at.position[lit] + 1.5e-3 * at.normal[lit]
            blocked = occluded(posed, start, np.broadcast_to(direction, start.shape))
            cosine[lit[blocked], k] *= 0.12  # light that bounces
    return 2.1 * cosine @ strength


def _window(bodies: Sequence[Body], K: Float[np.ndarray, "3 3"], width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels that the bodies can cover."""
    points = np.concatenate([body.outer_cam() for body in bodies])
    if points[:, 2].min() < 1e-3:
        return 0, 0, width, height
    pixels = (points @ K.T)[:, :2] / points[:, 2:]
    left, top = np.clip(np.floor(pixels.min(0)) - 1, 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(pixels.max(0)) + 1, [left + 1, top + 1], [width, height]).astype(int)
    return int(left), int(top), int(right), int(bottom)


def render(
    bodies: Sequence[Body],
    K: Float[np.ndarray, "3 3"],
    width: int,
    height: int,
    sky: int = 64,
    shadows: bool = True,
    samples: int = 2,
) -> Picture:
    """Draw bodies through a pinhole camera K (pixels). `samples` squared rays a pixel; `sky` directions of light."""
    left, top, right, bottom = _window(bodies, K, width, height)
    fine_K = np.diag([samples, samples, 1.0]) @ np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ K
    posed = [Posed(body.shape.scene, body.T_cam_shape) for body in bodies]
    seen = cast_posed(posed, fine_K, samples * (right - left), samples * (bottom - top))
    at = _surface(bodies, seen, fine_K)
    light = _light(posed, at, sky, shadows)
    view = at.position / np.linalg.norm(at.position, axis=-1, keepdims=True)
    rim = (1 + (at.normal * view).sum(-1)).clip(0, 1) ** 4  # grazing angles shine a little
    met = seen.instance >= 0
    srgb = np.zeros((*met.shape, 3), np.float32)
    srgb[met] = ((at.linear_rgb + 0.06 * rim[:, None]) * light[:, None]).clip(0, 1) ** (1 / 2.2)
    blocks = (bottom - top, samples, right - left, samples)
    rgb, coverage = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    instance = np.full((height, width), -1, np.int32)
    rgb[top:bottom, left:right] = srgb.reshape(*blocks, 3).mean((1, 3))
    coverage[top:bottom, left:right] = met.reshape(blocks).mean((1, 3))
    instance[top:bottom, left:right] = seen.instance[samples // 2 :: samples, samples // 2 :: samples]
    return Picture(rgb, coverage, instance)


def on_white(picture: Picture) -> Float32[np.ndarray, "h w 3"]:
    """The picture before a white background."""
    return picture.rgb + (1 - picture.coverage[..., None])

"""Solids by lathe, sweep, loft and prism, joined and cut exactly (manifold3d), each face remembering its part.

Lengths in metres. Profiles of a lathe are (radius, z). Every function is pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Real
from manifold3d import CrossSection, Error, FillRule, Manifold, Mesh, triangulate
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.spatial import Delaunay

SCALE = 1000.0  # solids are computed in millimetres: manifold3d's tolerances are made for numbers near 1
Points2 = Real[np.ndarray, "_ 2"]
Points3 = Real[np.ndarray, "_ 3"]
Number = float | int
Values = Real[np.ndarray, "_"] | Sequence[Number] | Number


@dataclass(frozen=True)
class Piece:
    """A solid and the part that each of its original surfaces belongs to. +, - and & join, cut and intersect."""

    solid: Manifold
    parts: dict[int, str]

    def __add__(self, other: "Piece") -> "Piece":
        return Piece(self.solid + other.solid, self.parts | other.parts)

    def __sub__(self, other: "Piece") -> "Piece":
        return Piece(self.solid - other.solid, self.parts | other.parts)

    def __and__(self, other: "Piece") -> "Piece":
        return Piece(self.solid ^ other.solid, self.parts | other.parts)

    def moved(self, by: tuple[Number, Number, Number]) -> "Piece":
        """The piece shifted by a vector."""
        return Piece(self.solid.translate([SCALE * c for c in by]), self.parts)

    def turned(self, degrees: tuple[Number, Number, Number]) -> "Piece":
        """The piece rotated about x, then y, then z."""
        return Piece(self.solid.rotate(list(degrees)), self.parts)

    def scaled(self, by: tuple[Number, Number, Number]) -> "Piece":
        """The piece scaled (negative: mirrored) about the origin."""
        return Piece(self.solid.scale(list(by)), self.parts)

    def warped(self, warp: Callable[[np.ndarray], np.ndarray], edge: float | None = None) -> "Piece":
        """The piece with its vertices moved by `warp` (n,3) -> (n,3); first cut to edges of at most `edge`."""
        name = next(iter(self.parts.values()))
        solid = self.solid if edge is None else self.solid.refine_to_length(SCALE * edge)
        return painted(solid.warp_batch(lambda x: SCALE * warp(np.array(x) / SCALE)), name)

    def largest(self) -> "Piece":
        """The largest connected surface alone: loses closed voids inside and crumbs that a cut left over."""
        return Piece(max(self.solid.decompose(), key=lambda solid: solid.volume()), self.parts)

    def triangles(self) -> tuple[Real[np.ndarray, "V 3"], np.ndarray, np.ndarray]:
        """Vertices in metres, faces (F,3) int64 and the part's name a face."""
        mesh = self.solid.to_mesh64()
        vertices = np.array(mesh.vert_properties, dtype=np.float64)[:, :3] / SCALE
        faces = np.array(mesh.tri_verts, dtype=np.int64)
        ends = np.array(mesh.run_index, dtype=np.int64) // 3
        names = np.empty(len(faces), dtype=object)
        for start, end, original in zip(ends[:-1], ends[1:], mesh.run_original_id, strict=True):
            names[start:end] = self.parts[int(original)]
        return vertices, faces, names.astype(str)


def painted(solid: Manifold, part: str) -> Piece:
    """The solid as one part."""
    solid = solid.as_original()
    return Piece(solid, {solid.original_id(): part})


def repainted(piece: Piece, part: str) -> Piece:
    """The same solid with all its surface in one part."""
    return painted(piece.solid, part)


def join(*pieces: Piece) -> Piece:
    """Union of all pieces."""
    result = pieces[0]
    for piece in pieces[1:]:
        result = result + piece
    return result


def fillet(points: Points2, radii: Values, closed: bool = True, step: float = 0.13) -> Points2:
    """The polygon (or open polyline) with each corner rounded by an arc of its radius, where the edges leave room."""
    points = np.asarray(points, dtype=float)
    n = len(points)
    radii = np.broadcast_to(np.asarray(radii, dtype=float), (n,))
    result = []
    for i in range(n):
        if radii[i] <= 0 or (not closed and i in (0, n - 1)):
            result.append(points[i : i + 1])
        else:
            result.append(_arc(points[i - 1], points[i], points[(i + 1) % n], radii[i], step))
    return np.concatenate(result)


def _arc(before: np.ndarray, corner: np.ndarray, after: np.ndarray, radius: float, step: float) -> Points2:
    a, b = before - corner, after - corner
    length = 0.48 * min(np.linalg.norm(a), np.linalg.norm(b))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    half = np.arccos(np.clip(a @ b, -1, 1)) / 2
    if half > np.pi / 2 - 1e-3:
        return corner[None]
    reach = min(radius / np.tan(half), length)
    radius = reach * np.tan(half)
    middle = (a + b) / np.linalg.norm(a + b)
    centre = corner + middle * np.hypot(radius, reach)
    start, end = corner + a * reach - centre, corner + b * reach - centre
    turn = np.arctan2(start[0] * end[1] - start[1] * end[0], start @ end)
    angles = np.linspace(0, turn, max(2, int(np.ceil(abs(turn) / step))) + 1)
    side = np.array([-start[1], start[0]])
    return centre + np.cos(angles)[:, None] * start + np.sin(angles)[:, None] * side


def curve(knots: Real[np.ndarray, "k d"], count: int) -> Real[np.ndarray, "n d"]:
    """A smooth curve through the knots, resampled to equal steps of arc length."""
    knots = np.asarray(knots, dtype=float)
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1) ** 0.7)])
    dense = CubicSpline(chord, knots)(np.linspace(0, chord[-1], 20 * count))
    return resample(dense, count)


def resample(path: Real[np.ndarray, "k d"], count: int) -> Real[np.ndarray, "n d"]:
    """The polyline resampled to `count` points at equal steps of arc length."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, column) for column in np.asarray(path, dtype=float).T], axis=1)


def interpolated(at: Real[np.ndarray, "n"], x: Values, y: Values) -> Real[np.ndarray, "n"]:
    """Monotone cubic interpolation: smooth and without overshoot."""
    knots = np.asarray(x, dtype=float)
    return PchipInterpolator(knots, y)(np.clip(at, knots[0], knots[-1]))


def cross_section(polygon: Points2) -> CrossSection:
    """The polygon's inside, for offsets and plane booleans, in millimetres."""
    return CrossSection([SCALE * np.asarray(polygon, dtype=float)], FillRule.NonZero)


def lathe(profile: Points2, part: str, segments: int = 128) -> Piece:
    """The closed polygon (radius, z) turned about z."""
    return painted(cross_section(profile).revolve(segments), part)


def sleeve(profile: Points2, low: Number, high: Number, thickness: float, part: str, segments: int = 128) -> Piece:
    """A thin coat (label, glaze, band) around a lathed profile between two heights."""
    wide = cross_section(profile).offset(SCALE * thickness, circular_segments=64)
    r = 2 * float(np.max(np.asarray(profile)[:, 0]))
    window = cross_section(np.array([[0, low], [r, low], [r, high], [0, high]]))
    return painted((wide ^ window).revolve(segments), part)


def prism(polygon: Points2, low: Number, high: Number, part: str, axis: str = "y") -> Piece:
    """The polygon pushed along an axis from low to high.

    axis "y": polygon in (x, z); "x": polygon in (y, z); "z": polygon in (x, y).
    """
    solid = cross_section(polygon).extrude(SCALE * (high - low)).translate([0, 0, SCALE * low])
    if axis == "y":
        solid = solid.rotate([90, 0, 0]).scale([1, -1, 1])  # (x, y, h) -> (x, -h, y) -> (x, h, y)
    elif axis == "x":
        solid = solid.rotate([90, 0, 90])  # (x, y, h) -> (x, -h, y) -> (h, x, y)
    return painted(solid, part)


def section(count: int, exponent: float = 2.0) -> Points2:
    """A unit superellipse |x|^e + |y|^e = 1: 2 is a circle, 4 a rounded square; counter-clockwise."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    scale = (np.abs(c) ** exponent + np.abs(s) ** exponent) ** (-1 / exponent)
    return np.stack([scale * c, scale * s], axis=1)


def loft(
    rings: Real[np.ndarray, "k m 3"],
    part: str,
    cap: Int[np.ndarray, "c 3"] | None = None,
    inner: tuple[Points3, Points3] | None = None,
) -> Piece:
    """A closed skin over rings of equal count.

    Its ends are closed by `cap`, triangles over a ring's vertices and then the points of `inner` (first end, last end);
    by default a fan around the centre.
    """
    k, m, _ = rings.shape
    index = np.arange(k * m).reshape(k, m)
    a, b = index[:-1], index[1:]
    a1, b1 = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
    walls = [np.stack([a, a1, b1], axis=-1).reshape(-1, 3), np.stack([a, b1, b], axis=-1).reshape(-1, 3)]
    if cap is None:
        around = np.arange(m)
        cap = np.stack([np.full(m, m), around, np.roll(around, -1)], axis=-1)
        inner = (rings[0].mean(axis=0, keepdims=True), rings[-1].mean(axis=0, keepdims=True))
    extra = (np.zeros((0, 3)), np.zeros((0, 3))) if inner is None else inner
    n = len(extra[0])
    first = np.concatenate([index[0], k * m + np.arange(n)])
    last = np.concatenate([index[-1], k * m + n + np.arange(n)])
    vertices = np.concatenate([rings.reshape(-1, 3), *extra])
    faces = np.concatenate([*walls, first[cap[:, ::-1]], last[cap]])
    corners = vertices[faces]
    if np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) < 0:
        faces = faces[:, ::-1]
    mesh = Mesh((SCALE * vertices).astype(np.float32), np.ascontiguousarray(faces, dtype=np.uint32))
    solid = Manifold(mesh)
    if solid.status() != Error.NoError:
        raise ValueError(f"the skin of part {part!r} does not close: {solid.status()}")
    return painted(solid, part)


def sweep(
    path: Real[np.ndarray, "k 3"],
    side: Values,
    across: Values,
    part: str,
    binormal: tuple[float, float, float] = (0.0, 1.0, 0.0),
    exponent: float = 2.2,
    count: int = 32,
) -> Piece:
    """A superelliptic section moved along a curve that lies in the plane perpendicular to `binormal`.

    side: half width along the binormal; across: half thickness within the plane; each a value or one a station. The
    thickness is kept below the curve's radius of curvature, so that the skin never folds over itself.
    """
    path, lateral = np.asarray(path, dtype=float), np.asarray(binormal, dtype=float)
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = np.cross(lateral, tangent)
    side, across = (np.broadcast_to(np.asarray(w, dtype=float), (len(path),)) for w in (side, across))
    step = np.linalg.norm(np.gradient(path, axis=0), axis=1)
    bend = np.linalg.norm(np.gradient(tangent, axis=0), axis=1) / step
    across = np.minimum(across, 0.9 / np.maximum(bend, 1e-9))
    ring = section(count, exponent)
    rings = (
        path[:, None]
        + across[:, None, None] * ring[None, :, :1] * normal[:, None]
        + side[:, None, None] * ring[None, :, 1:] * lateral
    )
    return loft(rings, part)


def pillow(polygon: Points2, half_width: float, round_edge: float, part: str, spacing: float | None = None) -> Piece:
    """The (x, z) polygon pushed along y over [-half_width, half_width], its outline edges rounded.

    Near the sides each vertex moves inwards along its mitre; the rounding is less where a tighter corner of the outline
    would fold over. With a spacing all edges are about that long, so that the solid can be bent afterwards.
    """
    polygon = np.asarray(polygon, dtype=float)
    if spacing is not None:
        around = np.concatenate([polygon, polygon[:1]])
        length = np.linalg.norm(np.diff(around, axis=0), axis=1).sum()
        polygon = resample(around, int(np.ceil(length / spacing)) + 1)[:-1]
    round_edge = min(round_edge, 0.8 * _inset_limit(polygon))
    angle = np.linspace(0, np.pi / 2, 7)
    depth = half_width - round_edge * (1 - np.sin(angle))
    flat = [] if spacing is None else np.linspace(-depth[0], depth[0], int(np.ceil(2 * depth[0] / spacing)) + 1)[1:-1]
    y = np.concatenate([-depth[::-1], flat, depth])
    inset = round_edge - np.sqrt(np.maximum(round_edge**2 - np.maximum(np.abs(y) - depth[0], 0) ** 2, 0))
    outline = polygon[None] + inset[:, None, None] * inward(polygon)[None]
    rings = np.stack([outline[..., 0], np.broadcast_to(y[:, None], outline.shape[:2]), outline[..., 1]], axis=-1)
    if spacing is None:
        return loft(rings, part, np.asarray(triangulate([SCALE * outline[0]]), dtype=np.int64))
    inner, cap = _even_cap(outline[0], spacing)
    ends = [np.insert(inner, 1, side * half_width, axis=1) for side in (-1, 1)]
    return loft(rings, part, cap, (ends[0], ends[1]))


def _inset_limit(polygon: Points2) -> float:
    """How far the outline can move inwards along its mitres before an edge shrinks to nothing."""
    edge = np.roll(polygon, -1, axis=0) - polygon
    step = inward(polygon)
    shrink = -np.einsum("nd,nd->n", np.roll(step, -1, axis=0) - step, edge) / np.sum(edge**2, axis=1)
    return float(1 / max(shrink.max(), 1e-9))


def _even_cap(outline: Points2, spacing: float) -> tuple[Points2, Int[np.ndarray, "c 3"]]:
    """Points inside an evenly sampled outline and the triangles over both (outline first).

    A second ring of points guards the outside. Neither it nor a point inside lies within 0.7 of an edge's length of the
    outline, so the circle over each outline edge is empty and the edge is a Delaunay edge.
    """
    edge = np.linalg.norm(outline - np.roll(outline, -1, axis=0), axis=1).max()
    low, high = outline.min(axis=0), outline.max(axis=0)
    rows = []
    for k, z in enumerate(np.arange(low[1], high[1], 0.87 * spacing)):
        x = np.arange(low[0] + 0.5 * spacing * (k % 2), high[0], spacing)
        rows.append(np.stack([x, np.full_like(x, z)], axis=1))
    grid = np.concatenate(rows)
    inner = grid[_within(grid, outline) & (_distance(grid, outline) > 0.7 * edge)]
    guard = outline - 0.9 * edge * inward(outline)
    guard = guard[~_within(guard, outline) & (_distance(guard, outline) > 0.7 * edge)]
    points = np.concatenate([outline, inner, guard])
    triangles = Delaunay(points).simplices.astype(np.int64)
    real = triangles.max(axis=1) < len(outline) + len(inner)
    triangles = triangles[real & _within(points[triangles].mean(axis=1), outline)]
    corners = points[triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    turn = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    area = np.sum(outline[:, 0] * np.roll(outline[:, 1], -1) - outline[:, 1] * np.roll(outline[:, 0], -1))
    return inner, np.where((turn * area > 0)[:, None], triangles, triangles[:, ::-1])


def _within(points: Points2, outline: Points2) -> np.ndarray:
    """Whether each point lies inside the polygon: a ray to the right crosses it an odd number of times."""
    a, b = outline, np.roll(outline, -1, axis=0)
    spans = (a[None, :, 1] > points[:, None, 1]) != (b[None, :, 1] > points[:, None, 1])
    rise = np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
    x = a[:, 0] + (points[:, None, 1] - a[:, 1]) / rise * (b - a)[:, 0]
    return (spans & (x > points[:, None, 0])).sum(axis=1) % 2 == 1


def _distance(points: Points2, outline: Points2) -> np.ndarray:
    a, d = outline, np.roll(outline, -1, axis=0) - outline
    t = np.clip(np.einsum("nkd,kd->nk", points[:, None] - a, d) / np.sum(d**2, axis=1), 0, 1)
    return np.linalg.norm(points[:, None] - a - t[..., None] * d, axis=-1).min(axis=1)


def inward(polygon: Points2) -> Points2:
    """For each vertex the step that moves both its edges inwards by one (the mitre), limited at sharp corners."""
    area = np.sum(polygon[:, 0] * np.roll(polygon[:, 1], -1) - polygon[:, 1] * np.roll(polygon[:, 0], -1))
    edge = np.roll(polygon, -1, axis=0) - polygon
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    normal = np.sign(area) * np.stack([-edge[:, 1], edge[:, 0]], axis=1)
    total = normal + np.roll(normal, 1, axis=0)
    return 2 * total / np.maximum(np.sum(total**2, axis=1, keepdims=True), 0.5)

"""Texture layers: pure functions of the point on the object, painted one over the other. Linear RGB, metres."""

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from jaxtyping import Float

Colour = tuple[float, float, float]
Points = Float[np.ndarray, "n 3"]
Colours = Float[np.ndarray, "n 3"]
EDGE = 0.0003  # m; painted edges are softened over this width


@dataclass(frozen=True)
class Chart:
    """Unrolls a surface to (u, v) metres. around: angle about z times radius, and z; side: (x, z); profile: (x, z)
    mirrored on the far side; top: (x, y); front: (y, z).

    `origin`, of the same two coordinates, becomes (0, 0). side and front read left to right from either side.
    """

    kind: str = "around"
    radius: float = 0.04
    origin: tuple[float, float] = (0.0, 0.0)

    def uv(self, points: Points, normals: Points) -> tuple[np.ndarray, np.ndarray]:
        """Chart coordinates (n,), (n,), both metres; text reads left to right seen from outside."""
        x, y, z = points.T
        a, b = self.origin
        if self.kind == "around":
            period = 2 * np.pi * self.radius
            return (self.radius * np.arctan2(y, x) - a + period / 2) % period - period / 2, z - b
        if self.kind == "side":
            return (a - x) * np.sign(normals[:, 1] + 1e-12), z - b
        if self.kind == "profile":
            return a - x, z - b
        if self.kind == "top":
            return x - a, y - b
        return (y - a) * np.sign(normals[:, 0] + 1e-12), z - b


@dataclass(frozen=True)
class Stripes:
    """Bars of `colour`: `period` and `width` in metres, counted along (cos angle, sin angle) of the chart."""

    colour: Colour
    chart: Chart
    period: float
    width: float
    angle: float = np.pi / 2


@dataclass(frozen=True)
class Dots:
    """Discs of `colour` on a brick lattice of `spacing`."""

    colour: Colour
    chart: Chart
    spacing: float
    radius: float


@dataclass(frozen=True)
class Checks:
    """A chequerboard of squares of `size`."""

    colour: Colour
    chart: Chart
    size: float


@dataclass(frozen=True)
class Band:
    """`colour` where low <= coordinate along `axis` <= high; `wave` bends the edge by so many metres."""

    colour: Colour
    low: float
    high: float
    axis: int = 2
    wave: float = 0.0


@dataclass(frozen=True)
class Gradient:
    """A smooth change to `colour` from `start` to `end` along `axis`."""

    colour: Colour
    start: float
    end: float
    axis: int = 2


@dataclass(frozen=True)
class Wood:
    """Growth rings and fibres along `axis`, darkening towards `colour`."""

    colour: Colour
    seed: int
    axis: int = 0
    ring: float = 0.004


@dataclass(frozen=True)
class Speckle:
    """Random flecks of `colour`: one a cell of size `cell`, of radius up to `radius`."""

    colour: Colour
    seed: int
    cell: float
    radius: float


@dataclass(frozen=True)
class Brushed:
    """Fine streaks that vary the brightness by `strength`, constant along `axis` (2 with around: turned on a lathe)."""

    seed: int
    axis: int = 0
    strength: float = 0.12
    around: bool = False


@dataclass(frozen=True)
class Mottle:
    """Cloudy variation of brightness by `strength` at the length `size`."""

    seed: int
    size: float = 0.02
    strength: float = 0.1


@dataclass(frozen=True)
class Decal:
    """A picture (linear RGB and coverage, row 0 on top) laid centred on the chart's (0, 0); width, height in metres."""

    image: Float[np.ndarray, "h w 4"]
    chart: Chart
    width: float
    height: float


Layer = Stripes | Dots | Checks | Band | Gradient | Wood | Speckle | Brushed | Mottle | Decal


def albedo_layers(base: Colour, layers: tuple[Layer, ...], points: Points, normals: Points) -> Colours:
    """The base colour with every layer painted over it in order, clipped to [0, 1]."""
    colour = np.broadcast_to(np.asarray(base, dtype=float), points.shape).copy()
    for layer in layers:
        colour = paint(layer, points, normals, colour)
    return np.clip(colour, 0.0, 1.0)


@singledispatch
def paint(layer: object, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The colours (n,3) after painting one layer at points (n,3) with normals (n,3)."""
    raise TypeError(f"no painter for a layer of type {type(layer).__name__}")


@paint.register(Stripes)
def _stripes(layer: Stripes, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    u, v = layer.chart.uv(points, normals)
    along = u * np.cos(layer.angle) + v * np.sin(layer.angle)
    off = np.abs((along / layer.period) % 1.0 - 0.5) * layer.period
    return _mix(colour, layer.colour, _inside(layer.width / 2 - off))


@paint.register(Dots)
def _dots(layer: Dots, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    u, v = layer.chart.uv(points, normals)
    row_height = layer.spacing * 0.8
    row = np.floor(v / row_height)
    du = ((u / layer.spacing + 0.5 * (row % 2)) % 1.0 - 0.5) * layer.spacing
    dv = (v / row_height - row - 0.5) * row_height
    return _mix(colour, layer.colour, _inside(layer.radius - np.hypot(du, dv)))


@paint.register(Checks)
def _checks(layer: Checks, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    u, v = layer.chart.uv(points, normals)
    odd = (np.floor(u / layer.size) + np.floor(v / layer.size)) % 2
    return _mix(colour, layer.colour, odd)


@paint.register(Band)
def _band(layer: Band, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    along = points[:, layer.axis]
    if layer.wave:
        angle = np.arctan2(points[:, 1], points[:, 0])
        along = along + layer.wave * (np.sin(3 * angle + 0.7) + 0.6 * np.sin(5 * angle) + 0.3 * np.sin(11 * angle + 2))
    return _mix(colour, layer.colour, _inside(np.minimum(along - layer.low, layer.high - along)))


@paint.register(Gradient)
def _gradient(layer: Gradient, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    t = np.clip((points[:, layer.axis] - layer.start) / (layer.end - layer.start), 0, 1)
    return _mix(colour, layer.colour, t * t * (3 - 2 * t))


@paint.register(Wood)
def _wood(layer: Wood, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    other = [axis for axis in range(3) if axis != layer.axis]
    stretched = points.copy()
    stretched[:, layer.axis] *= 0.12
    bend = value_noise(stretched / 0.012, layer.seed)
    ring = np.hypot(points[:, other[0]] - 0.013, points[:, other[1]] - 0.021) / layer.ring + 1.6 * bend
    growth = 0.5 + 0.5 * np.sin(2 * np.pi * ring)
    fibre = value_noise(stretched / np.where(np.arange(3) == layer.axis, 0.0015, 0.0006), layer.seed + 1)
    return _mix(colour, layer.colour, 0.55 * growth**2 + 0.45 * fibre)


@paint.register(Speckle)
def _speckle(layer: Speckle, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    base = np.floor(points / layer.cell).astype(np.int64)
    inside = np.full(len(points), -1.0)
    for offset in np.ndindex(3, 3, 3):
        cell = base + np.array(offset) - 1
        centre = (cell + np.stack([hashed(cell, layer.seed + k) for k in range(3)], axis=1)) * layer.cell
        size = layer.radius * hashed(cell, layer.seed + 3) ** 2
        inside = np.maximum(inside, size - np.linalg.norm(points - centre, axis=1))
    return _mix(colour, layer.colour, _inside(inside))


@paint.register(Brushed)
def _brushed(layer: Brushed, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    if layer.around:
        scaled = np.stack(
            [np.hypot(points[:, 0], points[:, 1]) / 0.0008, points[:, 2] / 0.0005, 0 * points[:, 0]], axis=1
        )
    else:
        scaled = points / np.where(np.arange(3) == layer.axis, 0.03, 0.0005)
    streak = value_noise(scaled, layer.seed) + value_noise(scaled / 3.1, layer.seed + 1) - 1.0
    return colour * (1 + layer.strength * streak)[:, None]


@paint.register(Mottle)
def _mottle(layer: Mottle, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    cloud = value_noise(points / layer.size, layer.seed) + 0.5 * value_noise(points / layer.size * 2.3, layer.seed + 1)
    return colour * (1 + layer.strength * (cloud - 0.75) / 0.75)[:, None]


@paint.register(Decal)
def _decal(layer: Decal, points: np.ndarray, normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
    h, w, _ = layer.image.shape
    u, v = layer.chart.uv(points, normals)
    col = (u / layer.width + 0.5) * w - 0.5
    row = (0.5 - v / layer.height) * h - 0.5
    within = (col > -0.5) & (col < w - 0.5) & (row > -0.5) & (row < h - 0.5)
    picture = _bilinear(layer.image, np.clip(row, 0, h - 1), np.clip(col, 0, w - 1))
    return _mix(colour, picture[:, :3], picture[:, 3] * within)


def _bilinear(image: np.ndarray, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    r, c = np.floor(row).astype(int), np.floor(col).astype(int)
    r1, c1 = np.minimum(r + 1, image.shape[0] - 1), np.minimum(c + 1, image.shape[1] - 1)
    fr, fc = (row - r)[:, None], (col - c)[:, None]
    top = image[r, c] * (1 - fc) + image[r, c1] * fc
    return top * (1 - fr) + (image[r1, c] * (1 - fc) + image[r1, c1] * fc) * fr


def _inside(distance: np.ndarray) -> np.ndarray:
    return np.clip(distance / EDGE + 0.5, 0.0, 1.0)


def _mix(colour: np.ndarray, over: Colour | np.ndarray, amount: np.ndarray) -> np.ndarray:
    return colour + (np.asarray(over) - colour) * amount[:, None]


def hashed(cell: np.ndarray, seed: int) -> np.ndarray:
    """A uniform number in [0, 1) for each integer cell (n,3): the same cell and seed always give the same number."""
    h = cell.astype(np.uint64) * np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D], dtype=np.uint64)
    h = (h[:, 0] ^ (h[:, 1] << np.uint64(13)) ^ (h[:, 2] << np.uint64(27))) + np.uint64(seed * 2654435761 % 2**63)
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53), (33, 1)):
        h = (h ^ (h >> np.uint64(shift))) * np.uint64(factor)
    return (h >> np.uint64(11)).astype(float) / 2.0**53


def value_noise(points: Points, seed: int) -> Float[np.ndarray, "n"]:
    """Smooth noise in [0, 1] with features of size one."""
    base = np.floor(points).astype(np.int64)
    f = points - base
    f = f * f * (3 - 2 * f)
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(np.array(corner) == 1, f, 1 - f), axis=1)
        total += weight * hashed(base + np.array(corner), seed)
    return total

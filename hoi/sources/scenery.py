"""What stands behind a clip: a table, a wall and things on it, out of focus; and what a cheap camera does to a picture.

# ASSUME: all of it is a choice of look; only hand and object carry truth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoi.sources.shading import Lights, openness, shadow, unit

SHADOW_STEP = 4  # pixels between samples of the shadow on the table, which is out of focus anyway
MARGIN_PX = 24  # the picture of the room is larger than a frame, so that it can sway

Paint = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]  # albedo (h, w, 3) at metres on a plane


@dataclass(frozen=True)
class Planes:
    """Table and wall in the camera frame, metres: up . x = table_height, ahead . x = wall_at. up, ahead: unit, square."""

    up: Float[np.ndarray, " 3"]
    table_height: float
    wall_at: float

    @property
    def ahead(self) -> Float[np.ndarray, " 3"]:
        """The level direction into the picture."""
        return unit(np.array([0, 0, 1.0]) - self.up[2] * self.up)

    def distances(
        self, origin: Float[np.ndarray, " 3"], d: Float[np.ndarray, "h w 3"]
    ) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """How many of the steps d lead from an origin to the table and to the wall."""
        fall = np.minimum(d @ self.up, -1e-4)
        t_table = np.where(fall < -1e-4, (self.table_height - origin @ self.up) / fall, 1e6)
        return t_table, (self.wall_at - origin @ self.ahead) / np.maximum(d @ self.ahead, 1e-3)


def rays_around(
    K: Float[np.ndarray, "3 3"], height: int, width: int, margin_px: int
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 2"]]:
    """Rays with z = 1 through the pixels of a frame and of a margin around it, and those pixels' centres (x, y)."""
    h, w = height + 2 * margin_px, width + 2 * margin_px
    v, u = np.meshgrid(np.arange(h) + 0.5 - margin_px, np.arange(w) + 0.5 - margin_px, indexing="ij")
    d = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1)
    return d, np.stack([u, v], -1)


def coarsely(picture: Float[np.ndarray, "h w 3"], height: int, width: int) -> Float[np.ndarray, "i j 3"]:
    """Every SHADOW_STEP-th pixel of the frame in the middle of a picture."""
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height : SHADOW_STEP, left : left + width : SHADOW_STEP].astype(np.float32)


@dataclass(frozen=True)
class Scenery:
    """A linear-light picture of the room, larger than a frame on every side, and points of the table in the camera frame.

    table: a grid of points, one for every SHADOW_STEP-th pixel of a frame, 0 where there is no table.
    """

    image: Float[np.ndarray, "h w 3"]
    table: Float[np.ndarray, "i j 3"]
    planes: Planes

    def crop(self, sway_px: Float[np.ndarray, " 2"], height: int, width: int) -> Float[np.ndarray, "h w 3"]:
        """The room as one frame sees it, moved by a few pixels."""
        margin = (self.image.shape[0] - height) // 2
        shift = np.float32([[1, 0, sway_px[0] - margin], [0, 1, sway_px[1] - margin]])
        return cv2.warpAffine(self.image, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)

    def seen_from(
        self, T_now_first: Float[np.ndarray, "4 4"], K: Float[np.ndarray, "3 3"], height: int, width: int
    ) -> "Scenery":
        """The room before a camera that has moved since the first place: its picture projected anew off table and wall."""
        if np.array_equal(T_now_first, np.eye(4)):
            return self
        R, t = T_now_first[:3, :3], T_now_first[:3, 3]
        d, origin, margin = rays_around(K, height, width, MARGIN_PX)[0] @ R, -R.T @ t, self.image.shape[0] - height
        t_table, t_wall = self.planes.distances(origin, d)
        points = origin + d * np.minimum(t_table, t_wall)[..., None]
        at = points[..., :2] / np.maximum(points[..., 2:], 1e-3) * [K[0, 0], K[1, 1]] + K[:2, 2] + margin // 2 - 0.5
        image = cv2.remap(self.image, at.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        table = np.where((t_table < t_wall)[..., None], points @ R.T + t, 0.0)
        return Scenery(image, coarsely(table, height, width), self.planes)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: tuple[float, float], octaves: int = 4
) -> np.ndarray:
    """Value noise of unit variance on a picture; cells = number of cells down and across."""
    total = np.zeros(shape, np.float32)
    for i in range(octaves):
        size = (max(2, int(cells[1] * 2**i)), max(2, int(cells[0] * 2**i)))
        small = rng.standard_normal((size[1], size[0])).astype(np.float32)
        total += 0.6**i * cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return total / max(float(total.std()), 1e-6)


def muted_colour(rng: np.random.Generator, low: float = 0.08, high: float = 0.55) -> Float[np.ndarray, " 3"]:
    """A room's colour in linear light: any hue, little saturation."""
    hue, saturation, value = rng.random(), rng.uniform(0.05, 0.45), rng.uniform(low, high)
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.array([0, 1 / 3, 2 / 3])))
    return value * (1 - saturation + saturation * wheel)


def make_scenery(
    K: Float[np.ndarray, "3 3"],
    height: int,
    width: int,
    up: Float[np.ndarray, " 3"],
    table_height: float,
    lights: Lights,
    rng: np.random.Generator,
    decor: "Decor",
    margin_px: int = MARGIN_PX,
) -> Scenery:
    """The room of one clip. up: unit, camera frame; the table is the plane up . x = table_height (< 0: below)."""
    d, pixels = rays_around(K, height, width, margin_px)
    u, v = pixels[..., 0], pixels[..., 1]
    planes = Planes(up, table_height, rng.uniform(1.3, 2.2))
    fall, forward, aside = d @ up, d @ planes.ahead, d @ np.cross(planes.ahead, up)
    t_table, t_wall = planes.distances(np.zeros(3), d)
    wall = decor.wall(aside * t_wall, fall * t_wall - table_height, rng)
    table = decor.table(aside * t_table, forward * t_table, rng)
    is_table = (t_table < t_wall)[..., None]
    light = lights.room_colour
    glow = 1 - 0.35 * np.clip(np.hypot(u / width - rng.uniform(0.2, 0.8), v / height - 0.3), 0, 1)[..., None]
    image = np.where(is_table, table * 1.1, wall) * light * glow
    blur = rng.uniform(*decor.blur) * width / 480
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), blur)
    near = cv2.GaussianBlur((table * light * glow * 1.1).astype(np.float32), (0, 0), blur * 0.4)
    weight = (is_table[..., 0] * np.clip(1.2 - (t_table - 0.6) / 0.6, 0, 1))[..., None].astype(np.float32)
    points = np.where(is_table, d * t_table[..., None], 0.0)
    return Scenery(image * (1 - weight) + near * weight, coarsely(points, height, width), planes)


def table_shadow(
    scene: object, room: Scenery, lights: Lights, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """(h, w, 1) what is left of the room's light where hand and object shade the table."""
    lit = np.ones(room.table.shape[:2], np.float32)
    there = room.table[..., 2] > 0
    points = room.table[there]
    up = np.tile(lights.up, (len(points), 1)).astype(np.float32)
    direct = shadow(scene, points, lights, 6, rng)
    lit[there] = 1 - lights.key_share * (1 - direct) - 0.3 * (1 - openness(scene, points, up, 6, 0.15, rng))
    lit = cv2.resize(cv2.GaussianBlur(lit, (0, 0), lights.shadow_blur), (width, height), interpolation=cv2.INTER_LINEAR)
    return lit[..., None]


def _wall(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A plain wall with a picture or a window, and boxes, books and round things that stand before it."""
    h, w = x.shape
    picture = muted_colour(rng, 0.25, 0.6) * (1 + 0.05 * smooth_noise(rng, (h, w), (5.0, 7.0)))[..., None]
    left, top, size = rng.uniform(-0.9, 0.6), rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.7, 2)
    frame = (np.abs(x - left) < size[0]) & (np.abs(y - top - size[1] / 2) < size[1] / 2)
    picture = np.where(frame[..., None], muted_colour(rng, 0.4, 1.1), picture)
    for _ in range(rng.integers(4, 10)):
        at, half, tall, colour = (
            rng.uniform(-1.3, 1.3),
            rng.uniform(0.04, 0.16),
            rng.uniform(0.08, 0.5),
            muted_colour(rng, 0.03, 0.5),
        )
        box = (np.abs(x - at) < half) & (y < tall)
        if rng.random() < 0.4:
            box = ((x - at) / half) ** 2 + ((y - tall / 2) / (tall / 2)) ** 2 < 1
        stripe = 1 - 0.35 * (np.sin(y * rng.uniform(20, 90)) > 0.6) if rng.random() < 0.5 else np.ones_like(y)
        shaded = colour * (stripe * (1 - 0.4 * np.clip((x - at) / half, -1, 1) * 0.6))[..., None]
        picture = np.where(box[..., None], shaded, picture)
    return picture


def _table(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tabletop in its own plane, metres: wood, cloth or plain, and a few flat things on it."""
    kind = rng.integers(3)
    texture = rng.standard_normal((256, 256)).astype(np.float32)
    texture = cv2.GaussianBlur(np.tile(texture, (3, 3)), (0, 0), 1.5)[256:512, 256:512]
    texture /= texture.std()

    def sample(fx, fz) -> np.ndarray:
        """The texture at these repeats a metre."""
        mx, mz = (
            np.mod(np.clip(x, -9, 9) * fx, 255).astype(np.float32),
            np.mod(np.clip(z, 0, 9) * fz, 255).astype(np.float32),
        )
        return cv2.remap(texture, mx, mz, cv2.INTER_LINEAR)

    if kind == 0:
        base = np.array([0.30, 0.15, 0.07]) * rng.uniform(0.6, 1.8) * (1 + rng.normal(0, 0.08, 3))
        grain = 0.16 * sample(90, 900) + 0.10 * sample(400, 2400)
    elif kind == 1:
        base, grain = muted_colour(rng, 0.2, 0.6), 0.06 * sample(2500, 2500) + 0.05 * sample(120, 120)
    else:
        base, grain = muted_colour(rng, 0.2, 0.7), 0.04 * sample(100, 100)
    picture = base * (1 + grain)[..., None]
    for _ in range(rng.integers(1, 5)):
        at, half, turn = rng.uniform([-0.6, 0.5], [0.6, 1.3]), rng.uniform(0.02, 0.12, 2), rng.uniform(0, np.pi)
        a = (x - at[0]) * np.cos(turn) + (z - at[1]) * np.sin(turn)
        b = -(x - at[0]) * np.sin(turn) + (z - at[1]) * np.cos(turn)
        inside = (
            (np.abs(a) < half[0]) & (np.abs(b) < half[1])
            if rng.random() < 0.5
            else (a / half[0]) ** 2 + (b / half[1]) ** 2 < 1
        )
        picture = np.where(inside[..., None], muted_colour(rng, 0.05, 0.7), picture)
    return picture


@dataclass(frozen=True)
class Decor:
    """How table and wall are painted, and how far out of focus they are: the range of the blur, pixels of a frame 480 wide."""

    wall: Paint = _wall
    table: Paint = _table
    blur: tuple[float, float] = (2.2, 4.0)


@dataclass(frozen=True)
class Film:
    """A camera's faults: exposure, white balance, vignette, sensor noise, softness, compression."""

    exposure: float
    balance: Float[np.ndarray, " 3"]
    vignette: float
    noise: float
    softness_px: float
    quality: int

    def record(self, display: Float[np.ndarray, "h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
        """A display-referred picture as the camera would have stored it."""
        h, w = display.shape[:2]
        y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
        seen = display * (1 - self.vignette * (x**2 + y**2) / 2)[..., None] * self.balance
        seen = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), self.softness_px) if self.softness_px > 0.2 else seen
        grain = rng.standard_normal((h, w, 1), np.float32) + 0.5 * rng.standard_normal((h, w, 3), np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), 0.5)
        seen = np.clip(seen + self.noise * grain * (0.6 + 0.8 * np.sqrt(np.clip(1 - seen, 0, 1))), 0, 1)
        bgr = (seen[..., ::-1] * 255 + 0.5).astype(np.uint8)
        coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
        return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def make_film(rng: np.random.Generator) -> Film:
    """One of many cameras."""
    return Film(
        exposure=float(rng.uniform(0.82, 1.05)),
        balance=1 + rng.normal(0, 0.02, 3),
        vignette=float(rng.uniform(0.05, 0.25)),
        noise=float(rng.uniform(0.004, 0.011)),
        softness_px=float(rng.uniform(0.35, 0.6)),
        quality=int(rng.integers(82, 95)),
    )


def make_lights(up: Float[np.ndarray, " 3"], rng: np.random.Generator) -> Lights:
    """A window or lamp above and to one side, before the hand; sky and table give the rest. up: camera frame."""
    side = rng.choice([-1.0, 1.0])
    position = (
        np.array([0, 0, 0.45])
        + up * rng.uniform(0.7, 1.1)
        + np.array([side * rng.uniform(0.3, 0.9), 0, -rng.uniform(0.3, 0.7)])
    )
    warm = rng.uniform(-0.06, 0.08)
    key = np.array([1 + warm, 1.0, 1 - warm]) * rng.uniform(1.15, 1.5)
    sky = np.array([0.92, 0.97, 1.05]) * rng.uniform(0.38, 0.52)
    ground = np.array([1.0, 0.92, 0.85]) * rng.uniform(0.16, 0.3)
    return Lights(position, float(rng.uniform(0.12, 0.3)), key, sky, ground, up)

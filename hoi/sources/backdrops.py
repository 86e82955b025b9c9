"""Backgrounds that are hard to tell from what is held: clutter in loud colours, and somebody who walks by.

# ASSUME: all of it is a choice of look; only hand and object carry truth.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float

from hoi.sources.scenery import Decor, Scenery, rays_around

Point = tuple[float, float]
SPEED_M_S = 0.7  # of somebody who walks by
SKINS = ((0.55, 0.30, 0.20), (0.30, 0.14, 0.08))  # linear light


def loud_colour(rng: np.random.Generator) -> Float[np.ndarray, " 3"]:
    """A printer's colour in linear light: any hue, much saturation, from dark to bright."""
    hue, saturation, value = rng.random(), rng.uniform(0.4, 0.9), rng.uniform(0.08, 0.8)
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.array([0, 1 / 3, 2 / 3])))
    return value * (1 - saturation + saturation * wheel)


def bookshelf(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wall of books, metres across and above the table: backs of all colours, lettered, on boards."""
    colours = np.array([loud_colour(rng) for _ in range(97)])
    edges = np.cumsum(rng.uniform(0.018, 0.055, 400)) - 7.0
    row = np.floor(y / 0.27)
    book = np.searchsorted(edges, x + 0.131 * row) + 131 * row.astype(int)
    tall = 0.19 + 0.05 * np.modf(np.abs(book) * 0.618)[0]
    height = y - 0.27 * row
    picture = colours[book % len(colours)]
    lettered = np.abs(height - tall * (0.35 + 0.4 * np.modf(np.abs(book) * 0.414)[0])) < 0.03
    lettered &= np.sin(height * (160 + 37 * (book % 5)) + 3 * book) > 0.2
    picture = np.where(lettered[..., None], 0.85 - 0.7 * picture, picture)
    picture = np.where((height > tall)[..., None], 0.02, picture)
    return np.where((height < 0.02)[..., None], np.array([0.32, 0.19, 0.10]), picture)


def tablecloth(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A checked cloth in two loud colours, metres on the table, and cards and coasters strewn over it."""
    pale, deep, size, turn = np.full(3, 0.75), loud_colour(rng), rng.uniform(0.02, 0.035), rng.uniform(0.3, 1.2)
    a, b = x * np.cos(turn) + z * np.sin(turn), z * np.cos(turn) - x * np.sin(turn)
    warp = (np.floor(a / size) % 2 + np.floor(b / size) % 2) / 2
    picture = pale * (1 - warp[..., None]) + deep * warp[..., None]
    for _ in range(24):
        at, half, turn = rng.uniform([-0.6, 0.15], [0.6, 1.4]), rng.uniform(0.02, 0.07, 2), rng.uniform(0, np.pi)
        a = ((x - at[0]) * np.cos(turn) + (z - at[1]) * np.sin(turn)) / half[0]
        b = ((z - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)) / half[1]
        inside = np.maximum(np.abs(a), np.abs(b)) < 1 if rng.random() < 0.6 else a**2 + b**2 < 1
        printed = np.where((np.sin(rng.uniform(4, 12) * b) > 0.3)[..., None], loud_colour(rng), loud_colour(rng))
        picture = np.where(inside[..., None], printed, picture)
    return picture


CLUTTER = Decor(bookshelf, tablecloth, (0.6, 1.0))


@dataclass(frozen=True)
class Passerby:
    """Somebody who walks along the far side of the table, across the view, in a checked shirt with short sleeves."""

    sign: float  # 1: to the camera's right
    shirt: Float[np.ndarray, "2 3"]
    skin: Float[np.ndarray, " 3"]
    hair: Float[np.ndarray, " 3"]
    phase: float

    def drawn_into(
        self, room: Scenery, light: Float[np.ndarray, " 3"], K: np.ndarray, size: tuple[int, int], seconds: float
    ) -> Scenery:
        """The room with this person in it, `seconds` before (< 0) or after walking through its middle; size = (h, w)."""
        d, planes = rays_around(K, *size, (room.image.shape[0] - size[0]) // 2)[0], room.planes
        t_table, t_wall = planes.distances(np.zeros(3), d)
        x = t_wall * (d @ np.cross(planes.ahead, planes.up)) - self.sign * SPEED_M_S * seconds
        colour, cover = self._body(self.sign * x, t_wall * (d @ planes.up) - planes.table_height, seconds)
        cover = cover * (t_wall < t_table)
        blur = 1.6 * size[1] / 480
        cover, colour = (
            cv2.GaussianBlur(p.astype(np.float32), (0, 0), blur) for p in (cover, colour * cover[..., None])
        )
        return replace(room, image=room.image * (1 - cover[..., None]) + colour * light)

    def _body(self, x: np.ndarray, y: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Albedo and cover (0 or 1) at metres in front of the body's middle and above the table."""
        swing = 0.6 * np.sin(2 * np.pi * 0.9 * seconds + self.phase)
        cloth = self.shirt[((np.floor(x / 0.035) + np.floor(y / 0.035)) % 2).astype(int)]
        far, near = (self._arm(angle, cloth) for angle in (-swing, swing))
        neck, hair, face = ((0.02, 0.62), (0.03, 0.86)), ((0.02, 0.88), (0.02, 0.93)), ((0.05, 0.86), (0.05, 0.88))
        trunk = [((0.0, -0.5), (0.0, 0.47), 0.17, cloth)]
        head = [(*neck, 0.055, self.skin), (*hair, 0.1, self.hair), (*face, 0.085, self.skin)]
        colour, cover = np.zeros((*x.shape, 3)), np.zeros(x.shape, bool)
        for a, b, radius, paint in [*far, *trunk, *head, *near]:
            off = _from_line(x, y, a, b) / radius
            inside, shaded = off < 1, 1 - 0.55 * np.minimum(off, 1)[..., None] ** 2
            colour, cover = np.where(inside[..., None], paint * shaded, colour), cover | inside
        return colour, cover

    def _arm(self, angle: float, cloth: np.ndarray) -> list[tuple]:
        """Forearm and sleeve of an arm that swings forward by an angle (rad): ends (metres), radius, paint."""
        shoulder = (0.0, 0.55)
        elbow = (0.28 * np.sin(angle), shoulder[1] - 0.28 * np.cos(angle))
        wrist = (elbow[0] + 0.27 * np.sin(angle + 0.5), elbow[1] - 0.27 * np.cos(angle + 0.5))
        return [(elbow, wrist, 0.042, self.skin), (shoulder, elbow, 0.065, cloth)]


def make_passerby(rng: np.random.Generator) -> Passerby:
    """Anybody."""
    shirt = np.stack([loud_colour(rng), np.full(3, 0.6)])
    skin = np.array(SKINS[rng.integers(len(SKINS))])
    return Passerby(float(rng.choice([-1.0, 1.0])), shirt, skin, np.full(3, 0.03), float(rng.uniform(0, 2 * np.pi)))


def _from_line(x: np.ndarray, y: np.ndarray, a: Point, b: Point) -> np.ndarray:
    """Distances of points from the line between a and b."""
    (ax, ay), (bx, by) = a, b
    along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0, 1)
    return np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))

"""Profiles of hollow round vessels: outside with foot and lip, cavity inside. Polygons (radius, z), metres."""

import numpy as np
from jaxtyping import Real

from hoi.sources.shapes.solids import SCALE, Piece, cross_section, fillet, painted

Profile = Real[np.ndarray, "_ 2"]


def normals(side: Profile) -> Profile:
    """Unit outward normals of a side curve that runs upwards."""
    tangent = np.gradient(side, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    return np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)


def outer_polygon(side: Profile, foot: Profile, wall: float) -> Profile:
    """Closed polygon of the outside: foot from the axis to the side's start, the side, the lip's outer half."""
    lip = _lip(side, wall, inside=False)
    return np.concatenate([foot, side[1:-1], lip, [[0.0, lip[-1, 1]]]])


def cavity_polygon(side: Profile, wall: float, floor: float, round_bottom: float) -> Profile:
    """Closed polygon of the cavity: flat floor, rounded corner, the side moved in by `wall`, the lip's inner half."""
    inner = side - wall * normals(side)
    inner = inner[(inner[:, 1] > floor + 0.5 * round_bottom) | (np.arange(len(inner)) >= len(inner) - 2)]
    start = np.array([max(inner[0, 0] - 0.3 * round_bottom, 0.3 * inner[0, 0]), floor])
    if len(inner) and side[0, 0] > 0.6 * side[-1, 0]:
        start[0] = np.interp(floor, side[:, 1], side[:, 0]) - wall
    bottom = fillet(np.array([[0.0, floor], start, inner[0]]), [0, round_bottom, 0], closed=False)
    lip = _lip(side, wall, inside=True)
    top = lip[-1] + [0.0, 0.02]
    return np.concatenate([bottom, inner[1:-1], lip, [top, [0.0, top[1]]]])


def _lip(side: Profile, wall: float, inside: bool) -> Profile:
    normal = normals(side)[-1]
    start = np.arctan2(normal[1], normal[0]) + (np.pi if inside else 0.0)
    angle = np.linspace(start, np.pi / 2, 7)
    return side[-1] - wall / 2 * normal + wall / 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def grown_lathe(polygon: Profile, by: float, part: str, segments: int = 96) -> Piece:
    """The polygon grown by a margin and turned about z: cuts what is sunk into a wall."""
    return painted(cross_section(polygon).offset(SCALE * by, circular_segments=32).revolve(segments), part)


def radius_at(profile: Profile, z: float) -> float:
    """The largest radius of a closed profile at a height."""
    a, b = profile, np.roll(profile, -1, axis=0)
    crossing = (a[:, 1] - z) * (b[:, 1] - z) <= 0
    t = (z - a[:, 1]) / np.where(b[:, 1] == a[:, 1], 1, b[:, 1] - a[:, 1])
    return float(np.max(np.where(crossing, a[:, 0] + np.clip(t, 0, 1) * (b[:, 0] - a[:, 0]), 0)))

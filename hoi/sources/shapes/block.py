"""Compact things that a hand closes around: boxes, tins, balls, gadgets, figures. Draft frame: axis z, foot on z = 0."""

import numpy as np

from hoi.sources.shapes.finishes import finish_of
from hoi.sources.shapes.model import Draft, GraspHint, hint
from hoi.sources.shapes.solids import Piece, fillet, interpolated, join, lathe, loft, pillow, prism, section
from hoi.sources.shapes.textures import Chart
from hoi.sources.shapes.vessel import cavity_polygon

STYLES = ("box", "tin", "ball", "figure", "tumbler")
GRIPPED = 0.042  # m: half of the widest thing that fingers and thumb reach around


def draft(rng: np.random.Generator) -> Draft:
    """One thing: a body, and sometimes a lid, knob or foot of another make."""
    style = str(rng.choice(STYLES, p=[0.35, 0.2, 0.15, 0.2, 0.1]))
    body, half = {"box": _box, "tin": _tin, "ball": _ball, "figure": _figure, "tumbler": _tumbler}[style](rng)
    pieces, height = [body], 2 * half[2]
    for place in ("top", "foot", "side"):
        if style != "tumbler" and rng.random() < 0.3:
            pieces.append(_extra(rng, place, half))
    middle = 0.0, float(height / 2)
    charts = (
        Chart("side", origin=middle),
        Chart("around", float(half[0] + half[1]) / 2, middle),
        Chart("front", origin=middle),
    )
    materials = {p: finish_of(rng, 2, (0.0, float(height)), charts) for p in ("body", "inside", "top", "foot", "side")}
    return Draft(style, join(*pieces), materials, _grasps(half))


def _box(rng: np.random.Generator) -> tuple[Piece, np.ndarray]:
    """Phone, carton, book, remote control: a rounded slab on its edge."""
    half = np.array([rng.uniform(0.018, 0.06), rng.uniform(0.004, 0.036), rng.uniform(0.03, 0.1)])
    corner = rng.uniform(0.001, 0.9) * min(half[0], half[2]) * rng.uniform(0.1, 1.0)
    outline = fillet(half[[0, 2]] * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]), corner)
    return pillow(outline, half[1], half[1] * rng.uniform(0.05, 0.8), "body", 0.006).moved((0, 0, half[2])), half


def _tin(rng: np.random.Generator) -> tuple[Piece, np.ndarray]:
    """Tin, jar, candle, cup without a handle: turned, sides as they come."""
    radius, height = rng.uniform(0.015, GRIPPED), rng.uniform(0.04, 0.2)
    z = np.linspace(0, 1, 60)
    knots = rng.uniform(0.7, 1.0, 5) if rng.random() < 0.6 else np.ones(5)
    side = np.stack([radius * interpolated(z, np.linspace(0, 1, 5), knots / knots.max()), z * height], axis=1)
    rim = rng.uniform(0.001, 0.006)
    outline = np.concatenate([[(0.0, 0.0)], side, [(0.0, height)]])
    body = lathe(fillet(outline, [0, rim, *[0.0] * (len(side) - 2), rim, 0]), "body", 96)
    return body, np.array([radius, radius, height / 2])


def _ball(rng: np.random.Generator) -> tuple[Piece, np.ndarray]:
    """Ball, fruit, soap, computer mouse: a superellipsoid."""
    half = np.array([rng.uniform(0.02, 0.055), rng.uniform(0.015, GRIPPED), rng.uniform(0.02, 0.055)])
    round_, flat = rng.uniform(1.8, 3.5, 2)
    height = np.sin(np.linspace(-0.5, 0.5, 61) * 0.99 * np.pi)
    wide = (1 - np.abs(height) ** flat) ** (1 / flat) + 1e-3
    ring = section(96, round_)
    bent = 1 + rng.uniform(-0.25, 0.25) * height  # as a pear is
    rings = np.concatenate(
        [wide[:, None, None] * bent[:, None, None] * ring, np.broadcast_to(height[:, None, None], (61, 96, 1))], axis=2
    )
    return loft(half * rings + [0, 0, half[2]], "body"), half


def _figure(rng: np.random.Generator) -> tuple[Piece, np.ndarray]:
    """Toy, gadget, cookie cutter's shape: a smooth outline without symmetry, cut from a slab."""
    half = np.array([rng.uniform(0.02, 0.05), rng.uniform(0.008, 0.03), rng.uniform(0.03, 0.08)])
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    waves = sum(rng.normal(0, 0.5 / k**1.3) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in range(2, 7))
    polygon = np.exp(0.7 * waves)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    polygon = (polygon - polygon.min(axis=0)) / np.ptp(polygon, axis=0)
    outline = polygon * 2 * half[[0, 2]] - [half[0], 0]
    return pillow(outline, half[1], half[1] * rng.uniform(0.1, 0.7), "body", 0.006), half


def _tumbler(rng: np.random.Generator) -> tuple[Piece, np.ndarray]:
    """Cup, pot, can without a lid: hollow."""
    radius, height, wall = rng.uniform(0.025, GRIPPED), rng.uniform(0.05, 0.14), rng.uniform(0.0015, 0.005)
    z = np.linspace(0, 1, 40)
    side = np.stack(
        [radius * interpolated(z, [0, 0.5, 1], [rng.uniform(0.6, 1), rng.uniform(0.85, 1), 1.0]), z * height], axis=1
    )
    outer = np.concatenate([[(0.0, 0.0)], side, [(0.0, height)]])
    inner = cavity_polygon(side, wall, rng.uniform(0.003, 0.007), rng.uniform(0.003, 0.01))
    return lathe(outer, "body") - lathe(inner, "inside"), np.array([radius, radius, height / 2])


def _extra(rng: np.random.Generator, place: str, half: np.ndarray) -> Piece:
    """A lid, knob, spout or foot that sticks out of the body."""
    x, y, z = half
    size = rng.uniform(0.25, 0.9) * min(x, y)
    long = rng.uniform(0.004, 0.04)
    polygon = size * section(64, float(rng.uniform(2, 6)))
    if place == "side":
        return prism(0.6 * polygon + [0, rng.uniform(0.8, 1.5) * z], 0, x + min(long, 0.025), "side", "x")
    if place == "foot":
        return prism(polygon * min(1.5, 1 / max(size / min(x, y), 0.4)), -0.5 * long, z, "foot", "z")
    return prism(polygon, z, 2 * z + long, "top", "z")


def _grasps(half: np.ndarray) -> tuple[GraspHint, ...]:
    x, y, z = half
    up, hints = np.array([0.0, 0.0, 1.0]), []
    for name, share in (("low", 0.7), ("middle", 1.0), ("high", 1.35)):
        for sign in (1.0, -1.0):
            target = np.array([0, 0, share * z])
            hints.append(hint(f"{name} across {sign:+.0f}", "power", target, np.array([0, sign, 0]), up, y))
            if x < 1.1 * GRIPPED:
                hints.append(hint(f"{name} along {sign:+.0f}", "power", target, np.array([sign, 0, 0]), up, y, reach=x))
    top = np.array([0, 0, 2 * z - 0.015])
    for sign in (1.0, -1.0):
        hints.append(hint(f"top {sign:+.0f}", "top", top, -up, np.array([sign, 0, 0]), y, reach=0.015))
    return tuple(hints)

"""Bowls: hollow, on a foot ring. Draft frame: axis z, foot on z = 0."""

import numpy as np

from hoi.sources.shapes.labels import logo
from hoi.sources.shapes.model import Draft, GraspHint, Material, hint
from hoi.sources.shapes.palettes import (
    GLAZES,
    PLASTICS,
    contrasting,
    glazed,
    pick,
    plastic,
    rgb,
    shaded,
    steel,
    stoneware,
    wooden,
)
from hoi.sources.shapes.solids import curve, fillet, lathe
from hoi.sources.shapes.textures import Band, Chart, Colour, Decal, Dots, Gradient, Layer, Stripes
from hoi.sources.shapes.vessel import cavity_polygon, outer_polygon, radius_at

STYLES = {  # knots of the side: radius from foot (0) to rim (1), height from foot (0) to rim (1)
    "hemisphere": ((0.0, 0.0), (0.45, 0.16), (0.78, 0.46), (0.95, 0.76), (1.0, 1.0)),
    "flared": ((0.0, 0.0), (0.34, 0.22), (0.56, 0.54), (0.74, 0.82), (1.0, 1.0)),
    "deep": ((0.0, 0.0), (0.58, 0.12), (0.88, 0.42), (0.98, 0.74), (1.0, 1.0)),
    "coupe": ((0.0, 0.0), (0.42, 0.1), (0.74, 0.36), (0.9, 0.68), (1.0, 1.0)),
    "conical": ((0.0, 0.0), (0.28, 0.24), (0.54, 0.5), (0.78, 0.76), (1.0, 1.0)),
}


def draft(rng: np.random.Generator) -> Draft:
    """One bowl."""
    style = str(rng.choice(list(STYLES)))
    radius = rng.uniform(0.058, 0.08)
    height = radius * {"deep": 1.0, "hemisphere": 0.86, "coupe": 0.62}.get(style, 0.78) * rng.uniform(0.9, 1.1)
    wall, foot_height = rng.uniform(0.003, 0.0048), rng.uniform(0.004, 0.011)
    foot_radius = radius * rng.uniform(0.4, 0.52)
    knots = np.array(STYLES[style]) * [radius - foot_radius, height - foot_height] + [foot_radius, foot_height]
    side = curve(knots, 48)
    ring = np.array(
        [
            [0, 0.4 * foot_height],
            [foot_radius - 0.006, 0.4 * foot_height],
            [foot_radius - 0.0045, 0],
            [foot_radius - 0.0005, 0],
            side[0],
            side[3],
        ]
    )
    foot = fillet(ring, [0, 0.001, 0.001, 0.001, 0.002, 0], closed=False)[:-1]
    outer = outer_polygon(np.concatenate([side[:1], side[3:]]), foot, wall)
    inner = cavity_polygon(side, wall, foot_height + wall, 0.01)
    piece = lathe(outer, "body", 160) - lathe(inner, "inside", 160)
    return Draft(style, piece, _materials(rng, radius, height), _grasps(outer, side, wall, height, foot_height))


def _pattern(rng: np.random.Generator, colour: Colour, radius: float, height: float) -> tuple[Layer, ...]:
    ink = contrasting(rng, colour)
    around = 2 * np.pi * radius
    spacing = around / int(rng.integers(18, 30))
    chart = Chart("around", radius)
    rim = Band(ink, height - rng.uniform(0.002, 0.006), 1.0)
    kind = rng.integers(7)
    if kind == 0:
        return (Dots(ink, chart, spacing, 0.2 * spacing), rim)
    if kind == 1:
        return tuple(Band(ink, height * z, height * z + w) for z, w in ((0.62, 0.0015), (0.72, 0.005), (0.86, 0.0015)))
    if kind == 2:
        return (Stripes(ink, chart, spacing, 0.4 * spacing, float(rng.choice([0.0, 0.5]))),)
    if kind == 3:
        return (Band(ink, height * rng.uniform(0.45, 0.7), 1.0, 2, 0.0012),)
    if kind == 4:
        return (Gradient(ink, 0.25 * height, height),)
    if kind == 5:
        return (rim,)
    size = 0.5 * height
    art = logo(rng, ink, contrasting(rng, colour))
    return (
        *(
            Decal(art, Chart("around", 0.85 * radius, (0.85 * radius * a, 0.62 * height)), size, size)
            for a in (-2.2, -1.1, 0.0, 1.1, 2.2)
        ),
        rim,
    )


def _materials(rng: np.random.Generator, radius: float, height: float) -> dict[str, Material]:
    kind = rng.choice(["glaze", "glaze", "stoneware", "wood", "plastic", "steel"], p=[0.3, 0.2, 0.2, 0.12, 0.1, 0.08])
    colour = pick(rng, GLAZES)
    lining = rgb("efe9dc") if rng.random() < 0.4 else shaded(contrasting(rng, colour), 1.1)
    if kind == "wood":
        wood = wooden(rng, int(rng.integers(2)))
        return {"body": wood, "inside": wood}
    if kind == "steel":
        metal = steel(rng, 2, around=True)
        return {"body": metal, "inside": metal}
    if kind == "plastic":
        colour = pick(rng, PLASTICS)
        return {"body": plastic(colour, 0.3), "inside": plastic(rgb("f4f4f0") if rng.random() < 0.5 else colour, 0.3)}
    layers = _pattern(rng, colour, radius, height)
    if kind == "stoneware":
        return {"body": stoneware(colour, rng, layers), "inside": stoneware(lining, rng)}
    ring = (Band(colour, height - 0.003, 1.0),)
    return {"body": glazed(colour, rng, layers), "inside": glazed(lining, rng, ring)}


def _grasps(
    outer: np.ndarray, side: np.ndarray, wall: float, height: float, foot_height: float
) -> tuple[GraspHint, ...]:
    hints = []
    up = np.array([0.0, 0.0, 1.0])
    for degrees in (0, 90, 180, 270):
        angle = np.radians(degrees)
        out, along = np.array([np.cos(angle), np.sin(angle), 0.0]), np.array([-np.sin(angle), np.cos(angle), 0.0])
        z = height - 0.012
        r = radius_at(outer, z) - wall / 2
        # the palm looks up and inwards from outside, the fingers reach below the bowl, the thumb over the rim
        for sign, hand in ((1.0, "right"), (-1.0, "left")):
            facing = 0.8 * up - 0.6 * out
            hints.append(hint(f"rim {degrees} {hand}", "rim", r * out + z * up, facing, sign * along, wall / 2, hand))
    low = foot_height + 0.35 * (height - foot_height)
    hints.append(hint("underneath", "power", np.array([0, 0, low]), up, np.array([0.0, 1.0, 0.0]), low))
    return tuple(hints)

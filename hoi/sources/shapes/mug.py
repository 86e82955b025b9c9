"""Mugs: hollow, with a handle towards +x. Draft frame: axis z, foot on z = 0."""

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
    stoneware,
)
from hoi.sources.shapes.solids import curve, fillet, interpolated, lathe, resample, sweep
from hoi.sources.shapes.textures import Band, Chart, Checks, Colour, Decal, Dots, Gradient, Layer, Stripes
from hoi.sources.shapes.vessel import cavity_polygon, grown_lathe, outer_polygon, radius_at

STYLES = ("straight", "tapered", "barrel", "flared", "bell")


def draft(rng: np.random.Generator) -> Draft:
    """One mug."""
    style = STYLES[rng.integers(len(STYLES))]
    height, radius = rng.uniform(0.082, 0.112), rng.uniform(0.0365, 0.0415)
    wall = rng.uniform(0.0028, 0.0045)
    outer, inner = outline(rng, style, height, radius, wall)
    shell = lathe(outer, "body") - lathe(inner, "inside")
    grip = HANDLES[rng.integers(len(HANDLES))]
    reach, thick = rng.uniform(0.026, 0.034), rng.uniform(0.0038, 0.0052)
    z_top, z_low = height * rng.uniform(0.80, 0.87), height * rng.uniform(0.2, 0.3)
    path = handle_path(grip, radius_at(outer, z_top), radius_at(outer, z_low), z_top, z_low, reach, wall)
    flare = 1 + 0.55 * np.exp(-((np.minimum(np.arange(len(path)), np.arange(len(path))[::-1]) / 5.0) ** 2))
    width = thick * rng.uniform(1.2, 1.8)
    handle = sweep(path, width * flare, thick * flare, "handle", exponent=float(rng.choice([2.0, 2.6, 3.4])))
    piece = shell + (handle - grown_lathe(inner, 0.5 * wall, "inside"))
    return Draft(f"{style}, {grip} handle", piece, _materials(rng, radius, height), _grasps(path, outer, height, thick))


def outline(
    rng: np.random.Generator, style: str, height: float, radius: float, wall: float
) -> tuple[np.ndarray, np.ndarray]:
    """The outer (filleted foot, lip) and the inner (cavity) profile, closed polygons (r, z)."""
    knots = {
        "straight": ([0.0, 1.0], [1.0, 1.0]),
        "tapered": ([0.0, 1.0], [rng.uniform(0.72, 0.84), 1.0]),
        "barrel": ([0.0, 0.45, 1.0], [0.82, 1.02, 0.92]),
        "flared": ([0.0, 0.5, 0.85, 1.0], [0.78, 0.82, 0.92, 1.03]),
        "bell": ([0.0, 0.22, 0.6, 1.0], [0.6, 0.88, 0.97, 1.0]),
    }[style]
    z = np.linspace(0, 1, 40 if len(knots[0]) > 2 else 8)
    r = radius * interpolated(z, *knots) if len(knots[0]) > 2 else radius * np.interp(z, *knots)
    side = np.stack([r, z * height], axis=1)
    recess, floor = rng.uniform(0.0015, 0.003), rng.uniform(0.005, 0.007)
    ring = 0.72 * side[0, 0]
    base = np.array([[0, recess], [ring - 0.003, recess], [ring, 0], side[0], side[1]])
    foot = fillet(base, [0, 0.002, 0.001, 0.005, 0], closed=False)[:-1]
    return outer_polygon(side, foot, wall), cavity_polygon(side, wall, floor, rng.uniform(0.006, 0.014))


HANDLES = ("C", "D", "ear", "square")


def handle_path(
    grip: str, r_top: float, r_low: float, z_top: float, z_low: float, reach: float, wall: float
) -> np.ndarray:
    """The centre line (k,3) of a handle from the upper to the lower root, both sunk into the wall."""
    out = max(r_top, r_low) + reach
    sink = wall + 0.001
    a, d = np.array([r_top - sink, z_top]), np.array([r_low - sink, z_low])
    span, middle = z_top - z_low, (z_top + z_low) / 2
    if grip == "C":
        knots = [
            a,
            [r_top + 0.45 * reach, z_top + 0.07 * span],
            [out - 0.1 * reach, middle + 0.33 * span],
            [out, middle],
            [out - 0.22 * reach, middle - 0.33 * span],
            [r_low + 0.4 * reach, z_low - 0.02 * span],
            d,
        ]
        flat = curve(np.array(knots), 64)
    elif grip == "ear":
        knots = [
            a,
            [r_top + 0.5 * reach, z_top + 0.1 * span],
            [out, z_top - 0.12 * span],
            [out - 0.02 * reach, middle],
            [r_low + 0.55 * reach, z_low + 0.16 * span],
            d,
        ]
        flat = curve(np.array(knots), 64)
    else:
        tilt = 0.0 if grip == "square" else 0.12 * span
        corners = np.array([a, [out, z_top - 0.3 * tilt], [out - 0.06 * reach, z_low + tilt], d])
        flat = resample(fillet(corners, 0.4 * reach if grip == "square" else 0.8 * reach, closed=False, step=0.06), 64)
    return np.stack([flat[:, 0], np.zeros(len(flat)), flat[:, 1]], axis=1)


def _pattern(rng: np.random.Generator, colour: Colour, radius: float, height: float) -> tuple[Layer, ...]:
    ink = contrasting(rng, colour)
    around = 2 * np.pi * radius
    spacing = around / int(rng.integers(14, 26))
    chart = Chart("around", radius, (0.0, 0.01))
    face = Chart("around", radius, (-np.pi / 2 * radius, 0.5 * height))
    back = Chart("around", radius, (np.pi / 2 * radius, 0.5 * height))
    kind = rng.integers(8)
    rim = Band(ink, height - rng.uniform(0.003, 0.012), 1.0)
    if kind == 0:
        return (Dots(ink, chart, spacing, 0.22 * spacing), rim)
    if kind == 1:
        return (Stripes(ink, chart, height / int(rng.integers(5, 9)), height * rng.uniform(0.02, 0.07)), rim)
    if kind == 2:
        return (Stripes(ink, chart, spacing, 0.35 * spacing, float(rng.choice([0.0, 0.6, 1.0]))),)
    if kind == 3:
        return (Band(ink, -1.0, height * rng.uniform(0.3, 0.55), 2, float(rng.choice([0, 0.0015]))),)
    if kind == 4:
        return (Gradient(ink, 0.2 * height, 0.9 * height),)
    if kind == 5:
        return (Checks(ink, chart, around / int(2 * rng.integers(8, 14))), rim)
    size = min(0.6 * height, 0.055)
    art = logo(rng, ink, contrasting(rng, colour))
    return tuple(Decal(art, place, size, size) for place in (face, back)) + ((rim,) if kind == 6 else ())


def _materials(rng: np.random.Generator, radius: float, height: float) -> dict[str, Material]:
    kind = rng.choice(["glaze", "glaze", "stoneware", "enamel"])
    colour = pick(rng, GLAZES)
    layers = _pattern(rng, colour, radius, height)
    lining = rgb("efe9dc") if rng.random() < 0.55 else shaded(colour, 1.3)
    accent = colour if rng.random() < 0.6 else contrasting(rng, colour)
    if kind == "stoneware":
        return {
            "body": stoneware(colour, rng, layers),
            "inside": stoneware(lining, rng),
            "handle": stoneware(accent, rng),
        }
    if kind == "enamel":
        colour = pick(rng, PLASTICS)
        rim = Band(rgb("20242c"), height - 0.004, 1.0)
        body = plastic(colour, 0.2, (*_pattern(rng, colour, radius, height), rim))
        return {"body": body, "inside": plastic(rgb("f1efe8"), 0.2, (rim,)), "handle": plastic(colour, 0.2)}
    return {"body": glazed(colour, rng, layers), "inside": glazed(lining, rng), "handle": glazed(accent, rng)}


def _grasps(path: np.ndarray, outer: np.ndarray, height: float, thick: float) -> tuple[GraspHint, ...]:
    up = np.array([0.0, 0.0, 1.0])
    grip = path[np.argmax(path[:, 0])]
    grip = np.array([grip[0], 0.0, 0.55 * height])
    hints = [hint("handle", "handle", grip, np.array([-1.0, 0, 0]), up, thick)]
    for name, degrees in (("body opposite handle", 180), ("body left", 110), ("body right", -110)):
        angle = np.radians(degrees)
        out = np.array([np.cos(angle), np.sin(angle), 0])
        hints.append(hint(name, "power", np.array([0, 0, 0.52 * height]), -out, up, radius_at(outer, 0.52 * height)))
    hints.append(
        hint(
            "top",
            "top",
            np.array([0, 0, height - 0.012]),
            -up,
            np.array([0.0, 1.0, 0]),
            radius_at(outer, height - 0.012),
            reach=0.012,
        )
    )
    return tuple(hints)

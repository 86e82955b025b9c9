"""Kettles: closed solids, spout towards -x, handle towards +x or over the top. Draft frame: base on z = 0."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hoi.sources.shapes.model import Draft, GraspHint, Material, hint
from hoi.sources.shapes.palettes import (
    GLAZES,
    PLASTICS,
    contrasting,
    pick,
    plastic,
    rgb,
    shaded,
    steel,
    stoneware,
    wooden,
)
from hoi.sources.shapes.solids import Piece, curve, fillet, interpolated, join, lathe, prism, resample, sweep
from hoi.sources.shapes.textures import Band, Chart, Dots, Gradient
from hoi.sources.shapes.vessel import radius_at


@dataclass(frozen=True)
class Form:
    """Measures of a kettle's body: closed profile, height of its shoulder, radius of its lid."""

    profile: np.ndarray
    height: float
    lid: float
    radius: float


def draft(rng: np.random.Generator) -> Draft:
    """One kettle."""
    style = str(rng.choice(list(STYLES)))
    form, spout, handle = STYLES[style](rng)
    grip = handle(rng, form)
    base = _base(form) if style in ("electric", "gooseneck") else None
    pieces = [lathe(form.profile, "body", 144), spout(rng, form), _lid(rng, form), *grip.pieces]
    piece = join(*pieces, *([base] if base else []))
    return Draft(style, piece, _materials(rng, style, form), grip.hints)


@dataclass(frozen=True)
class Grip:
    """A handle's solids and how to hold it."""

    pieces: tuple[Piece, ...]
    hints: tuple[GraspHint, ...]


def _form(points: list[tuple[float | int, float | int]], radii: list[float | int], lid: float) -> Form:
    profile = fillet(np.array([(0.0, 0.0), *points, (0.0, points[-1][1])]), np.array([0.0, *radii, 0.0]), step=0.07)
    return Form(profile, points[-1][1], lid, float(profile[:, 0].max()))


def _electric(rng: np.random.Generator) -> tuple:
    r, h = rng.uniform(0.066, 0.076), rng.uniform(0.15, 0.19)
    top = r * rng.uniform(0.74, 0.88)
    form = _form([(r, 0), (r, 0.2 * h), (top, h)], [0.004, 0.06, 0.006], top - 0.006)
    return form, _beak, _side_handle


def _gooseneck(rng: np.random.Generator) -> tuple:
    r, h = rng.uniform(0.066, 0.078), rng.uniform(0.1, 0.13)
    top = r * rng.uniform(0.66, 0.8)
    form = _form([(r, 0), (r, 0.1 * h), (top, h)], [0.006, 0.012, 0.008], top - 0.008)
    return form, _goose, _side_handle


def _stovetop(rng: np.random.Generator) -> tuple:
    r, h = rng.uniform(0.078, 0.09), rng.uniform(0.095, 0.115)
    lid = r * rng.uniform(0.4, 0.52)
    form = _form([(0.88 * r, 0), (r, 0.3 * h), (0.82 * r, 0.82 * h), (lid + 0.006, h)], [0.012, 0.05, 0.03, 0.004], lid)
    return form, _short, _bail


def _whistling(rng: np.random.Generator) -> tuple:
    r, h = rng.uniform(0.076, 0.086), rng.uniform(0.12, 0.14)
    lid = r * rng.uniform(0.42, 0.5)
    form = _form([(r, 0), (r, 0.16 * h), (lid + 0.006, h)], [0.01, 0.03, 0.004], lid)
    return form, _short, _bail


def _pot(rng: np.random.Generator) -> tuple:
    r, h = rng.uniform(0.068, 0.078), rng.uniform(0.095, 0.115)
    lid = r * rng.uniform(0.5, 0.62)
    form = _form(
        [(0.6 * r, 0), (0.62 * r, 0.05 * h), (r, 0.4 * h), (0.84 * r, 0.84 * h), (lid + 0.005, h)],
        [0.002, 0.02, 0.06, 0.03, 0.003],
        lid,
    )
    return form, _short, _side_handle


STYLES: dict[str, Callable] = {
    "electric": _electric,
    "gooseneck": _gooseneck,
    "stovetop": _stovetop,
    "whistling": _whistling,
    "pot": _pot,
}


def _base(form: Form) -> Piece:
    r = form.radius
    polygon = [(0, -0.016), (r + 0.004, -0.016), (r + 0.005, -0.004), (0.97 * r, 0.0006), (0, 0.0006)]
    return lathe(fillet(np.array(polygon), [0, 0.003, 0.005, 0, 0], step=0.08), "base", 144)


def _lid(rng: np.random.Generator, form: Form) -> Piece:
    r, h, rise = form.lid, form.height, rng.uniform(0.006, 0.016)
    dome = [
        (0, h - 0.004),
        (r - 0.002, h - 0.004),
        (r - 0.002, h + 0.0008),
        (r, h + 0.001),
        (r, h + 0.003),
        (0.55 * r, h + 0.003 + 0.8 * rise),
        (0, h + 0.003 + rise),
    ]
    lid = lathe(fillet(np.array(dome), [0, 0, 0, 0.0005, 0.001, 0.03, 0], step=0.08), "lid", 128)
    top, k = h + 0.002 + rise, rng.uniform(0.0085, 0.0125)
    tall = rng.uniform(0.012, 0.018)
    shape = {
        "ball": [
            (0, top - 0.004),
            (0.55 * k, top - 0.004),
            (0.5 * k, top + 0.3 * tall),
            (k, top + 0.6 * tall),
            (0.8 * k, top + tall),
            (0, top + tall),
        ],
        "disc": [
            (0, top - 0.004),
            (0.5 * k, top - 0.004),
            (0.5 * k, top + 0.5 * tall),
            (1.3 * k, top + 0.55 * tall),
            (1.25 * k, top + 0.9 * tall),
            (0, top + tall),
        ],
    }[str(rng.choice(["ball", "disc"]))]
    return lid + lathe(fillet(np.array(shape), [0, 0, 0.003, 0.004, 0.004, 0], step=0.1), "knob", 64)


def _tube(path: np.ndarray, radii: np.ndarray, stretch: float = 1.0) -> Piece:
    """A spout along an (x, z) path with its mouth bored."""
    line = np.stack([path[:, 0], np.zeros(len(path)), path[:, 1]], axis=1)
    spout = sweep(line, stretch * radii, radii, "spout", exponent=2.0, count=40)
    bore = line[-9:] + (line[-1] - line[-2]) * np.array([0.0] * 8 + [1.0])[:, None]
    return spout - sweep(bore, stretch * radii[-1] - 0.0014, radii[-1] - 0.0014, "spout", exponent=2.0, count=40)


def _goose(rng: np.random.Generator, form: Form) -> Piece:
    h, z = form.height, 0.2 * form.height
    r = radius_at(form.profile, z)
    out, rise = rng.uniform(0.05, 0.065), h * rng.uniform(1.0, 1.12)
    knots = [
        (-r + 0.022, z - 0.004),
        (-r - 0.012, z + 0.002),
        (-r - 0.6 * out, 0.42 * h),
        (-r - 0.62 * out, 0.78 * h),
        (-r - 0.85 * out, rise),
        (-r - 1.25 * out, rise + 0.004),
    ]
    path = curve(np.array(knots), 90)
    s = np.linspace(0, 1, 90)
    return _tube(path, interpolated(s, [0, 0.2, 0.5, 1.0], [0.015, 0.011, 0.0076, 0.0058]))


def _short(rng: np.random.Generator, form: Form) -> Piece:
    h, z = form.height, 0.5 * form.height
    r = radius_at(form.profile, z)
    out = rng.uniform(0.045, 0.058)
    tip = h * rng.uniform(0.98, 1.1)
    knots = [
        (-r + 0.03, z - 0.018),
        (-r - 0.004, z),
        (-r - 0.45 * out, 0.5 * (z + tip)),
        (-r - 0.8 * out, tip - 0.004),
        (-r - out, tip),
    ]
    path = curve(np.array(knots), 70)
    s = np.linspace(0, 1, 70)
    return _tube(path, interpolated(s, [0, 0.3, 0.7, 1.0], [0.023, 0.0175, 0.012, 0.0108]))


def _beak(rng: np.random.Generator, form: Form) -> Piece:
    h = form.height
    r = radius_at(form.profile, 0.9 * h)
    out = rng.uniform(0.022, 0.032)
    knots = [(-0.62 * r, 0.45 * h), (-0.8 * r, 0.66 * h), (-r - 0.25 * out, 0.85 * h), (-r - 1.1 * out, 1.05 * h)]
    path = curve(np.array(knots), 60)
    s = np.linspace(0, 1, 60)
    wide, deep = interpolated(s, [0, 0.5, 1], [0.02, 0.026, 0.013]), interpolated(s, [0, 0.5, 1], [0.012, 0.016, 0.011])
    line = np.stack([path[:, 0], np.zeros(60), path[:, 1]], axis=1)
    solid = sweep(line, wide, deep, "spout", exponent=2.0, count=48)
    hollow = sweep(
        line[20:] + np.array([0.0, 0.0, 0.004]), wide[20:] - 0.003, deep[20:] - 0.003, "spout", exponent=2.0, count=48
    )
    above = prism(np.array([(-1, h - 0.0015), (1, h - 0.0015), (1, h + 1), (-1, h + 1)]), -1, 1, "spout")
    keep = prism(np.array([(-1, -1), (-r - 0.001, -1), (-r - 0.001, 1), (-1, 1)]), -1, 1, "spout")
    shallow = prism(np.array([(-1, h - 0.018), (1, h - 0.018), (1, 1), (-1, 1)]), -1, 1, "spout")
    return solid - above - (hollow & keep & shallow)


def _side_handle(rng: np.random.Generator, form: Form) -> Grip:
    h = form.height
    z_top, z_low = h * rng.uniform(0.86, 0.92), h * rng.uniform(0.16, 0.3)
    a, d = radius_at(form.profile, z_top), radius_at(form.profile, z_low)
    reach = rng.uniform(0.042, 0.05)
    out = max(a, d) + reach - 0.25 * abs(a - d)
    rise = rng.uniform(0.0, 0.018)
    corners = np.array(
        [(a - 0.008, z_top), (out - 0.004, z_top + rise), (out, 0.55 * (z_top + z_low)), (d - 0.008, z_low)]
    )
    if rng.random() < 0.4:
        corners = np.array([(a - 0.008, z_top), (out, z_top + rise), (out - 0.003, z_low), (d - 0.008, z_low)])
    flat = resample(fillet(corners, [0, 0.026, 0.04, 0], closed=False, step=0.05), 90)
    path = np.stack([flat[:, 0], np.zeros(90), flat[:, 1]], axis=1)
    s = np.linspace(0, 1, 90)
    thick = interpolated(s, [0, 0.12, 0.45, 0.85, 1], [0.0085, 0.0065, 0.0085, 0.0065, 0.0085]) * rng.uniform(
        0.95, 1.15
    )
    piece = sweep(path, 1.35 * thick, thick, "handle", exponent=2.6, count=40)
    target = path[np.argmin(np.abs(path[:, 2] - 0.66 * h) - 10 * (path[:, 0] > 0.9 * out))]
    up = np.array([0.0, 0.0, 1.0])
    hints = tuple(
        hint(f"handle from {name}", "handle", target, np.array(facing), up, 0.0095)
        for name, facing in (("behind", (-1.0, 0.0, 0.0)), ("left", (-0.7, -0.7, 0.0)), ("right", (-0.7, 0.7, 0.0)))
    )
    return Grip((piece,), hints)


def _bail(rng: np.random.Generator, form: Form) -> Grip:
    h = form.height
    z = h * rng.uniform(0.68, 0.78)
    r = radius_at(form.profile, z)
    top = h + rng.uniform(0.075, 0.09)
    wide = rng.uniform(0.052, 0.062)
    corners = np.array([(-r + 0.004, z), (-wide - 0.012, top), (wide + 0.012, top), (r - 0.004, z)])
    flat = resample(fillet(corners, rng.uniform(0.02, 0.035), closed=False, step=0.05), 110)
    path = np.stack([flat[:, 0], np.zeros(110), flat[:, 1]], axis=1)
    thick = rng.uniform(0.0032, 0.0045)
    wire = sweep(path, rng.choice([1.0, 2.2]) * thick, thick, "bail", exponent=2.4, count=28)
    x = np.linspace(-wide + 0.006, wide - 0.006, 50)
    s = np.abs(x) / x.max()
    size = rng.uniform(0.0105, 0.0125) * np.sqrt(np.maximum(1 - s**8, 0.12)) * (1 - 0.12 * s**2)
    grip = sweep(np.stack([x, 0 * x, np.full(50, top)], axis=1), 1.1 * size, size, "handle", exponent=2.3, count=40)
    lugs = [
        lathe(np.array([(0, -0.004), (0.009, -0.004), (0.008, 0.004), (0, 0.0045)]), "bail", 40)
        .turned((0, 90 * side, 0))
        .moved((side * r, 0, z))
        for side in (-1, 1)
    ]
    target = np.array([0.0, 0.0, top])
    down = np.array([0.0, 0.0, -1.0])
    hints = tuple(
        hint(f"bail, thumb to {name}", "handle", target, down, np.array([s, 0.0, 0.0]), float(size.max()))
        for name, s in (("spout", -1.0), ("back", 1.0))
    )
    return Grip((wire, grip, *lugs), hints)


def _materials(rng: np.random.Generator, style: str, form: Form) -> dict[str, Material]:
    colour = pick(rng, [*GLAZES, *PLASTICS])
    dark = plastic(pick(rng, ["16181b", "16181b", "22262b", "e8e4da", "5a3a24"]), 0.45)
    hold = wooden(rng, 0 if style in ("stovetop", "whistling") else 2) if rng.random() < 0.4 else dark
    metal = steel(rng, 2, around=True)
    kind = "stoneware" if style == "pot" and rng.random() < 0.6 else str(rng.choice(["metal", "enamel", "enamel"]))
    ink = contrasting(rng, colour)
    layers = [
        (),
        (Band(ink, 0.08 * form.height, 0.12 * form.height),),
        (Gradient(shaded(colour, 0.4), 0.4 * form.height, 0.0),),
        (Dots(ink, Chart("around", form.radius), 2 * np.pi * form.radius / 22, 0.004),),
    ][rng.integers(4)]
    body = {"metal": metal, "enamel": plastic(colour, 0.16, layers), "stoneware": stoneware(colour, rng, layers)}[kind]
    plain = {"metal": steel(rng, 2), "enamel": plastic(colour, 0.16), "stoneware": stoneware(colour, rng)}[kind]
    bail = steel(rng, 1) if rng.random() < 0.6 else plastic(rgb("1a1c1f"), 0.4)
    side = plain if style == "pot" else hold
    return {
        "body": body,
        "spout": plain,
        "lid": body if kind == "metal" else plain,
        "knob": hold,
        "handle": side,
        "bail": bail,
        "base": dark,
    }

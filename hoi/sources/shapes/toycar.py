"""Toy cars. Draft frame: front towards +x, wheels on z = 0, left side towards +y."""

import numpy as np

from hoi.sources.shapes.carshapes import FLOOR, SHAPES, Shape
from hoi.sources.shapes.labels import blank, disc_mask, lines_mask, stamp, text_mask
from hoi.sources.shapes.model import Draft, GraspHint, Material, hint
from hoi.sources.shapes.palettes import CARS, CHROME, RUBBER, TINTED, contrasting, pick, plastic, rgb, shaded
from hoi.sources.shapes.solids import Piece, fillet, inward, join, lathe, painted, pillow, prism
from hoi.sources.shapes.textures import Band, Chart, Colour, Decal, Layer


def draft(rng: np.random.Generator) -> Draft:
    """One toy car."""
    style = str(rng.choice(list(SHAPES)))
    base = SHAPES[style]
    length = rng.uniform(0.085, 0.15)
    stretch = np.array([1.0, rng.uniform(0.93, 1.12)])
    wide = base.half_width * rng.uniform(0.95, 1.12)
    points = np.array(base.outline)
    polygon = fillet(points[:, :2] * stretch, points[:, 2], step=0.1)
    tall = float(stretch[1])
    shell = _hull(base, polygon, wide, 0.026, "body", tall)
    core = _hull(base, polygon + 0.008 * inward(polygon), wide - 0.008, 0.02, "window", tall)
    body = shell - _openings(base, wide, tall) + core
    wheel = base.wheel * rng.uniform(0.92, 1.08)
    if style == "truck":
        bed = fillet(
            np.array([(-0.44, 0.05 - wide), (-0.12, 0.05 - wide), (-0.12, wide - 0.05), (-0.44, wide - 0.05)]), 0.02
        )
        body = body - prism(bed, 2.2 * wheel + 0.012, 0.9, "bed", "z")
    inset = rng.uniform(-0.006, 0.01)
    pieces = [
        body - _arches(base, wheel, wide),
        *_wheels(rng, base, wheel, wide + inset),
        *_trim(rng, style, base, polygon, wide, tall),
    ]
    piece = join(*pieces).scaled((length, length, length))
    materials = _materials(rng, style, base, length, wide, tall)
    return Draft(style, piece, materials, _grasps(base, length, wide, tall))


def _smooth(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _form(x: np.ndarray, base: Shape, wide: float, tall: float) -> np.ndarray:
    """Bends the slab into a car: cabin leaning in, nose and tail narrower and rounded seen from above."""
    lean = (
        1 - base.tumble * _smooth((x[:, 2] - 0.85 * base.belt * tall) / (1.5 * (base.roof - base.belt) * tall)) ** 1.0
    )
    end = np.clip((np.abs(x[:, 0]) - 0.26) / 0.24, 0, 1) ** 2
    out = np.minimum(np.abs(x[:, 1]) / wide, 1.0)
    nose = x[:, 0] - np.sign(x[:, 0]) * 0.045 * out**2.4 * end
    return np.stack([nose, x[:, 1] * lean * (1 - 0.07 * end), x[:, 2]], axis=1)


def _hull(base: Shape, polygon: np.ndarray, wide: float, edge: float, part: str, tall: float) -> Piece:
    return pillow(polygon, wide, edge, part, 0.016).warped(lambda x: _form(x, base, wide, tall))


def _openings(base: Shape, wide: float, tall: float) -> Piece:
    high = np.array([1.0, tall])
    cuts = [prism(fillet(np.array(w) * high, 0.014, step=0.2), -1, 1, "frame") for w in base.windows]
    low, top = base.belt + 0.012, base.roof - 0.024
    lean = wide * (1 - base.tumble)
    trapezoid = np.array([(-0.92 * wide, low), (0.92 * wide, low), (0.86 * lean, top), (-0.86 * lean, top)]) * high
    screen = fillet(trapezoid * [0.88, 1.0], 0.02, step=0.2)
    _back, middle, _front = base.cabin
    if base.screens[0]:
        cuts.append(prism(screen, middle, 0.6, "frame", "x"))
    if base.screens[1]:
        cuts.append(prism(screen, -0.6, middle, "frame", "x"))
    return join(*cuts)


def _round(radius: float, low: float, high: float, part: str) -> Piece:
    """A cylinder along y."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    return prism(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1), low, high, part)


def _arches(base: Shape, wheel: float, wide: float) -> Piece:
    cuts = []
    for x in base.axles:
        for low, high in ((wide - 0.085, 1.0), (-1.0, -wide + 0.085)):
            cuts.append(_round(1.16 * wheel, low, high, "arch").moved((x, 0.0, wheel)))
    return join(*cuts)


def _wheels(rng: np.random.Generator, base: Shape, wheel: float, wide: float) -> list[Piece]:
    broad, rim = 0.068, wheel * rng.uniform(0.6, 0.7)
    half = broad / 2
    tyre_line = [(0, -half), (wheel, -half), (wheel, half), (rim, half), (rim - 0.002, half - 0.01), (0, half - 0.01)]
    tyre = lathe(fillet(np.array(tyre_line), [0, 0.015, 0.015, 0.004, 0, 0], step=0.2), "tyre", 72)
    rim_line = [
        (0, 0),
        (rim + 0.001, 0),
        (rim + 0.001, half - 0.003),
        (rim - 0.008, half - 0.001),
        (rim - 0.012, half - 0.009),
        (0.3 * rim, half - 0.007),
        (0.26 * rim, half),
        (0, half + 0.001),
    ]
    disc = lathe(fillet(np.array(rim_line), [0, 0, 0.002, 0.002, 0.002, 0.002, 0.002, 0], step=0.3), "rim", 60)
    spokes = int(rng.choice([0, 5, 6, 8]))
    for k in range(spokes):
        angle = 2 * np.pi * k / spokes
        hole = 0.17 * rim * _unit_circle(20) + 0.6 * rim * np.array([np.cos(angle), np.sin(angle)])
        disc = disc - prism(hole, half - 0.02, 1.0, "rim", "z")
    one = tyre + disc
    result = []
    for x in base.axles:
        result.append(_round(0.3 * wheel, -wide + 0.03, wide - 0.03, "axle").moved((x, 0, wheel)))
        for side in (-1, 1):
            result.append(one.turned((-90.0 * side, 0, 0)).moved((x, side * (wide - half), wheel)))
    return result


def _unit_circle(count: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _end_x(polygon: np.ndarray, z: float, side: int) -> float:
    """The foremost (side 1) or rearmost (side -1) x of the outline at a height."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    cross = (a[:, 1] - z) * (b[:, 1] - z) <= 0
    t = np.clip((z - a[:, 1]) / np.where(a[:, 1] == b[:, 1], 1, b[:, 1] - a[:, 1]), 0, 1)
    return float(np.max(side * (a[:, 0] + t * (b[:, 0] - a[:, 0]))[cross]) * side)


def _trim(
    rng: np.random.Generator, style: str, base: Shape, polygon: np.ndarray, wide: float, tall: float
) -> list[Piece]:
    """Lamps, grille, bumpers, and what belongs to the style."""

    def placed(piece: Piece, at: tuple[float, float, float]) -> Piece:
        """The piece moved to where the body's form puts a point."""
        spot = _form(np.array([at]), base, wide, tall)[0]
        return piece.moved(tuple(float(c) for c in spot))

    lamp_z, bumper_z = (0.14, 0.098) if style == "sports" else (0.5 * (0.14 + base.belt * tall), 0.125)
    size = rng.uniform(0.02, 0.028)
    ball = lathe(
        np.array([(0, -1), *[(np.cos(a), np.sin(a)) for a in np.linspace(-1.45, 1.45, 17)], (0, 1)]), "headlight", 40
    )
    result = []
    for side in (-1, 1):
        front, back = _end_x(polygon, lamp_z, 1), _end_x(polygon, lamp_z, -1)
        lamp = ball.scaled((0.016, 1.25 * size, size))
        tail = painted(ball.solid, "taillight").scaled((0.012, size, 0.8 * size))
        result.append(placed(lamp, (front, side * 0.68 * wide, lamp_z)))
        result.append(placed(tail, (back, side * 0.72 * wide, lamp_z)))
    grille = fillet(
        np.array([(-0.36 * wide, -0.018), (0.36 * wide, -0.018), (0.42 * wide, 0.018), (-0.42 * wide, 0.018)]),
        0.008,
        step=0.3,
    )
    result.append(
        prism(grille + np.array([0.0, lamp_z - 0.004]), -0.03, 0.007, "grille", "x").moved(
            (_end_x(polygon, lamp_z, 1), 0, 0)
        )
    )
    for side in (1, -1):
        bar = pillow(
            fillet(np.array([(-0.02, -0.018), (0.016, -0.018), (0.016, 0.018), (-0.02, 0.018)]), 0.012, step=0.3),
            0.93 * wide,
            0.01,
            "bumper",
        )
        x = _end_x(polygon, bumper_z, side)
        bent = bar.scaled((side, 1, 1)).moved((x, 0, bumper_z)).warped(lambda p: _form(p, base, wide, tall), 0.02)
        result.append(bent)
    return result + _extras(rng, style, base, wide, tall)


def _extras(rng: np.random.Generator, style: str, base: Shape, wide: float, tall: float) -> list[Piece]:
    top = base.roof * tall
    if style == "sports":
        wing = pillow(
            fillet(
                np.array([(-0.49, 0.245 * tall), (-0.41, 0.238 * tall), (-0.41, 0.255 * tall), (-0.49, 0.265 * tall)]),
                0.006,
                step=0.3,
            ),
            0.88 * wide,
            0.005,
            "trim",
        )
        posts = [
            prism(
                np.array([(-0.46, 0.19), (-0.43, 0.19), (-0.43, 0.25 * tall), (-0.46, 0.25 * tall)]),
                s * 0.5 * wide - 0.008,
                s * 0.5 * wide + 0.008,
                "trim",
            )
            for s in (-1, 1)
        ]
        return [wing, *posts]
    if style == "suv" and rng.random() < 0.7:
        bars = [
            pillow(
                fillet(
                    np.array([(-0.36, top - 0.012), (0.06, top - 0.012), (0.06, top + 0.018), (-0.36, top + 0.018)]),
                    0.012,
                    step=0.3,
                ),
                0.012,
                0.005,
                "trim",
            ).moved((0, s * 0.6 * wide, 0))
            for s in (-1, 1)
        ]
        return bars
    if style == "sedan" and rng.random() < 0.5:
        sign = pillow(
            fillet(
                np.array([(-0.085, top - 0.01), (-0.025, top - 0.01), (-0.03, top + 0.034), (-0.08, top + 0.034)]),
                0.01,
                step=0.3,
            ),
            0.45 * wide,
            0.008,
            "sign",
        )
        return [sign]
    return []


def _livery(
    rng: np.random.Generator, style: str, base: Shape, colour: tuple, length: float, wide: float, tall: float
) -> tuple[Layer, ...]:
    ink = contrasting(rng, colour)
    layers: list[Layer] = []
    kind = rng.integers(5)
    if style in ("van", "bus", "suv") and kind < 3:
        return (Band(ink, -1.0, length * tall * (base.belt - 0.06)), _seams(base, colour, length, tall))
    if kind == 0 or style == "sports":
        for y in (-0.055, 0.055):
            layers.append(Band(ink, length * (y - 0.032), length * (y + 0.032), 1))
    if kind == 1:
        layers.append(Band(ink, length * tall * (base.belt - 0.045), length * tall * (base.belt - 0.03)))
    layers.append(_seams(base, colour, length, tall))
    if kind in (2, 3) or style == "van":
        art = stamp(blank(192, 192), disc_mask(192), rgb("f4f1e6"))
        art = stamp(art, text_mask(192, 192, str(rng.integers(1, 99)), 0.27, 0.46, 900), rgb("16181b"))
        size = length * (0.17 if style == "van" else 0.115)
        height = tall * (0.27 if style == "van" else 0.62 * base.belt)
        layers.append(Decal(art, Chart("side", origin=(0.02 * length, length * height)), size, size))
    return tuple(layers)


def _seams(base: Shape, colour: Colour, length: float, tall: float) -> Decal:
    """Door gaps and door handles, drawn on both sides below the windows."""
    high, low = base.belt * tall + 0.008, FLOOR + 0.028
    lines = []
    for window in base.windows[:2]:
        x = np.array(window)[:, 0]
        left, right = 0.5 - x.max(), 0.5 - x.min()
        lines.append(
            np.array(
                [(left, 0), (left, 0.94), (left + 0.012, 1 - 0.01), (right - 0.012, 0.99), (right, 0.94), (right, 0)]
            )
        )
        lines.append(np.array([(right - 0.045, 0.2), (right - 0.015, 0.2)]))
    rows = int(1000 * (high - low))
    art = stamp(blank(rows, 1000), lines_mask(rows, 1000, lines, 4), shaded(colour, 0.22))
    return Decal(art, Chart("profile", origin=(0.0, length * (high + low) / 2)), length, length * (high - low))


def _materials(
    rng: np.random.Generator, style: str, base: Shape, length: float, wide: float, tall: float
) -> dict[str, Material]:
    colour = pick(rng, CARS)
    paint = plastic(colour, float(rng.uniform(0.1, 0.3)), _livery(rng, style, base, colour, length, wide, tall))
    accent = plastic(contrasting(rng, colour, ["f4f1e6", "16181b", "f6c61d", "c4161c"]), 0.35)
    dark = plastic(rgb("202326"), 0.5)
    bumper = CHROME if rng.random() < 0.4 else dark
    rim = CHROME if rng.random() < 0.5 else plastic(pick(rng, ["e8e9ea", "f2b90f", "c4161c", "8f9aa3"]), 0.3)
    return {
        **{"body": paint, "window": TINTED, "tyre": RUBBER, "rim": rim, "trim": accent, "bumper": bumper},
        **dict.fromkeys(("frame", "arch", "bed", "axle"), dark),
        "headlight": Material(rgb("f8f3d8"), 0.08, 0.0, 0.06),
        "taillight": Material(rgb("b5121b"), 0.12, 0.0, 0.05),
        "grille": bumper if bumper is CHROME else dark,
        "sign": plastic(rgb("f6c61d"), 0.3),
    }


def _grasps(base: Shape, length: float, wide: float, tall: float) -> tuple[GraspHint, ...]:
    half, top = length * wide, length * base.roof * tall
    middle = length * base.cabin[1]
    target = np.array([middle, 0.0, 0.5 * top])
    forward, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    hints = [
        hint(f"over the roof, thumb to {name}", "top", target, -up, sign * forward, half, reach=0.5 * top)
        for name, sign in (("front", 1.0), ("back", -1.0))
    ]
    for name, sign in (("left", 1.0), ("right", -1.0)):
        low = target - [0.0, 0.0, 0.15 * top]
        hints.append(hint(f"side {name}", "power", low, np.array([0.0, -sign, 0.0]), up, half, reach=0.95 * half))
    tail = np.array([-0.25 * length, 0.0, 0.45 * top])
    hints.append(hint("from behind", "pinch", tail, forward, up, 0.9 * half, reach=0.24 * length))
    return tuple(hints)

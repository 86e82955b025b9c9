"""Things with a grip and a head: fans, brushes, spoons, pans, hammers, combs. Draft frame: head along +x, grip along -x."""

import numpy as np

from hoi.sources.shapes.finishes import finish_of
from hoi.sources.shapes.model import Draft, GraspHint, hint
from hoi.sources.shapes.solids import (
    Piece,
    cross_section,
    curve,
    fillet,
    interpolated,
    join,
    loft,
    painted,
    pillow,
    prism,
    section,
)
from hoi.sources.shapes.textures import Chart

HEADS = ("blade", "hoop", "bar", "rod", "bowl", "comb", "none")
OVERLAP = 0.012  # m: how far head and grip reach into each other


def draft(rng: np.random.Generator) -> Draft:
    """One thing."""
    head = str(rng.choice(HEADS, p=[0.26, 0.1, 0.18, 0.16, 0.14, 0.08, 0.08]))
    length, wide, tall = rng.uniform(0.09, 0.17), rng.uniform(0.005, 0.017), rng.uniform(0.005, 0.017)
    pieces = [_grip(rng, length, wide, tall)]
    if head == "none":
        pieces[0] = pieces[0] + _grip(rng, length, wide, tall).turned((0, 0, 180)).moved((-OVERLAP, 0, 0))
    else:
        made = {"blade": _blade, "hoop": _hoop, "bar": _bar, "rod": _rod, "bowl": _bowl, "comb": _comb}[head](rng)
        if rng.random() < 0.5:
            made = made.turned((90, 0, 0))
        pieces.append(made)
    if rng.random() < 0.35:
        ring = min(wide, tall) * rng.uniform(1.02, 1.3) * section(64)
        pieces.append(prism(ring, -0.004, rng.uniform(0.004, 0.02), "collar", "x"))
    charts = (Chart("profile"), Chart("top"), Chart("around", 0.03))
    materials = {"grip": finish_of(rng, 0, (-length, 0.0), charts), "collar": finish_of(rng, 0, (-0.004, 0.02), charts)}
    materials["head"] = materials["grip"] if rng.random() < 0.3 else finish_of(rng, 0, (0.0, 0.15), charts)
    return Draft(f"{head} on a grip", join(*pieces), materials, _grasps(length, wide, tall))


def _grip(rng: np.random.Generator, length: float, wide: float, tall: float) -> Piece:
    at = np.linspace(0, 1, 5)
    x = np.concatenate([np.linspace(0, 0.94, 60), 1 - 0.06 * (1 - np.sin(np.linspace(0, np.pi / 2, 12)))[1:]])
    end = np.sqrt(np.maximum(1 - np.clip((x - 0.94) / 0.06, 0, 1) ** 2, 0)) * 0.8 + 0.2
    sizes = [w * interpolated(x, at, rng.uniform(0.7, 1.15, 5)) * end for w in (wide, tall)]
    bend = rng.uniform(-0.02, 0.02) * x**2
    ring = section(48, float(rng.uniform(2, 4.5)))
    y, z = sizes[0][:, None] * ring[:, 0], sizes[1][:, None] * ring[:, 1] + bend[:, None]
    along = OVERLAP - x[:, None] * (length + OVERLAP)
    return loft(np.stack([np.broadcast_to(along, y.shape), y, z], axis=-1), "grip")


def _outline(rng: np.random.Generator, half: np.ndarray) -> np.ndarray:
    """A superellipse, egg or drop in (x, z) that begins before x = 0."""
    ring = section(120, float(rng.uniform(1.6, 6)))
    ring = ring * np.stack([np.ones(120), 1 + rng.uniform(-0.4, 0.4) * ring[:, 0]], axis=1)
    return half * ring + [half[0] - OVERLAP * 0.7, 0]


def _blade(rng: np.random.Generator) -> Piece:
    """Fan, spatula, mirror, bat, chopping board."""
    outline = _outline(rng, np.array([rng.uniform(0.03, 0.11), rng.uniform(0.02, 0.1)]))
    half = rng.uniform(0.001, 0.008)
    return pillow(outline, half, 0.6 * half, "head")


def _hoop(rng: np.random.Generator) -> Piece:
    """Racket, magnifying glass, sieve, scissors' eye: an outline with a hole, sometimes a thin sheet in it."""
    outline = _outline(rng, np.array([rng.uniform(0.03, 0.09), rng.uniform(0.025, 0.08)]))
    rim, half = rng.uniform(0.004, 0.012), rng.uniform(0.003, 0.008)
    hole = cross_section(outline).offset(-1000 * rim).to_polygons()[0] / 1000.0
    frame = prism(outline, -half, half, "head") - prism(hole, -1, 1, "head")
    return frame + prism(outline, -0.0012, 0.0012, "collar") if rng.random() < 0.6 else frame


def _bar(rng: np.random.Generator) -> Piece:
    """Hammer, razor, paint or hair brush: a block along the grip or across it."""
    half = np.array([rng.uniform(0.008, 0.05), rng.uniform(0.006, 0.02), rng.uniform(0.012, 0.06)])
    corners = half[[0, 2]] * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    outline = fillet(corners, rng.uniform(0.001, 0.7) * min(half[0], half[2]))
    middle = np.array([half[0] - OVERLAP * 0.7, rng.uniform(-0.3, 0.3) * half[2]])
    return pillow(outline + middle, half[1], 0.5 * half[1], "head")


def _rod(rng: np.random.Generator) -> Piece:
    """Pen, screwdriver, candle, torch: round, thicker or thinner towards its end."""
    length, radius = rng.uniform(0.03, 0.16), rng.uniform(0.003, 0.012)
    x, at = np.linspace(0, 1, 60), np.linspace(0, 1, 4)
    radii = radius * interpolated(x, at, rng.uniform(0.5, 1.6, 4)) * np.where(rng.random() < 0.4, 1 - 0.85 * x**4, 1.0)
    ring = section(48, float(rng.choice([2.0, 2.0, 4.0])))
    along = x[:, None] * (length + OVERLAP) - OVERLAP
    y, z = radii[:, None] * ring[:, 0], radii[:, None] * ring[:, 1]
    return loft(np.stack([np.broadcast_to(along, y.shape), y, z], axis=-1), "head")


def _bowl(rng: np.random.Generator) -> Piece:
    """Spoon, ladle, small pan: a shell open to one side, and the neck that holds it."""
    radius, depth, wall = rng.uniform(0.02, 0.07), rng.uniform(0.3, 0.9), rng.uniform(0.0015, 0.003)
    t = np.linspace(0, np.pi / 2, 40)
    bend = float(rng.uniform(0.5, 1.0))
    outer = radius * np.stack([np.sin(t) ** bend, depth * (1 - np.cos(t))], axis=1)
    inner = (radius - wall) * np.stack([np.sin(t) ** bend, depth * (1 - np.cos(t))], axis=1) + [0, wall]
    profile = np.concatenate([outer, inner[::-1]])
    high = depth * radius
    shell = painted(cross_section(profile).revolve(96), "head").scaled((1.0, float(rng.uniform(0.65, 1)), 1.0))
    neck = rng.uniform(0.0, 0.09)
    path = curve(np.array([(-OVERLAP, 0.0), (0.5 * neck + 0.01, 0.0), (neck + 0.02, 0.004)]), 24)
    ring, thick = section(32), rng.uniform(0.0025, 0.006)
    y, z = thick * ring[None, :, 0] + 0 * path[:, :1], thick * ring[None, :, 1] + path[:, 1:]
    stem = loft(np.stack([np.broadcast_to(path[:, :1], y.shape), y, z], axis=-1), "head")
    return stem + shell.moved((radius + neck + 0.012, 0.0, 0.003 - high))


def _comb(rng: np.random.Generator) -> Piece:
    """Fork, comb, rake: tines from a bridge."""
    count, long, half = int(rng.integers(3, 9)), rng.uniform(0.025, 0.07), rng.uniform(0.0012, 0.003)
    pitch = rng.uniform(0.0045, 0.011)
    wide = pitch * (count - 0.4)
    bridge = np.array(
        [(-OVERLAP * 0.8, -0.25), (0.012, -0.5), (0.024, -0.5), (0.024, 0.5), (0.012, 0.5), (-OVERLAP * 0.8, 0.25)]
    ) * [1, wide]
    pieces = [prism(bridge, -half, half, "head")]
    for k in range(count):
        z = (k - (count - 1) / 2) * pitch
        tine = np.array(
            [
                (0.02, z - 0.3 * pitch),
                (0.024 + long, z - 0.16 * pitch),
                (0.024 + long, z + 0.16 * pitch),
                (0.02, z + 0.3 * pitch),
            ]
        )
        pieces.append(prism(tine, -half, half, "head"))
    return join(*pieces)


def _grasps(length: float, wide: float, tall: float) -> tuple[GraspHint, ...]:
    forward, radius, hints = np.array([1.0, 0.0, 0.0]), (wide + tall) / 2, []
    for name, share in (("middle", 0.5), ("front", 0.38)):
        target = np.array([-share * length, 0.0, 0.0])
        for degrees in range(0, 360, 45):
            angle = np.radians(degrees)
            facing = np.array([0, np.cos(angle), np.sin(angle)])
            hints.append(hint(f"{name} from {degrees}", "handle", target, facing, forward, radius))
    return tuple(hints)

"""Kitchen knives. Draft frame: blade along +x from its heel at x = 0, edge towards -z, handle along -x."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hoi.sources.shapes.model import Draft, GraspHint, Material, hint
from hoi.sources.shapes.palettes import PLASTICS, pick, plastic, rgb, shaded, steel, wooden
from hoi.sources.shapes.solids import Piece, interpolated, join, loft, prism, section


@dataclass(frozen=True)
class Blade:
    """Measures in metres; spine and edge as knots (share of length, share of height below the spine's start)."""

    length: float
    height: float
    thickness: float
    spine: tuple[tuple[float | int, float | int], ...]
    edge: tuple[tuple[float | int, float | int], ...]
    serration: float = 0.0


def _blade(rng: np.random.Generator, style: str) -> Blade:
    u = rng.uniform
    if style == "chef":
        spine = ((0, 0), (0.5, 0.01), (0.85, 0.14), (1, 0.42))
        edge = ((0, 1), (0.4, 1.0), (0.7, 0.92), (0.9, 0.68), (1, 0.46))
        return Blade(u(0.16, 0.2), u(0.04, 0.048), u(0.0022, 0.003), spine, edge)
    if style == "santoku":
        spine = ((0, 0), (0.6, 0.0), (0.82, 0.1), (0.95, 0.48), (1, 0.86))
        edge = ((0, 1), (0.6, 1.0), (0.9, 0.95), (1, 0.92))
        return Blade(u(0.14, 0.175), u(0.042, 0.05), u(0.0018, 0.0025), spine, edge)
    if style == "bread":
        spine = ((0, 0), (0.8, 0.0), (0.93, 0.16), (1, 0.7))
        edge = ((0, 1), (0.5, 1.0), (0.93, 0.97), (1, 0.8))
        return Blade(u(0.18, 0.21), u(0.028, 0.034), u(0.0018, 0.0022), spine, edge, u(0.0014, 0.002))
    if style == "utility":
        spine = ((0, 0), (0.5, 0.02), (0.85, 0.2), (1, 0.5))
        edge = ((0, 1), (0.4, 1.0), (0.75, 0.9), (1, 0.56))
        return Blade(u(0.11, 0.14), u(0.024, 0.03), u(0.0017, 0.0022), spine, edge)
    if style == "cleaver":
        return Blade(
            u(0.14, 0.16),
            u(0.062, 0.075),
            u(0.0024, 0.003),
            ((0, 0), (0.97, 0.0), (1, 0.04)),
            ((0, 1), (0.5, 1.02), (1, 0.97)),
        )
    spine = ((0, 0), (0.5, 0.05), (0.85, 0.36), (1, 0.74))
    edge = ((0, 1), (0.6, 1.0), (1, 0.82))
    return Blade(u(0.075, 0.095), u(0.019, 0.024), u(0.0016, 0.002), spine, edge)


STYLES = ("chef", "santoku", "bread", "utility", "paring", "cleaver")
EDGE_HALF = 0.0004  # m; a real edge is sharper, this one stays visible to a distance field
BEVEL = 0.9  # where the ground edge begins, share of the blade's height


def draft(rng: np.random.Generator) -> Draft:
    """One knife."""
    style = str(rng.choice(STYLES, p=[0.25, 0.18, 0.15, 0.17, 0.15, 0.1]))
    blade = _blade(rng, style)
    length = rng.uniform(0.115, 0.13) if style != "paring" else rng.uniform(0.1, 0.112)
    drop = min(0.32 * blade.height, 0.012)
    form = str(rng.choice(["western", "round", "moulded"]))
    wide, tall = rng.uniform(0.0085, 0.0105), min(rng.uniform(0.0115, 0.0145), 0.4 * blade.height + 0.005)
    knots = HANDLES[form]
    sizes = _sizer(knots, length, wide, tall, drop)
    exponent = {"western": 3.0, "round": 2.0, "moulded": 2.4}[form]
    pieces = [_blade_piece(blade), _handle(sizes, length, exponent, -0.011)]
    pieces.append(_bolster(sizes, blade, exponent, drop))
    if form == "western":
        pieces += [*_rivets(sizes, length), _tang(sizes, length)]
    return Draft(
        f"{style}, {form} handle",
        join(*pieces),
        _materials(rng, form, blade),
        _grasps(sizes, length),
        _edge_rule(blade),
    )


HANDLES = {  # share of the length from the bolster: half width, half height, centre line drop, as shares
    "western": (
        [0, 0.12, 0.4, 0.72, 0.92, 1.0],
        [0.95, 1, 1.05, 1, 1.05, 0.9],
        [0.85, 0.92, 1.08, 0.95, 1.2, 1.05],
        [0, 0, 0.05, 0.1, 0.35, 0.5],
    ),
    "round": ([0, 0.15, 0.5, 0.85, 1.0], [0.85, 0.95, 1.15, 1.15, 1.05], [0.8, 0.85, 0.95, 1.0, 0.92], [0, 0, 0, 0, 0]),
    "moulded": (
        [0, 0.1, 0.3, 0.55, 0.8, 0.93, 1.0],
        [0.9, 1, 1.1, 1.1, 1.1, 1.1, 0.9],
        [1.0, 0.85, 1.1, 0.95, 1.0, 1.2, 0.95],
        [0.1, 0, 0.1, 0, 0.1, 0.4, 0.5],
    ),
}
Sizer = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def _sizer(knots: tuple, length: float, wide: float, tall: float, drop: float) -> Sizer:
    at, w, t, d = knots

    def sizes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The handle's half width, half height and middle at places along it, metres."""
        s = np.clip(-x / length, 0, 1)
        return wide * interpolated(s, at, w), tall * interpolated(s, at, t), -drop - 0.01 * interpolated(s, at, d)

    return sizes


def _lines(blade: Blade, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spine = -blade.height * interpolated(s, *map(list, zip(*blade.spine, strict=True)))
    edge = -blade.height * interpolated(s, *map(list, zip(*blade.edge, strict=True)))
    if blade.serration:
        teeth = np.abs(np.sin(np.pi * s * blade.length / 0.006)) ** 0.7
        edge = edge + blade.serration * (1 - teeth) * np.clip(20 * s - 0.6, 0, 1) * np.clip(12 * (1 - s), 0, 1)
    return spine, np.minimum(edge, spine - 0.0015)


def _blade_piece(blade: Blade) -> Piece:
    s = np.concatenate([np.linspace(0, 0.9, 260 if blade.serration else 70), np.linspace(0.9, 1, 24)[1:]])
    spine, edge = _lines(blade, s)
    q = np.array([0.0, 0.25, 0.5, 0.75, BEVEL, 1.0])
    thick = blade.thickness / 2 * (1 - 0.35 * s**2)[:, None]
    half = thick + (np.maximum(0.32 * thick, EDGE_HALF * 1.5) - thick) * (q / BEVEL)[None, :]
    half[:, -1] = EDGE_HALF
    half[:, 0] *= 0.9
    z = spine[:, None] + (edge - spine)[:, None] * q
    x = np.broadcast_to(s[:, None] * blade.length, z.shape)
    right = np.stack([x, half, z], axis=-1)
    left = np.stack([x, -half, z], axis=-1)[:, ::-1]
    return loft(np.concatenate([right, left], axis=1), "blade")


def _edge_rule(blade: Blade) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    def rule(centre: np.ndarray, normal: np.ndarray, names: np.ndarray) -> np.ndarray:
        """The ground bevel beside the blade's edge gets a name of its own."""
        spine, edge = _lines(blade, np.clip(centre[:, 0] / blade.length, 0, 1))
        q = (centre[:, 2] - spine) / (edge - spine)
        return np.where((names == "blade") & (q > BEVEL), "edge", names)

    return rule


def _rings(sizes: Sizer, x: np.ndarray, exponent: float, count: int = 40) -> np.ndarray:
    wide, tall, centre = sizes(x)
    ring = section(count, exponent)
    y = wide[:, None] * ring[None, :, 0]
    z = centre[:, None] + tall[:, None] * ring[None, :, 1]
    return np.stack([np.broadcast_to(x[:, None], y.shape), y, z], axis=-1)


def _rounded(rings: np.ndarray, end: float) -> np.ndarray:
    """Rings near the end of the handle (x < end + 8 mm) shrink to a rounded butt."""
    t = np.clip(1 - (rings[:, 0, 0] - end) / 0.006, 0, 1)
    scale = np.sqrt(np.maximum(1 - t**2, 0.0))[:, None, None] * 0.7 + 0.3
    centre = rings.mean(axis=1, keepdims=True)
    return np.concatenate([rings[..., :1], (centre + (rings - centre) * scale)[..., 1:]], axis=-1)


def _handle(sizes: Sizer, length: float, exponent: float, start: float) -> Piece:
    x = np.concatenate(
        [np.linspace(start, 0.006 - length, 60), -length + 0.006 * np.cos(np.linspace(0, np.pi / 2, 12))[1:]]
    )
    return loft(_rounded(_rings(sizes, x, exponent), -length), "handle")


def _tang(sizes: Sizer, length: float) -> Piece:
    def strip(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The tang between the handle's scales, a little proud of them."""
        _, tall, centre = sizes(x)
        return np.full_like(x, 0.0011), tall + 0.0002, centre

    x = np.concatenate(
        [np.linspace(-0.005, 0.006 - length, 60), -length + 0.0062 * np.cos(np.linspace(0, np.pi / 2, 12))[1:] - 0.0002]
    )
    return loft(_rounded(_rings(strip, x, 8.0), -length - 0.0002), "tang")


def _bolster(sizes: Sizer, blade: Blade, exponent: float, drop: float) -> Piece:
    x = np.linspace(-0.014, 0.006, 24)
    rings = _rings(sizes, np.minimum(x, -0.001), exponent)
    t = np.clip((x - -0.006) / 0.011, 0, 1)
    t = (t * t * (3 - 2 * t))[:, None]
    y, z = rings[..., 1], rings[..., 2]
    tall = min(0.42 * blade.height, 0.011)
    neck_z = -tall - 0.0008 + tall * (z - z.mean(axis=1, keepdims=True)) / np.ptp(z, axis=1)[:, None] * 2 * 0.95
    neck_y = 0.9 * blade.thickness / 2 * y / np.abs(y).max(axis=1, keepdims=True)
    rings = np.stack(
        [np.broadcast_to(x[:, None], y.shape), 1.015 * y * (1 - t) + neck_y * t, z * (1 - t) + neck_z * t], axis=-1
    )
    return loft(rings, "bolster")


def _rivets(sizes: Sizer, length: float) -> list[Piece]:
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    disc = 0.0034 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    result = []
    for share in (0.22, 0.5, 0.78):
        wide, _, centre = sizes(np.array([-share * length]))
        reach = float(wide[0]) + 0.00025
        result.append(prism(disc + np.array([-share * length, float(centre[0])]), -reach, reach, "rivet"))
    return result


def _materials(rng: np.random.Generator, form: str, blade: Blade) -> dict[str, Material]:
    metal = steel(rng, 2)
    handle = (
        wooden(rng, 0)
        if rng.random() < 0.5
        else plastic(pick(rng, ["16181b", "16181b", "7a1f1f", "1f3d5c", "2f4a35", "e8e4da", *PLASTICS]), 0.45)
    )
    edge = Material(shaded(metal.base, 1.4), 0.18, 1.0, 0.65)
    rivet = Material(rgb("c9a24a") if rng.random() < 0.4 else rgb("c9ccd0"), 0.25, 1.0, 0.6)
    bolster = metal if form == "western" or rng.random() < 0.5 else handle
    return {"blade": metal, "edge": edge, "handle": handle, "bolster": bolster, "tang": metal, "rivet": rivet}


def _grasps(sizes: Sizer, length: float) -> tuple[GraspHint, ...]:
    forward = np.array([1.0, 0.0, 0.0])
    hints = []
    for name, share in (("handle middle", 0.5), ("handle front", 0.38)):
        wide, tall, centre = (float(v[0]) for v in sizes(np.array([-share * length])))
        target = np.array([-share * length, 0.0, centre])
        radius = (wide + tall) / 2
        hints.append(
            hint(f"{name} over the back", "handle", target, np.array([0, 0, -1.0]), forward, radius, reach=tall)
        )
        for hand, sign in (("right", 1.0), ("left", -1.0)):
            for view, facing in (("beside", (0.0, sign, 0.0)), ("above", (0.0, 0.7 * sign, -0.7))):
                hints.append(hint(f"{name} {view} {hand}", "handle", target, np.array(facing), forward, radius, hand))
    return tuple(hints)

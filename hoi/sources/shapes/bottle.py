"""Bottles with their caps on: closed solids. Draft frame: axis z, base on z = 0, label towards +x."""

from dataclasses import dataclass

import numpy as np

from hoi.sources.shapes.labels import logo, product_label
from hoi.sources.shapes.model import Draft, GraspHint, Material, hint
from hoi.sources.shapes.palettes import GLASS, GLAZES, PLASTICS, contrasting, pick, plastic, shaded, steel
from hoi.sources.shapes.solids import Piece, fillet, join, lathe, sleeve, sweep
from hoi.sources.shapes.textures import Band, Chart, Decal, Gradient, Speckle
from hoi.sources.shapes.vessel import radius_at


@dataclass(frozen=True)
class Form:
    """A bottle's measures: profile with fillets, label zone, cap."""

    profile: np.ndarray
    label: tuple[float, float] | None
    neck: tuple[float, float]  # radius, height of the top
    cap: str
    squareness: float = 2.0


def draft(rng: np.random.Generator) -> Draft:
    """One bottle."""
    style = str(rng.choice(list(FORMS)))
    return _made(rng, style, FORMS[style](rng))


def draft_wide(rng: np.random.Generator) -> Draft:
    """One drinking bottle with a lid over its rim, as wide as the body or wider."""
    return _made(rng, "tumbler", _wide(rng))


def _made(rng: np.random.Generator, style: str, form: Form) -> Draft:
    """The bottle of a form."""
    body = lathe(form.profile, "body")
    pieces = [body]
    if form.label is not None:
        pieces.append(sleeve(form.profile, *form.label, 0.0003, "label"))
    if form.squareness > 2.0:
        pieces = [piece.warped(lambda x: _squared(x, form)) for piece in (pieces[0], *pieces[1:])]
    piece = join(*pieces, CAPS[form.cap](rng, *form.neck))
    return Draft(style, piece, _materials(rng, style, form), _grasps(form))


def _body(points: list[tuple[float | int, float | int]], radii: list[float | int]) -> np.ndarray:
    return fillet(np.array([[0.0, 0.002], *points]), np.array([0.0, *radii]), step=0.08)


def _beer(rng: np.random.Generator) -> Form:
    r, h, n = rng.uniform(0.029, 0.033), rng.uniform(0.2, 0.235), rng.uniform(0.0125, 0.0138)
    s = h * rng.uniform(0.55, 0.62)
    points = [
        (0.7 * r, 0.002),
        (0.8 * r, 0),
        (r, 0),
        (r, s),
        (n + 0.0025, s + 0.26 * h),
        (n, h - 0.02),
        (n, h - 0.016),
        (n + 0.0015, h - 0.016),
        (n + 0.0015, h),
        (0, h),
    ]
    profile = _body(points, [0, 0.001, 0.004, 0.045, 0.05, 0, 0, 0.0008, 0.001, 0])
    return Form(profile, (0.14 * s, 0.86 * s), (n + 0.0015, h), "crown")


def _wine(rng: np.random.Generator) -> Form:
    r, h, n = rng.uniform(0.034, 0.038), rng.uniform(0.25, 0.29), rng.uniform(0.0132, 0.0145)
    s = h * rng.uniform(0.58, 0.64)
    drop = rng.choice([0.04, 0.09])
    points = [(0.75 * r, 0.003), (0.85 * r, 0), (r, 0), (r, s), (n, s + drop), (n, h), (0, h)]
    profile = _body(points, [0, 0.001, 0.004, 0.03, 0.03, 0.0015, 0])
    return Form(profile, (0.22 * s, 0.8 * s), (n, h), "foil")


def _water(rng: np.random.Generator) -> Form:
    r, h, n = rng.uniform(0.031, 0.036), rng.uniform(0.18, 0.22), rng.uniform(0.0125, 0.0145)
    s = h * rng.uniform(0.66, 0.72)
    low = 0.36 * s
    ribs, rounding = [], []
    for k in range(3):
        z = low * (0.35 + 0.27 * k)
        ribs += [(r, z - 0.0035), (r - 0.0022, z), (r, z + 0.0035)]
        rounding += [0.002, 0.002, 0.002]
    points = [(0.6 * r, 0.003), (0.75 * r, 0), (r, 0), *ribs, (r, s), (n, h - 0.022), (n, h), (0, h)]
    profile = _body(points, [0, 0.001, 0.008, *rounding, 0.035, 0.012, 0.001, 0])
    return Form(profile, (low * 1.12, s * 0.9), (n, h), "screw")


def _soda(rng: np.random.Generator) -> Form:
    r, h, n = rng.uniform(0.031, 0.034), rng.uniform(0.19, 0.225), rng.uniform(0.0125, 0.014)
    w = r * rng.uniform(0.8, 0.88)
    points = [
        (0.7 * r, 0.002),
        (0.8 * r, 0),
        (0.95 * r, 0),
        (r, 0.2 * h),
        (w, 0.36 * h),
        (r, 0.47 * h),
        (r, 0.66 * h),
        (n + 0.001, 0.88 * h),
        (n, h),
        (0, h),
    ]
    profile = _body(points, [0, 0.001, 0.006, 0.06, 0.07, 0.03, 0.03, 0.06, 0.001, 0])
    return Form(profile, (0.5 * h, 0.635 * h), (n, h), str(rng.choice(["crown", "screw"])))


def _tumbler(rng: np.random.Generator) -> Form:
    r, h = rng.uniform(0.033, 0.038), rng.uniform(0.17, 0.23)
    base = r * rng.choice([1.0, 1.0, 0.86])
    neck = r * rng.uniform(0.8, 0.97)
    points = [
        (0.8 * base, 0.0015),
        (0.85 * base, 0),
        (base, 0),
        (r, 0.5 * h),
        (r, 0.86 * h),
        (neck, 0.97 * h),
        (neck, h),
        (0, h),
    ]
    profile = _body(points, [0, 0.001, 0.005, 0.05, 0.02, 0.01, 0, 0])
    return Form(profile, None, (neck, h), str(rng.choice(["lid", "loop", "spout"])))


def _wide(rng: np.random.Generator) -> Form:
    r, h = rng.uniform(0.028, 0.04), rng.uniform(0.14, 0.25)
    base = r * rng.choice([1.0, 0.97, 0.9])
    points = [(0.8 * base, 0.0015), (0.85 * base, 0), (base, 0), (r, 0.8 * h), (r, h), (0, h)]
    return Form(_body(points, [0, 0.001, rng.uniform(0.002, 0.008), 0.1, 0, 0]), None, (r, h), "over")


def _square(rng: np.random.Generator) -> Form:
    r, h, n = rng.uniform(0.032, 0.035), rng.uniform(0.16, 0.21), rng.uniform(0.014, 0.018)
    s = h * rng.uniform(0.68, 0.76)
    points = [(0.8 * r, 0.002), (0.85 * r, 0), (r, 0), (r, 0.4 * s), (r, s), (n, s + 0.3 * (h - s)), (n, h), (0, h)]
    profile = _body(points, [0, 0.001, 0.005, 0.01, 0.014, 0.008, 0.001, 0])
    return Form(profile, (0.2 * s, 0.86 * s), (n, h), "screw", rng.uniform(3.2, 5.0))


FORMS = {"beer": _beer, "wine": _wine, "water": _water, "soda": _soda, "tumbler": _tumbler, "square": _square}


def _squared(x: np.ndarray, form: Form) -> np.ndarray:
    """Turns circles into superellipses below the shoulder, fading out towards the neck."""
    c, s = np.abs(x[:, :2]).T / np.maximum(np.hypot(x[:, 0], x[:, 1]), 1e-9)
    wide = (np.maximum(c, 1e-9) ** form.squareness + np.maximum(s, 1e-9) ** form.squareness) ** (-1 / form.squareness)
    r = np.hypot(x[:, 0], x[:, 1])
    amount = np.clip((r - form.neck[0] - 0.0005) / 0.012, 0, 1)
    amount = np.where(r < form.neck[0], 0, amount * amount * (3 - 2 * amount))
    below = x[:, 2] < 0.3 * form.neck[1]
    amount = np.where(below, np.clip((r - 0.01) / 0.01, 0, 1), amount)
    scale = 1 + (0.95 * wide - 1) * amount
    return np.stack([x[:, 0] * scale, x[:, 1] * scale, x[:, 2]], axis=1)


def _crown(rng: np.random.Generator, n: float, h: float) -> Piece:
    polygon = [
        (0, h - 0.004),
        (n + 0.0022, h - 0.004),
        (n + 0.0006, h + 0.0002),
        (n - 0.002, h + 0.0016),
        (0, h + 0.0018),
    ]
    cap = lathe(fillet(np.array(polygon), [0, 0.0004, 0.0015, 0.003, 0]), "cap", 168)

    def flute(x: np.ndarray) -> np.ndarray:
        """A crown cap's waves, on its skirt alone."""
        skirt = np.clip((h - x[:, 2]) / 0.003, 0, 1)
        scale = 1 + 0.05 * skirt * np.cos(21 * np.arctan2(x[:, 1], x[:, 0]))
        return np.stack([x[:, 0] * scale, x[:, 1] * scale, x[:, 2]], axis=1)

    return cap.warped(flute)


def _screw(rng: np.random.Generator, n: float, h: float) -> Piece:
    r, tall = n + 0.002, rng.uniform(0.013, 0.02)
    low = h - 0.6 * tall
    polygon = [(0, low), (r, low), (r, low + tall), (0, low + tall)]
    cap = lathe(fillet(np.array(polygon), [0, 0.0005, 0.0015, 0]), "cap", 160)
    collar = lathe(
        np.array([(0, low - 0.004), (n + 0.003, low - 0.004), (n + 0.003, low - 0.002), (0, low - 0.002)]), "body", 128
    )

    def knurl(x: np.ndarray) -> np.ndarray:
        """A screw cap's ridges, below its top."""
        scale = 1 + 0.022 * np.cos(40 * np.arctan2(x[:, 1], x[:, 0])) * (x[:, 2] < low + tall - 0.002)
        return np.stack([x[:, 0] * scale, x[:, 1] * scale, x[:, 2]], axis=1)

    return cap.warped(knurl) + collar


def _foil(rng: np.random.Generator, n: float, h: float) -> Piece:
    r, low = n + 0.0007, h - rng.uniform(0.045, 0.06)
    polygon = [(0, low), (r, low), (r, h - 0.006), (r + 0.0012, h - 0.006), (r + 0.0012, h + 0.001), (0, h + 0.001)]
    return lathe(fillet(np.array(polygon), [0, 0, 0.0004, 0.0006, 0.001, 0]), "cap")


def _lid(rng: np.random.Generator, n: float, h: float) -> Piece:
    r, tall = n + rng.uniform(-0.001, 0.0015), rng.uniform(0.022, 0.035)
    polygon = [
        (0, h - 0.004),
        (n - 0.001, h - 0.004),
        (n - 0.001, h + 0.0012),
        (r, h + 0.0012),
        (r, h + tall),
        (0, h + tall),
    ]
    return lathe(fillet(np.array(polygon), [0, 0, 0, 0.001, 0.005, 0]), "cap")


def _over(rng: np.random.Generator, n: float, h: float) -> Piece:
    r, tall = n * rng.uniform(1.03, 1.2), rng.uniform(0.02, 0.05)
    low, high = h - 0.75 * tall, h + 0.25 * tall
    polygon = [(0, low), (r, low), (r, high), (0, high)]
    return lathe(fillet(np.array(polygon), [0, 0.001, rng.uniform(0.001, 0.006), 0]), "cap")


def _loop(rng: np.random.Generator, n: float, h: float) -> Piece:
    lid = _lid(rng, n, h)
    top = h + 0.024
    arch = np.array([[-0.7 * n, top - 0.006], [-0.7 * n, top + 0.024], [0.7 * n, top + 0.024], [0.7 * n, top - 0.006]])
    flat = fillet(arch, 0.014, closed=False, step=0.1)
    path = np.stack([np.zeros(len(flat)), flat[:, 0], flat[:, 1]], axis=1)
    return lid + sweep(path, 0.007, 0.0028, "cap", (1.0, 0.0, 0.0), 3.0)


def _spout(rng: np.random.Generator, n: float, h: float) -> Piece:
    polygon = [
        (0, h - 0.004),
        (n - 0.001, h - 0.004),
        (n - 0.001, h + 0.001),
        (n + 0.001, h + 0.001),
        (n + 0.001, h + 0.012),
        (0.45 * n, h + 0.022),
        (0.38 * n, h + 0.024),
    ]
    nozzle = [(0.38 * n, h + 0.03), (0.46 * n, h + 0.032), (0.46 * n, h + 0.038), (0.3 * n, h + 0.046), (0, h + 0.046)]
    dome = lathe(fillet(np.array([*polygon, (0, h + 0.024)]), [0, 0, 0, 0.001, 0.006, 0.003, 0, 0]), "cap")
    start = np.array([(0, h + 0.02), (0.38 * n, h + 0.02), *nozzle])
    return dome + lathe(fillet(start, [0, 0, 0.001, 0.001, 0.003, 0.003, 0]), "nozzle")


CAPS = {"crown": _crown, "screw": _screw, "foil": _foil, "lid": _lid, "loop": _loop, "over": _over, "spout": _spout}


def _materials(rng: np.random.Generator, style: str, form: Form) -> dict[str, Material]:
    radius, height = float(form.profile[:, 0].max()), form.neck[1]
    accent = pick(rng, PLASTICS)
    cap = plastic(accent, 0.35)
    if style == "tumbler":
        return _tumbler_materials(rng, radius, height)
    if style in ("beer", "wine"):
        body = Material(pick(rng, GLASS), 0.06, 0.0, 0.05)
        cap = Material(
            pick(rng, ["c9a227", "b8bcc2", "8a1c1c", "1c2f5a", "1a1a1a", "d9d3c2"]),
            0.3,
            1.0 if style == "beer" else 0.0,
            0.5 if style == "beer" else 0.05,
        )
    elif style == "square" or rng.random() < 0.4:
        colour = pick(rng, [*PLASTICS, *GLAZES])
        body = plastic(colour, 0.3, (Gradient(shaded(colour, 0.55), 0.7 * height, height),))
    else:
        body = Material(
            pick(rng, ["9cc4d8", "bcd9e0", "a8d5ba", "8fb8d6", "cfe3e6", "3a2216", "d98a2b", "7fbf5a"]), 0.08, 0.0, 0.05
        )
    paper = pick(rng, ["f3ecd9", "f7f5ef", "e9dcc0", *GLAZES, *PLASTICS])
    ink = contrasting(rng, paper)
    low, high = form.label
    art = product_label(rng, paper, ink, contrasting(rng, paper), 2 * np.pi * radius / (high - low))
    label = Decal(art, Chart("around", radius, (0.0, (low + high) / 2)), 2 * np.pi * radius, high - low)
    return {"body": body, "cap": cap, "label": plastic(paper, 0.6 if style in ("beer", "wine") else 0.35, (label,))}


def _tumbler_materials(rng: np.random.Generator, radius: float, height: float) -> dict[str, Material]:
    colour = pick(rng, [*PLASTICS, *GLAZES])
    ink = contrasting(rng, colour)
    size = 0.05
    art = logo(rng, ink, ink)
    print_ = tuple(Decal(art, Chart("around", radius, (radius * a, 0.5 * height)), size, size) for a in (0.0,))
    kind = rng.integers(4)
    base = Band(ink, -1.0, rng.uniform(0.008, 0.02))
    if kind == 0:
        body = steel(rng, 2, around=True, layers=(Band(colour, 0.012, 0.9 * height), *print_))
    elif kind == 1:
        body = plastic(colour, 0.55, (Gradient(contrasting(rng, colour), 0.1 * height, 0.9 * height), *print_))
    elif kind == 2:
        body = plastic(colour, 0.55, (Speckle(ink, int(rng.integers(2**31)), 0.006, 0.002), base))
    else:
        body = plastic(colour, 0.5, (base, *print_))
    dark = plastic(pick(rng, ["22262b", "f4f4f0", "8f9aa3"]), 0.45)
    return {"body": body, "cap": dark, "nozzle": plastic(ink, 0.4)}


def _grasps(form: Form) -> tuple[GraspHint, ...]:
    up = np.array([0.0, 0.0, 1.0])
    shoulder = float(form.profile[form.profile[:, 0] > 0.97 * form.profile[:, 0].max()][:, 1].max())
    heights = [("low", 0.35 * shoulder), ("middle", 0.55 * shoulder), ("high", 0.78 * shoulder)]
    hints = []
    for name, z in heights:
        for degrees in (180, 90, -90):
            angle = np.radians(degrees)
            out = np.array([np.cos(angle), np.sin(angle), 0.0])
            hints.append(hint(f"{name} {degrees}", "power", np.array([0, 0, z]), -out, up, radius_at(form.profile, z)))
    if form.neck[0] < 0.02:
        z = shoulder + 0.6 * (form.neck[1] - shoulder)
        hints.append(hint("neck", "power", np.array([0, 0, z]), np.array([1.0, 0, 0]), up, radius_at(form.profile, z)))
    return tuple(hints)

"""Colours (given as sRGB hex, used as linear RGB) and the materials made of them."""

from collections.abc import Sequence

import numpy as np

from hoi.sources.shapes.model import Material
from hoi.sources.shapes.textures import Brushed, Colour, Layer, Mottle, Speckle, Wood
from hoi.sources.srgb import to_linear

GLAZES = (
    "1f6f66 2d4f7c 8a2f2b e8e2d0 f2efe8 30343a 6b8f71 d9a441 5b4a78 3f7fa6 b5c7c9 7a9e3c c9573a 24483a a8b8a0 e6c9c9 "
    "4d6d8f 95a3ad 14213d 9c4f6b"
).split()
PLASTICS = "e23b2e 1565c0 2e9e4f f6c61d f57c1f 7e3ba6 00a5a8 e84a8a f4f4f0 22262b 8bc34a 0f4c81 b0d7e8 c8b6ff".split()
CARS = "c4161c 1751a6 f2b90f 1f7a3d e8e9ea 23272e f0641e 6d2f8e 0c8f9c 8f9aa3 a3c644 e05c93 7b1e22 12324f".split()
GLASS = "3b1a08 17401f 0b2a14 4a2a0c 1d3a5c 20242a 2e5a3a".split()
METALS = "c9ccd0 b8bcc2 a9adb3 d5d2cb".split()
WOODS = (("7a4a26", "3d200d"), ("a8703c", "6a3e1b"), ("4a2d1c", "1e110a"), ("c89b63", "8a6033"), ("5e2f22", "2a120c"))
INKS = "f4f1e6 f6e7b4 1d2430 8c1c13 0e4d45 d9a62e 253a73 e56b4e 7fb7a4 5a2a4f".split()


def rgb(code: str) -> Colour:
    """The linear RGB of an sRGB hex code (IEC 61966-2-1)."""
    value = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return tuple(float(c) for c in to_linear(value))


def pick(rng: np.random.Generator, codes: Sequence[str], jitter: float = 0.06) -> Colour:
    """One of the codes, its brightness and balance slightly varied."""
    colour = np.array(rgb(codes[rng.integers(len(codes))]))
    colour = colour * rng.uniform(1 - jitter, 1 + jitter, 3) * rng.uniform(0.9, 1.1)
    return tuple(float(c) for c in np.clip(colour, 0.008, 0.92))


def luminance(colour: Colour) -> float:
    """Relative luminance of a linear colour."""
    return float(np.dot(colour, (0.2126, 0.7152, 0.0722)))


def contrasting(rng: np.random.Generator, colour: Colour, codes: Sequence[str] = tuple(INKS)) -> Colour:
    """A colour of the list that stands out from the given one."""
    options = [rgb(code) for code in codes]
    gaps = np.array([abs(np.cbrt(luminance(o)) - np.cbrt(luminance(colour))) for o in options])
    good = np.flatnonzero(gaps >= min(0.3, np.sort(gaps)[-2]))
    return options[int(rng.choice(good))]


def shaded(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor < 1) or lighter (mixed towards white, factor > 1)."""
    value = np.array(colour)
    value = value * factor if factor <= 1 else value + (1 - value) * (1 - 1 / factor)
    return tuple(float(c) for c in value)


def glazed(colour: Colour, rng: np.random.Generator, layers: tuple[Layer, ...] = (), matt: bool = False) -> Material:
    """Ceramic, slightly uneven in tone."""
    tone = Mottle(int(rng.integers(2**31)), 0.018, 0.08)
    return Material(colour, 0.65 if matt else float(rng.uniform(0.12, 0.3)), 0.0, 0.04, (tone, *layers))


def stoneware(colour: Colour, rng: np.random.Generator, layers: tuple[Layer, ...] = ()) -> Material:
    """Matt ceramic with iron flecks."""
    flecks = Speckle(shaded(colour, 0.25), int(rng.integers(2**31)), 0.0045, 0.0012)
    return Material(colour, float(rng.uniform(0.5, 0.75)), 0.0, 0.035, (*layers, flecks))


def plastic(colour: Colour, roughness: float = 0.35, layers: tuple[Layer, ...] = ()) -> Material:
    """Solid-coloured plastic, paint or enamel."""
    return Material(colour, roughness, 0.0, 0.04, layers)


def steel(rng: np.random.Generator, axis: int = 0, around: bool = False, layers: tuple[Layer, ...] = ()) -> Material:
    """Brushed metal, its streaks along an axis or around z."""
    streaks = Brushed(int(rng.integers(2**31)), axis, 0.10, around)
    return Material(pick(rng, METALS, 0.02), float(rng.uniform(0.22, 0.38)), 1.0, 0.6, (streaks, *layers))


def wooden(rng: np.random.Generator, axis: int = 0, layers: tuple[Layer, ...] = ()) -> Material:
    """Oiled wood with the grain along an axis."""
    light, dark = WOODS[rng.integers(len(WOODS))]
    grain = Wood(rgb(dark), int(rng.integers(2**31)), axis, float(rng.uniform(0.003, 0.006)))
    return Material(rgb(light), float(rng.uniform(0.4, 0.6)), 0.0, 0.04, (grain, *layers))


RUBBER = Material((0.012, 0.012, 0.013), 0.75, 0.0, 0.04)
CHROME = Material((0.72, 0.73, 0.75), 0.12, 1.0, 0.7)
TINTED = Material((0.015, 0.02, 0.026), 0.08, 0.0, 0.06)

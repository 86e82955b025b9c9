"""A material for a part of which nothing is known: any make and colour, plain or printed."""

import numpy as np

from hoi.sources.shapes.labels import logo, product_label
from hoi.sources.shapes.model import Material
from hoi.sources.shapes.palettes import CARS, GLAZES, INKS, PLASTICS, contrasting, glazed, pick, plastic, steel, wooden
from hoi.sources.shapes.textures import Band, Chart, Checks, Colour, Decal, Dots, Gradient, Layer, Stripes

CODES = sorted({*GLAZES, *PLASTICS, *CARS, *INKS})
MAKES = {"plastic": 0.55, "glazed": 0.1, "wooden": 0.15, "steel": 0.2}
PRINTED = 0.4  # of parts that are not of wood or steel


def finish_of(rng: np.random.Generator, axis: int, extent: tuple[float, float], charts: tuple[Chart, ...]) -> Material:
    """Any material: a grain runs along `axis`, along which the part lies between the two of `extent`; prints go on `charts`."""
    make = str(rng.choice(list(MAKES), p=list(MAKES.values())))
    if make == "wooden":
        return wooden(rng, axis)
    if make == "steel":
        return steel(rng, axis)
    colour = pick(rng, CODES)
    layers = _print(rng, colour, axis, extent, charts) if rng.random() < PRINTED else ()
    if make == "glazed":
        return glazed(colour, rng, layers, bool(rng.random() < 0.5))
    return plastic(colour, float(rng.uniform(0.15, 0.8)), layers)


def _print(
    rng: np.random.Generator, colour: Colour, axis: int, extent: tuple[float, float], charts: tuple[Chart, ...]
) -> tuple[Layer, ...]:
    ink, low, size = contrasting(rng, colour), extent[0], extent[1] - extent[0]
    chart, kind = charts[rng.integers(len(charts))], rng.integers(7)
    if kind == 0:
        edges = low + size * np.sort(rng.uniform(0.1, 0.9, 2))
        return (Band(ink, *map(float, edges), axis),)
    if kind == 1:
        return (Band(ink, low + size * rng.uniform(0.35, 0.75), low + 2 * size, axis),)
    if kind == 2:
        return (Gradient(ink, low, low + size, axis),)
    if kind == 3:
        period = size / rng.integers(4, 14)
        return (Stripes(ink, chart, period, period * rng.uniform(0.2, 0.6), float(rng.choice([0.0, 0.8, np.pi / 2]))),)
    if kind == 4:
        spacing = rng.uniform(0.006, 0.02)
        return (Dots(ink, chart, spacing, spacing * rng.uniform(0.18, 0.35)),)
    if kind == 5:
        return (Checks(ink, chart, rng.uniform(0.005, 0.015)),)
    wide = size * rng.uniform(0.3, 0.7)
    if rng.random() < 0.5:
        return (Decal(logo(rng, ink, contrasting(rng, colour)), chart, wide, wide),)
    paper = contrasting(rng, ink)
    return (Decal(product_label(rng, paper, ink, contrasting(rng, paper), 2.0), chart, 2 * wide, wide),)

"""Plots of measurements as pictures (sRGB arrays): plain bars that can be read without a legend where possible."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Tile = UInt8[np.ndarray, "_h _w 3"]
PALETTE = ("#3b6fb6", "#e08a4f", "#6aa56a", "#b65b7c", "#8c7bb8", "#c9a93f", "#6f8f9c")
INK = "#3c3c3c"


def _figure(bars: int, title: str, unit: str, extra: float = 0.0) -> tuple[Figure, object]:
    figure = Figure(figsize=(7.5, 1.1 + 0.36 * bars + extra), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.set_xlabel(unit, color=INK)
    axes.tick_params(colors=INK, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _picture(figure: Figure) -> Tile:
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3].copy()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bars(values: Mapping[str, float], title: str, unit: str) -> Tile:
    """One horizontal bar a name, in the order given, its value written beside it."""
    figure, axes = _figure(len(values), title, unit)
    drawn = axes.barh(list(values), list(values.values()), color=PALETTE[0], height=0.62)
    axes.bar_label(drawn, [_number(v) for v in values.values()], padding=4, color=INK)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    return _picture(figure)


def stacked_bars(parts: Mapping[str, Mapping[str, float]], title: str, unit: str) -> Tile:
    """One bar a name, made of named parts (seconds per stage, a clip each); the total beside it. Absent parts are 0."""
    figure, axes = _figure(len(parts), title, unit, extra=0.5)
    names = list(dict.fromkeys(name for row in parts.values() for name in row))
    left = np.zeros(len(parts))
    for k, name in enumerate(names):
        widths = np.array([row.get(name, 0.0) for row in parts.values()])
        drawn = axes.barh(list(parts), widths, left=left, color=PALETTE[k % len(PALETTE)], height=0.62, label=name)
        left += widths
    axes.bar_label(drawn, [_number(total) for total in left], padding=4, color=INK)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    figure.legend(loc="outside lower center", ncols=min(len(names), 6), frameon=False, labelcolor=INK, fontsize=8.5)
    return _picture(figure)

"""Figures for papers as matplotlib figures, and their vector PDF and PNG: curves with intervals, and sheets of pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from hoi.artefacts import whole
from hoi.present.figures import INK, PALETTE

Tile = UInt8[np.ndarray, "_h _w 3"]


@dataclass(frozen=True)
class Curve:
    """Values along x, and the band that is drawn around them."""

    x: Float[np.ndarray, " n"]
    middle: Float[np.ndarray, " n"]
    low: Float[np.ndarray, " n"]
    high: Float[np.ndarray, " n"]


def curves(named: Mapping[str, Curve], x_label: str, y_label: str, logarithmic: bool = False) -> Figure:
    """A line a name with its band; a single point is a dot with a bar."""
    figure = Figure(figsize=(4.2, 3.0), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    for i, (name, curve) in enumerate(named.items()):
        colour = PALETTE[i % len(PALETTE)]
        axes.plot(curve.x, curve.middle, "o-" if len(curve.x) < 20 else "-", color=colour, label=name, markersize=4)
        if len(curve.x) > 1:
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
        else:
            axes.vlines(curve.x, curve.low, curve.high, color=colour)
    if logarithmic:
        axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)
    return figure


def picture_sheet(rows: Sequence[tuple[str, Sequence[Tile | None]]], heads: Sequence[str]) -> Figure:
    """Rows of square pictures under heads, a label at the left of each row; None: the clip failed."""
    figure = Figure(figsize=(0.3 + 1.2 * len(heads), 0.25 + 1.2 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(heads), squeeze=False)
    for i, (label, tiles) in enumerate(rows):
        for j, tile in enumerate(tiles):
            axes = grid[i, j]
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if tile is None:
                axes.text(0.5, 0.5, "failed", ha="center", va="center", color=INK, fontsize=8)
            else:
                axes.imshow(tile, interpolation="none")
            if i == 0:
                axes.set_title(heads[j], fontsize=8, color=INK)
        grid[i, 0].set_ylabel(label, fontsize=8, color=INK)
    return figure


def write_figure(pdf: Path | str, png: Path | str, figure: Figure) -> None:
    """Vector PDF (text stays text) and PNG; the same bytes for the same figure."""
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        with whole(pdf) as path:
            figure.savefig(path, format="pdf", metadata={"CreationDate": None})
        with whole(png) as path:
            figure.savefig(path, format="png", dpi=200)

"""One figure over clips and variants."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hoi.artefacts import Product, raise_recorded, read_json, read_npz
from hoi.clip import read_clip
from hoi.config import MakeFigure
from hoi.errors import DataFailure, InputError
from hoi.meshes import read_mesh
from hoi.metrics import METRICS
from hoi.present.hands import open_hand_cam
from hoi.present.overlay import Fitted, MovingObject
from hoi.present.plots import Curve, Tile, curves, picture_sheet, write_figure
from hoi.present.stills import clip_row
from hoi.present.tables import bootstrap, charged


class Files(NamedTuple):
    """What is known of one clip under one variant."""

    score: Path
    mesh: Path
    poses: Path
    history: Path
    clip: Path


Named = dict[tuple[str, str], Files]  # by variant and clip


def make_figure(
    names: list[str], scores: list[Path], meshes: list[Path], poses: list[Path], histories: list[Path],
    clips: list[Path], config: MakeFigure, seed: int, pdf: Product, png: Product,
) -> None:  # fmt: skip
    """Draw a figure; `names` are VARIANT/CLIP, one for each score, file of a fit and prepared clip."""
    keys = [tuple(name.split("/")) for name in names]
    files = map(Files, *zip(*zip(scores, meshes, poses, histories, clips, strict=True), strict=True))
    draw = {"error": _error, "losses": _losses, "gallery": _gallery}[config.kind]
    write_figure(pdf, png, draw(dict(zip(keys, files, strict=True)), config, seed))


def _error(named: Named, config: MakeFigure, seed: int) -> Figure:
    """Mean of a metric over clips, with its 95 % bootstrap interval, for variants along x."""
    points, count = [], 0
    for variant in config.variants:
        values = [read_json(files.score)[config.metric] for (v, _), files in named.items() if v == variant]
        known = [charged(config.metric, value) for value in values if value is not None]
        count = max(count, len(known))
        mean = float(np.mean(known)) if known else np.nan
        low, high = bootstrap(known, seed)
        points.append((mean, mean if low is None else low, mean if high is None else high))
    middle, low, high = np.array(points).T
    curve = Curve(np.array(config.x, float), middle, low, high)
    return curves({f"{count} clips": curve}, config.x_label, METRICS[config.metric].title)


def _losses(named: Named, config: MakeFigure, seed: int) -> Figure:
    """A term of the objective along the steps: the median over clips, and the middle half of them."""
    drawn = {}
    for variant in config.variants:
        columns = [_history(files.history, config.metric) for (v, _), files in named.items() if v == variant]
        fitted = [column for column in columns if column is not None]
        if not fitted:
            continue
        table = pd.concat(fitted, axis=1)
        quarter, middle, three = (table.quantile(q, axis=1).to_numpy(float) for q in (0.25, 0.5, 0.75))
        drawn[variant] = Curve(table.index.to_numpy(float), middle, quarter, three)
    return curves(drawn, "step", config.metric, logarithmic=True)


def _history(path: Path, term: str) -> pd.Series | None:
    try:
        raise_recorded(path)
    except DataFailure:
        return None
    history = pd.read_parquet(path)
    if term not in history:
        raise InputError(path, f"terms {', '.join(history.columns)}", f"a term {term!r}", "correct the figure's metric")
    return history.set_index("step")[term]


def _gallery(named: Named, config: MakeFigure, seed: int) -> Figure:
    """A clip a row: the middle frame, then for each variant the overlay and two novel views of the object."""
    rows = []
    for clip in dict.fromkeys(clip for _, clip in named):
        frames = read_clip(next(files.clip for (_, c), files in named.items() if c == clip)).frames()
        tiles: list[Tile | None] = []
        for variant in config.variants:
            tiles += _views(frames, named.get((variant, clip)), config.tile_px)
        shown = [i for i, tile in enumerate(tiles) if i % 4 == 0 and tile is not None]
        first = tiles[shown[0]] if shown else frames[len(frames) // 2]
        rows.append((clip, [first, *(tile for i, tile in enumerate(tiles) if i % 4)]))
    heads = ["input", *(head for v in config.variants for head in (v, f"{v}, front", f"{v}, side"))]
    return picture_sheet(rows, heads)


def _views(frames: np.ndarray, files: Files | None, size: int) -> list[Tile | None]:
    """Input, overlay, and the object from the front and the side."""
    if files is None:
        return [None] * 4
    try:
        fitted, shape = read_npz("poses", files.poses), read_mesh(files.mesh)
    except DataFailure:
        return [None] * 4
    hand = open_hand_cam(fitted, bool(fitted["is_right"]))
    scene = Fitted(MovingObject(shape, fitted["T_cam_obj"]), *hand, fitted["K"])
    middle = len(frames) // 2
    return clip_row(frames[middle], scene, middle, None, size)

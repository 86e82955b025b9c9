"""One clip's page of the report."""

import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import trimesh

from hoi.artefacts import Product, read_json, read_npz, whole
from hoi.clip import read_clip, read_truth
from hoi.config import ReportClip
from hoi.errors import DataFailure
from hoi.evaluate.score import is_failed
from hoi.hand.choice import OPEN
from hoi.meshes import read_coloured, read_mesh
from hoi.present.overlay import overlaid
from hoi.present.site.columns import Found, found_column, held_frames, true_column
from hoi.present.site.pages import clip_page, script
from hoi.present.site.shown import Column, Hand
from hoi.score import placed_truth

KINDS = ("poses", "hands", "masks")
T = TypeVar("T")


def report_clip(
    clip: Path, variants: list[str], hands: list[Path], tracks: list[Path], masks: list[Path], meshes: list[Path],
    poses: list[Path], runs: list[Path], overlays: list[Path], coloured: list[Path], scores: list[Path],
    config: ReportClip, seed: int, output: Product,
) -> None:  # fmt: skip
    """Write one clip's page, with the data, frames and films that it shows, into a folder."""
    source, truth = read_clip(clip), read_truth(clip)
    frames = source.frames()
    true = placed_truth(source, truth, OPEN)
    found = [
        Found(
            variant,
            _object(mesh),
            _unless_failed(read_coloured, looks),
            *(_unless_failed(partial(read_npz, k), x) for k, x in zip(KINDS, files, strict=True)),
        )
        for variant, mesh, looks, *files in zip(variants, meshes, coloured, poses, hands, masks, strict=True)
    ]
    K = np.tile(source.K(), (len(frames), 1, 1))
    columns = [found_column(one, true.mesh, K, config, seed) for one in found]
    true_hand = Hand(true.hand.vertices_cam, true.hand.faces) if true.hand else None
    known = true_column(true.mesh, true_hand, truth.poses, truth.masks, K, config.faces)
    columns += [known] if known else []
    shown = {
        "clip": output.name,
        "fps": float(source.info.fps or 15),
        "size": [frames.shape[2], frames.shape[1]],
        "frames": [f"frames/{i:05d}.jpg" for i in range(len(frames))],
        "columns": [column.data() for column in columns],
    }
    text = clip_page(
        output.name,
        source.info.model_dump() | {"frames": len(frames), "width": frames.shape[2], "height": frames.shape[1]},
        read_json(clip / "source.json"),
        {column.name: column.contents() for column in columns},
        dict(zip(variants, map(read_json, scores), strict=True)),
        {variant: _unless_failed(read_json, run) or {} for variant, run in zip(variants, runs, strict=True)},
        {
            one.variant: (_unless_failed(read_json, track) or {}) | held_frames(one)
            for one, track in zip(found, tracks, strict=True)
        },
    )
    with whole(output) as folder:
        (folder / "frames").mkdir(parents=True)
        for name, frame in zip(shown["frames"], frames, strict=True):
            _write_jpg(folder / name, frame, config)
        _write_jpg(folder / "thumbnail.jpg", _thumbnail(frames, columns), config)
        for variant, film in zip(variants, overlays, strict=True):
            shutil.copyfile(film, folder / f"{variant}.mp4")
        (folder / "data.js").write_text(script("HOI_CLIP", shown))
        (folder / "index.html").write_text(text, encoding="utf-8")


def _unless_failed(read: Callable[[Path], T], path: Path) -> T | None:
    """What a file holds; None where a failure is recorded in its place."""
    try:
        return read(path)
    except DataFailure:
        return None


def _object(path: Path) -> trimesh.Trimesh | None:
    mesh = _unless_failed(read_mesh, path)
    return None if is_failed(mesh) else mesh


def _thumbnail(frames: np.ndarray, columns: Iterable[Column]) -> np.ndarray:
    """The middle frame with the first whole fit over it."""
    i = len(frames) // 2
    fitted = next((fit for fit in (column.fitted() for column in columns) if fit), None)
    return frames[i] if fitted is None else overlaid(frames[i], fitted, i)


def _write_jpg(path: Path, frame: np.ndarray, config: ReportClip) -> None:
    scale = min(1.0, config.frame_px / max(frame.shape[:2]))
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
    cv2.imwrite(str(path), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality])

"""Bring README.md and docs/results.md up to date with `results/`: no number there is typed by hand.

    snakemake -c2 && python scripts/update_docs.py

Text between `<!-- begin NAME -->` and `<!-- end NAME -->` is replaced by the block of that name.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import trimesh
from PIL import Image

from hoi.artefacts import read_json, read_npz
from hoi.clip import read_clip, read_truth
from hoi.errors import InputError
from hoi.meshes import read_mesh
from hoi.metrics import METRICS
from hoi.present.figures import stacked_bars
from hoi.present.hands import open_hand_cam
from hoi.present.overlay import Fitted, MovingObject
from hoi.present.render import TRUTH_RGB
from hoi.present.stills import clip_row, sheet, write_png
from hoi.table import read_table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
STAGES = ("prepare_clip", "track_hand", "mask_clip", "fit_clip", "show_clip", "score_clip")


def scores() -> pd.DataFrame:
    """A row a clip and variant."""
    known = set(read_table(ROOT / "config/clips.tsv"))
    paths = [p for p in sorted(RESULTS.glob("scores/*/*.json")) if p.stem in known]
    return pd.DataFrame([read_json(p) for p in paths])


def main_table() -> str:
    """The table as the workflow wrote it."""
    return (RESULTS / "tables/main.md").read_text().strip()


def clips_table() -> str:
    """F@5, F@10, CD and masks of every clip under every variant of the main table."""
    table = scores()[
        ["clip", "variant", "f5", "f10", "cd_cm2", "cd_h_cm2", "mpjpe_mm", "mask_iou_object", "silhouette_iou"]
    ]
    table = table.sort_values(["clip", "variant"])
    table = table.astype(object).where(table.notna(), None)
    return table.to_markdown(index=False, floatfmt=".3f", missingval="–")


PROTOCOLS = (
    "f5", "f10", "cd_cm2", "f5_scaled", "cd_scaled_cm2", "hold_f5", "hold_f10", "hold_cd_cm2", "forehoi_f5",
    "forehoi_f10", "forehoi_cd_cm", "cd_h_cm2", "hold_cd_h_cm2", "f20_in_hand", "cd_in_hand_cm2",
)  # fmt: skip


def protocols_table(clips: tuple[str, ...] = ("mug_0", "toycar_0", "knife_0", "kettle_1")) -> str:
    """One prediction a column, a protocol's metric a row."""
    records = [read_json(RESULTS / f"scores/no_prior/{clip}.json") for clip in clips]
    lines = ["| metric | " + " | ".join(clips) + " |", "|---|" + "---:|" * len(clips)]
    for key in PROTOCOLS:
        values = ["–" if r[key] is None else f"{r[key]:.{METRICS[key].decimals}f}" for r in records]
        lines.append(f"| {METRICS[key].title} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def penalties_table() -> str:
    """What a failed clip is charged."""
    charged = [f"{m.title} {m.penalty:g}" for m in METRICS.values() if m.penalty]
    return "> " + ", ".join(charged) + "; every F, AUC, IoU and contact score 0."


def seconds() -> pd.DataFrame:
    """Seconds and memory of every job, by stage."""
    rows = []
    for stage in STAGES:
        for path in sorted((RESULTS / "benchmarks" / stage).rglob("*.tsv")):
            job = pd.read_csv(path, sep="\t").iloc[0]
            variant = path.parent.name if path.parent.name != stage else ""
            rows.append({"stage": stage, "variant": variant, "clip": path.stem, "s": job["s"], "MB": job["max_rss"]})
    jobs = pd.DataFrame(rows)
    return jobs[jobs["clip"].isin(set(read_table(ROOT / "config/clips.tsv")))]


def seconds_table() -> str:
    """Median and greatest seconds, and greatest memory, of each stage."""
    jobs = seconds().groupby(["stage", "variant"], sort=False)
    table = pd.DataFrame(
        {"jobs": jobs.size(), "median s": jobs["s"].median(), "max s": jobs["s"].max(), "max MB": jobs["MB"].max()}
    )
    return table.reset_index().to_markdown(index=False, floatfmt=".0f")


def clips_of(variant: str) -> list[str]:
    """The clips of the shipped table that this variant has fitted, failures left out."""
    return [clip for clip in read_table(ROOT / "config/clips.tsv") if _is_fitted(RESULTS / f"fits/{variant}/{clip}")]


def _is_fitted(folder: Path) -> bool:
    try:
        read_json(folder / "run.json")
    except InputError:  # not there, or a recorded failure
        return False
    return True


def pictures() -> None:
    """The seconds figure and the gallery of all clips."""
    jobs = seconds()
    own = jobs[jobs["variant"].isin(["", "diffhoi"])]
    parts = {clip: dict(zip(g["stage"], g["s"], strict=True)) for clip, g in own.groupby("clip", sort=False)}
    write_png(ROOT / "docs/pictures/seconds.png", stacked_bars(parts, "Seconds per stage, tracked input, 2 cores", "s"))
    for variant in ("diffhoi", "oracle"):
        captions = ("input", "overlay", "front", "side", "truth, front", "truth, side")
        rows = []
        for clip in clips_of(variant):
            frames, fitted, i, true = _shown(variant, clip)
            rows.append((clip, clip_row(frames[i], fitted, i, true), captions if not rows else ()))
        write_png(ROOT / f"docs/pictures/gallery_{variant}.png", sheet(rows))
    shutil.copy(RESULTS / "fits/diffhoi/bottle_cup/still.png", ROOT / "docs/pictures/bottle_cup.png")
    page = "clips/bottle_0/index.html#frame=14&colour=error"
    screenshot(page, ROOT / "docs/pictures/report.jpg", 1240, 764)


def screenshot(page: str, path: Path, width: int, height: int) -> None:
    """What a browser shows of a page of the report."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print(f"no Chromium: {path.name} stays as it is")
        return
    with tempfile.TemporaryDirectory() as scratch:
        picture = Path(scratch) / "page.png"
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--hide-scrollbars"]
        size = [f"--user-data-dir={scratch}/profile", f"--window-size={width},{height}", "--virtual-time-budget=8000"]
        address = f"{(RESULTS / 'report').resolve().as_uri()}/{page}"
        subprocess.run([browser, *flags, *size, f"--screenshot={picture}", address], check=True, capture_output=True)
        Image.open(picture).convert("RGB").save(path, quality=85)


def _shown(variant: str, clip: str) -> tuple[np.ndarray, Fitted, int, MovingObject | None]:
    folder = RESULTS / "clips" / clip
    frames, truth = read_clip(folder).frames(), read_truth(folder)
    poses = read_npz("poses", RESULTS / f"fits/{variant}/{clip}/poses.npz")
    mesh = read_mesh(RESULTS / f"fits/{variant}/{clip}/object.ply")
    fitted = Fitted(MovingObject(mesh, poses["T_cam_obj"]), *open_hand_cam(poses, bool(poses["is_right"])), poses["K"])
    true = None
    if truth.object_path and truth.poses:
        true = MovingObject(trimesh.load_mesh(truth.object_path), truth.poses["T_cam_obj"], TRUTH_RGB)
    return frames, fitted, len(frames) // 2, true


def replace(path: Path, blocks: dict[str, Callable[[], str]]) -> None:
    """Fill the marked blocks of a page."""
    text = path.read_text()
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.S)
        if pattern.search(text):
            body = block()
            text = pattern.sub(lambda m, body=body: f"{m[1]}{body}\n{m[2]}", text)
    path.write_text(text)


if __name__ == "__main__":
    blocks = {
        "main": main_table, "clips": clips_table, "seconds": seconds_table, "protocols": protocols_table,
        "penalties": penalties_table,
    }  # fmt: skip
    pictures()
    for page in (ROOT / "README.md", ROOT / "docs/results.md", ROOT / "docs/evaluation.md"):
        replace(page, blocks)

"""Bring README.md and pages of docs/ up to date with `results/`: no number in their blocks is typed by hand.

    snakemake -c2 && python scripts/update_docs.py

Text between `<!-- begin NAME -->` and `<!-- end NAME -->` is replaced by the block of that name. Tables and figures of the
overlays (`STUDIES`) and the stress set are brought up to date where they were run.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import trimesh
from PIL import Image

from hoi.artefacts import read_json, read_npz
from hoi.clip import read_clip, read_truth
from hoi.errors import DataFailure, InputError
from hoi.evaluate.masks import iou
from hoi.meshes import read_mesh
from hoi.metrics import METRICS
from hoi.present.figures import stacked_bars
from hoi.present.hands import open_hand_cam
from hoi.present.overlay import Fitted, MovingObject, masked
from hoi.present.render import TRUTH_RGB
from hoi.present.stills import captioned, clip_row, sheet, write_png
from hoi.table import read_table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
STUDIES = ("prior", "channels", "motion", "noise", "views", "length", "viewpoint")
STAGES = ("prepare_clip", "track_hand", "mask_clip", "fit_clip", "show_clip", "score_clip")


@cache
def main_rows() -> pd.DataFrame:
    """The main table's rows."""
    return pd.read_csv(RESULTS / "tables/main.csv")


def variants() -> set[str]:
    """Those of the main table; overlays leave others beside them."""
    return set(main_rows()["variant"])


@cache
def scores() -> pd.DataFrame:
    """A row a clip and variant of the main table."""
    known, shown = set(read_table(ROOT / "config/clips.tsv")), variants()
    paths = [p for p in sorted(RESULTS.glob("scores/*/*.json")) if p.stem in known and p.parent.name in shown]
    return pd.DataFrame([read_json(p) for p in paths])


def main_table() -> str:
    """The table as the workflow wrote it."""
    return (RESULTS / "tables/main.md").read_text().strip()


def means() -> pd.DataFrame:
    """The main table's means over clips, a row a variant."""
    table = main_rows().set_index("variant")
    return table[table["category"] == "mean"]


def aims_table() -> str:
    """What was aimed at, beside what the last run reached."""
    mean, each = means(), scores()
    full, plain, oracle = (mean.loc[v] for v in ("diffhoi", "no_prior", "oracle"))
    made, real = each[each["f5"].notna()], each[each["clip"] == "bottle_cup"].set_index("variant")
    own = made[made["variant"] == "diffhoi"]
    rows = [
        ("real clip: frames with the hand found", "95 %", f"{100 * real.loc['diffhoi', 'hand_found']:.0f} %"),
        ("real clip: object IoU against the reference masks", "0.85", f"{real.loc['diffhoi', 'mask_iou_object']:.3f}"),
        (
            "real clip: silhouette IoU of the fit against the reference masks",
            "0.80",
            f"{real.loc['diffhoi', 'silhouette_iou']:.3f} with the prior, {real.loc['no_prior', 'silhouette_iou']:.3f} without",
        ),
        ("seconds of a fit, 30 frames, no prior: mean", "120", f"{plain['seconds']:.0f}"),
        ("the same with the prior: mean (most)", "240", f"{full['seconds']:.0f} ({own['seconds'].max():.0f})"),
        ("memory of a fit with the prior: most", "4 GB", f"{own['memory_mb'].max() / 1000:.1f} GB"),
        ("F@5 mm of `diffhoi` over `no_prior`", "+ 0.10", f"+ {full['F@5mm'] - plain['F@5mm']:.3f}"),
        ("CD of `diffhoi` over that of `no_prior`", "0.6", f"{full['CD_cm2'] / plain['CD_cm2']:.2f}"),
        (
            "`diffhoi`: F@5 mm, F@10 mm, CD",
            "0.62, 0.91, 0.8",
            f"{full['F@5mm']:.3f}, {full['F@10mm']:.3f}, {full['CD_cm2']:.2f}",
        ),
        ("F@5 mm of `oracle`, mean", "0.60", f"{oracle['F@5mm']:.3f} (F@10 mm {oracle['F@10mm']:.3f})"),
    ]
    lines = ["| figure | aim | reached |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)]
    return "\n".join(lines)


def gain_text() -> str:
    """What the prior adds, in words, and the clips that it costs."""
    mean = means()
    full, plain = (mean.loc[v] for v in ("diffhoi", "no_prior"))
    f5 = scores().dropna(subset="f5").pivot(index="clip", columns="variant", values="f5")
    worse = f5[f5["diffhoi"] < f5["no_prior"]]
    lost = ", ".join(f"`{clip}` ({r['no_prior']:.2f} to {r['diffhoi']:.2f})" for clip, r in worse.iterrows())
    return (
        f"**On the 12 test clips**, nothing given: F@5 mm rises from {plain['F@5mm']:.3f} to {full['F@5mm']:.3f}, F@10 mm from "
        f"{plain['F@10mm']:.3f} to {full['F@10mm']:.3f}, and CD falls from {plain['CD_cm2']:.2f} to {full['CD_cm2']:.2f} cm², "
        f"{full['CD_cm2'] / plain['CD_cm2']:.2f} times ([results.md](results.md)).\n"
        f"Clips whose F@5 mm is less with the prior than without: {lost or 'none'}."
    )


def study_table(name: str) -> str:
    """The table of an overlay as the workflow wrote it, and its figure if it has one."""
    text, figure = (RESULTS / f"tables/{name}.md").read_text().strip(), RESULTS / f"figures/{name}.png"
    if not figure.exists():
        return text
    shutil.copy(figure, ROOT / f"docs/pictures/{name}.png")
    return f"{text}\n\n![{name}](pictures/{name}.png)"


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
    return "> " + ", ".join(charged) + "; every F, AUC, IoU, contact score and share of frames 0."


def seconds() -> pd.DataFrame:
    """Seconds and memory of every job, by stage."""
    rows = []
    for stage in STAGES:
        for path in sorted((RESULTS / "benchmarks" / stage).rglob("*.tsv")):
            job = pd.read_csv(path, sep="\t").iloc[0]
            variant = path.parent.name if path.parent.name != stage else ""
            rows.append({"stage": stage, "variant": variant, "clip": path.stem, "s": job["s"], "MB": job["max_rss"]})
    jobs = pd.DataFrame(rows)
    shown = jobs["variant"].isin(variants() | {""})
    return jobs[shown & jobs["clip"].isin(set(read_table(ROOT / "config/clips.tsv")))]


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
    built = (RESULTS / "report/index.html").exists()
    if not (browser and built):
        print(f"no {'report' if browser else 'Chromium'}: {path.name} stays as it is")
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


def stress_table() -> str:
    """The table of the stress set as the workflow wrote it."""
    return (RESULTS / "tables/stress.md").read_text().strip()


def stress_picture(columns: int = 3, width_px: int = 480) -> None:
    """Of each shift the frame whose object mask is worst in the clip whose masks are worst: as filmed, and as masked."""
    worst: dict[str, tuple[float, np.ndarray]] = {}
    for clip, row in read_table(ROOT / "config/stress.tsv").items():
        if row.shift:
            score, tile = _worst_frame(clip, f"{row.shift}, {row.category}", width_px)
            worst[row.shift] = min(worst.get(row.shift, (2.0, tile)), (score, tile), key=lambda pair: pair[0])
    tiles = [tile for _, tile in worst.values()]
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    Image.fromarray(np.concatenate(rows)).save(ROOT / "docs/pictures/stress.jpg", quality=85)


def _worst_frame(clip: str, title: str, width_px: int) -> tuple[float, np.ndarray]:
    """Mean object IoU of a clip (-1: not masked at all), and its worst frame beside its masks, with a caption."""
    folder = RESULTS / "clips" / clip
    frames, true = read_clip(folder).frames(), read_truth(folder).masks["object"]
    try:
        found = read_npz("masks", RESULTS / f"masks/diffhoi/{clip}.npz")
    except DataFailure as failure:
        mean, text, pair = -1.0, f"{title}: {failure.found}", [frames[0], frames[0]]
    else:
        each = np.array([iou(found["object"][i], true[i]) for i in range(len(frames))], float)
        i, mean = int(np.nanargmin(each)), float(np.nanmean(each))
        text = f"{title}: IoU {each[i]:.2f}, mean {mean:.2f}"
        pair = [frames[i], masked(frames[i], found["object"][i], found["hand"][i])]
    wide = Image.fromarray(np.concatenate(pair, 1))
    small = np.asarray(wide.resize((width_px, width_px * wide.height // wide.width), Image.Resampling.LANCZOS))
    above = np.full((22, width_px, 3), 255, np.uint8)
    return mean, captioned(np.concatenate([above, small]), text)


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
        "penalties": penalties_table, "aims": aims_table, "gain": gain_text,
    }  # fmt: skip
    pictures()
    blocks |= {name: partial(study_table, name) for name in STUDIES if (RESULTS / f"tables/{name}.md").exists()}
    if (RESULTS / "tables/stress.md").exists():
        blocks["stress"] = stress_table
        stress_picture()
    for page in (
        "README.md",
        "docs/results.md",
        "docs/evaluation.md",
        "docs/wild.md",
        "docs/ablations.md",
        "docs/prior.md",
    ):
        replace(ROOT / page, blocks)

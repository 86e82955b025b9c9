"""What a run left behind, for a terminal: the tables, where the pictures and meshes are, and what failed."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from hoi.artefacts import raise_recorded, read_json
from hoi.category import unknown_category
from hoi.clip import read_clip
from hoi.errors import DataFailure, InputError
from hoi.present.site.pages import shown
from hoi.present.tables import failures as failed_lines
from hoi.table import read_table

ASSUMED = "; all sizes are right to some 10 %; give it in pixels (focal_px; make clip: FOCAL; docs/wild.md says how)"


def summary(results: Path = Path("results"), clips: Path | None = None) -> None:
    """Print every table under `results/tables`, the paths to look at, and every failure with what to do next.

    `clips`: of the clips of this clips table alone, and with status 1 at the end if one of them has no result.
    """
    console = Console()
    tables = sorted((results / "tables").glob("*.csv"))
    if not tables:
        raise InputError(results / "tables", "no tables", "results/tables/main.csv", "run `make demo` or snakemake")
    for path in tables:
        console.print(_table(path, console))
    wanted = read_table(clips) if clips else None
    fits = sorted((results / "fits").glob("*/*/object.ply"))
    fits = [fit for fit in fits if wanted is None or fit.parent.name in wanted]
    failed = {fit: failure for fit in fits if (failure := _failure(fit))}
    for fit in fits:
        told = [_no_result(fit, failed[fit])] if fit in failed else [_result(fit)]
        if wanted is not None and fit not in failed:
            told += [f"  {fact}" for fact in _rests_on(fit, results / "clips" / fit.parent.name)]
        sys.stdout.write("\n".join(told) + "\n")
    if (page := results / "report/index.html").exists():
        sys.stdout.write(f"open in a browser: {page}\n")
    if wanted is not None and failed:
        sys.exit(1)


def _failure(path: Path) -> DataFailure | None:
    """What is recorded in place of a file, if anything is."""
    try:
        raise_recorded(path)
    except DataFailure as failure:
        return failure
    return None


def _result(fit: Path) -> str:
    """Where to look."""
    names = ("still.png", "overlay.mp4", "object.ply", "coloured.ply", "coloured.glb")
    return f"{fit.parent}/  {'  '.join(name for name in names if (fit.parent / name).exists())}"


def _rests_on(fit: Path, clip: Path) -> list[str]:
    """What a result depends on, and how to give what was assumed."""
    run, lens = read_json(fit.with_name("run.json")), read_json(clip / "source.json")["intrinsics"]
    facts = [f"{word}: {run[word]}" for word in ("hands", "masks", "body") if word in run]
    unknown = unknown_category(read_clip(clip).info.category)
    return ["; ".join(facts), f"focal length: {lens}{ASSUMED if lens.startswith('assumed') else ''}"] + [
        unknown
    ] * bool(unknown)


def _no_result(fit: Path, failure: DataFailure) -> str:
    """What went wrong, where, and what to do."""
    log = f"\n  log:      {failure.log}" if failure.log else ""
    return f"{fit.parent}/  no result: {failure.stage}: {failure}{log}"


def failures(results: Path = Path("results")) -> None:
    """List every clip that has no result, with stage, reason and log; end with status 1 if there is one."""
    lines, count = failures_among(sorted((results / "scores").glob("*/*.json")))
    sys.stdout.write("".join(f"{line}\n" for line in (*lines, count)))
    sys.exit(bool(lines))


def failures_among(paths: Sequence[Path]) -> tuple[list[str], str]:
    """A line every failed fit of some score files, with stage, reason and log; and one that counts them."""
    scores = [read_json(path) for path in paths]
    failed = [score for score in scores if score["failed"]]
    lines = failed_lines(failed, list(dict.fromkeys(score["variant"] for score in failed)))
    return lines, f"{len(failed)} of {len(scores)} scored fits failed"


def _table(path: Path, console: Console) -> Table:
    """A table of a CSV, its last columns left out where the terminal is too narrow for all."""
    with path.open(newline="") as file:
        rows = [[_short(cell) for cell in row] for row in csv.reader(file)]
    for count in range(len(rows[0]), 2, -1):
        note = "" if count == len(rows[0]) else f"{', '.join(rows[0][count:])}: in the file"
        table = Table(*rows[0][:count], title=str(path), caption=note)
        for row in rows[1:]:
            table.add_row(*row[:count])
        if Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width:
            break
    return table


def _short(cell: str) -> str:
    """A number in three digits, or whole; anything else as it is."""
    try:
        return shown(float(cell)) if "." in cell else cell
    except ValueError:
        return cell

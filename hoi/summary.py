"""What a run left behind, for a terminal: the tables, and where the pictures and meshes are."""

import csv
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hoi.errors import InputError


def summary(results: Path = Path("results")) -> None:
    """Print every table under `results/tables`, and the paths to look at."""
    console = Console()
    tables = sorted((results / "tables").glob("*.csv"))
    if not tables:
        raise InputError(results / "tables", "no tables", "results/tables/main.csv", "run `make demo` or snakemake")
    for path in tables:
        console.print(_table(path))
    for fit in sorted((results / "fits").glob("*/*/object.ply")):
        shown = [
            name for name in ("still.png", "overlay.mp4", "object.ply", "scene.glb") if (fit.parent / name).exists()
        ]
        console.print(f"{fit.parent}/  {'  '.join(shown)}", highlight=False, soft_wrap=True)
    if (page := results / "report/index.html").exists():
        console.print(f"open in a browser: {page}", highlight=False, soft_wrap=True)


def _table(path: Path) -> Table:
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    table = Table(*header, title=str(path))
    for row in rows:
        table.add_row(*[_short(cell) for cell in row])
    return table


def _short(cell: str) -> str:
    try:
        return f"{float(cell):.3g}" if "." in cell else cell
    except ValueError:
        return cell

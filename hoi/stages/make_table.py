"""One table of scores."""

import csv as csv_files
from pathlib import Path

from hoi.artefacts import Product, read_json, write_text
from hoi.config import MakeTable
from hoi.errors import InputError
from hoi.present.table_text import to_csv, to_latex, to_markdown
from hoi.present.tables import check_same_making, failures, table_rows
from hoi.table import read_table


def make_table(
    scores: list[Path],
    clips: Path,
    reported: Path,
    config: MakeTable,
    seed: int,
    csv: Product,
    md: Product,
    tex: Product,
) -> None:
    """Gather the scores of many clips under some variants into one table."""
    records = [read_json(path) for path in scores]
    if config.mixed == "refuse":
        check_same_making(records, csv.stem)
    groups = {name: row.model_dump() for name, row in read_table(clips).items()}
    rows = table_rows(records, config, groups, seed)
    failed, others = failures(records, config.variants), _reported(reported, config.reported)
    write_text(csv, to_csv(rows, config))
    write_text(md, to_markdown(rows, config, failed, others))
    write_text(tex, to_latex(rows, config, failed, others))


def _reported(path: Path, sets: list[str]) -> list[dict[str, str]]:
    """The rows of others' numbers that belong to the named sets."""
    with path.open(newline="") as file:
        rows = list(csv_files.DictReader(file, delimiter="\t"))
    unknown = sorted(set(sets) - {row["set"] for row in rows})
    if unknown:
        found = ", ".join(sorted({row["set"] for row in rows}))
        raise InputError(f"tables: reported: {unknown[0]}", "no such set", f"one of {found} ({path})", "correct it")
    return [row for row in rows if row["set"] in sets]

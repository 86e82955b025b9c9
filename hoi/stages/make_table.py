"""One table of scores."""

from pathlib import Path

from hoi.artefacts import read_json
from hoi.config import MakeTable
from hoi.present.tables import write_table


def make_table(scores: list[Path], config: MakeTable, csv: Path, md: Path) -> None:
    """Gather the scores of many clips under some variants into one table."""
    write_table(csv, md, [read_json(path) for path in scores], config.variants, config.columns)

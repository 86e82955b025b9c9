"""The report's first page, and what all its pages share."""

import shutil
from pathlib import Path
from typing import Any

from hoi.artefacts import Product, read_json, whole
from hoi.config import MakeReport
from hoi.errors import DataFailure
from hoi.present.site.markdown import parse_markdown
from hoi.present.site.pages import ASSETS, SITE, index_page, script


def make_report(
    scores: list[Path], runs: list[Path], tables: list[Path], csv: list[Path], config: MakeReport, site: Product,
    index: Product,
) -> None:  # fmt: skip
    """Write `index.html` over the pages of the clips; copy the tables, and what pages share into the folder `site`."""
    read = [read_json(path) for path in scores]
    text = index_page(
        read,
        [run for run in map(_run, runs) if run],
        {path.stem: parse_markdown(path.read_text(encoding="utf-8")) for path in tables},
        config.columns,
    )
    with whole(site) as folder:
        folder.mkdir()
        for name in ASSETS:
            shutil.copyfile(SITE / name, folder / name)
        for path in csv:
            shutil.copyfile(path, folder / path.name)
        (folder / "clips.js").write_text(script("HOI_CLIPS", list(dict.fromkeys(score["clip"] for score in read))))
    with whole(index) as path:
        path.write_text(text, encoding="utf-8")


def _run(path: Path) -> dict[str, Any] | None:
    """The record of a fit; None if there was none to record."""
    try:
        return read_json(path)
    except DataFailure:
        return None

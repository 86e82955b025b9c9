"""Tables of scores as CSV and Markdown. Which variants and columns a table has is data (config section of the table).

A score is the flat record that scoring writes for one clip and one variant; None says that a value was not measured.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hoi.artefacts import whole
from hoi.errors import InputError

Score = Mapping[str, Any]
MISSING = "–"


@dataclass(frozen=True)
class Column:
    """How one metric is shown. `name` heads the CSV, `title` the Markdown; both carry the unit."""

    name: str
    title: str
    decimals: int
    best: Literal["high", "low"]


COLUMNS: dict[str, Column] = {
    "f5": Column("F@5mm", "F@5 mm", 3, "high"),
    "f10": Column("F@10mm", "F@10 mm", 3, "high"),
    "cd_cm2": Column("CD_cm2", "CD cm²", 2, "low"),
    "f5_scaled": Column("F@5mm_scaled", "F@5 mm, scaled", 3, "high"),
    "f10_scaled": Column("F@10mm_scaled", "F@10 mm, scaled", 3, "high"),
    "cd_scaled_cm2": Column("CD_scaled_cm2", "CD cm², scaled", 2, "low"),
    "cd_h_cm2": Column("CD_h_cm2", "CD_h cm²", 1, "low"),
    "f20_in_hand": Column("F@20mm_in_hand", "F@20 mm, in hand", 3, "high"),
    "mpjpe_mm": Column("MPJPE_mm", "MPJPE mm", 1, "low"),
    "pa_mpjpe_mm": Column("PA_MPJPE_mm", "PA-MPJPE mm", 1, "low"),
    "wrist_mm": Column("wrist_mm", "wrist mm", 1, "low"),
    "acceleration_m_s2": Column("acceleration_error_m_s2", "acceleration error m/s²", 2, "low"),
    "mask_iou_object": Column("mask_IoU", "mask IoU", 3, "high"),
    "mask_iou_hand": Column("mask_IoU_hand", "mask IoU, hand", 3, "high"),
    "silhouette_iou": Column("silhouette_IoU", "silhouette IoU", 3, "high"),
    "silhouette_iou_fitted": Column("silhouette_IoU_fitted", "silhouette IoU, to fitted masks", 3, "high"),
    "seconds": Column("seconds", "seconds", 0, "low"),
}


@dataclass(frozen=True)
class Row:
    """One line of a table: the mean over some clips of one variant."""

    variant: str
    category: str  # or `mean`, or a clip without a true shape
    clips: int
    failures: int  # fits without an object; they are in the means at a fixed penalty
    values: dict[str, float | None]


def _mean_row(variant: str, category: str, scores: Sequence[Score], columns: Sequence[str]) -> Row:
    values: dict[str, float | None] = {}
    for key in columns:
        known = [float(score[key]) for score in scores if score.get(key) is not None]
        values[key] = sum(known) / len(known) if known else None
    return Row(variant, category, len(scores), sum(bool(score.get("failed")) for score in scores), values)


def table_rows(scores: Sequence[Score], variants: Sequence[str], columns: Sequence[str]) -> list[Row]:
    """Rows by variant: the categories, `mean` over all their clips, then each clip without a true shape by itself.

    Clips without a truth are in no mean: a mask IoU of a real video beside that of made clips would mix two things.
    """
    unknown = [key for key in columns if key not in COLUMNS]
    if unknown:
        raise InputError("tables: columns", repr(unknown[0]), ", ".join(COLUMNS), "correct the table's columns")
    rows = []
    for variant in variants:
        mine = [score for score in scores if score["variant"] == variant]
        known = [score for score in mine if score.get("f5") is not None]
        for category in dict.fromkeys(score["category"] for score in known):
            members = [score for score in known if score["category"] == category]
            rows.append(_mean_row(variant, category or "none", members, columns))
        rows.append(_mean_row(variant, "mean", known, columns))
        for score in mine:
            if score.get("f5") is None:
                rows.append(_mean_row(variant, f"{score['clip']} (no true shape)", [score], columns))
    return rows


def to_csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Plain numbers, six significant digits; an empty cell where nothing was measured."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["variant", "category", "clips", "failures", *(COLUMNS[key].name for key in columns)])
    for row in rows:
        cells = ["" if (value := row.values[key]) is None else f"{value:.6g}" for key in columns]
        writer.writerow([row.variant, row.category, row.clips, row.failures, *cells])
    return out.getvalue()


def _shown(row: Row, key: str) -> str:
    value = row.values[key]
    return MISSING if value is None else f"{value:.{COLUMNS[key].decimals}f}"


def _is_best(row: Row, key: str, rows: Sequence[Row]) -> bool:
    """Is the row's shown value the best among the variants of its category? Not where there is none to beat."""
    rivals = [_shown(other, key) for other in rows if other.category == row.category and other.values[key] is not None]
    if len(rivals) < 2 or row.values[key] is None:
        return False
    pick = max if COLUMNS[key].best == "high" else min
    return float(_shown(row, key)) == pick(map(float, rivals))


def to_markdown(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """A Markdown table: variants as groups of rows, the best variant of each category in bold, an arrow a column."""
    arrows = {"high": "↑", "low": "↓"}
    heads = [f"{COLUMNS[key].title} {arrows[COLUMNS[key].best]}" for key in columns]
    lines = ["| " + " | ".join(["variant", "category", "clips", "failures", *heads]) + " |"]
    lines.append("|" + "---|---|" + "---:|" * (2 + len(columns)))
    last = None
    for row in rows:
        cells = [f"**{_shown(row, k)}**" if _is_best(row, k, rows) else _shown(row, k) for k in columns]
        category = "**mean**" if row.category == "mean" else row.category
        name = row.variant if row.variant != last else ""
        lines.append("| " + " | ".join([name, category, str(row.clips), str(row.failures), *cells]) + " |")
        last = row.variant
    return "\n".join(lines) + "\n\n" + NOTES


NOTES = (
    "F and CD: protocol `diffhoi` (rigid registration, `scaled`: with one scale; 10,000 samples a side; CD is the "
    "sum of the two mean squared distances). CD_h: protocol `hold`, relative to the wrist, no alignment. MPJPE: wrist "
    "aligned. `mean` is over the clips with a true shape; failed fits count with F 0 and a fixed CD. "
    f"{MISSING}: not measured. Bold: best variant of the category.\n"
)


def write_table(
    csv_path: Path | str,
    markdown_path: Path | str,
    scores: Sequence[Score],
    variants: Sequence[str],
    columns: Sequence[str],
) -> None:
    """Write one table in both forms."""
    rows = table_rows(scores, variants, columns)
    for path, text in ((csv_path, to_csv(rows, columns)), (markdown_path, to_markdown(rows, columns))):
        with whole(path) as scratch:
            scratch.write_text(text, encoding="utf-8")

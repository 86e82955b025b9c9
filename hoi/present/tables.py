"""Rows of tables: means over clips with failures counted, intervals, and a guard against rows of different making.

A score is the flat record that scoring writes for one clip and one variant; None says that a value was not measured.
Which variants and columns a table has is data (config section of the table); how it is written: table_text.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hoi.config import MakeTable
from hoi.errors import InputError
from hoi.metrics import METRICS

Score = Mapping[str, Any]
RESAMPLES = 2000


@dataclass(frozen=True)
class Cell:
    """A mean, and the ends of its 95 % bootstrap interval over clips; None: not measured, or too few clips."""

    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of a table: the mean over some clips of one variant."""

    variant: str
    group: str  # a category, `mean`, or a clip without a true shape
    clips: int
    failures: int  # clips without a result; they are in the means at a fixed penalty
    cells: dict[str, Cell] = field(default_factory=dict)


def charged(key: str, value: float) -> float:
    """A value as it enters a mean: no worse than a failure's."""
    metric = METRICS[key]
    return value if metric.penalty is None or metric.best == "high" else min(value, metric.penalty)


def bootstrap(values: Sequence[float], seed: int) -> tuple[float | None, float | None]:
    """Ends of the 95 % percentile bootstrap interval of the mean (Efron 1979); None with fewer than 3 values."""
    if len(values) < 3:
        return None, None
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(np.asarray(values)[drawn].mean(1), [2.5, 97.5])
    return float(low), float(high)


def _row(variant: str, group: str, scores: Sequence[Score], columns: Sequence[str], seed: int) -> Row:
    cells = {}
    for key in columns:
        known = [charged(key, float(score[key])) for score in scores if score.get(key) is not None]
        cells[key] = Cell(float(np.mean(known)), *bootstrap(known, seed)) if known else Cell(None)
    return Row(variant, group, len(scores), sum(bool(score["failed"]) for score in scores), cells)


def table_rows(
    scores: Sequence[Score], definition: MakeTable, groups: Mapping[str, Mapping[str, Any]], seed: int
) -> list[Row]:
    """Rows by variant: the groups, `mean` over all their clips, then each clip without a true shape by itself.

    `groups`: columns of the clips table, by clip. Clips without a truth are in no mean: a mask IoU of a real video beside
    that of made clips would mix two things.
    """
    rows = []
    for variant in definition.variants:
        mine = [score for score in scores if score["variant"] == variant]
        known = [score for score in mine if score.get("f5") is not None]
        named = [(_group(score, definition.group_by, groups), score) for score in known]
        for group in dict.fromkeys(name for name, _ in named):
            members = [score for name, score in named if name == group]
            rows.append(_row(variant, group, members, definition.columns, seed))
        if known:
            rows.append(_row(variant, "mean", known, definition.columns, seed))
        for score in mine:
            if score.get("f5") is None:
                rows.append(_row(variant, f"{score['clip']} (no true shape)", [score], definition.columns, seed))
    return rows


def _group(score: Score, key: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    row = groups.get(score["clip"], {})
    if key not in row and key not in score and not score["failed"]:
        found = ", ".join(sorted({*row, *score}))
        raise InputError(
            "tables: group_by", repr(key), f"a column of the clips table or of a score: {found}", "correct it"
        )
    value = row.get(key) if row.get(key) is not None else score.get(key)
    return "none" if value is None else str(value)


def failures(scores: Iterable[Score], variants: Sequence[str]) -> list[str]:
    """A line a failed clip: what happened, in which stage, what to do, and where the log is."""
    lines = []
    for score in sorted(scores, key=lambda s: (variants.index(s["variant"]), s["clip"])):
        if score["failed"]:
            why = score.get("failure") or {}
            log = f" ({why['log']})" if why.get("log") else ""
            reason = f"{why.get('where')}: {why.get('found')}"
            todo = f"; next: {why['next_step']}" if why.get("next_step") else ""
            lines.append(f"{score['variant']}, {score['clip']}: {why.get('stage')}: {reason}{todo}{log}")
    return lines


def check_same_making(scores: Sequence[Score], table: str) -> None:
    """Refuse rows that different code made, or clips of one variant with different settings or seeds.

    Compared are digests of the stages' sources and settings (hoi.provenance), not commits: a commit may change nothing
    that a stage reads, and a dirty tree or a checkout without git has none to compare. Failed clips have no fit to
    compare.
    """
    everywhere = {
        "scoring code": lambda s: s["made_by"]["score"]["score_clip"],
        "scoring settings": lambda s: s["made_by"]["score"]["settings"],
        "fitting code": lambda s: s["made_by"]["fit"].get("code"),
    }
    for what, read in everywhere.items():
        _check_one(scores, what, read, table)
    for variant in {score["variant"] for score in scores}:
        mine = [score for score in scores if score["variant"] == variant]
        _check_one(mine, f"fit settings of {variant}", lambda s: s["made_by"]["fit"].get("settings"), table)
        _check_one(mine, f"seed of {variant}", lambda s: s["made_by"]["fit"].get("seed"), table)


def _check_one(scores: Sequence[Score], what: str, read: Any, table: str) -> None:
    seen: dict[str, Score] = {}
    for score in scores:
        value = read(score)
        if value is not None:
            seen.setdefault(str(value), score)
    if len(seen) > 1:
        first, other = list(seen.values())[:2]
        found = f"{first['variant']}/{first['clip']} and {other['variant']}/{other['clip']} differ in {what}"
        hint = "rerun the older rows (snakemake does it by itself unless told otherwise), or set `mixed: allow`"
        raise InputError(f"table {table}", found, "rows of one making", hint)

"""Tables as csv, Markdown and LaTeX."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence

from hoi.config import MakeTable
from hoi.metrics import METRICS
from hoi.present.tables import Cell, Row

MISSING = "–"
UNLIKE = "their clips, alignment, points and hand model may differ"
ARROWS = {"high": "↑", "low": "↓"}
NOTES = (
    "Means over clips. F, CD: protocol `diffhoi` (rigid registration; `scaled`: with one scale) unless another is named; "
    "every metric: docs/evaluation.md. `mean` is over the clips with a true shape. A failed clip is charged the penalty of "
    "each metric (F and IoU 0, CD 100 cm², MPJPE 100 mm, ...: hoi/metrics.py), and no clip counts worse than that. "
    f"{MISSING}: not measured. Bold: best variant of the group."
)


def to_csv(rows: Sequence[Row], definition: MakeTable) -> str:
    """Plain numbers, six significant digits; an empty cell where nothing was measured; intervals beside the means."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [METRICS[key].name for key in definition.columns]
    heads = [n for name in names for n in ((name, f"{name}_low", f"{name}_high") if definition.interval else (name,))]
    writer.writerow(["variant", definition.group_by, "clips", "failures", *heads])
    for row in rows:
        numbers = [n for key in definition.columns for n in _numbers(row.cells[key], definition.interval)]
        cells = ["" if n is None else f"{n:.6g}" for n in numbers]
        writer.writerow([row.variant, row.group, row.clips, row.failures, *cells])
    return out.getvalue()


def _numbers(cell: Cell, interval: bool) -> tuple[float | None, ...]:
    return (cell.mean, cell.low, cell.high) if interval else (cell.mean,)


def _shown(row: Row, key: str) -> str:
    value = row.cells[key].mean
    return MISSING if value is None else f"{value:.{METRICS[key].decimals}f}"


def _interval(row: Row, key: str) -> str:
    cell, decimals = row.cells[key], METRICS[key].decimals
    return "" if cell.low is None or cell.high is None else f"[{cell.low:.{decimals}f}, {cell.high:.{decimals}f}]"


def is_best(row: Row, key: str, rows: Sequence[Row]) -> bool:
    """Is the row's shown value the best among the variants of its group? Not where there is none to beat."""
    rivals = [_shown(other, key) for other in rows if other.group == row.group and other.cells[key].mean is not None]
    if len(rivals) < 2 or row.cells[key].mean is None:
        return False
    pick = max if METRICS[key].best == "high" else min
    return float(_shown(row, key)) == pick(map(float, rivals))


def _grid(rows: Sequence[Row], definition: MakeTable, bold: Callable[[str], str], small: Callable[[str], str]) -> list:
    """Cells as text, a list a row: variant (once), group, clips, failures, values with the best in bold."""
    grid, last = [], None
    for row in rows:
        cells = []
        for key in definition.columns:
            text = bold(_shown(row, key)) if is_best(row, key, rows) else _shown(row, key)
            between = _interval(row, key) if definition.interval and row.group == "mean" else ""
            cells.append(f"{text} {small(between)}" if between else text)
        group = bold(row.group) if row.group == "mean" else row.group
        grid.append([row.variant if row.variant != last else "", group, str(row.clips), str(row.failures), *cells])
        last = row.variant
    return grid


def _heads(definition: MakeTable) -> list[str]:
    metrics = [f"{METRICS[key].title} {ARROWS[METRICS[key].best]}" for key in definition.columns]
    return ["variant", definition.group_by, "clips", "failures", *metrics]


def to_markdown(
    rows: Sequence[Row], definition: MakeTable, failed: Sequence[str], reported: Sequence[Mapping[str, str]]
) -> str:
    """Variants as groups of rows, the best variant of each group in bold; failures and others' numbers below."""
    lines = ["| " + " | ".join(_heads(definition)) + " |", "|---|---|" + "---:|" * (2 + len(definition.columns))]
    for cells in _grid(rows, definition, lambda text: f"**{text}**", lambda text: text):
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", _notes(definition)]
    if failed:
        lines += ["", "Failures:", "", *(f"- {_plain(line)}" for line in failed)]
    for name in dict.fromkeys(r["set"] for r in reported):
        lines += ["", f"Reported by others ({name}); {UNLIKE}:", ""]
        methods, heads = _others([r for r in reported if r["set"] == name])
        lines += ["| method | " + " | ".join(heads) + " | kind | source |", "|---|" + "---:|" * len(heads) + "---|---|"]
        lines += ["| " + " | ".join(map(_plain, cells)) + " |" for cells in methods]
    return "\n".join(lines) + "\n"


def _notes(definition: MakeTable) -> str:
    """What stands below a table: its caption, and how to read it."""
    note = NOTES + (" [low, high]: 95 % bootstrap interval over clips." if definition.interval else "")
    return f"{definition.caption} {note}".strip()


def _plain(text: str) -> str:
    """A reason as one line of Markdown, nothing of it as markup."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _others(reported: Sequence[Mapping[str, str]]) -> tuple[list[list[str]], list[str]]:
    """A row a method: its values, each column's unit in its head; whether they are primary, and the source."""
    heads = list(dict.fromkeys(f"{r['metric']} {r['unit']}".strip() for r in reported))
    rows = []
    for method in dict.fromkeys(r["method"] for r in reported):
        mine = {f"{r['metric']} {r['unit']}".strip(): r for r in reported if r["method"] == method}
        any_row = next(iter(mine.values()))
        values = [mine[head]["value"] if head in mine else MISSING for head in heads]
        rows.append([f"{method} †", *values, any_row["kind"], any_row["source"]])
    return rows, heads


def to_latex(
    rows: Sequence[Row], definition: MakeTable, failed: Sequence[str], reported: Sequence[Mapping[str, str]]
) -> str:
    """A `tabular` of booktabs for \\input: variants set off by rules; failures and others' numbers below."""
    grid = _grid(rows, definition, lambda text: f"\0{text}\1", lambda text: f"\2{text}\1")
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{ll" + "r" * (2 + len(definition.columns)) + "}",
        "\\toprule",
    ]
    lines += [" & ".join(map(_tex, _heads(definition))) + r" \\"]
    for cells in grid:
        lines += (["\\midrule"] if cells[0] else []) + [" & ".join(map(_tex, cells)) + r" \\"]
    lines += ["\\bottomrule", "\\end{tabular}"]
    lines += ["", "\\par\\smallskip\\footnotesize " + _tex(_notes(definition).replace("`", ""))]
    if failed:
        lines += ["", "\\par\\smallskip\\footnotesize Failures: " + _tex("; ".join(failed)) + "."]
    for name in dict.fromkeys(r["set"] for r in reported):
        others, heads = _others([r for r in reported if r["set"] == name])
        lines += [
            "",
            "\\par\\medskip\\footnotesize " + _tex(f"† Reported by others ({name}); {UNLIKE}:") + "\\par",
        ]
        lines += ["\\begin{tabular}{l" + "r" * len(heads) + "ll}", "\\toprule"]
        lines += [" & ".join(map(_tex, ["method", *heads, "kind", "source"])) + r" \\", "\\midrule"]
        lines += [" & ".join(map(_tex, cells)) + r" \\" for cells in others]
        lines += ["\\bottomrule", "\\end{tabular}"]
    return "\n".join(lines) + "\n"


TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "↑": r"$\uparrow$",
    "↓": r"$\downarrow$", "²": "$^2$", "³": "$^3$", "–": "--", "†": r"$^\dagger$", "°": r"$^\circ$",
    "\0": r"\textbf{", "\1": "}", "\2": r"{\scriptsize ",
}  # fmt: skip


def _tex(text: str) -> str:
    """Text with LaTeX's own characters and our arrows and powers escaped, other characters beyond Latin-1 as `?`."""
    return "".join(TEX.get(c, c if ord(c) < 256 else "?") for c in text)

"""The tables of `results/tables/*.md` as rows of cells, ready for a page. Only what those tables use: rows, bold, code."""

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

RULE = re.compile(r"\|(\s*:?-+:?\s*\|)+")


@dataclass(frozen=True)
class MarkdownTable:
    """A table and the paragraphs around it; every text is escaped."""

    head: tuple[Markup, ...]
    rows: tuple[tuple[Markup, ...], ...]
    notes: tuple[Markup, ...]


def parse_markdown(text: str) -> MarkdownTable:
    """Lines that begin with a bar are rows, the first of them the head; all else are notes, a paragraph each."""
    lines = [line.strip() for line in text.splitlines()]
    rows = [_cells(line) for line in lines if line.startswith("|") and not RULE.fullmatch(line)]
    rest = "\n".join("" if line.startswith("|") else line for line in lines)
    notes = [marked(" ".join(part.split())) for part in re.split(r"\n\s*\n", rest) if part.strip()]
    return MarkdownTable(rows[0] if rows else (), tuple(rows[1:]), tuple(notes))


def _cells(line: str) -> tuple[Markup, ...]:
    inner = line.removeprefix("|").removesuffix("|")
    return tuple(marked(cell.replace(r"\|", "|").strip()) for cell in re.split(r"(?<!\\)\|", inner))


def marked(text: str) -> Markup:
    """Escaped text, in which **bold** and `code` are marked up."""
    safe = str(escape(text))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", safe))

"""The pages `results/tables/*.md` as blocks, ready for a page. Only what they use: tables, lists, paragraphs, bold, code."""

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

RULE = re.compile(r"\|(\s*:?-+:?\s*\|)+")
ESCAPED = re.compile(r"\\([\\`*_\[\]<>|#])")
PRIVATE = 0xE000  # an escaped character waits in Unicode's private area until the markup around it is done


@dataclass(frozen=True)
class Block:
    """A table (head and rows), a list (items) or a paragraph (one item); every text is escaped."""

    head: tuple[Markup, ...] = ()
    rows: tuple[tuple[Markup, ...], ...] = ()
    items: tuple[Markup, ...] = ()
    is_list: bool = False


def parse_markdown(text: str) -> list[Block]:
    """Blocks between empty lines: rows begin with a bar, items of a list with a dash, all else is a paragraph."""
    parts = re.split(r"\n\s*\n", "\n".join(line.strip() for line in text.splitlines()))
    return [_block(part.strip().splitlines()) for part in parts if part.strip()]


def _block(lines: list[str]) -> Block:
    if all(line.startswith("|") for line in lines):
        rows = [_cells(line) for line in lines if not RULE.fullmatch(line)]
        return Block(head=rows[0], rows=tuple(rows[1:]))
    if all(line.startswith("- ") for line in lines):
        return Block(items=tuple(marked(line[2:]) for line in lines), is_list=True)
    return Block(items=(marked(" ".join(lines)),))


def _cells(line: str) -> tuple[Markup, ...]:
    inner = line.removeprefix("|").removesuffix("|")
    return tuple(marked(cell.strip()) for cell in re.split(r"(?<!\\)\|", inner))


def marked(text: str) -> Markup:
    """Escaped text, in which **bold** and `code` are marked up; a character after a backslash is itself."""
    text = ESCAPED.sub(lambda match: chr(PRIVATE + ord(match[1])), text)
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text)))
    safe = re.sub(r"`(.+?)`", r"<code>\1</code>", safe)
    return Markup(re.sub("[\ue000-\ue07f]", lambda match: str(escape(chr(ord(match[0]) - PRIVATE))), safe))

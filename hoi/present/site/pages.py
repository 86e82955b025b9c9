"""Pages and scripts as text. Templates escape every value; scripts hold data alone, in which no tag can begin."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hoi.category import unknown_category
from hoi.metrics import METRICS
from hoi.present.site.markdown import Block
from hoi.present.table_text import MISSING

SITE = Path(__file__).parent
ASSETS = ("style.css", "icon.svg", "three.min.js", "bodies.js", "viewer.js", "sorting.js")
LABELS = ("clip", "category", "source", "variant")  # of a score: what it is of
OTHERS = ("failure", "made_by")  # what is neither that nor a metric
_templates = Environment(
    loader=FileSystemLoader(SITE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
Record = Mapping[str, Any]


def script(name: str, content: Any) -> str:
    """A classic script that sets one global to `content`: pages from disk may load scripts, but fetch no files."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'"use strict";\nglobalThis.{name}={text};\n'


def clip_page(
    clip: str,
    about: Record,
    source: Record,
    columns: Mapping[str, str],
    scores: Mapping[str, Record],
    runs: Mapping[str, Record],
    tracks: Mapping[str, Record],
) -> str:
    """A clip's page: `about` its frames, where they are from (`source`), its columns with what they show, and fits by name,
    with how well their hands were tracked and in which frames they hold.
    """
    fits = list(scores)
    settings = _side_by_side([flattened(runs[fit].get("settings", {})) for fit in fits])
    made = [{key: value for key, value in flattened(runs[fit]).items() if not _is_setting(key)} for fit in fits]
    metrics = _side_by_side(
        [{k: shown(v) for k, v in scores[fit].items() if k not in (*LABELS, *OTHERS)} for fit in fits]
    )
    return _templates.get_template("clip.html").render(
        root="../../",
        clip=clip,
        frames=about["frames"],
        facts=_facts(about, scores),
        warning=unknown_category(about["category"]),
        columns=[
            {
                "name": name,
                "facts": _headline(scores[name], runs[name]) if name in scores else [contents],
                "failure": _failure(scores.get(name, {})),
            }
            for name, contents in columns.items()
        ],
        fits=fits,
        tracks=_side_by_side([{k: _tracked(v) for k, v in tracks[fit].items()} for fit in fits]),
        films=[(fit, f"{fit}.mp4") for fit in fits],
        metrics=[(title(key), cells) for key, cells in metrics],
        provenance=_side_by_side(made),
        settings=[(key, cells, len(set(cells)) > 1) for key, cells in settings],
        differing=sum(len(set(cells)) > 1 for _, cells in settings),
        source=list(flattened(source).items()),
    )


def index_page(
    scores: Sequence[Record], runs: Sequence[Record], tables: Mapping[str, Sequence[Block]], columns: Sequence[str]
) -> str:
    """The first page: a card a clip, every table, and every score."""
    clips = list(dict.fromkeys(str(score["clip"]) for score in scores))
    variants = list(dict.fromkeys(str(score["variant"]) for score in scores))
    return _templates.get_template("index.html").render(
        root="",
        facts=[_count(len(clips), "clip"), _count(len(variants), "variant"), *_commits(runs)],
        warning=_warning(runs),
        cards=[_card(clip, [score for score in scores if score["clip"] == clip]) for clip in clips],
        tables=[
            {"name": name, "blocks": [{"block": block, "numbers": _number_columns(block)} for block in blocks]}
            for name, blocks in tables.items()
        ],
        every={
            "head": ["clip", "category", "variant", *(title(key) for key in columns)],
            "rows": [
                {**{k: score[k] or "" for k in LABELS}, "cells": [shown(score.get(key)) for key in columns]}
                for score in scores
            ],
        },
    )


def _tracked(value: Any) -> str:
    """A fact of the tracked hand; stretches of frames as 3-5, 9-9."""
    return ", ".join(f"{a}-{b}" for a, b in value) or "none" if isinstance(value, list) else shown(value)


def title(key: str) -> str:
    """A metric's name with its unit."""
    return METRICS[key].title if key in METRICS else key


def shown(value: Any) -> str:
    """A value as people read it: three significant digits; a dash where nothing was measured."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"


def flattened(settings: Any, prefix: str = "") -> dict[str, str]:
    """Nested settings as `section.key: value`; lists as JSON."""
    if not isinstance(settings, Mapping):
        return {prefix: settings if isinstance(settings, str) else json.dumps(settings)}
    out: dict[str, str] = {}
    for name, inner in settings.items():
        out |= flattened(inner, f"{prefix}.{name}" if prefix else str(name))
    return out


def _is_setting(key: str) -> bool:
    return key == "settings" or key.startswith("settings.")


def _side_by_side(records: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """Each key that any record has, with its value in every record."""
    keys = dict.fromkeys(key for record in records for key in record)
    return [(key, [record.get(key, MISSING) for record in records]) for key in keys]


def _facts(about: Record, scores: Mapping[str, Record]) -> list[str]:
    kind = next((str(score["source"]) for score in scores.values()), "")
    rate = f" at {about['fps']:.3g} fps" if about.get("fps") else ""
    side = f"{about['side']} hand" if about.get("side") else ""
    size = f"{about['width']} × {about['height']}"
    return [f for f in (about.get("category") or "", kind, f"{about['frames']} frames{rate}", size, side) if f]


def _headline(score: Record, run: Record) -> list[str]:
    """What a fit's column says under its name."""
    known = [key for key in ("f5", "cd_cm2", "silhouette_iou") if score.get(key) is not None]
    rests_on = [f"{word}: {run[word]}" for word in ("hands", "masks", "body") if run.get(word)]
    return [f"{title(key)} {shown(score[key])}" for key in known] + rests_on


def _failure(score: Record) -> str:
    """Why there is no result, where there is none, and what to do."""
    if not score.get("failed"):
        return ""
    why = score.get("failure") or {}
    found = f"No result, and charged for it: {why.get('stage') or 'fit_clip'} found {why.get('found') or 'no surface'}."
    return f"{found} What to do: {why['next_step']}." if why.get("next_step") else found


def _card(clip: str, scores: Sequence[Record]) -> dict[str, str]:
    best = [score["f5"] for score in scores if score.get("f5") is not None]
    ends = dict.fromkeys(f"{f5:.2f}" for f5 in (min(best), max(best))) if best else {}
    fact = f"F@5 mm {' to '.join(ends)}" if best else "no true shape"
    return {"clip": clip, "fact": f"{scores[0]['category']} · {fact}" if scores[0].get("category") else fact}


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _commits(runs: Sequence[Record]) -> list[str]:
    commits = list(dict.fromkeys(str(run["commit"])[:10] for run in runs if run.get("commit")))
    return [f"{'commit' if len(commits) == 1 else 'commits'} {', '.join(commits)}"] if commits else []


def _warning(runs: Sequence[Record]) -> str:
    """What should make a reader careful with comparisons."""
    commits = {run.get("commit") for run in runs}
    parts = [f"these fits come from {len(commits)} different commits"] if len(commits) > 1 else []
    if dirty := sum(bool(run.get("dirty")) for run in runs):
        parts.append(f"{dirty} of {len(runs)} fits were made by a checkout with uncommitted changes")
    return f"Careful: {', and '.join(parts)}." if parts else ""


def _number_columns(table: Block) -> set[int]:
    """Columns all of whose cells are numbers or dashes: they stand at the right."""
    bare = [[str(cell).replace("<strong>", "") for cell in row] for row in table.rows]
    return {i for i in range(len(table.head)) if bare and all(_is_number(row[i]) for row in bare if i < len(row))}


def _is_number(text: str) -> bool:
    return text == MISSING or text[:1].isdigit() or (text[:1] in "+-−" and text[1:2].isdigit())

"""The clips table: one row a clip, validated before the first job."""

import csv
import json
import os
import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hoi.category import CATEGORIES, WORD, plain_category
from hoi.errors import InputError

DATASETS = ("diffhoi", "hoi4d", "ho3d", "dexycb")  # published ones: docs/datasets.md
ShiftWord = Literal[  # how a procedural clip is filmed otherwise: hoi/sources/shifts.py
    "clutter", "passerby", "dark_skin", "pale_skin", "hard_light", "coloured_light", "dim", "motion_blur", "defocus",
    "handheld", "compressed", "left_hand",
]  # fmt: skip
NAME = re.compile(r"[A-Za-z0-9_-]+")


class ClipRow(BaseModel):
    """One row of the clips table; see config/README.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    clip: str
    source: Literal["procedural", "folder", "video", "diffhoi", "hoi4d", "ho3d", "dexycb"]
    path: str | None = None
    category: str | None = None
    side: Literal["right", "left"] | None = None
    first: int | None = Field(None, ge=0)
    last: int | None = Field(None, ge=0)
    stride: int | None = Field(None, ge=1)
    split: Literal["train", "test"] | None = None
    seed: int | None = Field(None, ge=0)
    person: Literal["first", "third"] | None = None
    shift: ShiftWord | None = None
    hands: str | None = Field(None, pattern=r"^[a-z0-9_]+$")
    part: int | None = Field(None, ge=1)
    focal_px: float | None = Field(None, gt=0, allow_inf_nan=False)
    hint_frame: int | None = Field(None, ge=0)
    hint_box: tuple[float, float, float, float] | None = None
    hint_click: tuple[float, float] | None = None

    @field_validator("clip")
    @classmethod
    def _safe_name(cls, name: str) -> str:
        """A name is part of paths."""
        if not NAME.fullmatch(name):
            raise ValueError("a clip's name has letters, digits, _ and - only")
        return name

    @field_validator("path")
    @classmethod
    def _plain_path(cls, path: str | None) -> str | None:
        """A path is one of an input file: braces are wildcards to Snakemake, and control characters are nobody's."""
        if path is not None and re.search(r"[{}\x00-\x1f\x7f]", path):
            raise ValueError("a path has no braces and no control characters: rename the file")
        return path

    @field_validator("category")
    @classmethod
    def _plain_word(cls, word: str | None) -> str | None:
        """A category is an ordinary word, taken for one of ours where it means one."""
        if word is not None and not re.fullmatch(WORD, word):
            raise ValueError("a category has letters, digits, spaces, - and _ only")
        return word and plain_category(word)

    @field_validator("hint_box", "hint_click", mode="before")
    @classmethod
    def _pixels(cls, cell: object) -> object:
        """A table's cell has numbers between spaces or commas."""
        return cell.replace(",", " ").split() if isinstance(cell, str) else cell

    @model_validator(mode="after")
    def _hint_is_whole(self) -> "ClipRow":
        """A hint is a frame with a box or a click in it."""
        if (self.hint_box is not None) + (self.hint_click is not None) != (self.hint_frame is not None):
            raise ValueError("a hint has hint_frame and one of hint_box, hint_click")
        if self.hint_box and not (self.hint_box[0] < self.hint_box[2] and self.hint_box[1] < self.hint_box[3]):
            raise ValueError("hint_box: left, top, right, bottom in pixels")
        if self.source == "procedural" and (self.hint_frame is not None or self.focal_px is not None):
            raise ValueError("hints and focal_px are of videos and folders")
        return self

    @model_validator(mode="after")
    def _fits_source(self) -> "ClipRow":
        """What each source needs, and nothing else, is given."""
        if self.source == "procedural":
            if self.category not in CATEGORIES:
                raise ValueError(f"category of a procedural clip: one of {', '.join(CATEGORIES)}")
            if self.path is not None or self.split is None or self.seed is None:
                raise ValueError("a procedural clip has a split and a seed, and no path")
        elif self.person is not None or self.shift is not None:
            raise ValueError("person and shift are of procedural clips alone: they choose how those are filmed")
        elif self.path is None:
            raise ValueError(f"a {self.source} clip needs a path")
        if self.hands is not None and self.source != "diffhoi":
            raise ValueError("hands is of diffhoi clips alone: the suffix of the given hands, or gt")
        if self.part is not None and (self.source != "hoi4d" or self.first is not None or self.last is not None):
            raise ValueError("part is of hoi4d clips alone, and stands instead of first and last")
        if self.first is not None and self.last is not None and self.last <= self.first:
            raise ValueError("last must be greater than first")
        return self


def read_table(path: Path | str) -> dict[str, ClipRow]:
    """Rows by clip name; their paths, given relative to the table's own directory, as seen from where the table's is."""
    path = Path(path)
    try:
        with path.open(newline="") as file:
            raw = list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, str(error), "a tab-separated clips table", "check `clips:` in the config") from error
    rows: dict[str, ClipRow] = {}
    for number, record in enumerate(raw, 2):
        row = _parse_row(record, path, number)
        if row.clip in rows:
            raise InputError(
                f"{path}, row {number}", f"clip {row.clip!r} twice", "each name once", "rename one of them"
            )
        rows[row.clip] = row
    if not rows:
        raise InputError(path, "no rows", "a header and one row a clip", "add a row; config/README.md shows how")
    return rows


def _parse_row(record: dict[str, str], path: Path, number: int) -> ClipRow:
    cells = {k: v.strip() for k, v in record.items() if isinstance(k, str) and isinstance(v, str) and v.strip()}
    try:
        row = ClipRow.model_validate(cells)
    except ValidationError as error:
        first = error.errors()[0]
        column = first["loc"][0] if first["loc"] else ""
        raise InputError(
            f"{path}, row {number}" + (f", column {column}" if column else ""),
            repr(cells.get(str(column), cells)),
            first["msg"],
            "correct the row; config/README.md lists the columns",
        ) from error
    return row.model_copy(update={"path": os.path.normpath(path.parent / row.path)}) if row.path else row


def joined(clips: dict[str, ClipRow], training: dict[str, ClipRow]) -> dict[str, ClipRow]:
    """Both tables' clips: a name stands for one of them, and no clip that is scored trains the prior."""
    paths = {row.path for row in clips.values() if row.path is not None}
    for name, row in training.items():
        if name in clips or row.path in paths:
            expected = "clips that are not in the table of `clips:`"
            raise InputError(f"prior_data.table, clip {name}", "a clip that is scored", expected, "remove the row")
    return clips | training


def row_json(row: ClipRow) -> str:
    """The row as one JSON word, for a stage's command line."""
    return json.dumps(row.model_dump(exclude_none=True), sort_keys=True)

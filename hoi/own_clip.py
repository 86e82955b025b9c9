"""`make clip`: one's own video as a clips table of one row, which the workflow then runs on."""

import csv
import re
import sys
from pathlib import Path

from pydantic import ValidationError

from hoi.artefacts import whole
from hoi.category import unknown_category
from hoi.errors import InputError
from hoi.table import ClipRow

NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
PICTURES = (".jpg", ".jpeg", ".png", ".heic", ".heif", ".webp", ".tif", ".tiff", ".bmp", ".dng")
COMMAND = ".venv/bin/snakemake --cores all --configfile config/config.yaml config/own_clip.yaml"
FRAME = "a frame's number, from 0"
WHICH = "no unit: seconds times frames a second; after 2 s of 30 a second it is 60"
LENS = "a lens of 26 mm (35 mm equivalent) has 26 / 43.27 times the frame's diagonal: 1324 of 1920 x 1080"
HINT = "HINT_FRAME=12 and HINT_BOX='left top right bottom' or HINT_CLICK='x y', pixels of the video's frame"
WORDS = {  # a column's word on the command line, what it may be, and how to give it
    "clip": ("NAME", "letters, digits, _ and -", "NAME=my_mug, or leave it out"),
    "path": ("VIDEO", "a path without braces and control characters", "rename the file"),
    "category": (
        "CATEGORY",
        "letters, digits, spaces, - and _",
        "one word for the object: CATEGORY=mug, or leave it out",
    ),
    "side": ("SIDE", "right or left", "SIDE=left, or leave it out"),
    "first": ("FIRST", FRAME, WHICH),
    "last": ("LAST", FRAME, WHICH),
    "focal_px": ("FOCAL", "pixels of the video's frames, without a unit", LENS),
    "hint_frame": ("HINT_FRAME", FRAME, HINT),
    "hint_box": ("HINT_BOX", "four numbers", HINT),
    "hint_click": ("HINT_CLICK", "two numbers", HINT),
}


def own_clip(
    video: str, table: Path, name: str = "", category: str = "", side: str = "", first: str = "", last: str = "",
    focal_px: str = "", hint_frame: str = "", hint_box: str = "", hint_click: str = "",
) -> None:  # fmt: skip
    """Write a clips table of one row: a video file or a clip folder, and what its owner says of it; empty: not known.

    Words come as they were typed and are refused by their names; none reaches a shell. Says what will run, and whether the
    category is known.
    """
    path = _existing(video)
    said = {
        "clip": "_".join(name.split()) or name_of(path),
        "source": "folder" if path.is_dir() else "video",
        "path": str(path.resolve()),
        "category": category,
        "side": side.lower(),
        "first": first,
        "last": last,
        "focal_px": focal_px,
        "hint_frame": hint_frame,
        "hint_box": hint_box,
        "hint_click": hint_click,
    }
    row = _checked({column: word.strip() for column, word in said.items() if word.strip()})
    with whole(table) as scratch, scratch.open("w", newline="") as file:
        writer = csv.DictWriter(file, said, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerow(said)
    sys.stdout.write(f"{row.clip}: {table}; to go on without make: {COMMAND}\n")
    if (row.category or row.source == "video") and (unknown := unknown_category(row.category)):
        sys.stdout.write(f"{row.clip}: {unknown}\n")


def _existing(video: str) -> Path:
    """The video file or clip folder of that name."""
    path = Path(video).expanduser()
    if not video or not path.exists():
        found = "no such file" if video else "no video was named"
        raise InputError(f"VIDEO={video}", found, "a video file or clip folder", "make clip VIDEO=path CATEGORY=mug")
    if re.search(r"[\t\r\n]", str(path.resolve())) or path.name != path.name.strip():
        raise InputError(f"VIDEO={video!r}", "a tab, line break or space at its end", "a plain path", "rename the file")
    if path.is_file() and path.suffix.lower() in PICTURES:
        todo = "film the hand for some seconds; many pictures go into a clip folder's frames/ (docs/clip_folder.md)"
        raise InputError(f"VIDEO={video}", "a picture", "a video (mp4, mov, webm, gif, ...)", todo)
    return path


def _checked(said: dict[str, str]) -> ClipRow:
    """The words as a row of a clips table; what is wrong is told in the words of the command line."""
    try:
        return ClipRow.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["loc"]:
        column = str(first["loc"][0])
        word, expected, todo = WORDS[column]
        raise InputError(f"{word}={said[column]}", message, expected, todo)
    given = [f"{WORDS[column][0]}={word}" for column, word in said.items() if column in WORDS.keys() - {"clip", "path"}]
    expected = re.sub(r"\b(hint_\w+|first|last)\b", lambda found: found[0].upper(), message)
    raise InputError(" ".join(given), "words that do not agree", expected, "correct them")


def name_of(path: Path) -> str:
    """A clip's name from a file's: letters, digits, `_` and `-`; a folder's `clip.mp4` says nothing, its folder does."""
    name = path.name if path.is_dir() else path.stem
    name = path.parent.name if name == "clip" else name
    return NO_NAME.sub("_", name).strip("_") or "clip"

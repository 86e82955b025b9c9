"""`make clip`: one's own video as a clips table of one row, which the workflow then runs on."""

import csv
import re
from pathlib import Path

from hoi.artefacts import whole
from hoi.errors import InputError
from hoi.table import read_table

NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def own_clip(
    video: str, table: Path, name: str = "", category: str = "", side: str = "", first: str = "", last: str = "",
    focal_px: str = "",
) -> None:  # fmt: skip
    """Write a clips table of one row: a video file or a clip folder, and what its owner says of it; empty: not known.

    The row is read back and so checked as every clips table is. Words come as they were typed; none reaches a shell.
    """
    path = Path(video).expanduser()
    if not video or not path.exists():
        found = "no such file" if video else "no video was named"
        raise InputError(f"VIDEO={video}", found, "a video file or clip folder", "make clip VIDEO=path CATEGORY=mug")
    if re.search(r"[\t\r\n]", str(path.resolve())) or path.name != path.name.strip():
        raise InputError(f"VIDEO={video!r}", "a tab, line break or space at its end", "a plain path", "rename the file")
    row = {
        "clip": name or name_of(path),
        "source": "folder" if path.is_dir() else "video",
        "path": str(path.resolve()),
        "category": category,
        "side": side,
        "first": first,
        "last": last,
        "focal_px": focal_px,
    }
    with whole(table) as scratch:
        with scratch.open("w", newline="") as file:
            writer = csv.DictWriter(file, row, delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerow(row)
        read_table(scratch)


def name_of(path: Path) -> str:
    """A clip's name from a file's: letters, digits, `_` and `-`; a folder's `clip.mp4` says nothing, its folder does."""
    name = path.name if path.is_dir() else path.stem
    name = path.parent.name if name == "clip" else name
    return NO_NAME.sub("_", name).strip("_") or "clip"

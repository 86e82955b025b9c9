"""Any source to one clip folder."""

from pathlib import Path
from typing import Any

from hoi.artefacts import whole
from hoi.clip import Prepared, write_clip
from hoi.config import HandChoice, PrepareClip
from hoi.sources.load import load_folder, load_video
from hoi.table import DATASETS, ClipRow


def prepare_clip(row: ClipRow, config: PrepareClip, hand: HandChoice, output: Path) -> None:
    """Read or render the clip of one row of the clips table and write it as a clip folder."""
    prepared, truth = _load(row, config, hand)
    with whole(output) as folder:
        folder.mkdir()
        write_clip(folder, prepared)
        if truth is not None:
            truth.write(folder / "gt")


def _load(row: ClipRow, config: PrepareClip, hand: HandChoice) -> tuple[Prepared, Any]:
    """The clip, and the truth that its source knows, if it is not in a folder of its own."""
    if row.source == "procedural":
        from hoi.sources.load_procedural import load_procedural

        return load_procedural(row, config)
    if row.source in DATASETS:
        from hoi.sources.diffhoi import load_diffhoi
        from hoi.sources.hoi4d import load_hoi4d
        from hoi.sources.ycb import load_dexycb, load_ho3d

        loads = {"diffhoi": load_diffhoi, "hoi4d": load_hoi4d, "ho3d": load_ho3d, "dexycb": load_dexycb}
        return loads[row.source](row, config, hand)
    return (load_video if row.source == "video" else load_folder)(row, config), None

"""Any source to one clip folder."""

import sys
from typing import Any

from hoi.artefacts import Output, whole, write_text
from hoi.clip import Prepared, write_clip
from hoi.config import HandChoice, PrepareClip
from hoi.errors import DataFailure, InputError, SetupError
from hoi.provenance import folder_sums
from hoi.sources.load import load_folder, load_video, stand_in
from hoi.table import DATASETS, ClipRow


def prepare_clip(row: ClipRow, config: PrepareClip, hand: HandChoice, output: Output, sums: Output) -> None:
    """Read or render the clip of one row of the clips table and write it as a clip folder, and its files' checksums.

    A clip that cannot be read becomes a folder of two grey frames, for pictures and pages; the failure is raised after it.
    A data set or licensed file that is not there is no clip's fault, and stops the stage.
    """
    failure = None
    try:
        prepared, truth = _load(row, config, hand)
    except InputError as error:
        if row.source == "procedural" or isinstance(error, SetupError):
            raise
        failure = DataFailure(error.where, error.found, error.expected, error.next_step)
        prepared, truth = stand_in(row, config), None
    with whole(output) as folder:
        folder.mkdir()
        write_clip(folder, prepared)
        if truth is not None:
            truth.write(folder / "gt")
    if failure is not None:
        raise failure
    write_text(sums, folder_sums(output))


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
    if row.source == "video":
        from hoi.observe.stretch import hand_stretch

        prepared = load_video(row, config, hand_stretch)
        _tell(prepared.origin)
        return prepared, None
    return load_folder(row, config), None


def _tell(origin: dict[str, Any]) -> None:
    """Into the log: which part of a video was taken, if not all of it, and what is wrong with the file."""
    lines = []
    if stretch := origin.get("stretch"):
        lines.append("a hand is seen in frames {first} to {last} of {of}: the rest is left out".format(**stretch))
    if origin["stride"] > 1:
        lines.append(f"one frame of {origin['stride']} is taken")
    if origin["missing_frames"]:
        lines.append(f"{origin['missing_frames']} frames could not be read (by {origin['decoder']})")
    sys.stderr.writelines(f"{origin['path']}: {line}\n" for line in lines)

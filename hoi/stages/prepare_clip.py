"""Any source to one clip folder."""

from hoi.artefacts import Product, whole, write_failure
from hoi.clip import FAILED, write_clip
from hoi.config import PrepareClip
from hoi.errors import DataFailure, InputError
from hoi.sources.load import load_folder, load_video, stand_in
from hoi.table import ClipRow


def prepare_clip(row: ClipRow, config: PrepareClip, output: Product) -> None:
    """Read or render the clip of one row of the clips table and write it as a clip folder.

    A clip that cannot be read becomes a folder of two grey frames that holds the reason: every later stage passes it on.
    """
    failure = None
    if row.source == "procedural":
        from hoi.sources.load_procedural import load_procedural

        prepared, truth = load_procedural(row, config)
    else:
        truth = None
        try:
            prepared = (load_video if row.source == "video" else load_folder)(row, config)
        except InputError as error:
            failure = DataFailure(error.where, error.found, error.expected, error.next_step, stage="prepare_clip")
            prepared = stand_in(row, config)
    with whole(output) as folder:
        folder.mkdir()
        write_clip(folder, prepared)
        if failure is not None:
            write_failure(folder / FAILED, failure)
        if truth is not None:
            truth.write(folder / "gt")

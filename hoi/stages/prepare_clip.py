"""Any source to one clip folder."""

from hoi.artefacts import Product, whole
from hoi.clip import write_clip
from hoi.config import PrepareClip
from hoi.sources.load import load_folder, load_video
from hoi.table import ClipRow


def prepare_clip(row: ClipRow, config: PrepareClip, output: Product) -> None:
    """Read or render the clip of one row of the clips table and write it as a clip folder."""
    if row.source == "procedural":
        from hoi.sources.load_procedural import load_procedural

        prepared, truth = load_procedural(row, config)
    else:
        prepared, truth = (load_video if row.source == "video" else load_folder)(row, config), None
    with whole(output) as folder:
        folder.mkdir()
        write_clip(folder, prepared)
        if truth is not None:
            truth.write(folder / "gt")

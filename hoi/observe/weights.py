"""Where weights that others trained are on this computer; nothing is fetched."""

from pathlib import Path

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from hoi.config import Sam2

SAM2_FILES = ("config.json", "model.safetensors")


def sam2_folder(settings: Sam2) -> Path | None:
    """The folder with SAM 2's files, the user's or one of the Hugging Face cache; None if they are not there."""
    if (own := Path(settings.model)).is_dir():
        return own if all((own / name).is_file() for name in SAM2_FILES) else None
    try:
        cached = [try_to_load_from_cache(settings.model, name, revision=settings.revision) for name in SAM2_FILES]
    except HFValidationError:
        return None
    return Path(cached[0]).parent if all(isinstance(path, str) for path in cached) else None

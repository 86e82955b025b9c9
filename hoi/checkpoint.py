"""What a killed training goes on from: one file, replaced at once, of tensors and of what goes with them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from hoi.artefacts import whole
from hoi.errors import InputError

STATE = "state.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint in a folder of a training with these settings (JSON), those left out that it need not agree in."""

    folder: Path
    settings: dict[str, Any]

    @property
    def path(self) -> Path:
        """Its one file."""
        return self.folder / STATE

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """What was saved with the tensors, and these; None where there is none, and one of other settings is refused."""
        path, anew = self.path, f"delete {self.folder} to train anew"
        if not path.exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                saved = json.loads((file.metadata() or {})["session"])
            state = load_file(path)
            settings, session = saved["settings"], saved["session"]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise InputError(path, str(error), "a whole checkpoint", anew) from error
        if settings != self.settings:
            raise InputError(
                path, f"a checkpoint of {settings}", f"settings {self.settings}", f"restore the settings, or {anew}"
            )
        return session, state

    def write(self, state: dict[str, Tensor], session: dict[str, Any]) -> None:
        """Put tensors and what goes with them (JSON) in its place."""
        with whole(self.path) as scratch:
            save_file(state, scratch, metadata={"session": json.dumps({"settings": self.settings, "session": session})})

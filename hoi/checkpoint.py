"""What a killed training or fit goes on from: one file, replaced at once, of tensors and of what goes with them."""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from hoi.artefacts import whole
from hoi.errors import InputError
from hoi.provenance import code_digest, file_sha256

STATE = "state.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of one training or fit, in a folder of its own."""

    folder: Path

    @classmethod
    def of(cls, stage: str, folder: Path, data: Iterable[Path], settings: dict[str, Any]) -> "Checkpoint":
        """The one under `folder` that belongs to a stage's code, the contents of its data, and its settings and seed (JSON).

        Its own folder is named by a digest of these: a run of anything else does not find it, and leaves it alone.
        """
        files = [(path.name, file_sha256(path)) for path in data]
        belongs = json.dumps([code_digest(stage), files, settings], sort_keys=True)
        return cls(folder / hashlib.sha256(belongs.encode()).hexdigest()[:12])

    @property
    def path(self) -> Path:
        """Its one file."""
        return self.folder / STATE

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """What was saved with the tensors, and these; None where there is none, and others beside it are told."""
        path = self.path
        if not path.exists():
            for other in sorted(self.folder.parent.glob(f"*/{STATE}")):
                sys.stderr.write(f"{other}: of other data, settings or code, left alone; this run starts anew\n")
            return None
        try:
            with safe_open(path, "pt") as file:
                session = json.loads((file.metadata() or {})["session"])
            return session, load_file(path)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise InputError(path, str(error), "a whole checkpoint", f"delete {self.folder} to start anew") from error

    def write(self, state: dict[str, Tensor], session: dict[str, Any]) -> None:
        """Put tensors and what goes with them (JSON) in its place."""
        with whole(self.path) as scratch:
            save_file(state, scratch, metadata={"session": json.dumps(session)})

    def remove(self) -> None:
        """Delete it, once the run's outputs are whole."""
        shutil.rmtree(self.folder)

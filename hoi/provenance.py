"""What made a result: commit, settings, seed, versions, device, seconds."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

PACKAGES = ("torch", "numpy", "numba", "open3d-cpu", "trimesh", "opencv-python-headless", "snakemake")


def run_record(settings: BaseModel, seed: int, seconds: float, more: dict[str, Any]) -> dict[str, Any]:
    """A JSON-ready record of a run; the commit is null outside a checkout, `dirty` says that files differ from it."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "settings": settings.model_dump(),
        "seed": seed,
        "seconds": round(seconds, 2),
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {platform.system()}",
        "versions": {name: version(name) for name in PACKAGES},
        **more,
    }


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

"""What made a result: commit, code, settings, seed, versions, device, seconds, memory."""

import hashlib
import json
import platform
import resource
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hoi.imports import stage_code

OURS = ".snakemake_timestamp"  # written into folders by Snakemake
PACKAGES = (
    "torch", "numpy", "scipy", "numba", "open3d-cpu", "trimesh", "opencv-python-headless", "imageio-ffmpeg", "ai-edge-litert",
    "diffusers", "snakemake",
)  # fmt: skip


def run_record(settings: BaseModel, seed: int, seconds: float, more: dict[str, Any]) -> dict[str, Any]:
    """A JSON-ready record of a run; commit and `dirty`, that files differ from it, are null where git cannot say."""
    return {
        **made_with(),
        "settings": settings.model_dump(),
        "seed": seed,
        "seconds": round(seconds, 2),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "machine": f"{platform.machine()} {platform.system()}",
        **more,
    }


def made_with() -> dict[str, Any]:
    """Commit, whether files differ from it (both None where git cannot say), versions of Python and of what computes."""
    edits = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if edits is None else edits != "",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sums(folder: Path) -> str:
    """A line a file in a folder: its path there and its SHA-256; Snakemake's timestamp left out."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != OURS)
    return "".join(f"{p.relative_to(folder)} {file_sha256(p)}\n" for p in files)


def processor() -> str:
    """The CPU's model name, or its architecture where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())


def code_of(*stages: str) -> dict[str, str]:
    """A digest of each stage's sources: its module, all that it imports of this package, and the data beside them.

    It changes when, and only when, a rerun may give something else; a commit changes with every comma in the docs, says
    nothing of a dirty tree, and is not there without git.
    """
    return {stage: code_digest(stage) for stage in stages}


@cache
def code_digest(stage: str) -> str:
    """The digest of one stage's sources."""
    return _digest(b"".join(Path(p).read_bytes() for p in stage_code(stage)))


def score_record(run: dict[str, Any] | None, settings: BaseModel, seed: int) -> dict[str, Any]:
    """What must agree between the rows of a table: digests of code and settings, of the fit and of its scoring.

    `run` is the fit's record; None where the clip failed before there was one.
    """
    fit = (
        {}
        if run is None
        else {"code": run.get("code"), "settings": _digest(_text(run["settings"])), "seed": run["seed"]}
    )
    return {
        "fit": fit,
        "score": {**code_of("score_clip"), "settings": _digest(_text(settings.model_dump())), "seed": seed},
    }


def _text(settings: dict[str, Any]) -> bytes:
    return json.dumps(settings, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

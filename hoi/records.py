"""A record of every file that a stage wrote: by which code, settings, seed, host and inputs, each with its checksum.

The workflow names a folder in HOI_RECORDS (`results/provenance`); a stage run without it leaves no records. There, beside
`results/X` stands `results/provenance/X.json`: paths are kept relative to `results`, so that the folder can be moved. Before
a stage runs, its inputs are compared with their records: a file that is not the one that was written is refused. What
Snakemake's cache shares between checkouts has its record among the outputs of its rule, and brings it along.
"""

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hoi.artefacts import write_json
from hoi.errors import InputError
from hoi.provenance import code_digest, file_sha256, folder_sums, made_with, processor

FOLDER = "HOI_RECORDS"


@dataclass(frozen=True)
class Made:
    """What one run of a stage read and is about to write."""

    stage: str
    settings: dict[str, Any]
    inputs: list[Path]
    outputs: list[Path]


class Records:
    """The records of one `results` folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder.parent

    def name(self, path: Path) -> str:
        """A path as records have it: relative to the results where it lies there, else absolute."""
        whole, root = path.absolute(), self.results.absolute()
        return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)

    def path(self, name: str) -> Path:
        """Where a recorded name lies now."""
        return self.results / name  # an absolute name stays as it is

    def of(self, name: str) -> dict[str, Any] | None:
        """A file's record, or that of the folder it lies in; None if it has none."""
        for part in (name, *map(str, Path(name).parents)):
            path = self.folder / f"{part}.json"
            if not Path(part).is_absolute() and path.is_file():
                return _read(path)
        return None

    def check(self, inputs: Iterable[Path]) -> dict[str, str]:
        """Checksums of a stage's inputs; one that is not what its record says is refused before it is used."""
        found = {self.name(p): checksum(p) for p in inputs if p.exists()}
        for name, digest in found.items():
            record = self.of(name)
            said = record["outputs"].get(name) if record else None
            if said is not None and said != digest:
                raise InputError(
                    self.path(name), f"sha256 {digest[:12]}: damaged or edited", f"{said[:12]}, as {record['stage']} wrote it",
                    f"delete it and run again, or delete {self.folder / name}.json if the edit is meant",
                )  # fmt: skip
        return found

    def write(self, made: Made, inputs: dict[str, str], started: float, failure: str | None) -> None:
        """One record beside every output that was written."""
        outputs = {self.name(p): checksum(p) for p in made.outputs if p.exists()}
        record = {
            "stage": made.stage,
            "failure": failure,
            "inputs": inputs,
            "outputs": outputs,
            **made_with(),
            "code": code_digest(made.stage),
            "settings": made.settings,
            "host": platform.node(),
            "device": device(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - started, 2),
        }
        for name in outputs:
            if not Path(name).is_absolute():
                write_json(self.folder / f"{name}.json", record)


def records_asked_for() -> Records | None:
    """Where the workflow wants records, if it does."""
    return Records(Path(os.environ[FOLDER])) if os.environ.get(FOLDER) else None


def checksum(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files in a folder."""
    if path.is_dir():
        return hashlib.sha256(folder_sums(path).encode()).hexdigest()
    return file_sha256(path)


def device() -> str:
    """What computed: the GPU where torch has put something onto one, else the processor."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return torch.cuda.get_device_name()
    return processor()


def provenance(file: Path, /) -> None:
    """Print how a file under `results` came to be, step by step, back to the video's checksum or a made clip's recipe."""
    records, name = _located(file)
    sys.stdout.write("\n".join(chain(records, name)) + "\n")


def chain(records: Records, name: str) -> Iterator[str]:
    """A line a file and three a step, indented by their distance from the first; a step that was told is not told again."""
    told: set[str] = set()

    def lines(name: str, said: str | None, depth: int) -> Iterator[str]:
        """Of one file, and of all before it."""
        space, path = "  " * depth, records.path(name)
        now = checksum(path) if path.exists() else None
        state = "gone" if now is None else "" if said in (None, now) else "CHANGED since"
        record = records.of(name)
        yield f"{space}{name}  sha256 {(said or now or 'unknown')[:12]}  {state}".rstrip()
        if record is None:
            return
        key = json.dumps(record["outputs"])
        if key in told:
            yield f"{space}  by {record['stage']}, as above"
            return
        told.add(key)
        yield from (f"{space}  {line}" for line in _step(record))
        for origin in _origins(records, record):
            yield f"{space}  from {origin}"
        for other, digest in record["inputs"].items():
            yield from lines(other, digest, depth + 1)

    record = records.of(name)
    return lines(name, record["outputs"].get(name) if record else None, 0)


def _step(record: dict[str, Any]) -> list[str]:
    """What ran, where, with what."""
    settings = hashlib.sha256(json.dumps(record["settings"], sort_keys=True).encode()).hexdigest()
    commit = f"{(record['commit'] or 'unknown')[:12]}{' and edits' if record['dirty'] else ''}"
    job = f", SLURM job {record['slurm_job']}" if record["slurm_job"] else ""
    versions = " ".join(f"{package} {version}" for package, version in record["versions"].items())
    failed = [f"NO RESULT: {record['failure']}"] if record["failure"] else []
    return [
        f"by {record['stage']}  commit {commit}  code {record['code']}  settings {settings[:12]}"
        f"  seed {record['settings'].get('seed')}",
        f"on {record['host']} ({record['device']}){job}  {record['started']}, {record['seconds']} s",
        f"with Python {record['python']} {versions}",
        *failed,
    ]


def _origins(records: Records, record: dict[str, Any]) -> list[str]:
    """Where a prepared clip comes from: the video and its checksum, the folder of frames, or the recipe."""
    row = record["settings"].get("row") or {}
    if record["stage"] != "prepare_clip":
        return []
    if row.get("source") == "procedural":
        return [f"recipe {json.dumps(row, sort_keys=True)}"]
    source = records.path(next(iter(record["outputs"]))) / "source.json"
    origin = _read(source) if source.is_file() else {}
    return [
        f"{origin.get('path', row.get('path'))}  sha256 {origin.get('sha256') or 'of single frames: in the clip above'}"
    ]


def _located(file: Path) -> tuple[Records, str]:
    """The records of the results that a file lies in, and its name there."""
    path = file.absolute()
    for parent in path.parents:
        if (parent / "provenance").is_dir():
            records = Records(parent / "provenance")
            name = records.name(path)
            if records.of(name):
                return records, name
    raise InputError(
        file, "no record of it", "a file that the workflow made, under results/", "make it: snakemake FILE"
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            path, str(error), "a readable record", "delete it, and the file it is of; run again"
        ) from error

"""In place of `hoi/__main__.py`: every stage as a stub that takes no time. Each output, and its record, is a digest of the stage's words and of
all its inputs, so that the last file's digest proves every step before it; the workflow, its profile and SLURM are the real ones.

What goes wrong is said by files in the folder `drill` (the name is that of the job's first output, / as +):
  NAME.hold   wait while this file is there
  NAME.eat    take so many MB of memory for two seconds
  die         kill -9 of this stub with so many in a thousand, half of the outputs half written
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

WRITES = {
    "prepare_clip": {"output", "sums"},
    "train_prior": {"weights", "history", "samples", "run"},
    "train_masks": {"weights", "history", "run"},
    "fit_clip": {"mesh", "poses", "history", "scene", "run"},
    "track_hand": {"output", "quality"},
    "show_clip": {"still_path", "overlay", "coloured", "coloured_scene"},
    "make_table": {"csv", "md", "tex"},
    "make_report": {"site", "index"},
}
FOLDERS = {"prepare_clip": {"output"}, "report_clip": {"output"}, "make_report": {"site"}, "train_prior": {"weights"},
           "train_masks": {"weights"}}  # fmt: skip


def main() -> None:
    """Read `STAGE --name values ...`; go wrong as asked; write."""
    stage, words = sys.argv[1], sys.argv[2:]
    given: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            values = given.setdefault(word[2:], [])
        else:
            values.append(word)
    written = WRITES.get(stage, {"output"})
    outputs = {name: Path(given[name][0]) for name in sorted(written)}
    go_wrong(str(next(iter(outputs.values()))).replace("/", "+"), outputs)
    told = hashlib.sha256()
    for name, values in sorted(given.items()):
        if name not in written | {"log"}:
            for value in values:
                told.update(digest(Path(value)) if len(value) < 250 and Path(value).exists() else value.encode())
    for name, path in outputs.items():
        made = json.dumps({"failed": False, "by": f"{stage} {name} {told.hexdigest()}"}) + "\n"
        record = Path("results/provenance", f"{path.relative_to('results')}.json")
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(made)
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in FOLDERS.get(stage, ()):
            path.mkdir(exist_ok=True)
            path = path / "content"
        path.write_text(made)


def digest(path: Path) -> bytes:
    """Of a file, or of all files in a folder: a stub's or one that ships, such as a network's weights."""
    told = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        told.update(hashlib.sha256(file.read_bytes()).digest())
    return told.digest()


def go_wrong(name: str, outputs: dict[str, Path]) -> None:
    """Whatever the drill asks of this job."""
    drill = Path("drill")
    hold, eat, die = drill / f"{name}.hold", drill / f"{name}.eat", drill / "die"
    end = time.monotonic() + 600
    if hold.exists():
        (drill / f"{name}.held").write_text(os.environ.get("SLURM_JOB_ID", ""))
    while hold.exists() and time.monotonic() < end:
        time.sleep(0.05)
    if eat.exists():
        filled = bytearray(os.urandom(1000)) * (1000 * int(eat.read_text()))
        time.sleep(2 + 0 * filled[-1])
    if die.exists() and random.random() < int(die.read_text()) / 1000:
        for path in list(outputs.values())[::2]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()

"""In place of `hoi/__main__.py`: every stage as a stub that takes no time. Each output, and its record, is a digest of the stage's words and of
all its inputs, so that the last file's digest proves every step before it; the workflow, its profile and SLURM are the real ones.

What goes wrong is said by files in the folder `drill` (the name is that of the job's first output, / as +):
  NAME.hold   wait while this file is there
  NAME.hang   wait until it is killed, the first time
  NAME.eat    take so many MB of memory for two seconds
  die         `N SEED`: kill -9 of N in a thousand tries, half of the outputs half written; which ones, the seed says
"""

import hashlib
import json
import os
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
    hold, hang, eat = (drill / f"{name}.{what}" for what in ("hold", "hang", "eat"))
    die, end = drill / "die", time.monotonic() + 600
    if hold.exists():
        (drill / f"{name}.held").write_text(os.environ.get("SLURM_JOB_ID", ""))
    while hold.exists() and time.monotonic() < end:
        time.sleep(0.05)
    if hang.exists():
        hang.unlink()
        time.sleep(600)
    if eat.exists():
        filled = bytearray(os.urandom(1000)) * (1000 * int(eat.read_text()))
        time.sleep(2 + 0 * filled[-1])
    if die.exists() and is_drawn(name, *die.read_text().split()):
        for path in list(outputs.values())[::2]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("half")
        with (drill / f"{name}.died").open("ab") as deaths:
            deaths.write(b".")
        os.kill(os.getpid(), signal.SIGKILL)


def is_drawn(name: str, thousandths: str, seed: str) -> bool:
    """Whether this try of a job is one to die: the same tries of the same jobs in every run of a seed."""
    with Path("drill", f"{name}.tries").open("ab") as tries:
        tries.write(b".")
        number = tries.tell()
    drawn = hashlib.sha256(f"{seed} {name} {number}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % 1000 < int(thousandths)


if __name__ == "__main__":
    main()

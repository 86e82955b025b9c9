"""A benchmark's week in hours: stub clips through the real workflow, profile and scheduler, stages killed at random.

    python -m benchmarks.week --clips 1000 --die 10 --group 20    # kill -9 of 10 in 1000; needs root and Debian's SLURM

Ends well if the last table is, byte for byte, that of a run in which nothing was killed. A stub takes no time, but each SLURM
job starts Python three times: about 5 CPU seconds a job, 4 jobs a clip. With --group so many clips' jobs of a stage travel as
one, in which each still starts Snakemake once: half of that. A group whose tries are used up ends Snakemake with status 1;
then the same command is given again, as a user would. With --folder what was done stays there: a week that was stopped, or
whose computer was, goes on where it was, on a new scheduler, when the same command is given again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from tests.slurm.cluster import Cluster, install
from tests.workflow.conftest import STUB_CONFIG, TABLE, StubbedCheckout

GROUPS = {
    "prepare_clip": "prepare",
    "track_hand": "observe",
    "mask_clip": "observe",
    "fit_clip": "fit",
    "score_clip": "score",
}
MEMORY_MB, MINUTES = 600, 240  # of a job: some Snakemakes, and a stub; a group has the sum of memory, but not of time
OVERLAY = """
tables: {main: {variants: [diffhoi], columns: [f5]}}
"""
UNDISTURBED = "undisturbed"
COMMANDS = 10  # given at most


@dataclass
class Told:
    """What Snakemake did, and what it took for itself, over all commands of a week."""

    last: deque[str] = field(default_factory=lambda: deque(maxlen=100))  # lines
    commands: int = 0
    jobs: int = 0
    again: int = 0  # of the jobs: those tried anew, within one command
    status: int = 1
    cpu_s: float = 0
    memory_mb: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--die", type=int, default=10, help="stages killed, of 1000")
    parser.add_argument("--seed", type=int, default=0, help="of which stages are killed")
    parser.add_argument("--group", type=int, default=1, help="clips whose jobs of a stage are one SLURM job")
    parser.add_argument("--cpus", type=int, default=40, help="a node, of two; a group takes one a clip")
    parser.add_argument("--folder", type=Path, help="where it happens; a temporary folder if not given")
    asked = parser.parse_args()
    install()
    with tempfile.TemporaryDirectory() as temporary:
        place = (asked.folder or Path(temporary)).resolve()
        place.mkdir(parents=True, exist_ok=True)
        checkout = begun(place / "hoi", asked)
        started = time.monotonic()
        with Cluster(Path(temporary) / "slurm", cpus=asked.cpus, memory_mb=asked.cpus * 4000, lost_s=600) as cluster:
            told = week(checkout, cluster, grouped(asked.group))
        seconds = time.monotonic() - started
        died = sum(path.stat().st_size for path in (checkout.path / "drill").glob("*.died"))
        same = told.status == 0 and checkout.end() == (checkout.path / UNDISTURBED / TABLE).read_bytes()
    print(f"{asked.clips} clips, {died} stages killed ({asked.die} of 1000, seed {asked.seed}), {seconds:.0f} s")
    print(
        f"{told.jobs} SLURM jobs, {told.again} of them tries again, of {asked.group} clips; {told.commands} command(s)"
    )
    print(f"Snakemake itself: {told.cpu_s:.0f} CPU s, {told.memory_mb} MB")
    print("ends in the table of an undisturbed run" if same else "".join(told.last))
    sys.exit(not same)


def begun(path: Path, asked: argparse.Namespace) -> StubbedCheckout:
    """The checkout, with the results of an undisturbed run beside its own; one that was begun before as it was left."""
    if (path / UNDISTURBED).exists():
        checkout = StubbedCheckout.at(path)
        checkout.run("--unlock", *STUB_CONFIG)
        return checkout
    checkout = StubbedCheckout(path, asked.clips)
    overlay = path / "config/stub.yaml"
    overlay.write_text(overlay.read_text().partition("tables:")[0] + OVERLAY)
    started = time.monotonic()
    checkout.run("--quiet=all", *STUB_CONFIG)
    print(f"undisturbed, on this machine: {time.monotonic() - started:.0f} s", flush=True)
    (path / "drill/die").write_text(f"{asked.die} {asked.seed}")
    (path / "slurm").symlink_to("workflow/profiles/slurm")
    (path / UNDISTURBED).mkdir()
    (path / "results").rename(path / UNDISTURBED / "results")
    return checkout


def grouped(clips: int) -> list[str]:
    """Words that make one SLURM job of a stage's jobs on so many clips."""
    if clips == 1:
        return []
    groups = [f"{rule}={group}" for rule, group in GROUPS.items()]
    sizes = [f"{group}={clips}" for group in sorted(set(GROUPS.values()))]
    modest = [f"mem_mb={MEMORY_MB}", f"runtime={MINUTES}"]
    fits = [f"fit_clip:{word}" for word in modest]
    words = {"default-resources": modest, "set-resources": fits, "groups": groups, "group-components": sizes}
    return [word for flag, values in words.items() for word in (f"--{flag}", *values)]


def week(checkout: StubbedCheckout, cluster: Cluster, words: list[str]) -> Told:
    """One command, given again until it ends well; how far it is stands on the standard output."""
    environment = checkout.environment | {n: cluster.environment[n] for n in ("SLURM_CONF", "PATH")}
    told = Told()
    while told.status and told.commands < COMMANDS:
        told.commands += 1
        run = checkout.start("--profile", "slurm", *words, *STUB_CONFIG, environment=environment)
        seen: set[str] = set()
        for line in run.stdout:
            told.last.append(line)
            job, submitted, _ = line.partition(" has been submitted with SLURM jobid ")
            if submitted:
                told.jobs, told.again = told.jobs + 1, told.again + (job in seen)
                seen.add(job)
                print(f"{time.strftime('%H:%M:%S')} command {told.commands}: {line[:100].strip()}", flush=True)
        used(run, told)
    return told


def used(run: subprocess.Popen[str], told: Told) -> None:
    """Add what an ended Snakemake, with the SLURM commands that it called, took: its jobs are not its children."""
    _, status, usage = os.wait4(run.pid, 0)
    run.returncode = told.status = os.waitstatus_to_exitcode(status)
    told.cpu_s += usage.ru_utime + usage.ru_stime
    told.memory_mb = max(told.memory_mb, usage.ru_maxrss // 1024)


if __name__ == "__main__":
    main()

"""A benchmark's week in an hour: stub clips through the real workflow, profile and scheduler, stages killed at random.

    python -m benchmarks.week --clips 1000 --die 10    # kill -9 of 10 in 1000 stages; needs root and Debian's SLURM

Ends well if the last table is, byte for byte, that of a run in which nothing was killed. A stub takes no time, but each SLURM
job starts Python three times: about 5 CPU seconds a job, 7 jobs a clip.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.slurm.cluster import Cluster, install
from tests.workflow.conftest import STUB_CONFIG, StubbedCheckout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--die", type=int, default=10, help="stages killed, of 1000")
    parser.add_argument("--cpus", type=int, default=4, help="a node, of two")
    asked = parser.parse_args()
    install()
    with tempfile.TemporaryDirectory() as folder:
        checkout = StubbedCheckout(Path(folder) / "hoi", asked.clips)
        checkout.run(*STUB_CONFIG)
        undisturbed = checkout.end()
        (checkout.path / "results").rename(checkout.path / "undisturbed")
        (checkout.path / "drill/die").write_text(str(asked.die))
        (checkout.path / "slurm").symlink_to("workflow/profiles/slurm")
        started = time.monotonic()
        with Cluster(Path(folder) / "slurm", cpus=asked.cpus) as cluster:
            environment = checkout.environment | {n: cluster.environment[n] for n in ("SLURM_CONF", "PATH")}
            run = checkout.start("--profile", "slurm", *STUB_CONFIG, environment=environment)
            told = run.communicate()[0]
            states = [row[1] for row in cluster.jobs("--states=all")]
        seconds = time.monotonic() - started
        same = run.returncode == 0 and checkout.end() == undisturbed
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    counts = {state: states.count(state) for state in sorted(set(states))}
    print(f"{asked.clips} clips, {asked.die} of 1000 stages killed: {len(states)} SLURM jobs {counts}, {seconds:.0f} s")
    print(f"Snakemake itself: {children.ru_utime + children.ru_stime:.0f} CPU s, {children.ru_maxrss // 1024} MB")
    print("ends in the table of an undisturbed run" if same else told[-4000:])
    sys.exit(not same)


if __name__ == "__main__":
    main()

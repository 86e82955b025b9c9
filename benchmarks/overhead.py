"""What the workflow itself costs: the wall time of the tiny benchmark beside the seconds of its stages.

    python -m benchmarks.overhead

A stage's seconds are those of its command, with the start of its Python, as Snakemake writes them to results/benchmarks; on
two cores they could be over in half of their sum. What is longer is planning, waiting and idle cores.
"""

import csv
import tempfile
import time
from pathlib import Path

from tests.workflow.conftest import CORES, TINY_CONFIG, tiny_checkout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkout = tiny_checkout(Path(folder) / "hoi", "mug", "bowl")
        started = time.monotonic()
        checkout.run(*TINY_CONFIG)
        wall_s = time.monotonic() - started
        seconds = stage_seconds(checkout.path / "results/benchmarks")
    least_s = sum(seconds) / CORES
    print(f"{len(seconds)} jobs on {CORES} cores: {wall_s:.0f} s; their own seconds, {sum(seconds):.0f}, are", end=" ")
    print(f"{least_s:.0f} s on {CORES} cores: {100 * (wall_s / least_s - 1):.0f} % more")


def stage_seconds(benchmarks: Path) -> list[float]:
    """Seconds of every job that left a benchmark."""
    rows = [next(csv.DictReader(path.open(), delimiter="\t")) for path in sorted(benchmarks.rglob("*.tsv"))]
    return [float(row["s"]) for row in rows]


if __name__ == "__main__":
    main()

"""Every drill on purpose, some times over: how often it was, and what came of it.

    python benchmarks/drills.py --times 10    # a line a round in results/drills.tsv; ends with status 1 if one failed

The drills on SLURM need root and Debian's SLURM, those of a full disk root; what is skipped is counted as skipped.
"""

import argparse
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path

from hoi.provenance import made_with

ROOT = Path(__file__).parents[1]
DRILLS = ("tests/workflow/test_faults.py", "tests/slurm", "tests/workflow/test_run.py")
CHOSEN = "not test_run or damaged_file or real_fit_killed"
COLUMNS = ("commit", "started", "round", "drills", "failed", "skipped", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--table", type=Path, default=ROOT / "results/drills.tsv")
    asked = parser.parse_args()
    if not asked.table.exists():
        asked.table.write_text("\t".join(COLUMNS) + "\n")
    rounds = []
    for number in range(1, asked.times + 1):
        rounds.append(drilled(number))
        with asked.table.open("a") as table:
            table.write("\t".join(str(rounds[-1][column]) for column in COLUMNS) + "\n")
    failed = sum(row["failed"] for row in rounds)
    print(f"{sum(row['drills'] for row in rounds)} drills in {asked.times} rounds, {failed} failed: {asked.table}")
    sys.exit(bool(failed))


def drilled(number: int) -> dict[str, int | str]:
    """One round, as a row of the table."""
    made, started = made_with(), datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.xml"
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={told}", "-k", CHOSEN, *DRILLS]
        subprocess.run([sys.executable, *words], cwd=ROOT)
        suite = ElementTree.parse(told).getroot()[0].attrib
    failed = int(suite["failures"]) + int(suite["errors"])
    commit = f"{made['commit'] or 'unknown'}{'+' if made['dirty'] else ''}"
    return {"commit": commit, "started": started, "round": number, "drills": int(suite["tests"]) - int(suite["skipped"]),
            "failed": failed, "skipped": int(suite["skipped"]), "seconds": round(float(suite["time"]))}  # fmt: skip


if __name__ == "__main__":
    main()

"""Time and memory of planning a large benchmark: a dry run over made-up rows of a clips table and six variants.

python benchmarks/plan.py --clips 1000
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CATEGORIES = ("mug", "bottle", "kettle", "bowl", "knife", "toycar")
OVERLAY = """
variants:
  short: {fit_clip: {steps: 100, weights: {prior: 0}}}
  shorter: {fit_clip: {steps: 50, weights: {prior: 0}}}
tables:
  main: {variants: [no_prior, oracle, template, hull, short, shorter]}
report_clip: {variants: [no_prior]}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    clips = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as folder:
        table, overlay = Path(folder) / "many.tsv", Path(folder) / "many.yaml"
        (Path(folder) / "config").symlink_to(ROOT / "config")
        rows = [f"c{i}\tprocedural\t{CATEGORIES[i % 6]}\ttest\t{i}\n" for i in range(clips)]
        table.write_text("clip\tsource\tcategory\tsplit\tseed\n" + "".join(rows))
        overlay.write_text(f"clips: {table}\n{OVERLAY}")
        words = ["--directory", folder, "--dry-run", "--quiet=reason"]
        files = ["--configfile", str(ROOT / "config/config.yaml"), str(overlay)]
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "snakemake", "-c1", *words, *files], cwd=ROOT, capture_output=True)
    total = [line for line in done.stdout.decode().splitlines() if line.startswith("total")]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = total[-1].split()[1] if total else done.stderr.decode()
    print(f"{clips} clips x 6 variants: {jobs} jobs, {time.monotonic() - started:.0f} s,", end=" ")
    print(f"{used.ru_utime + used.ru_stime:.0f} CPU s, {used.ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()

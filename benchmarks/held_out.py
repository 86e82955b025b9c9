"""Held-out error of the denoiser's ε by what it is told, and paired differences. Run, after the held-out shards are made:
snakemake -c2 results/prior/data/{0,1}.npz
python benchmarks/held_out.py results/prior/data/{0,1}.npz
"""

import argparse
from pathlib import Path

import yaml
from rich.console import Console

from hoi.artefacts import read_npz
from hoi.config import TrainPrior
from hoi.imports import PACKAGE, shipped_prior
from hoi.prior.card import interval_rows
from hoi.prior.denoiser import Denoiser
from hoi.prior.stream import fixed_samples
from hoi.prior.train import judged


def main() -> None:
    """Print the card's two tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shards", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, default=Path(shipped_prior()[0]))
    parser.add_argument("--samples", type=int, default=None, help="of the shards' pictures; as configured")
    args = parser.parse_args()
    settings = TrainPrior.model_validate(
        yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["train_prior"]
    )
    denoiser, opened = Denoiser.load(args.weights), [read_npz("prior_renders", p) for p in args.shards]
    count = args.samples or settings.judged_samples
    samples = fixed_samples(opened, denoiser.category_index, denoiser.spec.views.pool, count)
    told, less = judged(denoiser, samples, settings.held_out_levels, 0)
    for title, intervals in (("error", told), ("error less", less)):
        rows = [f"| told | {title} | interval |", "|---|---|---|", *interval_rows(intervals), ""]
        Console().print("\n".join(rows), markup=False)


if __name__ == "__main__":
    main()

"""Seconds a training step and a guided prediction of the prior's denoiser, by architecture. Run: python benchmarks/prior.py"""

import argparse

import torch
import yaml
from rich.console import Console
from rich.table import Table
from timing import seconds

from hoi.config import PriorData, TrainPrior
from hoi.imports import PACKAGE
from hoi.prior.denoiser import DenoiserSpec
from hoi.prior.samples import Channels
from hoi.prior.train import Trainer

CANDIDATES = {
    "as configured": {},
    "not folded": {"patch": 1, "channels": (32, 64, 128, 192)},
    "narrow": {"channels": (48, 96, 160)},
    "narrower": {"channels": (48, 96, 128), "attention_levels": 1},
    "deep": {"layers": 2},
    "folded by 4": {"patch": 4, "channels": (128, 192)},
}


def guided(trainer: Trainer, batch: Channels) -> torch.Tensor:
    """One guided prediction of a single picture."""
    x, given = (v[:1].to(trainer.device) for v in (batch.x, batch.given))
    known, level = (torch.tensor([i], device=trainer.device) for i in (0, 500))
    return trainer.average.predict_noise(x, given, known, level, 4.0)


def main() -> None:
    """Print one row an architecture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=list(CANDIDATES), choices=list(CANDIDATES))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())
    data, settings = PriorData.model_validate(config["prior_data"]), TrainPrior.model_validate(config["train_prior"])
    side, b, device = data.views.resolution, args.batch, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch = Channels(torch.randn(b, 5, side, side), torch.randn(b, 12, side, side), torch.zeros(b, dtype=torch.long))
    table = Table("network", "million parameters", "training samples/s", "ms a guided prediction", title=str(device))
    for name in args.only:
        network = settings.network.model_copy(update=CANDIDATES[name])
        spec = DenoiserSpec(categories=("object",), network=network, schedule=settings.schedule, views=data.views,
                            render=data.render)  # fmt: skip
        trainer = Trainer(spec, settings, 0, device)
        size = sum(p.numel() for p in trainer.denoiser.parameters()) / 1e6
        step_s = seconds(lambda t=trainer: t.step(batch), args.repeats)
        guess_s = seconds(lambda t=trainer: guided(t, batch), args.repeats)
        table.add_row(name, f"{size:.2f}", f"{b / step_s:.1f}", f"{1000 * guess_s:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()

"""The denoiser trained on the shards of `prior_data`; a killed training goes on where its last checkpoint stands."""

import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from hoi.artefacts import Product, raise_recorded, read_npz, whole, write_json
from hoi.checkpoint import Checkpoint
from hoi.config import PriorData, TrainPrior
from hoi.device import choose_device, device_name
from hoi.errors import DataFailure, InputError
from hoi.prior.card import model_card
from hoi.prior.denoiser import FALLBACK, DenoiserSpec
from hoi.prior.pictures import sample_grid
from hoi.prior.samples import OF_CLIP, Channels
from hoi.prior.stream import Position, Stream, fixed_samples
from hoi.prior.text import TextEncoder, TextSpec
from hoi.prior.train import CONDITIONS, Trainer, fast_bfloat16, held_out_losses, judged
from hoi.progress import Progress
from hoi.provenance import run_record
from hoi.sources.shapes import CATEGORIES

LATEST = "weights"
FREE = {
    "log_every", "checkpoint_minutes", "held_out_every", "held_out_samples", "judged_samples", "grid_minutes",
    "grid_steps", "grid_guidance", "left_out_most",
}  # what a checkpoint need not agree in: how often  # fmt: skip
GRID_ROWS = 12


def train_prior(
    shards: list[Path], held_out: list[Path], data: PriorData, config: TrainPrior, seed: int, threads: int,
    checkpoint: Product, weights: Product, history: Product, samples: Product, run: Product,
) -> None:  # fmt: skip
    """Train to the end, from the checkpoint if there is one; write weights, loss history, sample grid, record.

    Shards of clips that failed are left out and named in the record.
    """
    torch.set_num_threads(threads)
    left_out = without_pictures([*held_out, *shards], config.left_out_most)
    shards, held_out = ([p for p in paths if p.name not in left_out] for paths in (shards, held_out))
    if not (shards and held_out):
        raise InputError("train_prior", f"{len(shards)} shards with pictures, {len(held_out)} held out", "some of both",
                         "more prior_data.shards or held_out")  # fmt: skip
    device = choose_device("the training")
    counts, found = contents(shards)
    categories = (FALLBACK, *CATEGORIES, *sorted(found - {FALLBACK, *CATEGORIES}))
    text, words = _in_words(categories, config)
    spec = DenoiserSpec(categories=categories, network=config.network, schedule=config.schedule,
                        views=data.views, render=data.render, text=text)  # fmt: skip
    trainer = Trainer(spec, config, seed, device, words)
    session = Session(trainer, shards, held_out, seed, checkpoint)
    session.resume()
    session.train()
    record = session.record(threads) | counts | {"left_out": left_out}
    trainer.average.save(weights, model_card(record))
    with whole(history) as path:
        pd.DataFrame(session.rows).to_parquet(path)
    session.draw_grid(samples)
    write_json(run, record)
    session.checkpoint.remove()


def without_pictures(shards: list[Path], most: float) -> dict[str, str]:
    """Shards whose clip failed, by name, and why; an InputError where they are more than this share of all."""
    reasons = {}
    for path in shards:
        try:
            raise_recorded(path)
        except DataFailure as failure:
            reasons[path.name] = f"{failure.stage}: {failure.where}: {failure.found}"
            sys.stderr.write(f"train_prior leaves out {path}: {reasons[path.name]}\n")
    if len(reasons) > most * len(shards):
        name, reason = next(iter(reasons.items()))
        raise InputError("train_prior", f"{len(reasons)} of {len(shards)} shards without pictures, the first {name}: {reason}",
                         f"at most {most:.0%}", "mend those clips, or raise train_prior.left_out_most")  # fmt: skip
    return reasons


def contents(shards: list[Path]) -> tuple[dict[str, int], set[str]]:
    """How many pictures, made instances and clips the shards hold, and their categories; no picture is unpacked."""
    pictures, clips, instances, found = 0, 0, set(), set()
    for path in shards:
        arrays = read_npz("prior_renders", path, ("category", "instance"))
        shown = set(zip(arrays["category"].tolist(), arrays["instance"].tolist(), strict=True))
        made = {(category, seed) for category, seed in shown if seed != OF_CLIP}
        pictures, clips = pictures + len(arrays["category"]), clips + (made != shown)
        instances, found = instances | made, found | {category for category, _ in shown}
    return {"shards": len(shards), "pictures": pictures, "instances": len(instances), "clips": clips}, found


def _in_words(categories: tuple[str, ...], config: TrainPrior) -> tuple[TextSpec | None, torch.Tensor | None]:
    """The text encoder's mark and its features of the categories; nothing where categories are no words."""
    if config.conditioning == "category":
        return None, None
    encoder = TextEncoder(Path(config.text_encoder or ""))
    spec = encoder.spec(config.prompt)
    return spec, encoder.features([spec.sentence(c) for c in categories])


class Session:
    """A training with its files: shards, checkpoint, history."""

    def __init__(self, trainer: Trainer, shards: list[Path], held_out: list[Path], seed: int, checkpoint: Path) -> None:
        self.trainer, self.seed = trainer, seed
        settings = trainer.settings.model_dump(mode="json", exclude=FREE)
        spec = trainer.average.spec.model_dump(mode="json")
        decides = {"seed": seed, "train_prior": settings, "spec": spec}
        self.checkpoint = Checkpoint.of("train_prior", checkpoint, [*shards, *held_out], decides)
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0
        index = trainer.denoiser.category_index
        s, pool = trainer.settings, trainer.denoiser.spec.views.pool
        read, names = partial(read_npz, "prior_renders"), [str(p) for p in shards]
        self.stream = Stream(read, names, index, pool, s.batch, s.buffer_shards, seed)
        self.position = Position(0, 0)
        opened = [read_npz("prior_renders", p) for p in held_out]
        self.few = fixed_samples(opened, index, pool, s.held_out_samples)
        self.judged = fixed_samples(opened, index, pool, s.judged_samples)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if saved := self.checkpoint.read():
            session, state = saved
            self.trainer.restore(state)
            self.position = Position(session["epoch"], session["batch"])
            self.rows, self.seconds = session["rows"], session["seconds"]

    def save(self) -> None:
        """Write the checkpoint and export the averaged weights beside it."""
        session = asdict(self.position) | {"rows": self.rows, "seconds": self.seconds}
        self.checkpoint.write(self.trainer.state(), session)
        self.trainer.average.save(
            self.checkpoint.folder / LATEST, f"Weights of step {self.trainer.step_count} of a running training.\n"
        )

    def train(self) -> None:
        """Steps, log rows, held-out losses and checkpoints, to the last step."""
        s, t = self.trainer.settings, self.trainer
        losses: list[float] = []
        started = saved = drawn = time.monotonic()
        before = self.seconds
        with Progress("train_prior") as progress:
            for following, batch in self.stream.batches(self.position):
                if t.step_count >= s.steps:
                    break
                losses.append(t.step(batch))
                self.position = following
                self.seconds = before + time.monotonic() - started
                if t.step_count % s.log_every == 0 or t.step_count == s.steps:
                    self.rows.append(self._row(losses))
                    progress(t.step_count, s.steps, f"loss {self.rows[-1]['loss']:.4f}")
                    losses = []
                if time.monotonic() - saved > 60 * s.checkpoint_minutes or t.step_count == s.steps:
                    self.save()
                    saved = time.monotonic()
                if time.monotonic() - drawn > 60 * s.grid_minutes:
                    self.draw_grid(self.checkpoint.folder / "samples.png")
                    drawn = time.monotonic()

    def _row(self, losses: list[float]) -> dict[str, float]:
        """A row of the history: the mean loss since the last, now and then the held-out loss by noise level."""
        t, s = self.trainer, self.trainer.settings
        row = {"step": float(t.step_count), "seconds": round(self.seconds, 1), "loss": float(np.mean(losses))}
        if t.step_count % s.held_out_every == 0 or t.step_count == s.steps:
            errors = held_out_losses(t.average, self.few, s.held_out_levels, next(iter(CONDITIONS)), self.seed)
            row |= {f"held_out_{level}": float(e) for level, e in zip(s.held_out_levels, errors.mean(1), strict=True)}
        return row

    def draw_grid(self, path: Path) -> None:
        """Samples of the averaged weights for some held-out hands."""
        rows = np.linspace(0, len(self.judged.x) - 1, GRID_ROWS).round().astype(int)
        chosen = Channels(*(v[rows] for v in (self.judged.x, self.judged.given, self.judged.category)))
        s = self.trainer.settings
        picture = sample_grid(self.trainer.average, chosen, s.grid_steps, s.grid_guidance, self.seed)
        with whole(path) as scratch:
            cv2.imwrite(str(scratch), picture[..., ::-1])

    def record(self, threads: int) -> dict[str, Any]:
        """The run's record, with the held-out loss under every condition and its interval over pictures."""
        t, s = self.trainer, self.trainer.settings
        held_out, held_out_less = judged(t.average, self.judged, s.held_out_levels, self.seed)
        more = {
            "threads": threads, "device": device_name(t.device), "bfloat16": fast_bfloat16(t.device),
            "steps": t.step_count, "batch": s.batch, "hours": self.seconds / 3600,
            "categories": list(t.average.spec.categories), "text": bool(t.average.spec.text),
            "parameters": sum(p.numel() for p in t.average.parameters()),
            "data_seed": self.seed, "held_out": held_out, "held_out_less": held_out_less,
        }  # fmt: skip
        return run_record(s, self.seed, self.seconds, more)

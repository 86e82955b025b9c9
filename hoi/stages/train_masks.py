"""The masker's network trained on the shards of `mask_data`; a killed training goes on where its last checkpoint stands."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from hoi.artefacts import Product, read_npz, whole, write_json
from hoi.checkpoint import Checkpoint
from hoi.config import TrainMasks
from hoi.masknet.card import model_card
from hoi.masknet.train import Rows, Trainer, held_out_iou
from hoi.progress import Progress
from hoi.provenance import processor, run_record

FREE = {"log_every", "held_out_every", "held_out_samples", "checkpoint_minutes"}  # what a checkpoint need not agree in


def train_masks(
    shards: list[Path], held_out: list[Path], config: TrainMasks, seed: int, threads: int, checkpoint: Product,
    weights: Product, history: Product, run: Product,
) -> None:  # fmt: skip
    """Train to the end, from the checkpoint if there is one; write weights, loss history, record."""
    torch.set_num_threads(threads)
    rows = Rows([read_npz("mask_frames", p) for p in shards])
    judged = Rows([read_npz("mask_frames", p) for p in held_out]).spread(config.held_out_samples, config)
    decides = {"seed": seed, "train_masks": config.model_dump(mode="json", exclude=FREE)}
    own = Checkpoint.of("train_masks", checkpoint, [*shards, *held_out], decides)
    session = Session(Trainer(config, seed), seed, own)
    session.resume()
    session.train(rows, judged)
    trainer = session.trainer
    record = run_record(config, seed, session.seconds, {
        "threads": threads, "device": f"CPU {processor()}", "steps": trainer.step_count, "batch": config.batch,
        "hours": session.seconds / 3600, "parameters": sum(p.numel() for p in trainer.average.parameters()),
        "shards": len(shards), "frames": len(rows), "judged": len(judged[0]),
        "instances": len({(c, int(i)) for s in rows.shards for c, i in zip(s["category"], s["instance"], strict=True)}),
        "held_out": held_out_iou(trainer.average, judged),
    })  # fmt: skip
    trainer.average.save(weights, model_card(record))
    with whole(history) as path:
        pd.DataFrame(session.rows).to_parquet(path)
    write_json(run, record)
    own.remove()


class Session:
    """A training with its checkpoint and history."""

    def __init__(self, trainer: Trainer, seed: int, checkpoint: Checkpoint) -> None:
        self.trainer, self.seed, self.checkpoint = trainer, seed, checkpoint
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if saved := self.checkpoint.read():
            session, state = saved
            self.trainer.restore(state)
            self.rows, self.seconds = session["rows"], session["seconds"]

    def save(self) -> None:
        """Write the checkpoint."""
        self.checkpoint.write(self.trainer.state(), {"rows": self.rows, "seconds": self.seconds})

    def train(self, rows: Rows, judged: tuple) -> None:
        """Steps, log rows, held-out IoU and checkpoints, to the last step."""
        t, s = self.trainer, self.trainer.settings
        started = saved = time.monotonic()
        before, losses = self.seconds, []
        with Progress("train_masks") as progress:
            for batch in rows.batches(t.step_count, s, self.seed):
                if t.step_count >= s.steps:
                    break
                losses.append(t.step(batch))
                self.seconds = before + time.monotonic() - started
                last = t.step_count == s.steps
                if t.step_count % s.log_every == 0 or last:
                    row = {
                        "step": float(t.step_count),
                        "seconds": round(self.seconds, 1),
                        "loss": float(np.mean(losses)),
                    }
                    if t.step_count % s.held_out_every == 0 or last:
                        row |= held_out_iou(t.average, judged)
                    self.rows.append(row)
                    progress(t.step_count, s.steps, ", ".join(f"{k} {v:.3f}" for k, v in list(row.items())[2:]))
                    losses = []
                if time.monotonic() - saved > 60 * s.checkpoint_minutes or last:
                    self.save()
                    saved = time.monotonic()

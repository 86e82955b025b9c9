"""The masker's network trained on the shards of `mask_data`; a killed training goes on where its last checkpoint stands."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from hoi.artefacts import Product, read_npz, whole, write_json
from hoi.config import TrainMasks
from hoi.errors import InputError
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
    session = Session(Trainer(config, seed), seed, checkpoint)
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


class Session:
    """A training with its checkpoint and history."""

    def __init__(self, trainer: Trainer, seed: int, folder: Path) -> None:
        self.trainer, self.seed, self.path = trainer, seed, folder / "state.safetensors"
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0

    def _settings(self) -> dict[str, Any]:
        """What a checkpoint must agree in: all but how often it looks."""
        return {"seed": self.seed, "train_masks": self.trainer.settings.model_dump(mode="json", exclude=FREE)}

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one; one of other settings is refused."""
        if not self.path.exists():
            return
        anew = f"delete {self.path.parent} to train anew"
        try:
            with safe_open(self.path, "pt") as file:
                saved = json.loads((file.metadata() or {})["session"])
            state = load_file(self.path)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise InputError(self.path, str(error), "a whole checkpoint", anew) from error
        if saved["settings"] != self._settings():
            raise InputError(self.path, f"a checkpoint of {saved['settings']}", f"settings {self._settings()}",
                             f"restore the settings, or {anew}")  # fmt: skip
        self.trainer.restore(state)
        self.rows, self.seconds = saved["rows"], saved["seconds"]

    def save(self) -> None:
        """Write the checkpoint: one file, replaced at once."""
        session = {"settings": self._settings(), "rows": self.rows, "seconds": self.seconds}
        with whole(self.path) as scratch:
            save_file(self.trainer.state(), scratch, metadata={"session": json.dumps(session)})

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
                    if not np.isfinite(row["loss"]):
                        raise InputError("train_masks", f"a loss of {row['loss']} at step {t.step_count}", "finite losses",
                                         "lower train_masks.rate; the last checkpoint is whole")  # fmt: skip
                    if t.step_count % s.held_out_every == 0 or last:
                        row |= held_out_iou(t.average, judged)
                    self.rows.append(row)
                    progress(t.step_count, s.steps, ", ".join(f"{k} {v:.3f}" for k, v in list(row.items())[2:]))
                    losses = []
                if time.monotonic() - saved > 60 * s.checkpoint_minutes or last:
                    self.save()
                    saved = time.monotonic()

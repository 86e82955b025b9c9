"""Object shape, hand and poses from masks and the tracked hand; a killed fit goes on where its last checkpoint stands."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pandas as pd
import torch
import trimesh

from hoi.artefacts import Output, Product, read_npz, whole, write_json, write_npz
from hoi.checkpoint import Checkpoint
from hoi.clip import read_clip
from hoi.config import RATE, FitClip
from hoi.errors import InputError
from hoi.fit import Observations, Prior, State, at_rate, fit
from hoi.fit.optimise import TERMS
from hoi.hand.choice import hand_of
from hoi.present.hands import skinned_hand
from hoi.present.scene import write_scene_glb
from hoi.prior.denoiser import Denoiser
from hoi.prior.memory import Memory, Shape
from hoi.progress import Progress
from hoi.provenance import code_of, run_record
from hoi.sources.shapes import CATEGORIES, make_object

FREE = {"log_every", "checkpoint_minutes"}  # what a checkpoint need not agree in


def fit_clip(
    clip: Path, hands: Path, masks: Path, prior: list[Path], config: FitClip, seed: int, threads: int, checkpoint: Product,
    mesh: Output, poses: Output, history: Output, scene: Output, run: Output,
) -> None:  # fmt: skip
    """Fit one clip, from the checkpoint if there is one; write mesh, poses, loss history, animated scene, and the record of the
    run.

    `prior`: the folder of the denoiser to distil and the file of what is remembered, or nothing.
    """
    torch.set_num_threads(threads)
    source = read_clip(clip)
    masked, tracked = read_npz("masks", masks), read_npz("hands", hands)
    observed = Observations.from_arrays(masked, tracked)
    learned = _learned(prior, source.info.category, config.prior.text_encoder)
    templates = _templates(source.info.category, config)
    data = [p for given in (hands, masks, *prior) for p in (given, *sorted(given.rglob("*"))) if p.is_file()]
    moving = at_rate(config, source.info.fps or RATE)
    decides = {"seed": seed, "category": source.info.category, "fit_clip": moving.model_dump(mode="json", exclude=FREE)}
    own = Checkpoint.of("fit_clip", checkpoint, data, decides)
    with Session(own, 60 * config.checkpoint_minutes) as session:
        with Progress("fit_clip") as progress:
            result = fit(observed, moving, seed, progress, learned, templates, session.resumed(), session.keep)
        seconds = session.seconds()
        with whole(mesh) as path:
            result.mesh.export(path)
        write_npz("poses", poses, **result.poses)
        with whole(history) as path:
            result.history.to_parquet(path)
        p = result.poses
        hand = skinned_hand(hand_of(p), p["pose"], p["betas"], p["T_cam_hand"])
        height, width = observed.object_mask.shape[1:]
        write_scene_glb(
            scene, result.mesh, p["T_cam_obj"], hand, p["K"].mean(0), (width, height), float(source.info.fps or RATE)
        )
        code = code_of("track_hand", "mask_clip", "fit_clip")
        rests_on = {"hands": str(tracked.get("tracker", "")), "masks": str(masked.get("masker", ""))}
        more = {"threads": threads, "code": code, **rests_on, "body": _body(result.history)}
        write_json(run, run_record(config, seed, seconds, more))


class Session:
    """A fit with its checkpoint, which goes when the fit has ended: its outputs are whole, or what it was given allows none."""

    def __init__(self, checkpoint: Checkpoint, every_seconds: float) -> None:
        self.checkpoint, self.every_seconds = checkpoint, every_seconds
        self.started = self.saved = time.monotonic()
        self.before = 0.0  # seconds of runs that were killed

    def seconds(self) -> float:
        """That the fit took, those included that earlier runs did not lose."""
        return self.before + time.monotonic() - self.started

    def resumed(self) -> State | None:
        """Where this very fit was; a checkpoint that is damaged costs no more than the minutes it holds."""
        try:
            found = self.checkpoint.read()
        except InputError as error:
            sys.stderr.write(f"fit_clip starts anew: {error.where} is damaged\n")
            return None
        if found is None:
            return None
        session, tensors = found
        self.before = session["seconds"]
        return State(tensors, session["facts"])

    def keep(self, state: Callable[[], State]) -> None:
        """Write the checkpoint, where it is time to."""
        if time.monotonic() - self.saved < self.every_seconds:
            return
        now = state()
        self.checkpoint.write(now.tensors, {"facts": now.facts, "seconds": self.seconds()})
        self.saved = time.monotonic()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, InputError):
            shutil.rmtree(
                self.checkpoint.folder.parent, ignore_errors=True
            )  # with those of other settings: they were this clip's


def _body(history: pd.DataFrame) -> str:
    """Whence the sides are that no view tells: recalled, imagined, or none of both, by the term that held the fit last: score
    distillation does not in every step.
    """
    held = {name: history[term].last_valid_index() for name, term in TERMS.items() if term in history}
    return max((name for name, step in held.items() if step is not None), key=held.__getitem__, default="none")


def _learned(prior: list[Path], category: str | None, text_encoder: str | None) -> Prior | None:
    """Denoiser and memory; None where there is nothing to distil. A text encoder lets the denoiser know any category."""
    if not prior:
        return None
    weights, memory = prior

    def opened() -> Denoiser:
        """The denoiser, which has heard of the category where it can."""
        denoiser = Denoiser.load(weights)
        if text_encoder and category not in denoiser.names:
            denoiser.learn(category, Path(text_encoder))
        return denoiser

    return Prior(opened, category, Memory.load(memory, _training_shape))


def _training_shape(category: str, seed: int) -> Shape:
    """Vertices and faces of a training instance."""
    made = make_object(category, seed, "train")
    return made.vertices, made.faces


def _templates(category: str | None, config: FitClip) -> list[trimesh.Trimesh]:
    """Training meshes of the category, for the method that needs them."""
    if config.method != "template" or category not in CATEGORIES:
        return []
    return [make_object(category, seed, "train").mesh for seed in range(config.template.meshes)]

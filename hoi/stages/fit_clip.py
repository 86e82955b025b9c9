"""Object shape, hand and poses from masks and the tracked hand."""

import time
from pathlib import Path

import torch
import trimesh

from hoi.artefacts import Output, read_npz, whole, write_json, write_npz
from hoi.clip import read_clip
from hoi.config import FitClip
from hoi.fit import Observations, Prior, fit
from hoi.hand.choice import hand_of
from hoi.present.hands import skinned_hand
from hoi.present.scene import write_scene_glb
from hoi.prior.denoiser import Denoiser
from hoi.prior.memory import Memory, Shape
from hoi.progress import Progress
from hoi.provenance import code_of, run_record
from hoi.sources.shapes import CATEGORIES, make_object


def fit_clip(
    clip: Path, hands: Path, masks: Path, prior: list[Path], config: FitClip, seed: int, threads: int,
    mesh: Output, poses: Output, history: Output, scene: Output, run: Output,
) -> None:  # fmt: skip
    """Fit one clip; write mesh, poses, loss history, animated scene, and the record of the run.

    `prior`: the folder of the denoiser to distil and the file of what is remembered, or nothing.
    """
    started = time.perf_counter()
    torch.set_num_threads(threads)
    observed = Observations.from_arrays(read_npz("masks", masks), read_npz("hands", hands))
    source = read_clip(clip)
    learned = _learned(prior, source.info.category, config.prior.text_encoder)
    with Progress("fit_clip") as progress:
        result = fit(observed, config, seed, progress, learned, _templates(source.info.category, config))
    seconds = time.perf_counter() - started
    with whole(mesh) as path:
        result.mesh.export(path)
    write_npz("poses", poses, **result.poses)
    with whole(history) as path:
        result.history.to_parquet(path)
    p = result.poses
    hand = skinned_hand(hand_of(p), p["pose"], p["betas"], p["T_cam_hand"])
    height, width = observed.object_mask.shape[1:]
    write_scene_glb(
        scene, result.mesh, p["T_cam_obj"], hand, p["K"].mean(0), (width, height), float(source.info.fps or 15)
    )
    code = code_of("track_hand", "mask_clip", "fit_clip")
    write_json(run, run_record(config, seed, seconds, {"threads": threads, "code": code}))


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

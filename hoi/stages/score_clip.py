"""Every metric of one fit."""

from pathlib import Path

import numpy as np
import trimesh

from hoi.artefacts import read_json, read_npz, write_json
from hoi.clip import Truth, read_clip, read_frames_size, read_truth
from hoi.config import ScoreClip
from hoi.evaluate.score import Placed, is_failed, score_hand, score_masks, score_relative, score_shape
from hoi.geometry.raycast import visible_masks
from hoi.hand.model import load_hand
from hoi.present.hands import hand_vertices_cam
from hoi.table import ClipRow


def score_clip(
    row: ClipRow, variant: str, clip: Path, hands: Path, masks: Path, mesh: Path, poses: Path, run: Path,
    config: ScoreClip, seed: int, output: Path,
) -> None:  # fmt: skip
    """Score one fit against what is known of the clip; what is not known is null."""
    source, truth = read_clip(clip), read_truth(clip)
    fitted, tracked = read_npz("poses", poses), read_npz("hands", hands)
    shape = trimesh.load_mesh(mesh)
    found = Placed(shape, fitted["T_cam_obj"], fitted["joints_cam"])
    true = _placed(truth)
    silhouettes = None if is_failed(shape) else _silhouettes(shape, fitted, read_frames_size(clip))
    write_json(
        output,
        {
            "clip": row.clip,
            "category": source.info.category,
            "source": row.source,
            "variant": variant,
            "frames": len(fitted["pose"]),
            "hand_found": float(np.mean(tracked["found"])),
            **score_shape(shape, true.mesh if true else None, config, seed),
            **score_relative(found, true, config, seed),
            **score_hand(fitted["joints_cam"], true.joints_cam if true else None, float(source.info.fps or 1)),
            **score_masks(read_npz("masks", masks), truth.masks, silhouettes),
            "seconds": read_json(run)["seconds"],
        },
    )


def _placed(truth: Truth) -> Placed | None:
    if truth.poses is None:
        return None
    mesh = trimesh.load_mesh(truth.object_path) if truth.object_path else None
    return Placed(mesh, truth.poses["T_cam_obj"], truth.poses["joints_cam"])


def _silhouettes(shape: trimesh.Trimesh, fitted: dict[str, np.ndarray], size: tuple[int, int]) -> np.ndarray:
    hand = load_hand("right" if fitted["is_right"] else "left")
    vertices = hand_vertices_cam(hand, fitted["pose"], fitted["betas"], fitted["T_cam_hand"])
    surface = (np.asarray(shape.vertices), np.asarray(shape.faces))
    return visible_masks(surface, fitted["T_cam_obj"], vertices, hand.faces.numpy(), fitted["K"], size[1], size[0])[0]

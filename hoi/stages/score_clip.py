"""Every metric of one fit."""

from pathlib import Path

import numpy as np
import torch

from hoi.artefacts import Product, read_json, read_npz, write_json
from hoi.clip import frame_files, read_clip, read_frames_size, read_truth
from hoi.config import HandChoice, ScoreClip
from hoi.errors import DataFailure
from hoi.evaluate.score import Placed, failed_scores, is_failed, score_masks, score_placed
from hoi.geometry.cameras import project
from hoi.geometry.raycast import visible_masks
from hoi.meshes import read_mesh
from hoi.provenance import score_record
from hoi.score import placed_fit, placed_truth
from hoi.table import ClipRow


def score_clip(
    row: ClipRow, variant: str, clip: Path, hands: Path, masks: Path, mesh: Path, poses: Path, run: Path,
    hand: HandChoice, config: ScoreClip, seed: int, output: Product,
) -> None:  # fmt: skip
    """Score one fit against what is known of the clip; what is not known is null, a failed clip is charged for."""
    source, truth = read_clip(clip), read_truth(clip)
    true = placed_truth(source, truth, hand)
    about = {"clip": row.clip, "category": source.info.category, "source": row.source, "variant": variant}
    about["frames"] = len(frame_files(clip / "frames"))
    try:
        tracked, seen, record = read_npz("hands", hands), read_npz("masks", masks), read_json(run)
        fitted = read_npz("poses", poses)
        found = placed_fit(read_mesh(mesh), fitted)
        if is_failed(found.mesh):
            raise DataFailure(mesh, "an empty mesh", "a surface", "look at the clip's masks and hands", "fit_clip")
    except DataFailure as failure:
        charged = failed_scores(true, truth.masks)
        failed = {"failed": True, "failure": failure.record(), "made_by": score_record(None, config, seed)}
        write_json(output, {**about, **failed, **charged})
        return
    joints_px = tracked["keypoints_px"] if true.joints_cam is None else _pixels(source.K(), true.joints_cam)
    measured = {
        "failed": False,
        **score_placed(found, true, config, seed, source.info.fps),
        "hand_found": float(np.mean(tracked["found"])),
        **score_masks(seen, truth.masks, _silhouettes(clip, found, fitted["K"]), joints_px),
        "seconds": record["seconds"],
        "memory_mb": record.get("memory_mb"),
    }
    write_json(output, {**about, **measured, "made_by": score_record(record, config, seed)})


def _pixels(K: np.ndarray, joints_cam: np.ndarray) -> np.ndarray:
    return project(torch.from_numpy(K), torch.from_numpy(joints_cam)).numpy()


def _silhouettes(clip: Path, found: Placed, K: np.ndarray) -> np.ndarray:
    """Pixels where the fitted object is seen, in every frame."""
    height, width = read_frames_size(clip)
    surface, hand = (np.asarray(found.mesh.vertices), np.asarray(found.mesh.faces)), found.hand
    return visible_masks(surface, found.T_cam_obj, hand.vertices_cam, hand.faces, K, width, height)[0]

"""Whole scores: which metric of which protocol goes under which key. None where the truth is absent.

A fit without an object (`failed`) is not left out: it gets F 0 and a fixed Chamfer distance: means punish it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Bool, Float

from hoi.config import ScoreClip
from hoi.evaluate.hand import acceleration_error_m_s2, mpjpe_mm, pa_mpjpe_mm, wrist_error_mm
from hoi.evaluate.masks import mean_iou
from hoi.evaluate.relative import cd_h_cm2, f_in_hand
from hoi.evaluate.shape import chamfer_cm2, f_score
from hoi.geometry.registration import Search, register
from hoi.geometry.sampling import sample_surface

Metrics = dict[str, float | bool | None]
SHAPE = ("failed", "f5", "f10", "cd_cm2", "f5_scaled", "f10_scaled", "cd_scaled_cm2", "scale")
RELATIVE = ("cd_h_cm2", "f20_in_hand")
HAND = ("mpjpe_mm", "pa_mpjpe_mm", "wrist_mm", "acceleration_m_s2")


def is_failed(mesh: trimesh.Trimesh | None) -> bool:
    """Is there no object: no mesh, no area, or numbers that are not finite?"""
    return mesh is None or len(mesh.faces) == 0 or not bool(np.isfinite(mesh.vertices).all()) or not bool(mesh.area > 0)


def _failure(keys: tuple[str, ...], settings: ScoreClip) -> Metrics:
    worst: Metrics = {key: 0.0 if key.startswith("f") else settings.failure_cd_cm2 for key in keys}
    return {key: {"failed": True, "scale": None}.get(key, value) for key, value in worst.items()}


def score_shape(pred: trimesh.Trimesh | None, true: trimesh.Trimesh | None, settings: ScoreClip, seed: int) -> Metrics:
    """Protocol `diffhoi`: register prediction onto truth, without and with one scale; then F@5 mm, F@10 mm, CD (cm²).

    Meshes in metres, any frames. 10,000 area-uniform samples a side; the truth's and the prediction's samples are drawn
    from different seeds. `scale` is what the scaled variant multiplied the prediction by; `failed`: there is
    no object.
    """
    if true is None:
        return dict.fromkeys(SHAPE) | {"failed": is_failed(pred)}
    if pred is None or is_failed(pred):
        return _failure(SHAPE, settings)
    p = sample_surface(np.asarray(pred.vertices), np.asarray(pred.faces), settings.samples, seed)
    t = sample_surface(np.asarray(true.vertices), np.asarray(true.faces), settings.samples, seed + 1)
    search = Search(**settings.registration.model_dump())
    out: Metrics = {"failed": False}
    for suffix, with_scale in (("", False), ("_scaled", True)):
        found = register(p, t, with_scale, search)
        moved = found.apply(p)
        out |= {f"f{mm}{suffix}": f_score(moved, t, mm / 1000) for mm in (5, 10)}
        out[f"cd{suffix}_cm2"] = chamfer_cm2(moved, t)
    return {key: (out | {"scale": found.scale})[key] for key in SHAPE}


@dataclass(frozen=True)
class Placed:
    """An object and the hand that holds it, in the camera, in every frame."""

    mesh: trimesh.Trimesh | None  # object frame, metres
    T_cam_obj: Float[np.ndarray, "N 4 4"]
    joints_cam: Float[np.ndarray, "N 21 3"]  # OpenPose order, metres


def score_relative(pred: Placed, true: Placed | None, settings: ScoreClip, seed: int) -> Metrics:
    """CD_h (protocol `hold` hand-relative) and in-hand F@20 mm: metric placement, without any alignment."""
    if true is None or true.mesh is None:
        return dict.fromkeys(RELATIVE)
    if pred.mesh is None or is_failed(pred.mesh):
        return _failure(RELATIVE, settings)
    n = settings.relative_samples
    p = sample_surface(np.asarray(pred.mesh.vertices), np.asarray(pred.mesh.faces), n, seed)
    t = sample_surface(np.asarray(true.mesh.vertices), np.asarray(true.mesh.faces), n, seed + 1)
    return {
        "cd_h_cm2": cd_h_cm2(p, pred.T_cam_obj, pred.joints_cam[:, 0], t, true.T_cam_obj, true.joints_cam[:, 0]),
        "f20_in_hand": f_in_hand(p, pred.T_cam_obj, pred.joints_cam, t, true.T_cam_obj, true.joints_cam, 0.02),
    }


def score_hand(pred: Float[np.ndarray, "N 21 3"], true: Float[np.ndarray, "N 21 3"] | None, fps: float) -> Metrics:
    """MPJPE, PA-MPJPE and wrist error (mm), acceleration error (m/s²) of joints in the camera (metres)."""
    if true is None:
        return dict.fromkeys(HAND)
    return {
        "mpjpe_mm": mpjpe_mm(pred, true),
        "pa_mpjpe_mm": pa_mpjpe_mm(pred, true),
        "wrist_mm": wrist_error_mm(pred, true),
        "acceleration_m_s2": acceleration_error_m_s2(pred, true, fps),
    }


def score_masks(
    pred: Mapping[str, Bool[np.ndarray, "N H W"]],
    true: Mapping[str, Mapping[int, Bool[np.ndarray, "H W"]]],
    silhouettes: Bool[np.ndarray, "N H W"] | None,
) -> Metrics:
    """Mean IoU of the masks `object` and `hand` against their truths, which are given by frame index and may be absent.

    `silhouettes`, the visible object as fitted and rendered, is compared with the true object masks where there are any
    (`silhouette_iou`) and with the masks that the fit was given (`silhouette_iou_fitted`).
    """
    out = {f"mask_iou_{key}": mean_iou(pred[key], true.get(key, {})) for key in ("object", "hand")}
    rendered = silhouettes if silhouettes is not None else np.zeros_like(pred["object"])
    out["silhouette_iou"] = mean_iou(rendered, true.get("object", {}))
    out["silhouette_iou_fitted"] = mean_iou(rendered, dict(enumerate(pred["object"])))
    return out

"""Whole scores: which metric of which protocol goes under which key (hoi.metrics). None where the truth is absent.

A prediction without an object is not left out: it is charged the penalty of every metric that its truth allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Integer

from hoi.config import ScoreClip
from hoi.evaluate import contact, protocols
from hoi.evaluate.hand import acceleration_error_m_s2, auc_50mm, mpjpe_mm, pa_mpjpe_mm, wrist_error_mm
from hoi.evaluate.masks import mean_iou, near_hand
from hoi.evaluate.motion import add_s_mm, box_centres, mrrpe_mm
from hoi.evaluate.relative import cd_h_cm2, in_hand
from hoi.geometry.raycast import distances_within
from hoi.geometry.registration import Search
from hoi.geometry.sampling import sample_surface
from hoi.geometry.solids import shared_volumes_m3, united
from hoi.metrics import METRICS, penalties

Metrics = dict[str, float | None]
HOLD_SAMPLES, HOLD_POINTS, FOREHOI_POINTS = 1000, 3000, 300_000  # as their scripts have it
CONTACT_M = 0.005  # ASSUME: of the contact ratio


@dataclass(frozen=True)
class Hand:
    """The surface of the hand in every frame."""

    vertices_cam: Float[np.ndarray, "N V 3"]
    faces: Integer[np.ndarray, "F 3"]


@dataclass(frozen=True)
class Placed:
    """An object and the hand that holds it, in the camera, in every frame; what is not known is None."""

    mesh: trimesh.Trimesh | None  # object frame, metres
    T_cam_obj: Float[np.ndarray, "N 4 4"] | None
    joints_cam: Float[np.ndarray, "N 21 3"] | None  # OpenPose order, metres
    hand: Hand | None = None
    annotated: Bool[np.ndarray, "N"] | None = None  # frames of a truth that count; all where it is not said
    frames: Integer[np.ndarray, "N"] | None = None  # numbers of the rows; one after the other where it is not said

    def at(self, rows: Integer[np.ndarray, "k"]) -> "Placed":
        """The same in some of the frames, which keep their numbers."""
        hand = None if self.hand is None else Hand(self.hand.vertices_cam[rows], self.hand.faces)
        parts = (None if p is None else p[rows] for p in (self.T_cam_obj, self.joints_cam))
        annotated = None if self.annotated is None else self.annotated[rows]
        return Placed(self.mesh, *parts, hand, annotated, rows if self.frames is None else self.frames[rows])

    def known(self) -> set[str]:
        """What is there, in the words of `Metric.needs`."""
        parts = {"shape": self.mesh, "poses": self.T_cam_obj, "joints": self.joints_cam, "hand": self.hand}
        return {name for name, part in parts.items() if part is not None}


NOTHING = Placed(None, None, None)


def is_failed(mesh: trimesh.Trimesh | None) -> bool:
    """Is there no object: no mesh, no area, or numbers that are not finite?"""
    return mesh is None or len(mesh.faces) == 0 or not bool(np.isfinite(mesh.vertices).all()) or not bool(mesh.area > 0)


def failed_scores(true: Placed, masks: Mapping[str, Mapping[int, np.ndarray]]) -> Metrics:
    """What a clip without a result is charged, by metric, given what is known of its truth."""
    return penalties(true.known() | {f"{name}_masks" for name, known in masks.items() if known})


def score_placed(pred: Placed, true: Placed, settings: ScoreClip, seed: int, fps: float | None) -> Metrics:
    """Every metric of shape, motion, hand and contact, in the annotated frames; those that truth or prediction do not
    allow are None."""
    out: Metrics = {}
    if true.annotated is not None:
        rows = np.flatnonzero(true.annotated)
        pred, true = pred.at(rows), true.at(rows)
    if pred.mesh is not None and true.mesh is not None:
        out |= score_shape(pred.mesh, true.mesh, settings, seed)
        if pred.T_cam_obj is not None and true.T_cam_obj is not None:
            out |= score_motion(pred, true, settings, seed)
    if pred.joints_cam is not None and true.joints_cam is not None:
        out |= score_hand(pred.joints_cam, true.joints_cam, fps, true.frames)
    out |= score_contact(pred, true)
    return {key: out.get(key) for key in METRICS} | {"scale": out.get("scale")}


def _surface(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def score_shape(pred: trimesh.Trimesh, true: trimesh.Trimesh, settings: ScoreClip, seed: int) -> Metrics:
    """Protocols `diffhoi`, `hold` and `forehoi`. Meshes in metres; samples of the two are drawn from different seeds.

    `hold` looks at frame 0, where object and truth are as in their own frames but for a rigid motion, which it undoes.
    """
    (p, t), (dense_p, dense_t) = (
        [sample_surface(*_surface(mesh), n, seed + i) for i, mesh in enumerate((pred, true))]
        for n in (settings.samples, FOREHOI_POINTS)
    )
    search = Search(**settings.registration.model_dump())
    few = slice(None, None, max(1, settings.samples // HOLD_SAMPLES))
    vertices_p, vertices_t = np.asarray(pred.vertices), np.asarray(true.vertices)
    return {
        **protocols.diffhoi(p, t, search),
        **protocols.hold(vertices_p, vertices_t, p[few], t[few], search),
        **protocols.forehoi(np.concatenate([dense_p, vertices_p]), np.concatenate([dense_t, vertices_t])),
    }


def score_motion(pred: Placed, true: Placed, settings: ScoreClip, seed: int) -> Metrics:
    """ADD-S of the motion and, where the hands are known, where the object is in the hand; nothing is registered."""
    n, T_pred, T_true = settings.relative_samples, pred.T_cam_obj, true.T_cam_obj
    p, t = (sample_surface(*_surface(placed.mesh), n, seed + i) for i, placed in enumerate((pred, true)))
    out: Metrics = {"add_s_mm": add_s_mm(t, T_pred, T_true)}
    if pred.joints_cam is None or true.joints_cam is None:
        return out
    wrists = pred.joints_cam[:, 0], true.joints_cam[:, 0]
    few_p, few_t = (_some_vertices(placed.mesh, seed + i) for i, placed in enumerate((pred, true)))
    centres = [box_centres(np.asarray(placed.mesh.vertices), placed.T_cam_obj) for placed in (pred, true)]
    held = in_hand(p, T_pred, pred.joints_cam, t, T_true, true.joints_cam, 0.02)
    return out | {
        "cd_h_cm2": cd_h_cm2(p, T_pred, wrists[0], t, T_true, wrists[1]),
        "hold_cd_h_cm2": cd_h_cm2(few_p, T_pred, wrists[0], few_t, T_true, wrists[1]),
        "f20_in_hand": held[0],
        "cd_in_hand_cm2": held[1],
        "mrrpe_mm": mrrpe_mm(wrists[0], centres[0], wrists[1], centres[1]),
    }


def _some_vertices(mesh: trimesh.Trimesh, seed: int) -> np.ndarray:
    """Up to 3000 vertices, drawn without repetition."""
    n = len(mesh.vertices)
    return np.asarray(mesh.vertices)[np.random.default_rng(seed).permutation(n)[:HOLD_POINTS]]


def score_hand(
    pred: Float[np.ndarray, "N 21 3"], true: Float[np.ndarray, "N 21 3"], fps: float | None,
    frames: Integer[np.ndarray, "N"] | None = None,
) -> Metrics:  # fmt: skip
    """MPJPE, PA-MPJPE and wrist error (mm), AUC, acceleration error (m/s²) of joints in the camera (metres), in frames of
    these numbers, else one after the other."""
    return {
        "mpjpe_mm": mpjpe_mm(pred, true),
        "pa_mpjpe_mm": pa_mpjpe_mm(pred, true),
        "auc50": auc_50mm(pred, true),
        "wrist_mm": wrist_error_mm(pred, true),
        "acceleration_m_s2": None if fps is None else acceleration_error_m_s2(pred, true, fps, frames),
    }


def _in_object(placed: Placed) -> Float[np.ndarray, "N V 3"]:
    """The hand's vertices in the object frame."""
    T = np.linalg.inv(placed.T_cam_obj.astype(np.float64))
    return placed.hand.vertices_cam @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]


def _to_surface(placed: Placed, surface: tuple[np.ndarray, np.ndarray]) -> Float[np.ndarray, "N V"]:
    """Distances of the hand's vertices to the object, negative inside where the object is closed; infinite far away."""
    return distances_within(surface, _in_object(placed), 2 * CONTACT_M, placed.mesh.is_watertight)


def score_contact(pred: Placed, true: Placed) -> Metrics:
    """How the predicted hand meets the predicted object, and whether it does so where the true ones do.

    Depth and volume need a closed object; agreement needs the true hand, and both hands of one model.
    """
    if pred.mesh is None or pred.hand is None or pred.T_cam_obj is None:
        return {}
    surface = united(*_surface(pred.mesh))
    near = _to_surface(pred, surface)
    out: Metrics = {"contact_ratio": contact.contact_ratio(near, CONTACT_M)}
    if pred.mesh.is_watertight:
        volumes = shared_volumes_m3(surface, _in_object(pred), pred.hand.faces)
        out["penetration_mm"] = contact.penetration_mm(near)
        out["intersection_cm3"] = None if volumes is None else float(1e6 * volumes.mean())
    if {"shape", "poses", "hand"} <= true.known() and np.array_equal(true.hand.faces, pred.hand.faces):
        truly = _to_surface(true, united(*_surface(true.mesh)))
        for mm in (2, 5):
            found = contact.contact_agreement(near, truly, mm / 1000)
            out |= zip((f"contact_{name}_{mm}mm" for name in ("precision", "recall", "f1")), found, strict=True)
    return out


def score_masks(
    pred: Mapping[str, Bool[np.ndarray, "N H W"]],
    true: Mapping[str, Mapping[int, Bool[np.ndarray, "H W"]]],
    silhouettes: Bool[np.ndarray, "N H W"],
    keypoints_px: Float[np.ndarray, "N 21 2"],
) -> Metrics:
    """Mean IoU of the masks `object` and `hand` against their truths, which are given by frame index and may be absent.

    The hand's is measured near the hand alone (`near_hand` of the keypoints). `silhouettes`, the visible object as
    fitted and rendered, is compared with the true object masks where there are any (`silhouette_iou`) and with the
    masks that the fit was given (`silhouette_iou_fitted`).
    """
    hands = true.get("hand", {})
    zone = {i: near_hand(keypoints_px[i], *mask.shape) for i, mask in hands.items()}
    seen = {i: pred["hand"][i] & near for i, near in zone.items()}
    return {
        "mask_iou_object": mean_iou(pred["object"], true.get("object", {})),
        "mask_iou_hand": mean_iou(seen, {i: mask & zone[i] for i, mask in hands.items()}),
        "silhouette_iou": mean_iou(silhouettes, true.get("object", {})),
        "silhouette_iou_fitted": mean_iou(silhouettes, dict(enumerate(pred["object"]))),
    }

"""Every metric that a score may hold: how it is named and shown, what it needs to be known, and what a failure costs.

A clip that failed is charged the penalty of every metric that could have been measured on it, and a clip that did not
fail is charged no more than that: leaving a clip out, or giving up on it, never improves a mean. docs/evaluation.md has
formulas, units, sources and pitfalls.
"""

from dataclasses import dataclass
from typing import Literal

Known = Literal["shape", "poses", "joints", "hand", "object_masks", "hand_masks"]


@dataclass(frozen=True)
class Metric:
    """One number of a score. `name` heads a csv, `title` a page; both carry the unit."""

    name: str
    title: str
    decimals: int
    best: Literal["high", "low"]
    needs: tuple[Known, ...]  # what must be known of the truth
    penalty: float | None  # of a failed clip; None: not charged


def _f(name: str, title: str, *needs: Known) -> Metric:
    return Metric(name, title, 3, "high", needs, 0.0)


METRICS: dict[str, Metric] = {
    "f5": _f("F@5mm", "F@5 mm", "shape"),
    "f10": _f("F@10mm", "F@10 mm", "shape"),
    "cd_cm2": Metric("CD_cm2", "CD cm²", 2, "low", ("shape",), 100.0),
    "f5_scaled": _f("F@5mm_scaled", "F@5 mm, scaled", "shape"),
    "f10_scaled": _f("F@10mm_scaled", "F@10 mm, scaled", "shape"),
    "cd_scaled_cm2": Metric("CD_scaled_cm2", "CD cm², scaled", 2, "low", ("shape",), 100.0),
    "hold_f5": _f("HOLD_F@5mm", "F@5 mm (hold)", "shape"),
    "hold_f10": _f("HOLD_F@10mm", "F@10 mm (hold)", "shape"),
    "hold_cd_cm2": Metric("HOLD_CD_cm2", "CD cm² (hold)", 2, "low", ("shape",), 100.0),
    "forehoi_f5": _f("ForeHOI_F@5%", "F@5 % (forehoi)", "shape"),
    "forehoi_f10": _f("ForeHOI_F@10%", "F@10 % (forehoi)", "shape"),
    "forehoi_cd_cm": Metric("ForeHOI_CD_cm", "CD cm (forehoi)", 2, "low", ("shape",), 10.0),
    "cd_h_cm2": Metric("CD_h_cm2", "CD_h cm²", 1, "low", ("shape", "poses", "joints"), 400.0),
    "hold_cd_h_cm2": Metric("HOLD_CD_h_cm2", "CD_h cm² (hold)", 1, "low", ("shape", "poses", "joints"), 400.0),
    "f20_in_hand": _f("F@20mm_in_hand", "F@20 mm, in hand", "shape", "poses", "joints"),
    "cd_in_hand_cm2": Metric("CD_in_hand_cm2", "CD cm², in hand", 1, "low", ("shape", "poses", "joints"), 400.0),
    "mrrpe_mm": Metric("MRRPE_mm", "MRRPE mm", 1, "low", ("shape", "poses", "joints"), 200.0),
    "add_s_mm": Metric("ADD_S_mm", "ADD-S mm", 1, "low", ("shape", "poses"), 200.0),
    "mpjpe_mm": Metric("MPJPE_mm", "MPJPE mm", 1, "low", ("joints",), 100.0),
    "pa_mpjpe_mm": Metric("PA_MPJPE_mm", "PA-MPJPE mm", 1, "low", ("joints",), 50.0),
    "auc50": _f("AUC_0-50mm", "AUC 0 to 50 mm", "joints"),
    "wrist_mm": Metric("wrist_mm", "wrist mm", 1, "low", ("joints",), 500.0),
    "acceleration_m_s2": Metric("acceleration_error_m_s2", "acceleration error m/s²", 2, "low", ("joints",), 50.0),
    "penetration_mm": Metric("penetration_mm", "penetration mm", 1, "low", (), 50.0),
    "intersection_cm3": Metric("intersection_cm3", "intersection cm³", 1, "low", (), 100.0),
    "contact_ratio": _f("contact_ratio", "contact ratio"),
    "contact_precision_2mm": _f("contact_precision_2mm", "contact precision, 2 mm", "shape", "poses", "hand"),
    "contact_recall_2mm": _f("contact_recall_2mm", "contact recall, 2 mm", "shape", "poses", "hand"),
    "contact_f1_2mm": _f("contact_F1_2mm", "contact F1, 2 mm", "shape", "poses", "hand"),
    "contact_precision_5mm": _f("contact_precision_5mm", "contact precision, 5 mm", "shape", "poses", "hand"),
    "contact_recall_5mm": _f("contact_recall_5mm", "contact recall, 5 mm", "shape", "poses", "hand"),
    "contact_f1_5mm": _f("contact_F1_5mm", "contact F1, 5 mm", "shape", "poses", "hand"),
    "hand_found": _f("hand_found", "hand found"),
    "mask_iou_object": _f("mask_IoU", "mask IoU", "object_masks"),
    "mask_iou_hand": _f("mask_IoU_hand", "mask IoU, hand", "hand_masks"),
    "silhouette_iou": _f("silhouette_IoU", "silhouette IoU", "object_masks"),
    "silhouette_iou_fitted": _f("silhouette_IoU_fitted", "silhouette IoU, to fitted masks"),
    "seconds": Metric("seconds", "seconds", 0, "low", (), None),
    "memory_mb": Metric("memory_MB", "memory MB", 0, "low", (), None),
}


def penalties(known: set[str]) -> dict[str, float | None]:
    """What a failed clip is charged, by metric, given what is known of its truth; None where nothing could be measured."""
    return {key: m.penalty if set(m.needs) <= known else None for key, m in METRICS.items()}

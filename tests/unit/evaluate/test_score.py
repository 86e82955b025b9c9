"""Whole scores: keys, absent truths, penalties, and what needs a closed mesh."""

import numpy as np
import pytest
import trimesh

from hoi.config import ScoreClip
from hoi.evaluate.score import Hand, Placed, failed_scores, is_failed, score_contact, score_masks, score_placed
from hoi.metrics import METRICS

SETTINGS = ScoreClip.model_validate(
    {
        "samples": 2000,
        "relative_samples": 500,
        "registration": dict(starts=24, coarse_points=120, coarse_steps=6, refined=3, points=300, polished=1),
    }
)
JOINTS = np.random.default_rng(0).normal(size=(4, 21, 3)) * 0.05
POSES = np.tile(np.eye(4), (4, 1, 1))
MEASURED_ELSEWHERE = {
    "hand_found",
    "mask_iou_object",
    "mask_iou_hand",
    "silhouette_iou",
    "silhouette_iou_fitted",
    "seconds",
    "memory_mb",
}


def wedge() -> trimesh.Trimesh:
    box = trimesh.creation.box([0.12, 0.06, 0.03])
    lump = trimesh.creation.box([0.03, 0.03, 0.03])
    lump.apply_translation([0.05, 0.03, 0.01])
    return trimesh.boolean.union([box, lump])


def finger(depth_m: float) -> Hand:
    """A ball of 1 cm that pokes into the top of the wedge."""
    ball = trimesh.creation.icosphere(2, 0.01)
    centre = np.array([-0.03, 0, 0.015 + 0.01 - depth_m])
    return Hand(np.tile(ball.vertices + centre, (4, 1, 1)), np.asarray(ball.faces))


def whole(depth_m: float = 0.003) -> Placed:
    return Placed(wedge(), POSES, JOINTS, finger(depth_m))


def test_truth_scored_against_itself_is_perfect():
    scores = score_placed(whole(), whole(), SETTINGS, 0, 15.0)
    assert set(scores) == set(METRICS) | {"scale"}
    assert {key for key in METRICS if scores[key] is None} == MEASURED_ELSEWHERE
    for key in ("f5", "f5_scaled", "hold_f5", "forehoi_f10", "f20_in_hand", "contact_f1_2mm", "contact_ratio", "auc50"):
        assert scores[key] > 0.99, key
    for key in ("hold_cd_h_cm2", "cd_in_hand_cm2", "mrrpe_mm", "add_s_mm", "mpjpe_mm", "acceleration_m_s2"):
        assert scores[key] == pytest.approx(0, abs=0.5), key
    assert scores["penetration_mm"] == pytest.approx(3, rel=0.01)
    # the cap of a ball of radius r = 1 cm cut off h = 3 mm deep: pi h^2 (3 r - h) / 3
    assert scores["intersection_cm3"] == pytest.approx(np.pi * 0.3**2 * 2.7 / 3, rel=0.1)


def test_frames_that_the_truth_does_not_know_are_not_scored():
    """A truth that is half a metre off in a frame without annotation."""
    T, joints = POSES.copy(), JOINTS.copy()
    T[1, 0, 3], joints[1] = 0.5, 0.5 * JOINTS[1]
    true = Placed(wedge(), T, joints, None, np.array([True, False, True, True]))
    scores = score_placed(whole(), true, SETTINGS, 0, 15.0)
    for key in ("add_s_mm", "mpjpe_mm", "mrrpe_mm", "cd_h_cm2"):
        assert scores[key] == pytest.approx(0, abs=0.5), key
    assert scores["acceleration_m_s2"] is None, "no three frames follow each other"


def test_absent_truth_is_none_but_for_what_needs_none():
    scores = score_placed(whole(), Placed(None, None, None), SETTINGS, 0, 15.0)
    measured = {key for key, value in scores.items() if value is not None}
    assert measured == {"penetration_mm", "intersection_cm3", "contact_ratio"}


def test_truth_without_hands_leaves_those_columns_empty():
    scores = score_placed(whole(), Placed(wedge(), POSES, None), SETTINGS, 0, 15.0)
    assert scores["f5"] > 0.99 and scores["add_s_mm"] == pytest.approx(0, abs=1e-3)
    assert all(scores[key] is None for key in ("mpjpe_mm", "cd_h_cm2", "mrrpe_mm", "contact_f1_5mm"))


def test_an_open_mesh_has_shape_and_contact_but_no_inside():
    opened = wedge()
    opened.update_faces(np.arange(len(opened.faces)) > 0)
    scores = score_contact(Placed(opened, POSES, JOINTS, finger(0.003)), whole())
    assert "penetration_mm" not in scores and "intersection_cm3" not in scores
    assert scores["contact_ratio"] == 1.0 and scores["contact_f1_5mm"] is not None


def test_hands_of_different_models_share_no_contacts():
    ball = trimesh.creation.icosphere(1, 0.01)
    other = Hand(np.tile(ball.vertices, (4, 1, 1)), np.asarray(ball.faces))
    assert "contact_f1_2mm" not in score_contact(whole(), Placed(wedge(), POSES, JOINTS, other))


def test_a_failure_is_charged_for_all_that_its_truth_allows():
    charged = failed_scores(whole(), {"object": {0: np.ones((2, 2), bool)}, "hand": {}})
    assert charged["f5"] == charged["contact_f1_2mm"] == charged["silhouette_iou"] == 0.0
    assert charged["cd_cm2"] == 100.0 and charged["mpjpe_mm"] == 100.0 and charged["penetration_mm"] == 50.0
    assert charged["mask_iou_hand"] is None and charged["seconds"] is None
    unknown = failed_scores(Placed(None, None, None), {})
    assert unknown["f5"] is None and unknown["mpjpe_mm"] is None


def test_what_is_no_object():
    assert is_failed(None) and is_failed(trimesh.Trimesh()) and not is_failed(wedge())
    assert is_failed(trimesh.Trimesh(np.zeros((3, 3)), [[0, 1, 2]]))


def test_masks_of_the_hand_are_compared_near_the_hand():
    hand = np.array(
        [[50, 80], *[[40, 70]] * 4, *[[40, 50]] * 4, *[[47, 50]] * 4, *[[53, 50]] * 4, *[[60, 50]] * 4], float
    )
    seen = np.zeros((1, 200, 100), bool)
    seen[0, 40:80, 35:65] = True
    with_arm = seen.copy()
    with_arm[0, 80:200, 40:60] = True
    pred = {"object": np.ones((1, 200, 100), bool), "hand": with_arm}
    scores = score_masks(pred, {"hand": {0: seen[0]}}, np.zeros((1, 200, 100), bool), hand[None])
    assert scores == {
        "mask_iou_object": None, "mask_iou_hand": 1.0, "silhouette_iou": None, "silhouette_iou_fitted": 0.0,
    }  # fmt: skip

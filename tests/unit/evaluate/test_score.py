"""Whole scores: keys, absent truths, failures, and invariances of the protocol."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoi.config import ScoreClip
from hoi.evaluate.score import HAND, RELATIVE, SHAPE, Placed, score_hand, score_masks, score_relative, score_shape

SETTINGS = ScoreClip.model_validate(
    {
        "samples": 3000,
        "relative_samples": 1000,
        "failure_cd_cm2": 100.0,
        "registration": dict(starts=48, coarse_points=150, coarse_steps=8, refined=3, points=500, polished=1),
    }
)
JOINTS = np.random.default_rng(0).normal(size=(4, 21, 3)) * 0.05
POSES = np.tile(np.eye(4), (4, 1, 1))


def wedge() -> trimesh.Trimesh:
    box = trimesh.creation.box([0.12, 0.06, 0.03])
    lump = trimesh.creation.icosphere(2, 0.02)
    lump.apply_translation([0.05, 0.03, 0.01])
    return trimesh.util.concatenate([box, lump])


def moved(mesh, scale=1.0):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = scale * Rotation.random(rng=np.random.default_rng(5)).as_matrix(), [0.1, -0.2, 0.4]
    return mesh.copy().apply_transform(T)


def test_a_moved_copy_is_perfect_and_a_scaled_one_only_with_scale():
    same = score_shape(moved(wedge()), wedge(), SETTINGS, 0)
    assert same["f5"] > 0.999 and same["cd_cm2"] < 0.1 and same["f5_scaled"] > 0.999
    bigger = score_shape(moved(wedge(), 1.4), wedge(), SETTINGS, 0)
    assert bigger["f5"] < 0.8 and bigger["cd_cm2"] > 0.5
    assert bigger["f5_scaled"] > 0.999 and bigger["cd_scaled_cm2"] < 0.1
    assert bigger["scale"] == pytest.approx(1 / 1.4, rel=0.01)


def test_absent_truth_is_none_everywhere():
    assert score_shape(wedge(), None, SETTINGS, 0) == dict.fromkeys(SHAPE) | {"failed": False}
    assert score_shape(None, None, SETTINGS, 0)["failed"] is True
    assert score_hand(JOINTS, None, 15.0) == dict.fromkeys(HAND)
    assert score_relative(Placed(wedge(), POSES, JOINTS), None, SETTINGS, 0) == dict.fromkeys(RELATIVE)
    scores = score_masks({"object": np.ones((4, 8, 8), bool), "hand": np.zeros((4, 8, 8), bool)}, {}, None)
    assert scores.pop("silhouette_iou_fitted") == 0.0  # a fit without an object shows nothing where the mask has it
    assert scores == dict.fromkeys(["mask_iou_object", "mask_iou_hand", "silhouette_iou"])


def test_a_failed_fit_is_charged():
    empty = trimesh.Trimesh()
    for pred in (None, empty):
        shape = score_shape(pred, wedge(), SETTINGS, 0)
        assert shape["f5"] == shape["f10_scaled"] == 0.0
        assert shape["cd_cm2"] == shape["cd_scaled_cm2"] == 100.0
        assert shape["scale"] is None and shape["failed"] is True
        placed = score_relative(Placed(pred, POSES, JOINTS), Placed(wedge(), POSES, JOINTS), SETTINGS, 0)
        assert placed == {"cd_h_cm2": 100.0, "f20_in_hand": 0.0}


def test_keys_are_those_promised():
    truth = Placed(wedge(), POSES, JOINTS)
    shape = score_shape(wedge(), wedge(), SETTINGS, 0)
    assert tuple(shape) == SHAPE and shape["failed"] is False
    assert tuple(score_hand(JOINTS, JOINTS, 15.0)) == HAND
    placed = score_relative(truth, truth, SETTINGS, 0)
    assert tuple(placed) == RELATIVE and placed["f20_in_hand"] == 1.0 and placed["cd_h_cm2"] < 0.3

"""Joint errors against answers computed by hand and scipy's procrustes."""

import numpy as np
import pytest
import scipy.spatial
from scipy.spatial.transform import Rotation

from hoi.evaluate.hand import (
    acceleration_error_m_s2,
    auc_50mm,
    mpjpe_mm,
    pa_mpjpe_mm,
    procrustes,
    wrist_error_mm,
)

TRUE = np.random.default_rng(0).normal(size=(6, 21, 3)) * 0.05 + np.array([0, 0, 0.5])


def test_mpjpe_is_root_relative():
    assert mpjpe_mm(TRUE + np.array([0.1, 0, 0]), TRUE) == pytest.approx(0, abs=1e-9)
    assert wrist_error_mm(TRUE + np.array([0.1, 0, 0]), TRUE) == pytest.approx(100)


def test_mpjpe_averages_over_all_21_joints():
    pred = TRUE.copy()
    pred[:, 4] += [0.003, 0.004, 0]  # one joint of 21 is off by 5 mm
    assert mpjpe_mm(pred, TRUE) == pytest.approx(5 / 21)
    pred = TRUE.copy()
    pred[:, 0] += [0, 0, 0.021]  # the wrist off: it is moved back, the 20 others are off by 21 mm
    assert mpjpe_mm(pred, TRUE) == pytest.approx(20)


def test_procrustes_removes_a_similarity_but_not_a_mirror():
    R = Rotation.random(6, rng=np.random.default_rng(1)).as_matrix()
    moved = 1.3 * TRUE @ R.transpose(0, 2, 1) + np.array([0.1, 0.2, 0.3])
    assert pa_mpjpe_mm(moved, TRUE) == pytest.approx(0, abs=1e-9)
    assert mpjpe_mm(moved, TRUE) > 10
    assert pa_mpjpe_mm(TRUE * [-1, 1, 1], TRUE) > 10


def test_procrustes_agrees_with_scipy():
    # scipy's disparity is the squared residual when truth is scaled to unit norm; it allows mirrors, so stay near.
    pred = TRUE + np.random.default_rng(2).normal(size=TRUE.shape) * 0.005
    aligned = procrustes(pred, TRUE)
    for i in range(len(TRUE)):
        norm = ((TRUE[i] - TRUE[i].mean(0)) ** 2).sum()
        expected = scipy.spatial.procrustes(TRUE[i], pred[i])[2]
        assert ((aligned[i] - TRUE[i]) ** 2).sum() / norm == pytest.approx(expected, rel=1e-6)


def test_auc_by_hand_and_against_a_hundred_thresholds():
    pred = TRUE.copy()
    pred[:, 4] += [0.015, 0.02, 0]  # one joint of 21 is off by 25 mm: half of its area is lost
    assert auc_50mm(pred, TRUE) == pytest.approx(1 - 0.5 / 21)
    pred = TRUE + np.random.default_rng(3).normal(size=TRUE.shape) * 0.02
    error = np.linalg.norm((pred - pred[:, :1]) - (TRUE - TRUE[:, :1]), axis=-1)
    steps = np.linspace(0, 0.05, 100)  # as FreiHAND's script has it: 1 % of difference
    assert auc_50mm(pred, TRUE) == pytest.approx(
        np.trapezoid([(error <= t).mean() for t in steps], steps) / 0.05, abs=0.01
    )


def test_acceleration_error_by_hand():
    # x = a t^2 / 2 with a = 2 m/s^2 against rest, at 10 frames a second.
    t = np.arange(5) / 10
    pred = TRUE[:1] + (t**2)[:, None, None] * [1.0, 0, 0]
    assert acceleration_error_m_s2(pred, np.repeat(TRUE[:1], 5, 0), 10.0) == pytest.approx(2.0)
    assert acceleration_error_m_s2(TRUE[:2], TRUE[:2], 10.0) is None


def test_acceleration_is_not_taken_across_a_gap():
    """Rest, then rest elsewhere: four frames, of which the first three follow each other."""
    true = np.repeat(TRUE[:1], 4, 0)
    pred = true + np.array([0, 0, 0, 0.1])[:, None, None] * [1.0, 0, 0]
    assert acceleration_error_m_s2(pred, true, 10.0, np.array([0, 1, 2, 9])) == 0
    assert acceleration_error_m_s2(pred, true, 10.0) == pytest.approx(5.0)
    assert acceleration_error_m_s2(pred, true, 10.0, np.array([0, 1, 5, 6])) is None

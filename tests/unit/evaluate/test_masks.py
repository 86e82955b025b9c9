"""Mask overlap by hand."""

import numpy as np
import pytest

from hoi.evaluate.masks import iou, mean_iou, near_hand


def rectangle(rows, columns, size=(10, 10)):
    mask = np.zeros(size, bool)
    mask[rows[0] : rows[1], columns[0] : columns[1]] = True
    return mask


def test_iou_by_hand():
    # 4x4 and the same moved by 2 columns: 8 shared, 24 together
    assert iou(rectangle((0, 4), (0, 4)), rectangle((0, 4), (2, 6))) == pytest.approx(1 / 3)
    assert iou(rectangle((0, 4), (0, 4)), rectangle((5, 9), (5, 9))) == 0.0


def test_nothing_to_measure_is_none():
    empty = np.zeros((4, 4), bool)
    assert iou(empty, empty) is None
    assert mean_iou(np.zeros((3, 4, 4), bool), {}) is None
    assert mean_iou(np.zeros((3, 4, 4), bool), {1: empty}) is None


def test_mean_is_over_the_frames_with_a_truth():
    pred = np.stack([rectangle((0, 4), (0, 4))] * 3)
    assert mean_iou(pred, {0: pred[0], 2: rectangle((0, 4), (2, 6))}) == pytest.approx((1 + 1 / 3) / 2)


HAND = np.array([[50, 80], *[[40, 70]] * 4, *[[40, 50]] * 4, *[[47, 50]] * 4, *[[53, 50]] * 4, *[[60, 50]] * 4], float)


def test_near_hand_ends_at_the_wrist_and_around_the_fingers():
    zone = near_hand(HAND, 100, 100)  # wrist at (50, 80), knuckles 30 px above it
    assert zone[78, 50] and not zone[82, 50], "behind the wrist is no evidence"
    assert zone[40, 50] and not zone[10, 50], "far above the fingers neither"
    assert not near_hand(HAND + np.array([500, 0]), 100, 100).any()


def test_a_hand_that_points_at_the_camera_has_no_line_at_the_wrist():
    # seen from its fingers: knuckles around the wrist
    end_on = np.array([[50, 50], *[[50, 45]] * 4, *[[35, 50]] * 4, *[[45, 50]] * 4, *[[55, 50]] * 4, *[[65, 50]] * 4])
    zone = near_hand(end_on.astype(float), 100, 100)
    assert zone[45, 50] and zone[55, 50]

"""Mask overlap by hand."""

import numpy as np
import pytest

from hoi.evaluate.masks import iou, mean_iou


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

"""Placement of the object in the hand, by hand-computed answers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoi.evaluate.relative import cd_h_cm2, in_hand, palm_frames

GRID = np.stack(np.meshgrid(*[np.arange(4) * 1.0] * 3), -1).reshape(-1, 3)
JOINTS = np.random.default_rng(0).normal(size=(3, 21, 3))


def poses(n=3, translation=(0, 0, 0)):
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, 3] = translation
    return T


def test_cd_h_ignores_a_common_translation_and_sees_a_relative_one():
    wrist = JOINTS[:, 0]
    both = cd_h_cm2(GRID, poses(translation=(0.3, 0, 0)), wrist + np.array([0.3, 0, 0]), GRID, poses(), wrist)
    assert both == pytest.approx(0, abs=1e-12)
    object_alone = cd_h_cm2(GRID, poses(translation=(0.02, 0, 0)), wrist, GRID, poses(), wrist)
    assert object_alone == pytest.approx(4 + 4)  # 2 cm both ways, squared and added
    wrist_alone = cd_h_cm2(GRID, poses(), wrist + np.array([0, 0.01, 0]), GRID, poses(), wrist)
    assert wrist_alone == pytest.approx(1 + 1)


def test_cd_h_averages_over_frames_and_sees_rotation():
    T = poses()
    T[0, :3, 3] = [0.03, 0, 0]
    assert cd_h_cm2(GRID, T, JOINTS[:, 0], GRID, poses(), JOINTS[:, 0]) == pytest.approx(18 / 3)
    T = poses()
    T[:, :3, :3] = Rotation.from_rotvec([0, 0, 0.1]).as_matrix()
    assert cd_h_cm2(GRID, T, JOINTS[:, 0], GRID, poses(), JOINTS[:, 0]) > 100


def test_palm_frame_moves_with_the_hand():
    R, t = Rotation.random(rng=np.random.default_rng(1)).as_matrix(), np.array([1.0, 2, 3])
    before, after = palm_frames(JOINTS), palm_frames(JOINTS @ R.T + t)
    np.testing.assert_allclose(after[:, :3, :3], R @ before[:, :3, :3], atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(before[:, :3, :3]), 1)
    np.testing.assert_allclose(before[:, :3, 3], JOINTS[:, 0])


def test_in_hand_is_blind_to_a_common_motion():
    R, t = Rotation.random(rng=np.random.default_rng(2)).as_matrix(), np.array([1.0, 2, 3])
    T = poses()
    T[:, :3, :3], T[:, :3, 3] = R, t
    args = (GRID, poses(), JOINTS, 0.02)
    assert in_hand(GRID, T, JOINTS @ R.T + t, *args) == pytest.approx((1.0, 0.0), abs=1e-9)
    assert in_hand(GRID, poses(translation=(0.03, 0, 0)), JOINTS, *args) == pytest.approx((0.0, 18.0))  # 9 + 9 cm²

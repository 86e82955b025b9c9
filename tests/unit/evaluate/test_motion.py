"""Motion of the object by hand-computed answers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoi.evaluate.motion import add_s_mm, box_centres, constant_offset, mrrpe_mm

GRID = np.stack(np.meshgrid(*[np.arange(4) * 0.1] * 3), -1).reshape(-1, 3)


def moving(n=5, seed=0):
    rng = np.random.default_rng(seed)
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, :3], T[:, :3, 3] = Rotation.random(n, rng=rng).as_matrix(), rng.normal(size=(n, 3))
    return T


def test_box_centre_of_a_moved_box():
    T = np.eye(4)[None].copy()
    T[0, :3, 3] = [1, 2, 3]
    np.testing.assert_allclose(box_centres(GRID, T), [[1.15, 2.15, 3.15]])


def test_mrrpe_sees_the_relative_error_alone():
    wrist, thing = np.zeros((4, 3)), np.full((4, 3), 0.1)
    assert mrrpe_mm(wrist + 5, thing + 5, wrist, thing) == pytest.approx(0)
    assert mrrpe_mm(wrist, thing + np.array([0.003, 0.004, 0]), wrist, thing) == pytest.approx(5)


def test_constant_offset_is_found():
    true, offset = moving(), moving(1, 7)[0]
    np.testing.assert_allclose(constant_offset(true @ np.linalg.inv(offset), true), offset, atol=1e-12)


def test_add_s_forgives_another_object_frame_and_nothing_else():
    true, offset = moving(), moving(1, 7)[0]
    assert add_s_mm(GRID, true @ np.linalg.inv(offset), true) == pytest.approx(0, abs=1e-6)
    wrong = true.copy()
    # Two of four frames are off by 4 mm one way and two the other, in the object frame: the offset is their mean.
    wrong = np.concatenate([wrong[:2], wrong[:2]])
    shift = np.tile(np.eye(4), (4, 1, 1))
    shift[:, 0, 3] = [0.004, 0.004, -0.004, -0.004]
    assert add_s_mm(GRID, wrong @ shift, wrong) == pytest.approx(4)


def test_add_s_takes_the_nearest_point():
    # A shift by one step of the grid: only the points of one face (1 in 4) miss a partner, by 100 mm. Mean over both
    # signs, which the offset leaves alone.
    true = np.tile(np.eye(4), (2, 1, 1))
    shift = true.copy()
    shift[:, 0, 3] = [0.1, -0.1]
    assert add_s_mm(GRID, shift, true) == pytest.approx(25)

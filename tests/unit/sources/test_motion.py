"""How held objects move: the range of views by hand, and cameras that look where they should."""

import numpy as np
import pytest

from hoi.sources import motion


def about_z(degrees):
    a = np.radians(degrees)
    return np.stack([[[np.cos(x), -np.sin(x), 0], [np.sin(x), np.cos(x), 0], [0, 0, 1]] for x in a])


def test_view_range_by_hand():
    turn = about_z([-20, 5, 40])
    assert motion.view_range(turn, np.array([1.0, 0, 0])) == pytest.approx(np.radians(60))
    assert motion.view_range(turn, np.array([0, 0, 1.0])) == pytest.approx(0, abs=1e-6), "a turn in the picture's plane"


@pytest.mark.parametrize("category", sorted(motion.SCRIPTS))
@pytest.mark.parametrize("degrees", [30, 60, 120])
def test_scale_reaches_the_range_asked(category, degrees):
    view = motion.unit(np.array([0.8, -0.3, 0.4]))
    for script in motion.SCRIPTS[category]:
        turn_tilt = motion.angles(script, 30)
        scale = motion.scale_for(script, turn_tilt, view, np.radians(degrees))
        seen = motion.view_range(motion.rotations(script, scale * turn_tilt), view)
        assert np.degrees(seen) == pytest.approx(degrees, abs=0.5)


@pytest.mark.parametrize("category", sorted(motion.SCRIPTS))
def test_motion_is_smooth(category):
    for script in motion.SCRIPTS[category]:
        speed = np.diff(motion.positions(script, 30), axis=0)
        assert np.linalg.norm(speed, axis=1).max() < 0.02, "below 0.3 m/s at 15 frames per second"
        turn = np.diff(motion.angles(script, 30), axis=0)
        assert np.abs(turn).max() < 0.15 and np.abs(np.diff(turn, axis=0)).max() < 0.05


def test_camera_looks_at_the_object_with_the_sky_above():
    R = motion.look_at(motion.unit(np.array([1.0, 2.0, 1.0])), 0.0)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    np.testing.assert_allclose(R @ motion.unit(np.array([-1.0, -2.0, -1.0])), [0, 0, 1], atol=1e-12)
    assert (R @ [0, 0, 1.0])[1] < 0, "up in the world is up in the picture"
    assert (R @ [0, 0, 1.0])[0] == pytest.approx(0)


def test_fit_distance_fills_the_frame_and_centres():
    K = np.array([[500.0, 0, 240], [0, 500, 180], [0, 0, 1]])
    corners = np.array([[[x, y, 0.0] for x in (0.0, 0.2) for y in (0.0, 0.1)]])
    shift, fill = motion.fit_distance(corners, K, (360, 480), 0.2, 0.9, 0.0)
    np.testing.assert_allclose(shift[:2], [-0.1, -0.05], atol=1e-6)
    assert shift[2] == pytest.approx(0.25), "0.2 m over 480 px at f = 500 needs 0.208 m: the next of the steps of 5 cm"
    assert fill == pytest.approx(500 * 0.2 / 0.25 / 480)
    assert motion.fit_distance(10 * corners, K, (360, 480), 0.2, 0.9, 0.0)[1] > 1


def test_best_view_sees_the_back_of_the_hand():
    R = np.eye(3)[None]
    score = [
        motion.view_score(v, R, 1.0, np.array([0.5]), np.array([0.5]), False) for v in (np.eye(3)[1], -np.eye(3)[1])
    ]
    assert score[0] > score[1] + 1
    from_elbow, from_side = (
        motion.view_score(motion.unit(np.array([x, 0.6, 0.3])), R, 1.0, np.array([0.5]), np.array([0.5]), False)
        for x in (2.0, 0.0)
    )
    assert from_side > from_elbow

import cv2
import numpy as np
import pytest

from hoi.masknet.cutout import PALM, TIPS, cut, placed, square

from ..observe.conftest import FLAT

HAND = 30 * FLAT + (90, 110)


def cut_of(lab, moving=None, resolution=64, reach=2.0):
    A = square(HAND, 30.0, resolution, reach)
    return cut(lab, np.zeros(lab.shape[:2], np.float32) if moving is None else moving, HAND, A, 30.0, resolution)


def test_the_square_is_about_the_palm_and_of_so_many_hand_sizes():
    A = square(HAND, 30.0, 64, 2.0)
    palm = HAND[list(PALM)].mean(0)
    np.testing.assert_allclose(A @ [*palm, 1], [32, 32])
    np.testing.assert_allclose(A @ [palm[0] + 60, palm[1] - 60, 1], [64, 0], atol=1e-9)
    seen = cut_of(np.full((160, 200, 3), 90, np.uint8))
    assert seen.size == pytest.approx(16) and seen.lab.shape == (64, 64, 3)


def test_pictures_and_keypoints_move_alike():
    lab = np.zeros((160, 200, 3), np.uint8)
    for u, v in HAND[list(TIPS)]:
        cv2.circle(lab, (round(u - 0.5), round(v - 0.5)), 3, (255, 255, 255), -1)
    seen = cut_of(lab)
    for u, v in seen.keypoints[list(TIPS)]:
        assert seen.lab[int(v), int(u), 0] > 150


def test_what_is_made_smaller_is_averaged():
    lab = np.zeros((160, 200, 3), np.uint8)
    lab[::2] = 200  # stripes of one pixel: sampled they would be black or white
    inner = cut_of(lab, resolution=24).lab[8:16, 8:16, 0]
    assert abs(inner.astype(int) - 100).max() < 25


def test_beyond_the_frame_nothing_is_told():
    lab = np.full((160, 200, 3), 200, np.uint8)
    features = cut_of(lab, np.ones((160, 200), np.float32), reach=4.0).features()
    A = square(HAND, 30.0, 64, 4.0)
    inside = placed(np.ones((160, 200), np.uint8), A, 64, 0) > 0
    assert 0.2 < inside.mean() < 0.9
    assert (features[~inside] == 0).all() and (features[inside][:, 0] > 0.4).all()


def test_features_are_about_one_and_say_where_the_hand_is():
    features = cut_of(np.full((160, 200, 3), 128, np.uint8)).features()
    assert features.dtype == np.float32 and abs(features).max() <= 1
    tip = cut_of(np.full((160, 200, 3), 128, np.uint8)).keypoints[8].astype(int)
    assert features[tip[1], tip[0], 6] > 0.8, "fingertips"
    assert features[tip[1], tip[0], 4] > 0.9, "distance"
    assert features[..., 5].max() > 0.5, "forearm"

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoi.observe.palm import Palm
from hoi.observe.regions import Region, region_of_landmarks, region_of_palm, upright_angle


@given(st.floats(-4, 4), st.floats(5, 500), st.floats(-100, 700), st.floats(-100, 700))
def test_there_and_back(angle, side, x, y):
    region = Region(x, y, side, angle)
    points = np.random.default_rng(0).uniform(-1, 2, (9, 2))
    np.testing.assert_allclose(region.from_image(region.to_image(points)), points, atol=1e-9)


def test_corners_by_hand():
    quarter = Region(10.0, 20.0, 4.0, np.pi / 2)  # turned clockwise: its right is the image's down
    np.testing.assert_allclose(quarter.to_image(np.array([[1.0, 0.5], [0.5, 0.0]])), [[10, 22], [12, 20]], atol=1e-12)


def test_crop_shows_the_pixel_that_to_image_names():
    image = np.zeros((64, 80, 3), np.uint8)
    image[20:24, 50:54] = 255
    region = Region(40.0, 32.0, 48.0, 0.7)
    crop = region.crop(image, 96)[..., 0].astype(float)
    y, x = np.mgrid[:96, :96] + 0.5
    centre = np.array([(x * crop).sum(), (y * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(region.to_image(centre / 96), [52, 22], atol=0.05)


def test_crop_at_full_size_is_the_image():
    image = np.random.default_rng(1).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    np.testing.assert_array_equal(Region(16.0, 16.0, 32.0, 0.0).crop(image, 32), image)


def test_upright():
    zero = np.zeros(2)
    np.testing.assert_allclose(upright_angle(zero, np.array([0.0, -1.0])), 0, atol=1e-12)
    np.testing.assert_allclose(upright_angle(zero, np.array([1.0, 0.0])), np.pi / 2)
    np.testing.assert_allclose(upright_angle(zero, np.array([-1.0, 0.0])), -np.pi / 2)


def test_region_of_palm_moves_to_the_fingers():
    keypoints = np.full((7, 2), 50.0)
    keypoints[0], keypoints[2] = (60.0, 50.0), (40.0, 50.0)  # fingers to the left
    region = region_of_palm(Palm(np.array([40.0, 40.0, 60.0, 60.0]), keypoints, 1.0))
    np.testing.assert_allclose([region.x, region.y, region.side, region.angle], [40, 50, 52, -np.pi / 2], atol=1e-9)


@pytest.mark.parametrize(("angle", "size"), [(0.0, 30.0), (0.5, 80.0), (-2.4, 150.0), (3.0, 10.0)])
def test_region_of_landmarks_turns_with_the_hand(flat_hand, angle, size):
    c, s = np.cos(angle), np.sin(angle)
    turned_hand = 100 + size * flat_hand @ np.array([[c, s], [-s, c]])
    region, upright = region_of_landmarks(turned_hand), region_of_landmarks(100 + size * flat_hand)
    turned = (region.angle - upright.angle - angle + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose([turned, region.side - upright.side], 0, atol=1e-6 * size)
    inside = region.from_image(turned_hand)
    assert (inside > 0).all() and (inside < 1).all(), "the whole hand lies in its region"

"""The first guess: inflated silhouettes, and poses registered to them."""

import cv2
import numpy as np
import torch

from hoi.fit.inflate import behind_hand, half_width, inflate, silhouettes
from hoi.fit.register import moved

K = torch.tensor([[100.0, 0, 40], [0, 100, 30], [0, 0, 1]])


def _disc(radius: int) -> np.ndarray:
    return cv2.circle(np.zeros((60, 80), np.uint8), (40, 30), radius, 1, -1) > 0


def test_half_width_of_a_bar_is_half_its_width():
    bar = np.zeros((60, 80), bool)
    bar[20:40, 10:70] = True
    distance, radius = half_width(bar)
    assert abs(distance[30, 40] - 10) < 1.1 and distance[10, 40] < -9
    assert abs(radius[30, 40] - 10) < 1.1 and abs(radius[22, 40] - 10) < 1.1
    assert abs(radius[5, 40] - 10) < 1.1, "outside: that of the nearest pixel inside"


def test_what_the_hand_hides_is_filled_within_the_hull_alone():
    obj, hand = _disc(15), np.zeros((60, 80), bool)
    hand[:, 36:44] = True
    filled = behind_hand(obj & ~hand, hand)
    assert filled[30, 40] and not filled[2, 40] and not filled[30, 70]


def test_a_disc_inflates_to_a_ball():
    mask = np.stack([_disc(12)] * 2)
    T = torch.eye(4).repeat(2, 1, 1)
    T[:, 2, 3] = 0.5
    views = silhouettes(mask, np.zeros_like(mask), np.ones(2, np.float32))
    points = torch.tensor([[0.0, 0, 0], [0.06, 0, 0], [0, 0, 0.06], [0.09, 0, 0], [0, 0.09, 0], [0, 0, 0.09]])
    body = inflate(views, T, K.repeat(2, 1, 1), (60, 80), torch.zeros(3), points, 0.5, 2)
    np.testing.assert_allclose(body, [-0.06, 0.0, 0.0, 0.03, 0.03, 0.03], atol=0.012)


def test_moved_turns_about_the_centre_and_shifts():
    T = torch.eye(4)[None].clone()
    T[0, 2, 3] = 0.5
    centre = torch.tensor([0.1, 0.0, 0.0])
    xi = torch.tensor([[0.0, 0, np.pi / 2, 0.01, 0, 0]], dtype=torch.float32)
    out = moved(T, centre, xi)[0]
    np.testing.assert_allclose(out[:3, :3] @ centre + out[:3, 3], [0.11, 0, 0.5], atol=1e-6)
    np.testing.assert_allclose(out[:3, :3] @ torch.tensor([1.0, 0, 0]), [0, 1, 0], atol=1e-6)

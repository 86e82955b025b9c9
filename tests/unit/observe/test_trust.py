"""Which frames' masks are believed, which part of the clip counts, and what a hint does."""

import cv2
import numpy as np
import pytest

from hoi.clip import Hint
from hoi.observe.handzone import zone
from hoi.observe.maskers import mask
from hoi.observe.trust import agreement, held_part, trust, usual_size

from .test_maskers import iou, moving_scene


def carried(flat_hand, n=9, turn=0.0):
    """A hand that wanders and turns with a square in it: keypoints and masks."""
    keypoints, masks = [], []
    for t in range(n):
        c, s = np.cos(turn * t), np.sin(turn * t)
        A = np.array([[c, -s, 150 + 6 * t], [s, c, 150 - 3 * t]])
        keypoints.append(40 * flat_hand @ A[:, :2].T + A[:, 2])
        corners = np.array([[-30, -80], [40, -80], [40, -20], [-30, -20]]) @ A[:, :2].T + A[:, 2]
        masks.append(cv2.fillConvexPoly(np.zeros((300, 400), np.uint8), np.round(corners).astype(np.int32), 1) > 0)
    return np.stack(masks), np.stack(keypoints).astype(np.float32)


def test_what_moves_and_turns_with_the_hand_is_believed(flat_hand):
    assert trust(*carried(flat_hand, turn=0.1)).min() > 0.95


def test_a_leak_a_loss_and_a_jump_are_not(flat_hand):
    masks, keypoints = carried(flat_hand, 15)
    masks[3, :, 100:] = True
    masks[7] = False
    masks[11] = np.roll(masks[11], 150, 1)
    found = trust(masks, keypoints)
    assert found[3] < 0.1 and found[7] == 0 and found[11] == 0
    assert np.delete(found, [3, 7, 11]).min() > 0.8


def test_agreement_by_hand():
    held = np.zeros((3, 10, 10), bool)
    held[0, :, :6] = held[1, :, :6] = True
    held[2, :, 3:9] = True  # 3 of 9 columns shared: IoU 1/3
    np.testing.assert_allclose(agreement(held), [(2 / 3 - 0.3) / 0.4, (2 / 3 - 0.3) / 0.4, (1 / 3 - 0.3) / 0.4])


def test_usual_size_by_hand():
    found = usual_size(np.array([2.0, 2.0, 2.0, 0.0, 2 * np.exp(1.5), 2 * np.exp(-0.4)]))
    np.testing.assert_allclose(found, [1, 1, 1, 0, np.exp(-1), 1])
    assert usual_size(np.zeros(3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("pattern", "part"),
    [("0111000", (1, 3)), ("1110000001111", (9, 12)), ("11011101", (0, 7)), ("000", (0, -1)), ("1000000110", (7, 8))],
)
def test_the_longest_hold_counts(pattern, part):
    assert held_part(np.array([c == "1" for c in pattern])) == part


def test_an_object_put_down_half_way_counts_until_then(flat_hand, mask_settings):
    """The hand goes on without the box, which stays behind on the table."""
    frames, hands, held, hand = moving_scene(flat_hand, n=16)
    wall = frames[0].copy()
    wall[(held[0] | hand[0])] = wall[:, 300:].mean((0, 1))
    for t in range(10, 16):
        px = 45 * flat_hand + (245, 225)
        skin = zone(px, 45.0, (240, 320)).silhouette
        frames[t] = np.where(skin[..., None], (205, 150, 125), np.where(held[9][..., None], (40, 90, 160), wall))
        hands["keypoints_px"][t] = px
    confidence = mask(frames, hands, None, mask_settings)["confidence"]
    assert (confidence[:9] > 0.3).all() and (confidence[11:] < 0.05).all()


def test_a_hint_finds_an_object_of_the_skins_colour(flat_hand, mask_settings):
    frames, hands, held, _ = moving_scene(flat_hand, n=8, object_colour=(200, 160, 140))
    (top, left), (bottom, right) = (f(np.argwhere(held[4]), 0) for f in (np.min, np.max))
    box = Hint(frame=4, box_px=(left - 2.0, top - 2.0, right + 2.0, bottom + 2.0))
    click = Hint(frame=4, click_px=(left + 90.0, top + 20.0))
    alone, boxed, clicked = (
        np.mean(
            [iou(m, h) for m, h in zip(mask(frames, hands, None, mask_settings, hint)["object"], held, strict=True)]
        )
        for hint in (None, box, click)
    )
    assert alone < 0.75 and boxed > 0.8 and clicked > 0.8


def test_nothing_outside_a_box_is_the_object_in_its_frame(flat_hand, mask_settings):
    """A second thing moves with the hand: the box says which of the two is meant."""
    frames, hands, held, _ = moving_scene(flat_hand, n=8)
    for frame, px in zip(frames, hands["keypoints_px"], strict=True):
        x, y = px[17].astype(int)
        frame[y : y + 50, x + 8 : x + 60] = (60, 150, 60)
    alone = mask(frames, hands, None, mask_settings)["object"][4]
    (top, left), (bottom, right) = (f(np.argwhere(held[4]), 0) for f in (np.min, np.max))
    box = Hint(frame=4, box_px=(left - 2.0, top - 2.0, right + 2.0, bottom + 2.0))
    assert iou(alone, held[4]) < 0.7 < 0.95 < iou(mask(frames, hands, None, mask_settings, box)["object"][4], held[4])


def test_a_hint_moves_with_the_picture():
    hint = Hint(frame=8, box_px=(110, 60, 210, 160)).moved(2, 0.5, (10.0, 20.0))
    assert (hint.frame, hint.box_px) == (2, (50, 20, 100, 70))
    with pytest.raises(ValueError, match="one of"):
        Hint(frame=0)

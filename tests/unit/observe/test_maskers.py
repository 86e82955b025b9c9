import cv2
import numpy as np
import pytest

from hoi.artefacts import check
from hoi.errors import InputError
from hoi.observe.handzone import zone
from hoi.observe.maskers import mask


def moving_scene(flat_hand, n=12, object_colour=(40, 90, 160), pan=0):
    """A skin-coloured hand with a forearm that carries a box before a textured wall; truth of both."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (240, 400, 3)).astype(np.float32), (0, 0), 6)
    wall = np.clip(170 + 2.5 * (noise - 128), 0, 255).astype(np.uint8)
    frames, keypoints, held, hand = [], [], [], []
    for t in range(n):
        shift = np.array([150.0 + 4 * t, 150.0 - 2 * t])
        px = 45 * flat_hand + shift
        frame = wall[:, pan * t : pan * t + 320].copy()
        skin = zone(px, 45.0, (240, 320)).silhouette.copy()
        skin[int(px[0, 1]) :, int(px[0, 0]) - 14 : int(px[0, 0]) + 14] = True
        box = np.zeros((240, 320), bool)
        box[int(shift[1]) - 95 : int(shift[1]) - 50, int(shift[0]) - 60 : int(shift[0]) + 62] = True
        box[:, int(shift[0]) - 30 : int(shift[0]) - 18] &= False  # a finger lies over it
        skin &= ~box
        frame[skin], frame[box] = (205, 150, 125), object_colour
        noisy = cv2.GaussianBlur(frame, (0, 0), 0.8).astype(int) + rng.integers(-5, 6, frame.shape)
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
        keypoints.append(px)
        held.append(box)
        hand.append(skin)
    hands = {
        "keypoints_px": np.stack(keypoints).astype(np.float32),
        "found": np.ones(n, bool),
        "confidence": np.ones(n, np.float32),
    }
    return np.stack(frames), hands, np.stack(held), np.stack(hand)


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize(("pan", "colour"), [(0, (40, 90, 160)), (6, (40, 90, 160)), (0, (235, 235, 230))])
def test_hand_and_object_are_told_apart(flat_hand, mask_settings, pan, colour):
    frames, hands, held, hand = moving_scene(flat_hand, object_colour=colour, pan=pan)
    masks = check("masks", mask(frames, hands, None, mask_settings), "masks")
    assert iou(masks["object"], held) > 0.85
    assert iou(masks["hand"], hand) > 0.85
    assert not (masks["object"] & masks["hand"]).any()
    assert (masks["confidence"] > 0.5).all()


def test_a_network_tips_what_the_rest_leaves_open(flat_hand, mask_settings):
    """A box in the wall's colours: seen by nothing but a network that knows it."""
    frames, hands, held, hand = moving_scene(flat_hand, object_colour=(168, 170, 171))
    labels = hand + 2 * held.astype(np.uint8)

    def knowing(lab, moving, keypoints, sizes):
        small = np.stack([cv2.resize(x, lab.shape[2:0:-1], interpolation=cv2.INTER_NEAREST) for x in labels])
        return np.eye(3, dtype=np.float32)[small]

    def silent(lab, moving, keypoints, sizes):
        assert lab.shape == (*moving.shape, 3) and keypoints.shape == (len(lab), 21, 2) and sizes.shape == (len(lab),)
        return np.full(lab.shape, 1 / 3, np.float32)

    alone, heard, unheard = (
        mask(frames, hands, None, mask_settings, learned=learned)["object"] for learned in (None, knowing, silent)
    )
    np.testing.assert_array_equal(unheard, alone)
    assert iou(heard, held) > iou(alone, held) + 0.3


def test_a_card_that_lies_beside_the_hand_is_not_held(flat_hand, mask_settings):
    frames, hands, held, hand = moving_scene(flat_hand)
    card = np.zeros(held.shape[1:], bool)
    card[90:170, 215:300] = True
    seen = card & ~held & ~hand
    frames[seen] = (90, 170, 80)
    masks = mask(frames, hands, None, mask_settings)
    assert (masks["object"] & seen).sum() < 0.05 * seen.sum()
    assert iou(masks["object"], held) > 0.85


def test_masks_are_the_same_every_time(flat_hand, mask_settings):
    frames, hands, _, _ = moving_scene(flat_hand, n=4)
    first, again = (mask(frames, hands, None, mask_settings) for _ in range(2))
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])


def test_a_bridged_frame_has_no_confidence(flat_hand, mask_settings):
    frames, hands, _, _ = moving_scene(flat_hand, n=4)
    hands["found"][2] = False
    confidence = mask(frames, hands, None, mask_settings)["confidence"]
    assert confidence[2] == 0 and (confidence[[0, 1, 3]] > 0).all()


def test_a_hand_without_an_object_is_an_error(flat_hand, mask_settings):
    frames = np.full((4, 120, 160, 3), 200, np.uint8)
    px = 25 * flat_hand + (80, 90)
    for frame in frames:
        frame[zone(px, 25.0, (120, 160)).silhouette] = (205, 150, 125)
    hands = {
        "keypoints_px": np.stack([px] * 4).astype(np.float32),
        "found": np.ones(4, bool),
        "confidence": np.ones(4, np.float32),
    }
    with pytest.raises(InputError, match="object masks of the clip"):
        mask(frames, hands, None, mask_settings)


def test_given_masks(flat_hand, mask_settings):
    frames, hands, held, hand = moving_scene(flat_hand, n=3)
    settings = mask_settings.model_copy(update={"masker": "given"})
    held[1] = False
    masks = mask(frames, hands, {"object": held, "hand": hand}, settings)
    np.testing.assert_array_equal(masks["object"], held)
    assert masks["confidence"].tolist() == [1, 0, 1]
    with pytest.raises(InputError, match="no given masks"):
        mask(frames, hands, None, settings)
    with pytest.raises(InputError, match="shape"):
        mask(frames, hands, {"object": held[:, 1:], "hand": hand[:, 1:]}, settings)
    with pytest.raises(InputError, match="all are empty"):
        mask(frames, hands, {"object": held & False, "hand": hand}, settings)

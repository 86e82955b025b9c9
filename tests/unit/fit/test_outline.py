"""Tracked hands are brought back under the masks that they were moved away from."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from hoi.field.rasterise import visible_faces
from hoi.fit import Observations
from hoi.fit.outline import Overlap, TrackedHands, smoothed, under_its_mask
from hoi.geometry.cameras import project
from hoi.geometry.rotations import transform

from .test_fit import _scene, _settings

SIZE = (180, 240)
MOVED = np.array([math.log(1.2), 0.1, -0.1, 0.1, 0.02, -0.01])  # depth, turn, shift


def _seen() -> Observations:
    """Masks of the small scene's open hands alone, three times as large, with nothing held."""
    scene = _scene()
    hands = scene.hands | {"K": np.diag([3, 3, 1]).astype(np.float32) @ scene.hands["K"]}
    still = TrackedHands.tracked(hands)
    X_cam = transform(torch.from_numpy(hands["T_cam_hand"]), still.vertices_hand)
    px = project(torch.from_numpy(hands["K"]), X_cam).numpy()
    mask = np.stack([visible_faces(p, x[:, 2], still.faces, SIZE) >= 0 for p, x in zip(px, X_cam.numpy(), strict=True)])
    return Observations(np.zeros_like(mask), mask, scene.confidence, hands)


def _astray(observed: Observations) -> Observations:
    return replace(
        observed, hands=observed.hands | {"T_cam_hand": TrackedHands.tracked(observed.hands).moved(MOVED).numpy()}
    )


def _depth(observed: Observations) -> float:
    return float(np.median(observed.hands["T_cam_hand"][:, 2, 3]))


@pytest.mark.parametrize("hidden", [False, True])
def test_hands_too_far_away_come_back(hidden):
    true, settings = _seen(), _settings().outline
    if hidden:  # an object before half of the palm: the hand may be there or not
        disc = cv2.circle(np.zeros(SIZE, np.uint8), (120, 90), 15, 1, -1) > 0
        true = replace(true, object_mask=np.broadcast_to(disc, true.hand_mask.shape), hand_mask=true.hand_mask & ~disc)
    astray = _astray(true)
    found = under_its_mask(astray, settings)
    assert _depth(astray) > 1.15 * _depth(true)
    np.testing.assert_allclose(_depth(found), _depth(true), rtol=0.03)
    still, frames = TrackedHands.tracked(true.hands), np.arange(len(true.confidence))
    before, after = (Overlap(true, still, frames).at(torch.from_numpy(o.hands["T_cam_hand"])) for o in (astray, found))
    assert before < 0.8 and after > 0.93


def test_hands_that_drift_in_depth_come_back():
    """From 15 % too near to 15 % too far away, about as much in their mean."""
    true, settings = _seen(), _settings().outline
    hands, n = TrackedHands.tracked(true.hands), len(true.confidence)
    drifted = np.zeros((n, 6))
    drifted[:, 0] = np.linspace(-0.15, 0.15, n)
    astray = replace(true, hands=true.hands | {"T_cam_hand": hands.moved(drifted).numpy()})

    def error(observed: Observations) -> np.ndarray:
        return np.log(observed.hands["T_cam_hand"][:, 2, 3] / true.hands["T_cam_hand"][:, 2, 3])

    as_one = under_its_mask(astray, settings.model_copy(update={"looks": 0}))
    assert np.ptp(error(as_one)) > 0.25
    assert np.ptp(error(under_its_mask(astray, settings))) < 0.12


def test_a_curve_keeps_lines_and_drops_what_comes_and_goes():
    at, weights = np.arange(2, 38, 5), np.ones(8)
    line = 0.1 * at[:, None] * [1.0, -2.0] + 3
    curve = smoothed(line, at, weights, 40, period=30.0)
    np.testing.assert_allclose(curve[2:38], 0.1 * np.arange(2, 38)[:, None] * [1.0, -2.0] + 3, atol=1e-6)
    np.testing.assert_allclose(curve[[0, 1, 38, 39]], curve[[2, 2, 37, 37]])
    wave = (-1.0) ** np.arange(8)[:, None]
    smooth, rough = (abs(smoothed(wave, at, weights, 40, period)).max() for period in (60.0, 5.0))
    assert smooth < 0.4 < 0.8 < rough
    doubted = np.where(np.arange(8) == 3, 1e-6, 1.0)
    peak = np.where(np.arange(8) == 3, 1.0, 0.0)[:, None]
    assert abs(smoothed(peak, at, doubted, 40, 30.0)).max() < 1e-3


def test_an_arm_does_not_pull():
    """Pixels beyond the wrist are no hand's, however many."""
    true, settings = _seen(), _settings().outline
    with_arm = true.hand_mask.copy()
    still = TrackedHands.tracked(true.hands)
    X_cam = transform(torch.from_numpy(true.hands["T_cam_hand"]), still.keypoints_hand)
    px = project(torch.from_numpy(true.hands["K"]), X_cam).numpy()
    for mask, (wrist, knuckle) in zip(with_arm, px[:, [0, 9]], strict=True):
        picture = mask.astype(np.uint8)
        end = wrist + 3 * (wrist - knuckle)
        cv2.line(picture, tuple(wrist.astype(int).tolist()), tuple(end.astype(int).tolist()), 1, 21)
        mask |= picture > 0
    assert with_arm.sum() > 1.2 * true.hand_mask.sum()
    found = under_its_mask(replace(true, hand_mask=with_arm), settings)
    np.testing.assert_allclose(_depth(found), _depth(true), rtol=0.03)


@pytest.mark.parametrize("change", ["no mask", "no trust", "not found", "off"])
def test_hands_stay_where_nothing_tells(change):
    astray, settings = _astray(_seen()), _settings().outline
    if change == "no mask":
        astray = replace(astray, hand_mask=np.zeros_like(astray.hand_mask))
    elif change == "no trust":
        astray = replace(astray, confidence=np.zeros_like(astray.confidence))
    elif change == "not found":
        astray = replace(astray, hands=astray.hands | {"found": np.zeros(len(astray.confidence), bool)})
    else:
        settings = settings.model_copy(update={"frames": 0})
    assert under_its_mask(astray, settings) is astray


def test_moving_is_by_depth_turn_and_shift():
    """Twice as far away, the hand's middle is seen at the same pixel; its keypoints turn about it."""
    still = TrackedHands.tracked(_scene().hands)
    middle = still.keypoints_hand.mean(1, keepdim=True)

    def middle_cam(x: list[float]) -> np.ndarray:
        return transform(still.moved(np.array(x)), middle).squeeze(1).numpy()

    at = middle_cam([0.0] * 6)
    np.testing.assert_allclose(middle_cam([math.log(2), 0.3, 0, 0, 0, 0]), 2 * at, rtol=1e-5)
    np.testing.assert_allclose(middle_cam([0, 0, 0, 0, 0.1, 0]) - at, at[:, 2:] * [0.1, 0, 0], atol=1e-6)
    turned = still.moved(np.array([0, math.pi / 2, 0, 0, 0, 0])).numpy()
    np.testing.assert_allclose(turned[:, :3, 0], still.T_cam_hand[:, :3, 0], atol=1e-6)
    np.testing.assert_allclose(turned[:, :3, 1], still.T_cam_hand[:, :3, 2], atol=1e-6)

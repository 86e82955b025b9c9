"""The bundled real clip as a user's would be: its hand tracked and its masks found, against masks drawn by hand."""

import numpy as np

from hoi.clip import read_masks
from hoi.config import HandChoice, MaskClip
from hoi.evaluate.score import score_masks
from hoi.imports import PACKAGE
from hoi.masknet.network import MaskNet
from hoi.observe.maskers import mask
from hoi.observe.trackers import track

from .conftest import ROOT, section

FIRST, LAST, STRIDE = 10, 82, 4  # masks are drawn of frames 10, 46 and 82, and of later ones


def test_hand_and_bottle_are_found(real_film, track_settings):
    frames = np.ascontiguousarray(real_film[FIRST : LAST + 1 : STRIDE])
    camera = np.array([[640, 0, 320], [0, 640, 240], [0, 0, 1]], np.float32)
    hands = track(frames, camera, None, None, track_settings, HandChoice(model="open", files=None), 0)
    net = MaskNet.load(PACKAGE / "masknet/weights")
    masks = mask(frames, hands, None, MaskClip(**section("mask_clip")), learned=net.probabilities)
    drawn = {kind: of_these(read_masks(ROOT / f"clips/bottle_cup/gt/masks/{kind}")) for kind in ("object", "hand")}
    assert sorted(drawn["object"]) == [0, 9, 18]
    scores = score_masks(masks, drawn, masks["object"], hands["keypoints_px"])
    assert scores["mask_iou_object"] > 0.9 and scores["mask_iou_hand"] > 0.85
    assert masks["confidence"].mean() > 0.5


def of_these(drawn):
    """The masks of these frames, counted as they are."""
    return {(i - FIRST) // STRIDE: m for i, m in drawn.items() if i <= LAST}

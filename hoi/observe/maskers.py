"""Visible pixels of hand and held object in every frame, by one of four maskers.

`given`, `grasp` (pixels, the tracked hand, and the package's own network, hoi.masknet), and `detectron2`, `sam2`, whose masks are
further evidence for `grasp`. Which of them `auto` means: hoi.observe.auto.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoi.clip import Hint
from hoi.config import MaskClip
from hoi.errors import DataFailure, InputError
from hoi.observe.grasp import Learned, segment
from hoi.observe.trust import held_part, trust

Masks = dict[str, np.ndarray]
EMPTY = (
    "film in better light, before another colour; or say which frames show the object held (first, last), which hand holds "
    "it (side), and where it is in one frame (hint_frame with hint_box or hint_click); make clip: the same words in capitals"
)


def mask(
    frames: UInt8[np.ndarray, "n h w 3"],
    hands: dict[str, np.ndarray],
    given: dict[str, Bool[np.ndarray, "_n _h _w"]] | None,
    settings: MaskClip,
    hint: Hint | None = None,
    learned: Learned | None = None,
) -> Masks:
    """Masks of schema `masks` (hoi.artefacts). `hands` is of schema `hands`; `given` has `object` and `hand`. The hint says
    where the object is in one frame, pixels; `learned` is a network that speaks of the labels too.

    Confidence is that of the masks times that of the hand (hoi.observe.trust); 0 where a frame shows no object, where its
    hand was bridged, and outside the longest part of the clip in which the object is held.
    """
    if settings.masker == "given":
        return _check(_given_masks(frames, given))
    keypoints_px = hands["keypoints_px"]
    detected = _detections(frames, keypoints_px, settings)
    seen_object, seen_hand, decided = segment(frames, keypoints_px, settings, hint, detected, learned)
    confidence = decided * np.where(hands["found"], 0.5 + 0.5 * hands["confidence"], 0.0)
    confidence *= trust(seen_object, hands["keypoints_px"])
    first, last = held_part(seen_object.any((1, 2)) & hands["found"])
    confidence[:first] = confidence[last + 1 :] = 0
    return _check({"object": seen_object, "hand": seen_hand, "confidence": confidence.astype(np.float32)})


def _detections(
    frames: UInt8[np.ndarray, "n h w 3"], keypoints_px: Float[np.ndarray, "n 21 2"], settings: MaskClip
) -> Float[np.ndarray, "n h w 3"] | None:
    """What a segmenter that others trained says of the labels, if one is chosen."""
    if settings.masker == "grasp":
        return None
    from hoi.observe.pretrained import detectron2_evidence, sam2_evidence

    if settings.masker == "detectron2":
        return detectron2_evidence(frames, keypoints_px, settings.detectron2)
    return sam2_evidence(frames, segment(frames, keypoints_px, settings), settings.sam2)


def _given_masks(frames: np.ndarray, given: dict[str, np.ndarray] | None) -> Masks:
    if given is None:
        raise InputError(
            "masks/", "no given masks", "masker `given` needs one of each kind a frame", "use masker grasp"
        )
    for kind in ("object", "hand"):
        if given[kind].shape != frames.shape[:3]:
            expected = f"{frames.shape[:3]}, as the frames"
            raise InputError(
                f"masks/{kind}", f"shape {given[kind].shape}", expected, "give one mask of its size a frame"
            )
    shown = given["object"].any((1, 2)) & given["hand"].any((1, 2))
    return {"object": given["object"], "hand": given["hand"], "confidence": shown.astype(np.float32)}


def _check(masks: Masks) -> Masks:
    for kind in ("object", "hand"):
        if not masks[kind].any():
            raise DataFailure(f"{kind} masks of the clip", "all are empty", f"the {kind} in some frame", EMPTY)
    return masks

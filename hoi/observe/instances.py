"""What an instance segmenter says of a clip, brought to the masker: detections a frame, one of them followed as the held
object, and hints for the labelling of pixels.

The segmenter names things; which of them is held, the hand's keypoints and time tell. Frames in which it finds nothing
are left to the embedded masker, which learns colours and places from the others.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from hoi.config import Detectron2

SURE, UNSURE = 0.9, 1 / 3  # shares of a pixel's hint that go to what was detected, and to each label elsewhere
SKIP_COST = 1.0  # of a frame in which nothing is followed: more than a poor match costs
NEAR = 0.35  # hand sizes around keypoints in which a person's pixels are the hand's


@dataclass(frozen=True)
class Detections:
    """What was found in one frame; masks are whole boxes where the network gives boxes alone."""

    boxes_px: Float[np.ndarray, "m 4"]  # x0, y0, x1, y1
    scores: Float[np.ndarray, "m"]
    classes: Int[np.ndarray, "m"]
    masks: Bool[np.ndarray, "m h w"]
    are_boxes: bool

    @staticmethod
    def of(instances: Any, least_score: float) -> "Detections":
        """From detectron2's `Instances` with pred_boxes, scores, pred_classes and, from Mask R-CNN, pred_masks."""
        found = instances[instances.scores >= least_score].to("cpu")
        boxes = found.pred_boxes.tensor.detach().numpy()
        has_masks = found.has("pred_masks")
        masks = found.pred_masks.numpy().astype(bool) if has_masks else _filled(boxes, *found.image_size)
        return Detections(boxes, found.scores.detach().numpy(), found.pred_classes.numpy(), masks, not has_masks)


def _filled(boxes_px: Float[np.ndarray, "m 4"], height: int, width: int) -> Bool[np.ndarray, "m h w"]:
    y, x = np.ogrid[:height, :width]
    x0, y0, x1, y1 = boxes_px.T[..., None, None]
    return (x + 0.5 >= x0) & (x + 0.5 < x1) & (y + 0.5 >= y0) & (y + 0.5 < y1)


def followed(
    found: list[Detections], keypoints_px: Float[np.ndarray, "n 21 2"], settings: Detectron2
) -> list[int | None]:
    """The held object's detection in every frame: the path of least cost through all of them (Viterbi).

    A detection costs its doubt and its distance from the hand; a step costs what boxes, moved along with the hand, do not
    share. A frame may be skipped.
    """
    costs, boxes = [], []
    for d, k in zip(found, keypoints_px, strict=True):
        allowed = np.flatnonzero(_is_object(d.classes, settings))
        costs.append([(1 - d.scores[i] + _gap(d.boxes_px[i], k), int(i)) for i in allowed])
        boxes.append({int(i): d.boxes_px[i] - np.tile(k.mean(0), 2) for i in allowed})
    # a state: its cost so far, its path, and the box that it last saw
    states: list[tuple[float, list[int | None], Float[np.ndarray, 4] | None]] = [(0.0, [], None)]
    for t, candidates in enumerate(costs):
        skipped = [(cost + SKIP_COST, [*path, None], box) for cost, path, box in states]
        taken = []
        for own, i in candidates:
            tries = ((c + own + (0 if b is None else 1 - box_iou(b, boxes[t][i])), p) for c, p, b in states)
            cost, path = min(tries, key=lambda each: each[0])
            taken.append((cost, [*path, i], boxes[t][i]))
        states = [min(skipped, key=lambda each: each[0]), *taken]
    return min(states, key=lambda each: each[0])[1]


def _is_object(classes: Int[np.ndarray, "m"], settings: Detectron2) -> Bool[np.ndarray, "m"]:
    if settings.object_classes:
        return np.isin(classes, settings.object_classes)
    return ~np.isin(classes, settings.hand_classes)


def _gap(box_px: Float[np.ndarray, "4"], keypoints_px: Float[np.ndarray, "21 2"]) -> float:
    """Distance from the box to the nearest keypoint, in hand sizes; 0 where one lies in it."""
    outside = np.maximum(np.maximum(box_px[:2] - keypoints_px, keypoints_px - box_px[2:]), 0)
    return float(np.linalg.norm(outside, axis=1).min() / hand_size(keypoints_px))


def hand_size(keypoints_px: Float[np.ndarray, "21 2"]) -> float:
    """Half the longer side of the keypoints' box, pixels."""
    return float(max(np.ptp(keypoints_px, axis=0).max() / 2, 1.0))


def box_iou(a: Float[np.ndarray, "4"], b: Float[np.ndarray, "4"]) -> float:
    """Shared part of two boxes."""
    shared = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
    return float(shared / max((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared, 1e-9))


def hints_of(
    found: list[Detections], path: list[int | None], keypoints_px: Float[np.ndarray, "n 21 2"], settings: Detectron2
) -> Float[np.ndarray, "n h w 3"]:
    """How likely each pixel is background, hand, object by the detections; equal thirds where they say nothing."""
    hints = []
    for d, chosen, k in zip(found, path, keypoints_px, strict=True):
        shape = d.masks.shape[1:]
        held = np.zeros(shape, bool) if chosen is None else d.masks[chosen]
        person = d.masks[np.isin(d.classes, settings.hand_classes)].any(0) if len(d.masks) else np.zeros(shape, bool)
        hint = hints_of_masks(held, person & _near(k, shape) & ~held, certain=not d.are_boxes)
        hint[~held & ~person] = UNSURE if chosen is None else hint[~held & ~person]
        hints.append(hint)
    return np.stack(hints)


def hints_of_masks(
    held: Bool[np.ndarray, "h w"], hand: Bool[np.ndarray, "h w"], certain: bool = True
) -> Float[np.ndarray, "h w 3"]:
    """Hints of one frame's masks. Boxes, which are not certain, tell only where the object is not."""
    rest = (1 - SURE) / 2
    hint = np.empty((*held.shape, 3), np.float32)
    hint[:] = (SURE, rest, rest) if certain else ((1 - rest) / 2, (1 - rest) / 2, rest)
    hint[hand] = (rest, SURE, rest) if certain else UNSURE
    hint[held] = (rest, rest, SURE) if certain else UNSURE
    return hint


def _near(keypoints_px: Float[np.ndarray, "21 2"], shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """Pixels in the keypoints' padded box: a person's mask has the whole person."""
    pad = NEAR * hand_size(keypoints_px)
    low, high = keypoints_px.min(0) - pad, keypoints_px.max(0) + pad
    return _filled(np.array([[*low, *high]]), shape[0], shape[1])[0]

"""From each pixel's evidence to masks: labels that agree with their neighbours, and edges at full resolution."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoi.config import MaskClip
from hoi.observe.handzone import HandZone
from hoi.observe.smoothing import Guide, fill_holes, likely, touching

BACKGROUND, HAND, OBJECT = range(3)
LEAST_OBJECT = 0.06  # square hand sizes (2 cm square): smaller specks are gaps between fingers
LEAST_PLACED = 0.3  # share of neighbouring frames: those beside a frame in which an object came loose often lost it too

Labels = Float[np.ndarray, "h w 3"]


def mean_field(
    logits: Labels, lab: UInt8[np.ndarray, "h w 3"], z: HandZone, settings: MaskClip, place: Labels | None
) -> Labels:
    """Probabilities that agree with the logits and with their neighbours across weak edges; `place`: those of neighbouring
    frames, by place in the hand.

    All is relative to the background's logit, so that two maps are filtered, not three (the filter is linear).
    """
    guide = Guide(lab.astype(np.float32) / 255, settings.edge_radius, settings.edge_eps)
    unary = [guide.filter(logits[..., i] - logits[..., BACKGROUND]) for i in (HAND, OBJECT)]
    background, hand, held = softmax(unary)
    for _ in range(settings.field_steps):
        messages = [guide.filter(p - background) for p in (hand, held)]
        background, hand, held = softmax([u + settings.pair_weight * m for u, m in zip(unary, messages, strict=True)])
    return detach(np.dstack([background, hand, held]), z, place)


def detach(q: Labels, z: HandZone, place: Labels | None = None) -> Labels:
    """Object that does not touch the hand becomes background, but for what was object in enough neighbouring frames: the thin
    bow between hand and kettle may be missed."""
    found, core = q[..., OBJECT] > 0.5, z.distance < 0.25
    held = touching(found, core & (z.forearm < 0.5), 4.0)
    if place is not None:
        held |= likely(found & ~held, place[..., OBJECT], LEAST_PLACED)
    q[found & ~held] = (0.9, 0.05, 0.05)
    return q


def softmax(logits: list[Float[np.ndarray, "h w"]]) -> list[Float[np.ndarray, "h w"]]:
    """Probabilities of background (logit 0) and the given labels."""
    top = np.maximum(np.maximum(logits[0], logits[1]), 0)
    e = [np.exp(-top), np.exp(logits[0] - top), np.exp(logits[1] - top)]
    total = e[0] + e[1] + e[2]
    return [each / total for each in e]


def finish(
    q: Labels, frame: UInt8[np.ndarray, "H W 3"], z: HandZone, settings: MaskClip
) -> tuple[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
    """Object and hand masks at full resolution: edges from the full frame, loose specks and small holes removed."""
    h, w = q.shape[:2]
    full = frame.astype(np.float32) / 255
    small = cv2.resize(full, (w, h), interpolation=cv2.INTER_AREA)
    guide = Guide(small, settings.edge_radius // 2, settings.edge_eps)
    scores = np.dstack([guide.spread(np.ascontiguousarray(q[..., i]), full) for i in range(3)])
    best = scores.argmax(-1)
    near = cv2.resize((z.distance < 0.25).astype(np.uint8), frame.shape[1::-1]) > 0
    area = (1.0 / max(np.linalg.norm(z.to_hand[0, :2]), 1e-6) * frame.shape[1] / w) ** 2  # of one hand size
    sure = cv2.resize((q[..., OBJECT] > 0.5).astype(np.uint8), frame.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    held = touching(best == OBJECT, near | sure, LEAST_OBJECT * area)
    hand = touching(best == HAND, near, 0.01 * area)
    fore = fill_holes(held | hand, 0.01 * area)
    held = fill_holes(held, 0.01 * area) & ~hand
    return held | (fore & ~hand & ~held & (scores[..., OBJECT] >= scores[..., HAND])), hand


def decidedness(q: Labels) -> float:
    """Mean top probability over hand and object, rescaled so that 0 is a coin's toss; 0 without object."""
    fore = q[..., BACKGROUND] < 0.5
    if not (q[..., OBJECT] > 0.5).any():
        return 0.0
    return float(np.clip(2 * q[fore].max(-1).mean() - 1, 0, 1))

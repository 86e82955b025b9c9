"""Which of several hands holds something: how much beside a hand moves along with it."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoi.geometry.sampling import evenly
from hoi.observe import colours, scene
from hoi.observe.chains import Chain, Frames, bridge
from hoi.observe.handzone import steady_sizes, zone
from hoi.observe.motion import moves_with_hand

WORKING_PX = 160  # longest side while looking: what is held is as large as the hand
LOOKS = 8  # frames looked at, evenly spread over those that show the hand
RING = (0.1, 1.2)  # hand sizes from the hand within which what it holds begins
RIVAL = 0.25  # of the best hand's weight: less persistent hands are no candidates


def choose_holding(chains: Sequence[Chain], right: bool | None, frames: Frames) -> Chain | None:
    """The hand that holds the object: persistent and confident, large (so near), and something beside it moves along.

    With one candidate nothing is looked at. A wanted side (`right`) has entered the weight already.
    """
    best = max((c.weight(right) for c in chains), default=0.0)
    rivals = [c for c in chains if c.weight(right) >= RIVAL * best and c.weight(right) > 0]
    if len(rivals) < 2:
        return max(chains, key=lambda c: c.weight(right), default=None)
    small = shrunk(frames)
    scale = small.shape[2] / frames.shape[2]
    sizes = [float(np.median([s.size_px() for s in c.seen.values()])) for c in rivals]
    scores = [
        c.weight(right) * (size / max(sizes)) * (0.25 + min(carried(small, c, scale), 1.0))
        for c, size in zip(rivals, sizes, strict=True)
    ]
    return rivals[int(np.argmax(scores))]


def shrunk(frames: Frames) -> UInt8[np.ndarray, "n h2 w2 3"]:
    """All frames at working size."""
    scale = min(1.0, WORKING_PX / max(frames.shape[1:3]))
    size = tuple(max(1, round(scale * s)) for s in (frames.shape[2], frames.shape[1]))
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])


def carried(small: UInt8[np.ndarray, "n h w 3"], chain: Chain, scale: float) -> float:
    """The area around the hand that moves with it rather than with the background, in square hand sizes."""
    n, shape = len(small), small.shape[1:3]
    found = np.isin(np.arange(n), list(chain.seen))
    rows = np.zeros((n, 21, 2), np.float32)
    for t, sighting in chain.seen.items():
        rows[t] = scale * sighting.keypoints_px
    keypoints = bridge(rows, found).astype(np.float64)
    sizes = steady_sizes(keypoints)
    zones = [zone(k, float(s), shape) for k, s in zip(keypoints, sizes, strict=True)]
    gray = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in small])
    T = scene.camera_motion(gray, np.stack([(z.distance > 1.5) & (z.forearm == 0) for z in zones]))
    lab = np.stack([colours.to_lab(f) for f in small])
    times = np.flatnonzero(found)
    times = evenly(times, LOOKS)
    areas = []
    for t in times:
        z, size = zones[t], float(sizes[t])
        ring = (z.distance > RING[0]) & (z.distance < RING[1]) & (z.forearm == 0) & (z.behind == 0)
        along: Float[np.ndarray, "h w"] = moves_with_hand(lab, T, keypoints, z.silhouette, size, int(t))
        areas.append(float(np.clip(along, 0, 1)[ring].sum()) / size**2)
    return float(np.mean(areas))

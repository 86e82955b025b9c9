"""Where hand, forearm and held object can be, from 21 keypoints: silhouette, forearm cone, hand-centred axes.

Lengths are in hand sizes (`hand_size_px`: wrist to the farthest knuckle, about 9 cm).
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float

from hoi.observe.detector import hand_size_px

Map = Float[np.ndarray, "h w"]
BONES = ((0, 1), *((a, a + 1) for base in (1, 5, 9, 13, 17) for a in (base, base + 1, base + 2)))
PALM = (0, 1, 5, 9, 13, 17)
FINGER_RADIUS, PALM_MARGIN = 0.10, 0.10
FOREARM_HALF_WIDTH = 0.45


@dataclass(frozen=True)
class HandZone:
    """One frame's zones: silhouette (amodal, from keypoints), distance from it, forearm, and hand-centred axes."""

    silhouette: Bool[np.ndarray, "h w"]
    distance: Map  # from the silhouette, hand sizes, 0 inside
    forearm: Map  # 1 in the middle of the cone behind the wrist, 0 outside
    behind: Map  # the same for a cone twice as wide: skin may be there, objects too
    to_hand: Float[np.ndarray, "2 3"]  # pixels to hand-centred coordinates in hand sizes, fingers up


def hand_axes(keypoints: Float[np.ndarray, "21 2"], size: float) -> Float[np.ndarray, "2 3"]:
    """Affine map from pixels to coordinates about the palm's middle: unit = hand size, y down, fingers towards -y."""
    up = keypoints[9] - keypoints[0]
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    R = np.array([[-up[1], up[0]], [-up[0], -up[1]]]) / size
    return np.concatenate([R, -(R @ keypoints[list(PALM)].mean(0))[:, None]], 1)


def zone(keypoints: Float[np.ndarray, "21 2"], size: float, shape: tuple[int, int]) -> HandZone:
    """The zones of one hand in an image of the given (height, width); to be read alone, as they are kept for a while."""
    return _zone(np.ascontiguousarray(keypoints, np.float64).tobytes(), size, shape)


@lru_cache(maxsize=64)  # key frames' are asked for in every round; a megabyte each at working resolution
def _zone(keypoints_bytes: bytes, size: float, shape: tuple[int, int]) -> HandZone:
    keypoints, w = np.frombuffer(keypoints_bytes).reshape(-1, 2), shape[1]
    canvas = np.zeros(shape, np.uint8)
    fixed = np.round(np.clip(keypoints - 0.5, -4 * w, 4 * w) * 16).astype(np.int32)
    palm = cv2.convexHull(fixed[list(PALM)])
    cv2.fillConvexPoly(canvas, palm, 1, cv2.LINE_8, 4)
    cv2.polylines(canvas, [palm], True, 1, max(1, round(2 * PALM_MARGIN * size)), cv2.LINE_8, 4)
    for a, b in BONES:
        cv2.line(canvas, fixed[a], fixed[b], 1, max(1, round(2 * FINGER_RADIUS * size)), cv2.LINE_8, 4)
    distance = cv2.distanceTransform(1 - canvas, cv2.DIST_L2, 5) / size if canvas.any() else np.full(shape, 9.0)
    to_hand = hand_axes(keypoints, size)
    narrow, wide = (forearm_cone(to_hand, keypoints[0], shape, factor) for factor in (1.0, 2.0))
    return HandZone(canvas > 0, distance.astype(np.float32), narrow, wide, to_hand)


def forearm_cone(
    to_hand: Float[np.ndarray, "2 3"], wrist: Float[np.ndarray, "2"], shape: tuple[int, int], widen: float
) -> Map:
    """1 behind the wrist near its axis, fading to 0 at the sides and at the wrist itself."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) + 0.5
    wrist_h = to_hand[:, :2] @ wrist + to_hand[:, 2]
    side = to_hand[0, 0] * x + to_hand[0, 1] * y + to_hand[0, 2] - wrist_h[0]
    behind = to_hand[1, 0] * x + to_hand[1, 1] * y + to_hand[1, 2] - wrist_h[1]
    half = widen * (FOREARM_HALF_WIDTH + 0.25 * np.clip(behind, 0, None))
    return (np.clip(behind / 0.3, 0, 1) * np.clip(3 * (1 - np.abs(side) / half), 0, 1)).astype(np.float32)


def steady_sizes(keypoints: Float[np.ndarray, "n 21 2"]) -> Float[np.ndarray, "n"]:
    """Hand size in every frame, pixels: the median over 9 frames, as single frames foreshorten or err."""
    sizes = np.maximum(np.asarray(hand_size_px(keypoints)), 4.0)
    padded = np.pad(sizes, 4, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 9), axis=1)

"""What moves with the hand, and what with the background: neighbouring frames warped by either motion and compared.

Where only the hand's motion explains a pixel, it is hand or object; where only the background's does, background. Plain
surfaces are explained by both and say nothing.
"""

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from skimage.segmentation import felzenszwalb

from hoi.observe.scene import DARKEST, Transforms

GAPS = (1, 2, 3, 4, 6, 8, 12)
ENOUGH = (0.08, 0.35)  # hand sizes that hand and background should move apart: for sharp and for blurred surroundings
PATCH_SCALE, PATCH_BLUR_PX, PATCH_LEAST_PX = 150.0, 0.8, 30  # of patches of one colour
RESTING = -0.2  # a patch's vote for the background, from which on it rests
RESTS_PX, RESTS = (
    0.75,
    0.2,
)  # flow this near to the background's, pixels and share of the way between it and the hand, rests
SHADE_PX = 9  # over which a shadow's depth may change
SHADOW = 6.0  # summed 8-bit Lab difference that it costs to be one
NOISE = 6.0  # summed 8-bit Lab difference that means nothing


@lru_cache(maxsize=1)
def _flow_engine(size: tuple[int, int]) -> cv2.DISOpticalFlow:
    """One a picture size: OpenCV's keeps the coarser scales that a smaller picture once made it take."""
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)


def moves_with_hand(
    lab: UInt8[np.ndarray, "n h w 3"],
    T_frame_first: Transforms,
    keypoints: Float[np.ndarray, "n 21 2"],
    silhouette: Bool[np.ndarray, "h w"],
    size: float,
    t: int,
) -> Float[np.ndarray, "h w"]:
    """Log ratio of what background's and hand's motion leave unexplained in frame t: positive moves with the hand.

    Mean over earlier and later frames, each the nearest between which hand and background have moved apart by so much.
    """
    ways = [(way, apart * size) for apart in ENOUGH for way in (-1, 1)]
    found = {partner(T_frame_first, keypoints, t, way, apart_px) for way, apart_px in ways} - {None}
    total = np.zeros(lab.shape[1:3], np.float32)
    for k in sorted(found):
        T_k_t = T_frame_first[k] @ np.linalg.inv(T_frame_first[t])
        total += compare(lab[t], lab[k], T_k_t[:2], silhouette) / len(found)
    return total


def voted(moving: Float[np.ndarray, "h w"], lab: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """The log ratio, half of it by vote of patches of one colour (Felzenszwalb and Huttenlocher 2004): their edges speak for
    their plain insides, and only a patch that rests has parts at rest."""
    patch = felzenszwalb(lab, PATCH_SCALE, PATCH_BLUR_PX, PATCH_LEAST_PX, channel_axis=-1).ravel()
    sure = np.abs(moving).ravel()
    vote = np.bincount(patch, sure * moving.ravel()) / np.maximum(np.bincount(patch, sure), 1e-6)
    vote = vote[patch].reshape(moving.shape).astype(np.float32)
    steady = np.where((moving < 0) & (vote > RESTING), 0, moving)
    return (0.5 * (steady + vote)).astype(np.float32)


def partner(
    T_frame_first: Transforms, keypoints: Float[np.ndarray, "n 21 2"], t: int, way: int, apart_px: float
) -> int | None:
    """The nearest earlier (-1) or later (1) frame in which the hand has moved against the background, if any."""
    for gap in GAPS:
        k = t + way * gap
        if not 0 <= k < len(keypoints):
            return None
        T = T_frame_first[k] @ np.linalg.inv(T_frame_first[t])
        still = keypoints[t] @ T[:2, :2].T + T[:2, 2]
        if np.linalg.norm(np.median(keypoints[k] - still, axis=0)) > apart_px:
            return k
    return None


def compare(
    here: UInt8[np.ndarray, "h w 3"],
    there: UInt8[np.ndarray, "h w 3"],
    background: Float[np.ndarray, "2 3"],
    silhouette: Bool[np.ndarray, "h w"],
) -> Float[np.ndarray, "h w"]:
    """The log ratio from one other frame; `background` maps pixels here to there. Zero where both motions agree."""
    h, w = here.shape[:2]
    flow = _flow_engine((h, w)).calc(np.ascontiguousarray(here[..., 0]), np.ascontiguousarray(there[..., 0]), None)
    points = np.argwhere(silhouette)[:: max(1, int(silhouette.sum()) // 400), ::-1]
    if len(points) < 20:
        return np.zeros((h, w), np.float32)
    ends = points + flow[points[:, 1], points[:, 0]]
    hand, _ = cv2.estimateAffinePartial2D(points.astype(np.float32), ends.astype(np.float32), ransacReprojThreshold=1.5)
    if hand is None:
        return np.zeros((h, w), np.float32)
    to_hand, to_background = motion_field(hand, (h, w)), motion_field(background, (h, w))
    apart = length(to_hand - to_background)
    moved = length(flow - to_background)
    own, rests = length(flow - to_hand) < moved, moved < RESTS_PX + RESTS * apart
    left = {name: residual(here, there, f) for name, f in (("hand", to_hand), ("back", to_background), ("flow", flow))}
    left["back"] = np.minimum(left["back"], SHADOW + residual(here, there, to_background, shade_px=SHADE_PX))
    by_hand = np.minimum(left["hand"], np.where(own, left["flow"], np.inf))
    ratio = np.log((left["back"] + NOISE) / (by_hand + NOISE))
    ratio = np.where(rests, ratio, np.maximum(ratio, 0))  # a far end swings, where the hand's own motion says too much
    return (np.clip(ratio, -2, 2) * np.clip(apart / 2 - 0.5, 0, 1)).astype(np.float32)


def motion_field(A: Float[np.ndarray, "2 3"], shape: tuple[int, int]) -> Float[np.ndarray, "h w 2"]:
    """Displacement of every pixel under an affine map."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.stack([A[0, 0] * x + A[0, 1] * y + A[0, 2] - x, A[1, 0] * x + A[1, 1] * y + A[1, 2] - y], -1).astype(
        np.float32
    )


def residual(
    here: UInt8[np.ndarray, "h w 3"],
    there: UInt8[np.ndarray, "h w 3"],
    field: Float[np.ndarray, "h w 2"],
    shade_px: int = 0,
) -> Float[np.ndarray, "h w"]:
    """Summed absolute Lab difference after warping, over 5 x 5 pixels; with `shade_px`, what is left if one of the two lies in
    a soft shadow, whose depth changes over so many pixels."""
    y, x = np.mgrid[: here.shape[0], : here.shape[1]].astype(np.float32)
    warped = cv2.remap(there, x + field[..., 0], y + field[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if shade_px:
        light = [cv2.blur(lab[..., 0].astype(np.float32), (shade_px, shade_px)) + 1 for lab in (here, warped)]
        gain = np.clip(light[0] / light[1], DARKEST, 1 / DARKEST)
        warped = np.dstack([np.clip(warped[..., 0] * gain, 0, 255).astype(np.uint8), warped[..., 1:]])
    return cv2.blur(cv2.transform(cv2.absdiff(here, warped).astype(np.float32), np.ones((1, 3))), (5, 5))


def length(field: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h w"]:
    """Of every vector."""
    return cv2.magnitude(np.ascontiguousarray(field[..., 0]), np.ascontiguousarray(field[..., 1]))

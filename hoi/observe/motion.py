"""What moves with the hand, and what with the background: neighbouring frames warped by either motion and compared.

Where only the hand's motion explains a pixel, it is hand or object; where only the background's does, background. Compared are
colours, in which plain surfaces are explained by both, and the detail of lightness, whose agreement no shadow touches.
"""

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from skimage.segmentation import felzenszwalb, watershed

from hoi.observe.scene import DARKEST, Transforms

GAPS = (1, 2, 3, 4, 6, 8, 12)
ENOUGH = (0.08, 0.35)  # hand sizes that hand and background should move apart: for sharp and for blurred surroundings
PATCH_SCALE, PATCH_BLUR_PX, PATCH_LEAST_PX = 150.0, 0.8, 30  # of patches of one colour
RESTING = -0.2  # a patch's vote for the background, from which on it rests
PATCH_STILL = -0.7  # that of its most decided pixels, from which on it rests for sure
RESTS_PX = 0.75  # flow this near to the background's rests with it,
RESTS = 0.2  # and farther off by this share of the way between background and hand
DETAIL = 3.0  # of the squared agreement of detail, beside the log ratio of differences
DETAIL_PX = 2.5  # standard deviation of the blur that takes detail away
DETAIL_WINDOW_PX = 5  # over which detail is compared
ROUNDING = 0.3  # squared 8-bit steps of detail that are none
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


def voted(
    moving: Float[np.ndarray, "h w"], lab: UInt8[np.ndarray, "h w 3"]
) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """The log ratio, half of it by vote of patches of one colour: their edges speak for their plain insides, and only a patch
    that rests has parts at rest. And the patches that rest for sure, by the word of their most decided pixels."""
    patch, weight = patches(lab).ravel(), np.abs(moving).ravel()
    vote, firm = (_by_patch(patch, moving, w) for w in (weight, weight**2))
    steady = np.where((moving < 0) & (vote > RESTING), 0, moving)
    return (0.5 * (steady + vote)).astype(np.float32), firm < PATCH_STILL


def _by_patch(
    patch: Int[np.ndarray, "hw"], values: Float[np.ndarray, "h w"], weight: Float[np.ndarray, "hw"]
) -> Float[np.ndarray, "h w"]:
    """The weighted mean of every pixel's patch."""
    mean = np.bincount(patch, weight * values.ravel()) / np.maximum(np.bincount(patch, weight), 1e-6)
    return mean[patch].reshape(values.shape).astype(np.float32)


def patches(lab: UInt8[np.ndarray, "h w 3"]) -> Int[np.ndarray, "h w"]:
    """Patches of one colour (Felzenszwalb and Huttenlocher 2004); blurred rims, which would be thin patches of their own, are
    shared out where colour changes most."""
    patch = felzenszwalb(lab, PATCH_SCALE, PATCH_BLUR_PX, PATCH_LEAST_PX, channel_axis=-1).astype(np.int32) + 1
    around = np.ones((3, 3), np.uint8)
    inner = cv2.erode(patch.astype(np.float32), around) == cv2.dilate(patch.astype(np.float32), around)
    slope = sum(np.hypot(*(cv2.Sobel(c, cv2.CV_32F, dx, 1 - dx) for dx in (0, 1))) for c in cv2.split(lab))
    return watershed(slope, np.where(inner, patch, 0))


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
    carried, flowed, behind = (warped(there, field) for field in (to_hand, flow, to_background))
    by_hand = np.minimum(difference(here, carried), np.where(own, difference(here, flowed), np.inf))
    by_background = np.minimum(difference(here, behind), SHADOW + difference(here, relit(behind, here)))
    ratio = np.log((by_background + NOISE) / (by_hand + NOISE))
    ratio = np.where(rests, ratio, np.maximum(ratio, 0))  # a far end swings, where the hand's own motion says too much
    grain = detail(here)
    same_hand, same_flow, same_background = (agreement(grain, detail(image)) for image in (carried, flowed, behind))
    same_hand = np.maximum(same_hand, np.where(own, same_flow, 0))
    ratio = ratio + DETAIL * inner(np.clip(same_hand**2 - same_background**2, -1, 1))
    return (np.clip(ratio, -2, 2) * np.clip(apart / 2 - 0.5, 0, 1)).astype(np.float32)


def detail(lab: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Lightness but for what a blur leaves of it."""
    light = lab[..., 0].astype(np.float32)
    return light - cv2.GaussianBlur(light, (0, 0), DETAIL_PX)


def agreement(a: Float[np.ndarray, "h w"], b: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """How well the `detail` of two images agrees around each pixel, in whatever light: Fisher's z of its correlation, from 0 on.

    The grain of a table shows through a shadow, however faint it is, and none of it through a grey kettle.
    """
    window = (DETAIL_WINDOW_PX, DETAIL_WINDOW_PX)
    mean_a, mean_b = cv2.blur(a, window), cv2.blur(b, window)
    both = cv2.blur(a * b, window) - mean_a * mean_b
    of_a, of_b = cv2.blur(a * a, window) - mean_a**2, cv2.blur(b * b, window) - mean_b**2
    return np.arctanh(np.clip(both / np.sqrt((of_a + ROUNDING) * (of_b + ROUNDING)), 0, 0.95))


def inner(evidence: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Evidence of windows, where all windows around have it: what it says does not reach across edges."""
    around = np.ones((3, 3), np.uint8)
    return cv2.erode(np.maximum(evidence, 0), around) + cv2.dilate(np.minimum(evidence, 0), around)


def motion_field(A: Float[np.ndarray, "2 3"], shape: tuple[int, int]) -> Float[np.ndarray, "h w 2"]:
    """Displacement of every pixel under an affine map."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.stack([A[0, 0] * x + A[0, 1] * y + A[0, 2] - x, A[1, 0] * x + A[1, 1] * y + A[1, 2] - y], -1).astype(
        np.float32
    )


def warped(there: UInt8[np.ndarray, "h w 3"], field: Float[np.ndarray, "h w 2"]) -> UInt8[np.ndarray, "h w 3"]:
    """The image whose pixels lie `field` away in `there`."""
    y, x = np.mgrid[: there.shape[0], : there.shape[1]].astype(np.float32)
    return cv2.remap(there, x + field[..., 0], y + field[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def relit(lab: UInt8[np.ndarray, "h w 3"], like: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Where one of the two may lie in a soft shadow: `lab` in the light of the other."""
    light, wanted = (cv2.blur(image[..., 0].astype(np.float32), (SHADE_PX, SHADE_PX)) + 1 for image in (lab, like))
    gain = np.clip(wanted / light, DARKEST, 1 / DARKEST)
    return np.dstack([np.clip(lab[..., 0] * gain, 0, 255).astype(np.uint8), lab[..., 1:]])


def difference(a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Summed absolute Lab difference, over 5 x 5 pixels."""
    return cv2.blur(cv2.transform(cv2.absdiff(a, b).astype(np.float32), np.ones((1, 3))), (5, 5))


def length(field: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h w"]:
    """Of every vector."""
    return np.hypot(field[..., 0], field[..., 1])

"""The background: how the camera moves against it, and what it looks like where hand and object are not."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

Transforms = Float[np.ndarray, "n 3 3"]
MIN_INLIERS = 10
DARKEST = 0.55  # of the lit lightness: a soft indoor shadow
UNKNOWN_DENSITY = 0.003  # of a pixel that is not the plate's, in a histogram bin
BIN_VOLUME = 8 * 4 * 4  # 8-bit Lab units cubed, see hoi.observe.colours


@dataclass(frozen=True)
class Plate:
    """The background behind one frame: mean Lab, its standard deviation, and where it is known (0 to 1)."""

    lab: Float[np.ndarray, "h w 3"]
    sigma: Float[np.ndarray, "h w"]
    known: Float[np.ndarray, "h w"]


def camera_motion(gray: UInt8[np.ndarray, "n h w"], still: Bool[np.ndarray, "n h w"]) -> Transforms:
    """Similarities from the first frame's pixels to each frame's, chained from corners tracked where `still` is true.

    Where too few corners agree (a plain wall), the camera counts as at rest; so does it when frames far apart agree as
    well unmoved as moved, as chained steps drift.
    """
    chain = [np.eye(3)]
    for t in range(1, len(gray)):
        chain.append(step(gray[t - 1], gray[t], still[t - 1]) @ chain[-1])
    T, rest = np.stack(chain), np.broadcast_to(np.eye(3), (len(gray), 3, 3)).copy()
    pairs = [
        (i, j) for i in range(0, len(gray), max(1, len(gray) // 8)) for j in (i + len(gray) // 4,) if j < len(gray)
    ]
    better = [mismatch(gray, still, i, j, T) < 0.9 * mismatch(gray, still, i, j, rest) for i, j in pairs]
    return T if better and np.mean(better) > 0.5 else rest


def mismatch(
    gray: UInt8[np.ndarray, "n h w"], still: Bool[np.ndarray, "n h w"], i: int, j: int, T: Transforms
) -> float:
    """Mean absolute grey difference of frame i, moved as T says, to frame j, where both are still."""
    A, size = (T[j] @ np.linalg.inv(T[i]))[:2], gray.shape[:0:-1]
    moved = cv2.warpAffine(gray[i], A, size, flags=cv2.INTER_LINEAR)
    both = still[j] & (cv2.warpAffine(still[i].astype(np.uint8), A, size, flags=cv2.INTER_NEAREST) > 0)
    return float(cv2.absdiff(moved, gray[j])[both].mean()) if both.any() else 0.0


def step(
    before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"], still: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "3 3"]:
    """The background's similarity between two frames; identity where it cannot be told."""
    corners = cv2.goodFeaturesToTrack(before, 200, 0.02, 6, mask=still.astype(np.uint8))
    if corners is None or len(corners) < MIN_INLIERS:
        return np.eye(3)
    moved, ok, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, winSize=(15, 15), maxLevel=2)
    ok = ok.ravel() > 0
    if ok.sum() < MIN_INLIERS:
        return np.eye(3)
    A, inliers = cv2.estimateAffinePartial2D(corners[ok], moved[ok], ransacReprojThreshold=0.7, maxIters=500)
    if A is None or inliers.sum() < max(MIN_INLIERS, 0.4 * ok.sum()):
        return np.eye(3)
    return np.vstack([A, [0, 0, 1]])


def is_static(T: Transforms) -> bool:
    """Did the camera stay at rest?"""
    return bool(np.abs(T - np.eye(3)).max() < 1e-9)


def plate(
    lab: UInt8[np.ndarray, "k h w 3"],
    clear: Bool[np.ndarray, "k h w"],
    to_frame: Transforms,
    noise: float,
) -> Plate:
    """The background as seen from one frame: the robust mean of other frames' pixels that are clear of hand and object.

    to_frame maps each of the k frames' pixels to this one's. Two rounds: mean, then mean of what lies near it.
    """
    k, h, w, _ = lab.shape
    samples, valid = np.empty((3, k, h, w), np.float32), np.empty((k, h, w), np.float32)
    for i in range(k):
        A = to_frame[i, :2]
        moved = cv2.warpAffine(lab[i], A, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        samples[:, i] = cv2.split(moved)
        valid[i] = cv2.warpAffine(clear[i].astype(np.uint8), A, (w, h), flags=cv2.INTER_NEAREST)
    weight = valid
    for _ in range(2):
        total = np.maximum(weight.sum(0), 1e-6)
        means = [(weight * c).sum(0) / total for c in samples]
        differences = [c - m for c, m in zip(samples, means, strict=True)]
        square = sum(d * d for d in differences)
        spread = np.sqrt((weight * square).sum(0) / total / 3)
        weight = valid / (1 + square / (3 * (noise + 0.5 * spread) ** 2))
    mean = np.dstack(means)
    slope = np.hypot(*(cv2.Sobel(means[0], cv2.CV_32F, dx, 1 - dx, scale=0.125) for dx in (0, 1)))
    blurred_edges = 0.5 * cv2.blur(slope, (3, 3))  # half a pixel of misregistration
    sigma = np.sqrt(noise**2 + np.minimum(spread, 4 * noise) ** 2 + blurred_edges**2)
    return Plate(mean, sigma, np.clip(valid.sum(0) / 2, 0, 1))


def plate_log_density(lab: UInt8[np.ndarray, "h w 3"], behind: Plate, shadow_share: float) -> Float[np.ndarray, "h w"]:
    """Log density of pixels under the plate, a histogram bin's volume as unit.

    A mixture of the plate itself (Student's t, 3 degrees of freedom, in Lab) and the plate in shadow: lightness
    anywhere between DARKEST and 1 times the plate's, chroma as the plate's but for noise (t in a and b, twice as wide).
    """
    difference = lab.astype(np.float32) - behind.lab
    chroma = difference[..., 1] ** 2 + difference[..., 2] ** 2
    square = (difference[..., 0] ** 2 + chroma) / behind.sigma**2
    lit = 0.078 * behind.sigma**-3 * (1 + square / 3) ** -3
    square = chroma / (4 * behind.sigma**2)
    depth = np.maximum((1 - DARKEST) * behind.lab[..., 0], 1.0)
    inside = (difference[..., 0] < 0) & (-difference[..., 0] < depth)
    shaded = inside / depth * 0.159 / (4 * behind.sigma**2) * (1 + square / 3) ** -2.5
    return np.log(BIN_VOLUME * ((1 - shadow_share) * lit + shadow_share * shaded) + 1e-12)


def explained(at_plate: Float[np.ndarray, "h w"], behind: Plate) -> Float[np.ndarray, "h w"]:
    """How surely a pixel of this `plate_log_density` is what the plate shows, lit or in shadow: 0 to 1."""
    match = np.exp(at_plate)
    return behind.known * match / (match + UNKNOWN_DENSITY)

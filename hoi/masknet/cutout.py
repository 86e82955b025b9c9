"""What the network sees of a frame: a square about the hand, upright, of so many hand sizes."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoi.observe.handzone import PALM, zone

TIPS = (4, 8, 12, 16, 20)
CHANNELS = 7  # Lab, motion, distance from the hand, forearm, fingertips
TIP_SIGMA = 0.12  # hand sizes
FAR = 2.0  # hand sizes from the hand, from which on distance is all one

Affine = Float[np.ndarray, "2 3"]


@dataclass(frozen=True)
class Cutout:
    """A frame's square: colours, what moves with the hand (log ratio), where the frame is, keypoints, a hand's size; pixels."""

    lab: UInt8[np.ndarray, "r r 3"]
    moving: Float[np.ndarray, "r r"]
    inside: Bool[np.ndarray, "r r"]
    keypoints: Float[np.ndarray, "21 2"]
    size: float

    def features(self) -> Float[np.ndarray, "r r 7"]:
        """What the network is told, each about between -1 and 1, and 0 beyond the frame."""
        side = self.lab.shape[0]
        z = zone(self.keypoints, self.size, (side, side))
        y, x = np.mgrid[:side, :side].astype(np.float32) + 0.5
        u, v = self.keypoints[list(TIPS)].T[..., None, None].astype(np.float32)
        tips = np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * (TIP_SIGMA * self.size) ** 2)).max(0)
        colours = (self.lab.astype(np.float32) - 128) / (128, 48, 48)
        parts = [colours, self.moving, 1 - np.minimum(z.distance, FAR) / FAR, z.forearm, tips]
        return np.dstack(parts).astype(np.float32) * self.inside[..., None]


def square(keypoints: Float[np.ndarray, "21 2"], size: float, resolution: int, reach: float) -> Affine:
    """Pixels of a frame to those of the square about the palm (pixel centres at halves)."""
    scale = resolution / (2 * reach * size)
    middle = keypoints[list(PALM)].mean(0)
    return np.array(
        [[scale, 0, 0.5 * resolution - scale * middle[0]], [0, scale, 0.5 * resolution - scale * middle[1]]]
    )


def cut(
    lab: UInt8[np.ndarray, "h w 3"], moving: Float[np.ndarray, "h w"], keypoints: Float[np.ndarray, "21 2"], A: Affine,
    size: float, resolution: int,
) -> Cutout:  # fmt: skip
    """The square of a frame at working resolution; `size`: of the hand, pixels of the frame."""
    inside = placed(np.ones(lab.shape[:2], np.uint8), A, resolution, 0) > 0
    moved = keypoints @ A[:, :2].T + A[:, 2]
    scale = scale_of(A)
    return Cutout(shrunk(lab, A, resolution), shrunk(moving, A, resolution), inside, moved, scale * size)


def shrunk(image: np.ndarray, A: Affine, resolution: int) -> np.ndarray:
    """An image through an affine map, averaged where that makes it smaller; its edge beyond."""
    scale = scale_of(A)
    if scale < 1:
        h, w = image.shape[:2]
        size = max(1, round(scale * w)), max(1, round(scale * h))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        A = A @ np.diag([w / size[0], h / size[1], 1.0])
    side = (resolution, resolution)
    return cv2.warpAffine(image, centred(A), side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def placed(labels: np.ndarray, A: Affine, resolution: int, beyond: int) -> np.ndarray:
    """Labels through an affine map of pixels whose centres lie at halves, each pixel the nearest's."""
    side = (resolution, resolution)
    return cv2.warpAffine(labels, centred(A), side, flags=cv2.INTER_NEAREST, borderValue=beyond)


def scale_of(A: Affine) -> float:
    """How many times larger a similarity makes things."""
    return float(np.sqrt(abs(np.linalg.det(A[:, :2]))))


def centred(A: Affine) -> Affine:
    """The map for pixels whose centres lie at integers, as cv2 has them."""
    return np.column_stack([A[:, :2], A[:, 2] + A[:, :2] @ (0.5, 0.5) - 0.5])

"""Rotated square regions of an image: where the landmark network looks. Pixel centres are at half-integers."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoi.observe.palm import MIDDLE_KNUCKLE, WRIST, Palm

PALM_SCALE, PALM_SHIFT = 2.6, -0.5  # box of the palm to region of the hand, as the landmark network was trained
HAND_SCALE, HAND_SHIFT = 2.0, -0.1  # box of the stable landmarks to region of the hand in the next frame
STABLE = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)  # wrist, thumb without tip, knuckles and first finger joints


@dataclass(frozen=True)
class Region:
    """A square: centre (x, y) and side in pixels; angle in radians by which it is turned, clockwise on screen."""

    x: float
    y: float
    side: float
    angle: float

    def axes(self) -> Float[np.ndarray, "2 2"]:
        """Columns: the region's right and down in the image."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([[c, -s], [s, c]])

    def to_image(self, unit: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Positions in the region, (0, 0) its upper left to (1, 1), to pixels of the image."""
        return (unit - 0.5) * self.side @ self.axes().T + (self.x, self.y)

    def from_image(self, xy_px: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Pixels of the image to positions in the region."""
        return (xy_px - (self.x, self.y)) @ self.axes() / self.side + 0.5

    def crop(self, image: UInt8[np.ndarray, "h w 3"], side_px: int) -> UInt8[np.ndarray, "s s 3"]:
        """The region upright, resampled to side_px; black outside the image."""
        A = np.empty((2, 3))
        A[:, :2] = self.axes() * self.side / side_px
        A[:, 2] = self.to_image(np.full(2, 0.5 / side_px)) - 0.5  # cv2 puts pixel centres at integers
        if self.side > 2 * side_px:  # bilinear sampling of a large region would alias
            image = cv2.GaussianBlur(image, (0, 0), 0.3 * self.side / side_px)
        return cv2.warpAffine(image, A, (side_px, side_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def upright_angle(start_px: Float[np.ndarray, "2"], end_px: Float[np.ndarray, "2"]) -> float:
    """The turn after which start -> end points up on screen."""
    dx, dy = end_px - start_px
    angle = np.pi / 2 - np.arctan2(-dy, dx)
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def region_of_palm(palm: Palm) -> Region:
    """The hand's region: the palm's box turned upright, moved towards the fingers and enlarged."""
    angle = upright_angle(palm.keypoints_px[WRIST], palm.keypoints_px[MIDDLE_KNUCKLE])
    size = palm.box_px[2:] - palm.box_px[:2]
    centre = (palm.box_px[:2] + palm.box_px[2:]) / 2 + PALM_SHIFT * size[1] * np.array([-np.sin(angle), np.cos(angle)])
    return Region(float(centre[0]), float(centre[1]), float(size.max() * PALM_SCALE), angle)


def region_of_landmarks(keypoints_px: Float[np.ndarray, "21 2"]) -> Region:
    """The hand's region from landmarks: where to look in a neighbouring frame."""
    fingers = 0.25 * keypoints_px[6] + 0.5 * keypoints_px[10] + 0.25 * keypoints_px[14]
    angle = upright_angle(keypoints_px[0], fingers)
    frame = Region(0.0, 0.0, 1.0, angle)
    stable = keypoints_px[list(STABLE)] @ frame.axes()
    low, high = stable.min(0), stable.max(0)
    centre = (low + high) / 2 + (0, HAND_SHIFT * (high[1] - low[1]))
    x, y = centre @ frame.axes().T
    return Region(float(x), float(y), float((high - low).max() * HAND_SCALE), angle)

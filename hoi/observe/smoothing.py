"""Edge-aware smoothing and clean-up of label maps."""

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

Map = Float[np.ndarray, "h w"]
Image = Float[np.ndarray, "h w 3"]


class Guide:
    """Guided filter with a colour guide (He, Sun, Tang 2013, eq. 14-16): `filter` many maps with one guide.

    radius in pixels; eps relative to a guide in [0, 1]. `spread` applies coefficients found at low resolution to a
    guide at full resolution (He, Sun 2015).
    """

    def __init__(self, guide: Image, radius: int, eps: float) -> None:
        self.guide, self.size = (
            [np.ascontiguousarray(guide[..., i]) for i in range(3)],
            (2 * radius + 1, 2 * radius + 1),
        )
        x, y, z = self.guide
        mx, my, mz = self.mean = [self._box(c) for c in self.guide]
        xx, xy, xz = self._box(x * x) - mx * mx + eps, self._box(x * y) - mx * my, self._box(x * z) - mx * mz
        yy, yz, zz = self._box(y * y) - my * my + eps, self._box(y * z) - my * mz, self._box(z * z) - mz * mz + eps
        ixx, ixy, ixz = yy * zz - yz * yz, yz * xz - xy * zz, xy * yz - yy * xz
        iyy, iyz, izz = xx * zz - xz * xz, xz * xy - xx * yz, xx * yy - xy * xy
        scale = 1 / (xx * ixx + xy * ixy + xz * ixz)
        ixx, ixy, ixz, iyy, iyz, izz = (m * scale for m in (ixx, ixy, ixz, iyy, iyz, izz))
        self.inverse = ((ixx, ixy, ixz), (ixy, iyy, iyz), (ixz, iyz, izz))

    def _box(self, a: Map) -> Map:
        """Mean over the window."""
        return cv2.blur(a, self.size, borderType=cv2.BORDER_REFLECT)

    def coefficients(self, p: Map) -> tuple[list[Map], Map]:
        """The local linear model p ~ sum of a_i guide_i + b, averaged over windows."""
        mean_p = self._box(p)
        cx, cy, cz = (self._box(g * p) - m * mean_p for g, m in zip(self.guide, self.mean, strict=True))
        a = [row[0] * cx + row[1] * cy + row[2] * cz for row in self.inverse]
        b = mean_p - (a[0] * self.mean[0] + a[1] * self.mean[1] + a[2] * self.mean[2])
        return [self._box(each) for each in a], self._box(b)

    def filter(self, p: Map) -> Map:
        """p smoothed, but not across the guide's edges."""
        (ax, ay, az), b = self.coefficients(p)
        return ax * self.guide[0] + ay * self.guide[1] + az * self.guide[2] + b

    def spread(self, p: Map, full_guide: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W"]:
        """p smoothed and at the resolution of `full_guide`, with its edges."""
        h, w = full_guide.shape[:2]
        a, b = self.coefficients(p)
        ax, ay, az, b = (cv2.resize(c, (w, h), interpolation=cv2.INTER_LINEAR) for c in (*a, b))
        return ax * full_guide[..., 0] + ay * full_guide[..., 1] + az * full_guide[..., 2] + b


def touching(mask: Bool[np.ndarray, "h w"], core: Bool[np.ndarray, "h w"], min_px: float) -> Bool[np.ndarray, "h w"]:
    """The components of `mask` that touch `core`, those of at least min_px pixels."""
    labels, sizes, totals = _components(mask, core)
    return _kept(labels, (sizes >= min_px) & (totals > 0))


def likely(mask: Bool[np.ndarray, "h w"], share: Float[np.ndarray, "h w"], least: float) -> Bool[np.ndarray, "h w"]:
    """The components of `mask` in which the mean of `share` is above `least`."""
    labels, sizes, totals = _components(mask, share)
    return _kept(labels, totals > least * sizes)


def _components(mask: Bool[np.ndarray, "h w"], values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pixel's component, corners joined (0: none); of each, how many pixels it has and the sum of their values."""
    labels, n = ndimage.label(mask, np.ones((3, 3)))
    sizes, totals = (np.bincount(labels.ravel(), w, n + 1) for w in (None, values.ravel()))
    return labels, sizes, totals


def _kept(labels: np.ndarray, keep: Bool[np.ndarray, "n"]) -> Bool[np.ndarray, "h w"]:
    keep[0] = False
    return keep[labels]


def fill_holes(mask: Bool[np.ndarray, "h w"], max_px: float) -> Bool[np.ndarray, "h w"]:
    """Holes of at most max_px pixels closed; larger ones (a handle's opening) stay."""
    labels, n = ndimage.label(~mask)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    small = sizes <= max_px
    small[0] = False
    return mask | small[labels]

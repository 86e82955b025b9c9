"""What lies between a pixel and the background: colour change, and the sharpest edge, on the best way from seeds to it.

The minimum barrier distance is small on a background that the seeds reach, even under slow shading, and large across an
object's edge (Zhang et al., ICCV 2015, the raster-scan approximation). The sharpest edge to be crossed tells a shadow,
whose rim is soft, from an object.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoi.field.compiled import compiled


def barrier_distance(
    image: UInt8[np.ndarray, "h w c"], seeds: Bool[np.ndarray, "h w"], sweeps: int = 4
) -> Float[np.ndarray, "h w"]:
    """Sum over channels of (max - min) along the best path from a seed, in the image's units; 0 at seeds."""
    total = np.zeros(seeds.shape, np.float32)
    for channel in range(image.shape[2]):
        values = np.ascontiguousarray(image[..., channel]).astype(np.float32)
        total += _scan(values, values, seeds, sweeps)
    return np.minimum(total, 1e4)


def sharpest_edge(
    image: UInt8[np.ndarray, "h w c"], seeds: Bool[np.ndarray, "h w"], sweeps: int = 4
) -> Float[np.ndarray, "h w"]:
    """The least, over paths from a seed, of the largest gradient met (image units a pixel, summed over channels)."""
    slope = np.zeros(seeds.shape, np.float32)
    for channel in cv2.split(image):
        slope += np.hypot(*(cv2.Sobel(channel, cv2.CV_32F, dx, 1 - dx, scale=0.125) for dx in (0, 1)))
    return np.minimum(_scan(slope, np.zeros_like(slope), seeds, sweeps), 1e4)


@compiled()
def _scan(values: np.ndarray, floor: np.ndarray, seeds: np.ndarray, sweeps: int) -> np.ndarray:
    """Least (max of values - min of floor) along a path from a seed, by sweeps to and fro."""
    h, w = values.shape
    cost = np.where(seeds, np.float32(0), np.float32(1e9))
    high, low = values.copy(), floor.copy()
    for sweep in range(sweeps):
        forward = sweep % 2 == 0
        d = -1 if forward else 1
        for r in range(h):
            i = r if forward else h - 1 - r
            for s in range(w):
                j = s if forward else w - 1 - s
                for k in range(2):
                    a, b = (i + d, j) if k == 0 else (i, j + d)
                    if a < 0 or a >= h or b < 0 or b >= w or cost[a, b] >= 1e9:
                        continue
                    top, bottom = max(high[a, b], values[i, j]), min(low[a, b], floor[i, j])
                    if top - bottom < cost[i, j]:
                        cost[i, j] = top - bottom
                        high[i, j], low[i, j] = top, bottom
    return cost

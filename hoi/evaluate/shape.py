"""Distances between two shapes given as surface samples in metres. numpy + scipy."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree


def nearest_distances(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, " n"]:
    """Distance from each point of a to the nearest point of b, in the unit of the points, not squared."""
    return cKDTree(b).query(a)[0]


def chamfer_cm2(pred_m: Float[np.ndarray, "n 3"], true_m: Float[np.ndarray, "m 3"]) -> float:
    """Chamfer distance of protocols `diffhoi` and `hold`: the sum (not half) of the two mean squared distances.

    Unit cm², squared. Points in metres, already aligned; area-uniform samples, 10,000 a side in `diffhoi`.
    """
    forth, back = nearest_distances(pred_m, true_m), nearest_distances(true_m, pred_m)
    return float(((forth**2).mean() + (back**2).mean()) * 1e4)


def f_score(pred_m: Float[np.ndarray, "n 3"], true_m: Float[np.ndarray, "m 3"], threshold_m: float) -> float:
    """F-score at a distance (Tatarchenko et al., CVPR 2019; `diffhoi` uses 5 and 10 mm), in 0 to 1.

    Harmonic mean of precision (predicted points nearer than the threshold to the truth) and recall (true points nearer
    than it to the prediction). Points in metres, already aligned.
    """
    precision = float((nearest_distances(pred_m, true_m) < threshold_m).mean())
    recall = float((nearest_distances(true_m, pred_m) < threshold_m).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

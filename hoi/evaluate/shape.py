"""Distances between two shapes given as points in metres. numpy + scipy."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree


def nearest_distances(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, " n"]:
    """Distance from each point of a to the nearest point of b, in the unit of the points, not squared."""
    return cKDTree(b).query(a)[0]


class BothWays(NamedTuple):
    """Nearest distances from prediction to truth and back, in metres, not squared; already aligned."""

    forth: Float[np.ndarray, " n"]
    back: Float[np.ndarray, " m"]

    def chamfer_cm2(self) -> float:
        """Sum (not half) of the two mean squared distances, cm²: Chamfer distance of protocols `diffhoi` and `hold`."""
        return float(((self.forth**2).mean() + (self.back**2).mean()) * 1e4)

    def chamfer_cm(self) -> float:
        """Half the sum of the two mean distances, not squared, cm: Chamfer distance of protocol `forehoi`."""
        return float((self.forth.mean() + self.back.mean()) / 2 * 100)

    def f_score(self, threshold_m: float) -> float:
        """F-score at a distance (Tatarchenko et al., CVPR 2019), in 0 to 1; nearer than the threshold, not at it.

        Harmonic mean of precision (share of predicted points near the truth) and recall (of true points near the
        prediction).
        """
        precision, recall = float((self.forth < threshold_m).mean()), float((self.back < threshold_m).mean())
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def both_ways(pred_m: Float[np.ndarray, "n 3"], true_m: Float[np.ndarray, "m 3"]) -> BothWays:
    """Nearest distances both ways between points in metres, already aligned."""
    return BothWays(nearest_distances(pred_m, true_m), nearest_distances(true_m, pred_m))


def chamfer_cm2(pred_m: Float[np.ndarray, "n 3"], true_m: Float[np.ndarray, "m 3"]) -> float:
    """Chamfer distance of `diffhoi` and `hold` between points in metres, already aligned: see BothWays.chamfer_cm2."""
    return both_ways(pred_m, true_m).chamfer_cm2()


def f_score(pred_m: Float[np.ndarray, "n 3"], true_m: Float[np.ndarray, "m 3"], threshold_m: float) -> float:
    """F-score between points in metres, already aligned: see BothWays.f_score. `diffhoi` uses 5 and 10 mm."""
    return both_ways(pred_m, true_m).f_score(threshold_m)

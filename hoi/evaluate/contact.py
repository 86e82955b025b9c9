"""How hand and object meet, from signed distances of the hand's vertices to the object. numpy.

Signed distances are in metres, negative inside the object, one row a frame: `hoi.geometry.raycast.distances_within`
gives them (they need a watertight object). Penetration alone is gamed by a hand that keeps away, contact alone by one
that goes through: read them together.
"""

import numpy as np
from jaxtyping import Float

Signed = Float[np.ndarray, "N V"]


def penetration_mm(signed_m: Signed) -> float:
    """Depth of the hand's deepest vertex inside the object, mm; mean over frames, 0 in frames without any inside.

    The maximum penetration depth of grasp papers (Hasson et al., CVPR 2019), vertices of the hand against the object.
    """
    return float(1000 * np.maximum(-signed_m, 0).max(1).mean())


def contact_ratio(signed_m: Signed, threshold_m: float) -> float:
    """Share of frames in which some vertex of the hand is nearer to the object than the threshold, or inside it, 0 to 1."""
    return float((signed_m.min(1) < threshold_m).mean())


def contact_agreement(
    pred_m: Signed, true_m: Signed, threshold_m: float
) -> tuple[float | None, float | None, float | None]:
    """Precision, recall and F1 of contact, 0 to 1, over all vertices and frames together.

    A vertex touches if it is nearer to its own object than the threshold, or inside it. Vertices correspond: both
    hands are of one model. A prediction without contact where there is some has precision 0; recall is None where the
    truth has none, all are None where neither has.
    """
    pred, true = pred_m < threshold_m, true_m < threshold_m
    both, said, was = np.count_nonzero(pred & true), np.count_nonzero(pred), np.count_nonzero(true)
    if said + was == 0:
        return None, None, None
    return float(both / max(said, 1)), float(both / was) if was else None, float(2 * both / (said + was))

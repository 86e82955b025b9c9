"""The objective's terms, one function each. `trust` weights rays by their frames' confidence.

Numbers of equations and weights refer to DiffHOI (Ye et al., ICCV 2023), section 3; deviations are marked.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def _mean(value: Tensor, weight: Tensor) -> Tensor:
    return (value * weight).sum() / weight.sum().clamp_min(1.0)


def label_object(
    weights: Float[Tensor, "rays samples"],
    depth: Float[Tensor, "rays samples"],
    hand_depth: Float[Tensor, "rays"],
    is_object: Bool[Tensor, "rays"],
    is_hand: Bool[Tensor, "rays"],
    trust: Float[Tensor, "rays"],
    softness_m: float,
) -> Float[Tensor, ""]:
    """L1 of the object's share in the label image.

    # ASSUME: the hand's opacity is that observed (1 where the mask says hand), not that rendered: a hand that
    # misses its
    # mask by a few pixels then neither carves the object nor shields it. Behind a hand pixel the object is free.
    """
    behind = torch.sigmoid((depth - hand_depth[:, None]) / softness_m) * is_hand[:, None]
    visible = (weights * (1 - behind)).sum(-1)
    known = trust * ~(is_hand & (hand_depth > 100))  # a hand pixel off the rendered hand says nothing of the object
    return _mean((visible - is_object.float()).abs(), known)


def label_hand(
    label: Float[Tensor, "rays 3"],
    is_hand: Bool[Tensor, "rays"],
    is_forearm: Bool[Tensor, "rays"],
    trust: Float[Tensor, "rays"],
) -> Float[Tensor, ""]:
    """L1 of the hand's share in the blended label image; the forearm is no evidence."""
    return _mean((label[:, 1] - is_hand.float()).abs(), trust * ~is_forearm)


def hand_mask(
    alpha: Float[Tensor, "rays"],
    is_object: Bool[Tensor, "rays"],
    is_hand: Bool[Tensor, "rays"],
    is_forearm: Bool[Tensor, "rays"],
    trust: Float[Tensor, "rays"],
) -> Float[Tensor, ""]:
    """L1 of the amodal hand mask where the object does not hide it."""
    return _mean((alpha - is_hand.float()).abs(), trust * ~is_object * ~is_forearm)


def hand_contour(
    observed_px: Float[Tensor, "f p 2"],
    nearest_px: Float[Tensor, "f p 2"],
    weight: Float[Tensor, "f p"],
    hand_px: Float[Tensor, "f"],
) -> Float[Tensor, ""]:
    """Squared distance from observed contour points to the nearest projected vertices, in lengths of the hand;
    robust beyond 10 %."""
    gap_sq = ((observed_px - nearest_px) ** 2).sum(-1) / hand_px[:, None] ** 2
    return _mean(0.01 * gap_sq / (0.01 + gap_sq), weight)


def temporal(keypoints_obj: Float[Tensor, "n 21 3"]) -> Float[Tensor, ""]:
    """Squared change of the hand's joints between neighbouring frames, in the object's frame, m²."""
    return keypoints_obj.diff(dim=0).square().sum(-1).mean()


def camera_smooth(keypoints_cam: Float[Tensor, "n 21 3"]) -> Float[Tensor, ""]:
    """Squared second difference of the hand's joints in the camera, m².

    # ASSUME: acceleration, where the paper takes velocity: a clip's motion is smooth, not small.
    """
    if len(keypoints_cam) < 3:
        return keypoints_cam.sum() * 0
    return keypoints_cam.diff(n=2, dim=0).square().sum(-1).mean()


def residual(values: Float[Tensor, "n d"], unit: float) -> Float[Tensor, ""]:
    """Mean squared residual, in units."""
    return (values / unit).square().mean()


def eikonal(gradient: Float[Tensor, "p 3"]) -> Float[Tensor, ""]:
    """Squared deviation of the gradient's length from 1 (Gropp et al. 2020, eq. 4)."""
    return ((gradient.square().sum(-1) + 1e-12).sqrt() - 1).square().mean()


def curvature(laplacian: Float[Tensor, "p"], near: Float[Tensor, "p"]) -> Float[Tensor, ""]:
    """Bending of the surface: the SDF's Laplacian (twice the mean curvature, 1/m), squared below 100/m, linear above.

    # ASSUME: squared, where Neuralangelo (Li et al. 2023, eq. 8) takes it linear: what no view holds then closes round.
    """
    return (
        _mean(
            torch.nn.functional.huber_loss(laplacian, torch.zeros_like(laplacian), reduction="none", delta=100.0), near
        )
        / 100
    )


def unseen(sdf: Float[Tensor, "p"], scale_m: float) -> Float[Tensor, ""]:
    """Share of the points that the object fills: a gentle pressure that only evidence resists."""
    return torch.sigmoid(-sdf / scale_m).mean()


def guess(sdf: Float[Tensor, "p"], body: Float[Tensor, "p"], reach_m: float) -> Float[Tensor, ""]:
    """Mean distance from a body's distances, metres; farther than `reach_m` from a surface only the sign counts."""
    return (sdf.clamp(-reach_m, reach_m) - body.clamp(-reach_m, reach_m)).abs().mean()


def penetration(sdf: Float[Tensor, "f p"]) -> Float[Tensor, ""]:
    """Depth of points inside the hand within the object, metres."""
    return torch.relu(-sdf).mean()


def contact(sdf: Float[Tensor, "f fingers p"], reach_m: float) -> Float[Tensor, ""]:
    """Gap between each finger's last segment and the object, metres; fingers farther than `reach_m` do not hold it."""
    return torch.relu(sdf.amin(-1)).clamp_max(reach_m).mean()

"""Closed-form start of the hand fit: palm by Procrustes, fingers from bone directions, translation by linear PnP."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoi.hand.model import HandModel

PALM = (0, 1, 5, 9, 13, 17)  # keypoints that articulation does not move
FINGER_KEYPOINTS = ((5, 6, 7, 8), (9, 10, 11, 12), (17, 18, 19, 20), (13, 14, 15, 16), (1, 2, 3, 4))  # in MANO's order


def procrustes_rotation(X: Float[Tensor, "k 3"], Y: Float[Tensor, "N k 3"]) -> Float[Tensor, "N 3 3"]:
    """Rotations R that bring centred X onto centred Y best (Kabsch 1976): Y ~ s R X."""
    x, y = X - X.mean(0), Y - Y.mean(1, keepdim=True)
    U, _, Vt = torch.linalg.svd(y.transpose(-1, -2) @ x)
    sign = torch.ones_like(U[..., 0])
    sign[..., 2] = torch.linalg.det(U @ Vt)
    return U @ (sign[..., None] * Vt)


def angles_of_bones(hand: HandModel, keypoints_hand: Float[Tensor, "N 21 3"]) -> Float[Tensor, "N 15 3"]:
    """Flexion and abduction that turn the straight fingers' bones along the observed ones; no twist, within the limits.

    Down each chain: in the joint's axes Rx(a) Ry(b) e_z = (sin b, -sin a cos b, cos a cos b) is the bone's direction.
    """
    ahead = 1.0 if hand.side == "right" else -1.0  # a mirrored axis of twist points back along the bone
    angles = torch.zeros(len(keypoints_hand), 15, 3, dtype=keypoints_hand.dtype)
    for f, chain in enumerate(FINGER_KEYPOINTS):
        G = torch.eye(3, dtype=keypoints_hand.dtype).expand(len(angles), 3, 3)
        for k in range(3):
            j = 3 * f + k
            bone = keypoints_hand[:, chain[k + 1]] - keypoints_hand[:, chain[k]]
            bone = bone / bone.norm(dim=-1, keepdim=True).clamp_min(1e-6)
            v = ahead * (hand.joint_axes[j] @ G.transpose(-1, -2) @ bone[..., None]).squeeze(-1)
            flexion = torch.atan2(-v[:, 1], v[:, 2])
            both = torch.stack([flexion, torch.asin(v[:, 0].clamp(-1, 1)), torch.zeros_like(flexion)], -1)
            angles[:, j] = both.clamp(hand.angle_lower[j], hand.angle_upper[j])
            G = G @ hand.rotations(angles)[:, j]
    return angles


def linear_translation(
    K: Float[Tensor, "3 3"], px: Float[Tensor, "N k 2"], X: Float[Tensor, "N k 3"]
) -> Float[Tensor, "N 3"]:
    """Translations t for which X + t projects to px, by linear least squares of u (X + t)_z = (X + t)_x."""
    uv = (px - K[:2, 2]) / torch.stack([K[0, 0], K[1, 1]])
    eye = torch.eye(2, dtype=X.dtype).expand(*uv.shape[:2], 2, 2)
    A = torch.cat([eye, -uv[..., None]], -1).flatten(1, 2)
    b = (uv * X[..., 2:] - X[..., :2]).flatten(1, 2)
    return torch.linalg.lstsq(A, b[..., None]).solution.squeeze(-1)


def bridge(values: Float[Tensor, "N *d"], seen: Bool[Tensor, "N"]) -> Float[Tensor, "N *d"]:
    """Rows not seen, interpolated between their seen neighbours; held at the ends."""
    index = torch.arange(len(seen))
    rows = index[seen]
    after = torch.searchsorted(rows, index).clamp(max=len(rows) - 1)
    before = (after - (rows[after] > index).long()).clamp_min(0)
    gap = (rows[after] - rows[before]).clamp_min(1)
    w = ((index - rows[before]) / gap).clamp(0, 1).reshape(-1, *[1] * (values.ndim - 1)).to(values.dtype)
    return (1 - w) * values[rows[before]] + w * values[rows[after]]


def bridge_rotations(R: Float[Tensor, "N 3 3"], seen: Bool[Tensor, "N"]) -> Float[Tensor, "N 3 3"]:
    """As `bridge`, along the shortest turn between the neighbours."""
    U, _, Vt = torch.linalg.svd(bridge(R, seen))
    sign = torch.ones_like(U[..., 0])
    sign[..., 2] = torch.linalg.det(U @ Vt)
    return U @ (sign[..., None] * Vt)


def initialise(
    hand: HandModel,
    px: Float[Tensor, "N 21 2"],
    rel: Float[Tensor, "N 21 3"],
    confidence: Float[Tensor, "N"],
    K: Float[Tensor, "3 3"],
    offsets_m: Float[Tensor, "21 3"],
) -> tuple[Float[Tensor, "N 3 3"], Float[Tensor, "N 3"], Float[Tensor, "N 15 3"]]:
    """Rotation (hand to camera), translation (metres) and anatomical angles of the mean hand in every frame."""
    with torch.no_grad():
        seen = confidence > 0
        rest = hand.keypoints_of(
            hand.rotations(torch.zeros(1, 15, 3, dtype=px.dtype)), torch.zeros(1, 10, dtype=px.dtype)
        )[0]
        R = procrustes_rotation((rest + offsets_m)[list(PALM)], rel[:, PALM])
        angles = bridge(angles_of_bones(hand, rel @ R), seen)
        R = bridge_rotations(R, seen)
        X = hand.keypoints_of(hand.rotations(angles), torch.zeros(len(px), 10, dtype=px.dtype)) + offsets_m
        X = X @ R.transpose(-1, -2)
        t = linear_translation(K, px, X)
        return R, bridge(t, seen), angles

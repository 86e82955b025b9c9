"""Rotations and rigid transforms, in torch, differentiable everywhere (also at zero rotation)."""

import torch
from jaxtyping import Float
from torch import Tensor


def skew(v: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """The matrix [v]x with [v]x w = v x w."""
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).unflatten(-1, (3, 3))


def axis_angle_to_matrix(omega: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Rotation matrices of axis-angle vectors in radians (Rodrigues' formula).

    Below 1e-4 rad the coefficients are their Taylor series, so value and gradient are finite and right at zero.
    """
    angle_sq = (omega * omega).sum(-1)[..., None, None]
    small = angle_sq < 1e-8
    safe_sq = torch.where(small, torch.ones_like(angle_sq), angle_sq)
    angle = safe_sq.sqrt()
    a = torch.where(small, 1 - angle_sq / 6, angle.sin() / angle)
    b = torch.where(small, 0.5 - angle_sq / 24, (1 - angle.cos()) / safe_sq)
    k = skew(omega)
    return torch.eye(3, dtype=omega.dtype, device=omega.device) + a * k + b * (k @ k)


def matrix_to_quaternion(R: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 4"]:
    """Unit quaternions (w, x, y, z), w >= 0, by the largest of the four candidates (Shepperd 1978)."""
    m = R.flatten(-2).unbind(-1)
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = m
    candidates = torch.stack(
        [
            torch.stack([1 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01], -1),
            torch.stack([m21 - m12, 1 + m00 - m11 - m22, m01 + m10, m02 + m20], -1),
            torch.stack([m02 - m20, m01 + m10, 1 - m00 + m11 - m22, m12 + m21], -1),
            torch.stack([m10 - m01, m02 + m20, m12 + m21, 1 - m00 - m11 + m22], -1),
        ],
        -2,
    )
    best = candidates.diagonal(dim1=-2, dim2=-1).argmax(-1)
    q = torch.take_along_dim(candidates, best[..., None, None].expand(*best.shape, 1, 4), -2).squeeze(-2)
    q = q / q.norm(dim=-1, keepdim=True)
    return torch.where(q[..., :1] < 0, -q, q)


def quaternion_to_matrix(q: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 3 3"]:
    """Rotation matrices of unit quaternions (w, x, y, z): I + 2 w [v]x + 2 [v]x²."""
    k = skew(q[..., 1:])
    return torch.eye(3, dtype=q.dtype, device=q.device) + 2 * q[..., :1, None] * k + 2 * (k @ k)


def matrix_to_axis_angle(R: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
    """Axis-angle vectors in radians, angle in [0, pi]."""
    q = matrix_to_quaternion(R)
    norm = q[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(norm, q[..., :1])
    return q[..., 1:] * torch.where(norm < 1e-7, torch.full_like(norm, 2.0), angle / norm.clamp_min(1e-12))


def mean_rotation(R: Float[Tensor, "n 3 3"]) -> Float[Tensor, "3 3"]:
    """The rotation nearest to some in the mean square of matrix entries (Moakher 2002, the projected arithmetic mean)."""
    u, _, vt = torch.linalg.svd(R.mean(0))
    flip = torch.ones(3, dtype=R.dtype, device=R.device)
    flip[2] = torch.det(u @ vt).sign()
    return u @ (flip[:, None] * vt)


def rigid(R: Float[Tensor, "*b 3 3"], t: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 4 4"]:
    """The 4x4 matrix that maps x to R x + t."""
    top = torch.cat([R, t[..., None]], -1)
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=R.dtype, device=R.device).expand(*R.shape[:-2], 1, 4)
    return torch.cat([top, bottom], -2)


def invert_rigid(T: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """T_b_a from T_a_b."""
    R_t = T[..., :3, :3].transpose(-1, -2)
    return rigid(R_t, -(R_t @ T[..., :3, 3:]).squeeze(-1))


def transform(T_a_b: Float[Tensor, "*b 4 4"], X_b: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b n 3"]:
    """Points in frame b to frame a."""
    return X_b @ T_a_b[..., :3, :3].transpose(-1, -2) + T_a_b[..., None, :3, 3]


def rotate(T_a_b: Float[Tensor, "*b 4 4"], v_b: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b n 3"]:
    """Directions in frame b to frame a."""
    return v_b @ T_a_b[..., :3, :3].transpose(-1, -2)

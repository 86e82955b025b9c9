"""Anatomical angles of a hand's 15 joints: flexion, abduction, twist about axes that belong to each joint.

A joint coordinate system as ISB recommends for the hand (Wu et al. 2005): flexion about the axis fixed to the nearer
bone, twist about the farther bone, abduction about the axis between. With F the joint's axes (rows) in the hand frame
and a, b, c the angles, R = F^T Rx(a) Ry(b) Rz(c) F.

Flexion is positive when it curls towards the palm, abduction towards the thumb's side. Twist is positive clockwise seen
from the wrist along the finger of a right hand; at the thumb's root that is pronation, which turns its pad to the
fingers. Equal angles are mirrored motions on a left hand.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoi.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle


def euler_xyz(angles: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Rx(a) Ry(b) Rz(c)."""
    (ca, cb, cc), (sa, sb, sc) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    rows = [
        (cb * cc, -cb * sc, sb),
        (ca * sc + sa * sb * cc, ca * cc - sa * sb * sc, -sa * cb),
        (sa * sc - ca * sb * cc, sa * cc + ca * sb * sc, ca * cb),
    ]
    return torch.stack([torch.stack(r, -1) for r in rows], -2)


def euler_xyz_of(R: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
    """Angles a, b, c of Rx(a) Ry(b) Rz(c), with b in [-pi/2, pi/2]."""
    a = torch.atan2(-R[..., 1, 2], R[..., 2, 2])
    b = torch.asin(R[..., 0, 2].clamp(-1 + 1e-7, 1 - 1e-7))
    c = torch.atan2(-R[..., 0, 1], R[..., 0, 0])
    return torch.stack([a, b, c], -1)


class Anatomy(torch.nn.Module):
    """Axes and limits of 15 joints, MANO's order without the wrist; `angle_lower`, `angle_upper` (15, 3) in radians."""

    def __init__(
        self,
        joint_axes: Float[np.ndarray, "15 3 3"],
        angle_lower: Float[np.ndarray, "15 3"],
        angle_upper: Float[np.ndarray, "15 3"],
    ) -> None:
        super().__init__()
        for name, value in {"joint_axes": joint_axes, "angle_lower": angle_lower, "angle_upper": angle_upper}.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value, np.float32)))

    def rotations(self, angles: Float[Tensor, "B 15 3"]) -> Float[Tensor, "B 15 3 3"]:
        """Rotation matrices in the hand frame's axes of anatomical angles (radians)."""
        return self.joint_axes.transpose(-1, -2) @ euler_xyz(angles) @ self.joint_axes

    def pose_from_angles(self, angles: Float[Tensor, "B 15 3"]) -> Float[Tensor, "B 45"]:
        """MANO's axis-angle pose of anatomical angles (radians)."""
        return matrix_to_axis_angle(self.rotations(angles)).flatten(-2)

    def angles_from_pose(self, pose: Float[Tensor, "B 45"]) -> Float[Tensor, "B 15 3"]:
        """Anatomical angles (radians) of a pose; inverse of `pose_from_angles` while |abduction| < 90 degrees."""
        R = axis_angle_to_matrix(pose.unflatten(-1, (15, 3)))
        return euler_xyz_of(self.joint_axes @ R @ self.joint_axes.transpose(-1, -2))

    def angle_violation(self, angles: Float[Tensor, "B 15 3"]) -> Float[Tensor, "B"]:
        """Sum of squared angles beyond the limits, rad^2; zero inside, once differentiable everywhere."""
        beyond = (angles - self.angle_upper).clamp_min(0) + (self.angle_lower - angles).clamp_min(0)
        return (beyond * beyond).sum((-1, -2))

    def limit_violation(self, pose: Float[Tensor, "B 45"]) -> Float[Tensor, "B"]:
        """`angle_violation` of an axis-angle pose."""
        return self.angle_violation(self.angles_from_pose(pose))

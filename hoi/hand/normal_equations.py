"""Derivatives of the 21 keypoints and the banded normal equations of a clip.

The unknowns of a frame: turn about the wrist (3, camera axes), translation (3), angles (45); then the clip's betas.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hoi.geometry.rotations import skew
from hoi.hand.anatomy import euler_xyz
from hoi.hand.model import PARENTS, HandModel

TURN, TRANSLATION, ANGLES, BETAS = slice(0, 3), slice(3, 6), slice(6, 51), slice(51, None)
FRAME = 51
# MANO's joint (without the wrist) -> the keypoints beyond it, in OpenPose's order
FINGER_ROOTS = (5, 9, 17, 13, 1)
BEYOND = torch.zeros(21, 15, dtype=torch.float64)
for _f, _root in enumerate(FINGER_ROOTS):
    for _k in range(3):
        BEYOND[_root + _k + 1 : _root + 4, 3 * _f + _k] = 1.0


CARRIER = [0, 0, 13, 14, 15, 0, 1, 2, 3, 0, 4, 5, 6, 0, 10, 11, 12, 0, 7, 8, 9]  # the joint that turns each keypoint


def carried_offsets(A: Float[Tensor, "N 16 3 4"], offsets_m: Float[Tensor, "21 3"]) -> Float[Tensor, "N 21 3"]:
    """Offsets given on the flat hand, turned with the bone that ends at each keypoint."""
    return (A[:, CARRIER, :, :3] @ offsets_m[..., None]).squeeze(-1)


def joint_turning_axes(
    hand: HandModel, angles: Float[Tensor, "N 15 3"], A: Float[Tensor, "N 16 3 4"]
) -> Float[Tensor, "N 15 3 3"]:
    """Columns: axes in the hand frame about which more flexion, abduction, twist turns what lies beyond the joint."""
    zero = torch.zeros_like(angles[..., :1])
    first = euler_xyz(torch.cat([angles[..., :1], zero, zero], -1))
    both = euler_xyz(torch.cat([angles[..., :2], zero], -1))
    moving = torch.stack([torch.eye(3, dtype=angles.dtype)[0].expand_as(angles), first[..., 1], both[..., 2]], -1)
    return A[:, list(PARENTS[1:]), :, :3] @ hand.joint_axes.transpose(-1, -2) @ moving


def linearise(
    hand: HandModel,
    R_cam_hand: Float[Tensor, "N 3 3"],
    transl: Float[Tensor, "N 3"],
    angles: Float[Tensor, "N 15 3"],
    betas: Float[Tensor, "n"],
    offsets_m: Float[Tensor, "21 3"],
) -> tuple[Float[Tensor, "N 21 3"], Float[Tensor, "N 21 3 p"]]:
    """Keypoints in the camera (metres) and their derivatives by a frame's unknowns and the betas.

    ASSUME: fingertips move with their last bone alone, and no pose basis; true for the open hand, nearly so for MANO.
    """
    N, n = len(transl), len(betas)
    R, expanded = hand.rotations(angles), betas.expand(len(transl), -1)
    A = hand.skinning_transforms(R, expanded)
    joints = A[..., 3] + (A[..., :3] @ hand.shaped_joints(expanded)[..., None]).squeeze(-1)
    X = hand.keypoints_of(R, expanded) + carried_offsets(A, offsets_m)
    axes = joint_turning_axes(hand, angles, A)
    lever = X[:, :, None] - joints[:, None, 1:]
    by_angle = BEYOND[..., None, None] * torch.linalg.cross(axes.transpose(-1, -2)[:, None], lever[..., None, :])
    by_angle = by_angle.flatten(2, 3).transpose(-1, -2)
    # posed points are linear in the betas: differences of unit steps are exact
    steps = torch.cat([torch.zeros(1, n, dtype=X.dtype), torch.eye(n, dtype=X.dtype)]).repeat(N, 1)
    unit = hand.keypoints_of(R.repeat_interleave(n + 1, 0), steps).unflatten(0, (N, n + 1))
    by_beta = (unit[:, 1:] - unit[:, :1]).permute(0, 2, 3, 1)
    R_cam = R_cam_hand[:, None]
    turned = (R_cam @ X[..., None]).squeeze(-1)
    by_translation = torch.eye(3, dtype=X.dtype).expand(N, 21, 3, 3)
    return turned + transl[:, None], torch.cat([-skew(turned), by_translation, R_cam @ by_angle, R_cam @ by_beta], -1)


def projection_jacobian(K: Float[Tensor, "3 3"], X_cam: Float[Tensor, "N 21 3"]) -> Float[Tensor, "N 21 2 3"]:
    """Derivative of the pixel by the point."""
    x, z = X_cam @ K.T, X_cam[..., 2].clamp_min(1e-3)[..., None, None]
    return (K[:2] - (x[..., :2, None] / z) * K[2]) / z


class NormalEquations:
    """H step = -g of a clip of N frames with p - 51 shared betas; H couples frames at most two apart."""

    def __init__(self, n_frames: int, p: int) -> None:
        self.g = torch.zeros(n_frames, p, dtype=torch.float64)
        self.H = [torch.zeros(n_frames - d, p, p, dtype=torch.float64) for d in range(min(3, n_frames))]

    def add_per_frame(self, r: Float[Tensor, "N m"], J: Float[Tensor, "N m p"]) -> None:
        """|r + J step|^2 of each frame by itself."""
        self.H[0] += J.transpose(-1, -2) @ J
        self.g += (J.transpose(-1, -2) @ r[..., None]).squeeze(-1)

    def add_diagonal(self, unknowns: slice, h: Float[Tensor, "N k"], g: Float[Tensor, "N k"]) -> None:
        """Terms of single unknowns: second derivatives h and gradients g (both halved)."""
        self.H[0].diagonal(dim1=1, dim2=2)[:, unknowns] += h
        self.g[:, unknowns] += g

    def add_coupled(self, M: Float[Tensor, "N N"], x: Float[Tensor, "N m"], J: Float[Tensor, "N m p"]) -> None:
        """Sum of M_st (x_s + J_s step_s) . (x_t + J_t step_t), M zero more than two off the diagonal."""
        self.g += (J.transpose(-1, -2) @ (M @ x)[..., None]).squeeze(-1)
        for d, H in enumerate(self.H):
            H += M.diagonal(d)[:, None, None] * (J[: len(J) - d].transpose(-1, -2) @ J[d:])

    def step(self, damping: float) -> tuple[Float[Tensor, "N 51"], Float[Tensor, "n"]]:
        """The step with H's diagonal raised by the fraction `damping`; betas by Schur complement on the banded rest."""
        N = len(self.g)
        frame = [H[:, :FRAME, :FRAME] for H in self.H]
        border = self.H[0][:, :FRAME, FRAME:].clone()
        corner = self.H[0][:, FRAME:, FRAME:].sum(0)
        for d in range(1, len(self.H)):
            border[: N - d] += self.H[d][:, :FRAME, FRAME:]
            border[d:] += self.H[d][:, FRAME:, :FRAME].transpose(-1, -2)
            corner = corner + (self.H[d] + self.H[d].transpose(-1, -2))[:, FRAME:, FRAME:].sum(0)
        diagonal = frame[0] + damping * torch.diag_embed(frame[0].diagonal(dim1=1, dim2=2))
        corner = corner + damping * torch.diag(corner.diagonal())
        rhs = torch.cat([-self.g[:, :FRAME, None], border], -1)
        solved = solve_block_band([diagonal, *frame[1:]], rhs).flatten(0, 1)
        free, response = solved[:, 0], solved[:, 1:]
        B = border.flatten(0, 1)
        betas = torch.linalg.solve(corner - B.T @ response, -self.g[:, FRAME:].sum(0) - B.T @ free)
        return (free - response @ betas).unflatten(0, (N, FRAME)), betas


def solve_block_band(blocks: list[Float[Tensor, "_ k k"]], rhs: Float[Tensor, "N k m"]) -> Float[Tensor, "N k m"]:
    """H x = rhs for a symmetric positive definite H in blocks; blocks[d][t]: frame t (rows) with t + d (columns).

    Cholesky, a block column at a time. Not a number where H is not positive definite.
    """
    N, width = len(rhs), len(blocks)
    L: list[list[Tensor]] = []  # L[t][d]: the factor's block in row t + d, column t
    y: list[Tensor] = []
    for t in range(N):
        column = [blocks[d][t].T for d in range(min(width, N - t))]
        right = rhs[t]
        for back in range(1, min(width, t + 1)):
            earlier = L[t - back]
            for d in range(min(width - back, len(column))):
                column[d] = column[d] - earlier[back + d] @ earlier[back].T
            right = right - earlier[back] @ y[t - back]
        root, info = torch.linalg.cholesky_ex(column[0])
        if info > 0:
            return torch.full_like(rhs, torch.nan)
        stacked = torch.cat([right, *(c.T for c in column[1:])], -1)
        solved = torch.linalg.solve_triangular(root, stacked, upper=False)
        y.append(solved[:, : rhs.shape[-1]])
        L.append([root, *(c.T for c in solved[:, rhs.shape[-1] :].split(root.shape[0], -1) if c.numel())])
    x: list[Tensor] = [rhs.new_zeros(0)] * N
    for t in reversed(range(N)):
        right = y[t]
        for d in range(1, len(L[t])):
            right = right - L[t][d].T @ x[t + d]
        x[t] = torch.linalg.solve_triangular(L[t][0].T, right, upper=True)
    return torch.stack(x)

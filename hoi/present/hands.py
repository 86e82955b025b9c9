"""A fit's hands as triangles, ready to be drawn."""

import numpy as np
import torch
from jaxtyping import Float, Integer

from hoi.geometry.rotations import axis_angle_to_matrix
from hoi.hand.choice import hand_of
from hoi.hand.model import HandModel
from hoi.present.scene import SkinnedHand


def hand_vertices_cam(
    hand: HandModel,
    pose: Float[np.ndarray, "N 45"],
    betas: Float[np.ndarray, "10"],
    T_cam_hand: Float[np.ndarray, "N 4 4"],
) -> Float[np.ndarray, "N V 3"]:
    """Vertices of every frame's hand in the camera, metres."""
    with torch.no_grad():
        out = hand(torch.tensor(pose), torch.tensor(betas).expand(len(pose), -1))
    T = T_cam_hand
    return out.vertices.numpy() @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]


def open_hand_cam(
    poses: dict[str, np.ndarray], is_right: bool
) -> tuple[Float[np.ndarray, "N V 3"], Integer[np.ndarray, "F 3"]]:
    """Vertices in the camera (metres) and faces of the hand, posed as `pose`, `betas` and `T_cam_hand` say."""
    model = hand_of({**poses, "is_right": np.array(is_right)})
    return hand_vertices_cam(model, poses["pose"], poses["betas"], poses["T_cam_hand"]), model.faces.numpy()


def skinned_hand(
    hand: HandModel,
    pose: Float[np.ndarray, "N 45"],
    betas: Float[np.ndarray, "10"],
    T_cam_hand: Float[np.ndarray, "N 4 4"],
) -> SkinnedHand:
    """The hand as a skin with moving joints. Exact for a hand without pose-dependent shape, as the open hand is."""
    n = len(pose)
    with torch.no_grad():
        shape = torch.tensor(betas).expand(n, -1)
        R = axis_angle_to_matrix(torch.tensor(pose).unflatten(-1, (15, 3)))
        A = hand.skinning_transforms(R, shape).numpy().astype(np.float64)
        joints = hand.shaped_joints(shape[:1])[0].numpy()
        vertices = hand.rest_vertices + (hand.shape_basis @ shape[0, :, None]).squeeze(-1)
    T_hand_joint = np.tile(np.eye(4), (n, A.shape[1], 1, 1))
    T_hand_joint[:, :, :3, :3] = A[..., :3]
    T_hand_joint[:, :, :3, 3] = (A[..., :3] @ joints[None, :, :, None])[..., 0] + A[..., 3]
    return SkinnedHand(
        rest_vertices=vertices.numpy(),
        rest_joints=joints,
        faces=hand.faces.numpy(),
        skin_weights=hand.skin_weights.numpy(),
        parents=tuple(hand.parents),
        T_cam_joint=T_cam_hand[:, None].astype(np.float64) @ T_hand_joint,
    )

"""What is optimised beside the shape: hand, camera, object in hand and focal length, each as a residual on the
tracker's."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hoi.geometry.rotations import axis_angle_to_matrix, rigid, transform
from hoi.hand.choice import hand_of
from hoi.hand.model import HandModel


@dataclass(frozen=True)
class Posed:
    """Chosen frames, posed: transforms, intrinsics, and the hand's vertices and keypoints."""

    T_cam_obj: Float[Tensor, "f 4 4"]
    T_cam_hand: Float[Tensor, "f 4 4"]
    T_hand_obj: Float[Tensor, "f 4 4"]
    K: Float[Tensor, "f 3 3"]
    vertices_hand: Float[Tensor, "f v 3"]
    vertices_cam: Float[Tensor, "f v 3"]
    vertices_px: Float[Tensor, "f v 2"]


class Variables(nn.Module):
    """Residuals on a tracked hand (schema `hands`), all zero at the start.

    # ASSUME: the camera residual turns about the grasp, not about the camera's centre as a plain left
    # multiplication does:
    # turning and shifting are then nearly independent, and both learn at one rate.
    """

    def __init__(self, hands: dict[str, np.ndarray], device: torch.device) -> None:
        super().__init__()
        self.hand: HandModel = copy.deepcopy(hand_of(hands)).to(
            device
        )  # the loaded one is shared, and stays where it is
        n = len(hands["pose"])
        self.about_hand = {key: hands[key] for key in ("is_right", "model", "model_files") if key in hands}
        for name in ("T_cam_hand", "pose", "betas", "K"):
            self.register_buffer(f"start_{name}", torch.from_numpy(hands[name]).to(device))
        self.register_buffer("start_T_hand_obj", torch.eye(4, device=device).repeat(n, 1, 1))
        self.pose = nn.Parameter(torch.zeros(n, 45, device=device))
        self.betas = nn.Parameter(torch.zeros(10, device=device))
        self.camera = nn.Parameter(torch.zeros(n, 6, device=device))
        self.object = nn.Parameter(torch.zeros(n, 6, device=device))
        self.focal = nn.Parameter(torch.ones(n, device=device))
        with torch.no_grad():
            self.register_buffer("grasp", self.keypoints().mean(0)[[5, 9, 13, 17, 4, 8, 12, 16, 20]].mean(0))

    def keypoints(self) -> Float[Tensor, "n 21 3"]:
        """Keypoints of all frames in the hand frame."""
        R = axis_angle_to_matrix((self.start_pose + self.pose).unflatten(-1, (15, 3)))
        return self.hand.keypoints_of(R, (self.start_betas + self.betas).expand(len(R), -1))

    def T_cam_hand(self) -> Float[Tensor, "n 4 4"]:
        """Hand frame to camera, all frames."""
        R0, t0 = self.start_T_cam_hand[:, :3, :3], self.start_T_cam_hand[:, :3, 3]
        turn = axis_angle_to_matrix(self.camera[:, :3])
        arm = R0 @ self.grasp
        return rigid(turn @ R0, t0 + arm - (turn @ arm[..., None]).squeeze(-1) + self.camera[:, 3:])

    def T_start_obj(self) -> Float[Tensor, "n 4 4"]:
        """Object frame to where the object started, all frames; turns about the grasp."""
        turn = axis_angle_to_matrix(self.object[:, :3])
        return rigid(turn, self.grasp - turn @ self.grasp + self.object[:, 3:])

    def T_hand_obj(self) -> Float[Tensor, "n 4 4"]:
        """Object frame to hand frame, all frames."""
        return self.start_T_hand_obj @ self.T_start_obj()

    def K(self) -> Float[Tensor, "n 3 3"]:
        """Intrinsics in pixels, all frames; the focal length is scaled by the square of its factor."""
        scale = self.focal[:, None, None] ** 2
        mask = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]], device=scale.device)
        return self.start_K * (1 + mask * (scale - 1))

    def posed(self, frames: Int[Tensor, "f"] | slice = slice(None)) -> Posed:
        """The chosen frames, or all."""
        pose = (self.start_pose + self.pose)[frames]
        vertices = self.hand(pose, (self.start_betas + self.betas).expand(len(pose), -1)).vertices
        T_cam_hand, T_hand_obj, K = self.T_cam_hand()[frames], self.T_hand_obj()[frames], self.K()[frames]
        cam = transform(T_cam_hand, vertices)
        px = cam @ K.transpose(-1, -2)
        px = px[..., :2] / px[..., 2:].clamp_min(1e-3)
        return Posed(T_cam_hand @ T_hand_obj, T_cam_hand, T_hand_obj, K, vertices, cam, px)

    @torch.no_grad()
    def result(self) -> dict[str, np.ndarray]:
        """Schema `poses`."""
        T_cam_hand, T_hand_obj = self.T_cam_hand(), self.T_hand_obj()
        arrays = {
            "T_cam_obj": T_cam_hand @ T_hand_obj,
            "T_cam_hand": T_cam_hand,
            "T_hand_obj": T_hand_obj,
            "pose": self.start_pose + self.pose,
            "betas": self.start_betas + self.betas,
            "joints_cam": transform(T_cam_hand, self.keypoints()),
            "K": self.K(),
        }
        return {k: v.cpu().numpy() for k, v in arrays.items()} | self.about_hand

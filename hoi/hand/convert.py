"""One hand model's parameters as another's: betas, pose and place whose 21 keypoints are the same."""

import copy

import numpy as np
import torch
from torch import Tensor

from hoi.geometry.rotations import axis_angle_to_matrix, rigid
from hoi.hand.fitting import HandFit
from hoi.hand.model import HandModel

STEPS = 400
# ASSUME: keypoints do not tell twists: a squared radian and a squared standard deviation of shape count as so much.
PULL_MM2 = 0.001


def converted(given: HandFit, source: HandModel, target: HandModel) -> HandFit:
    """The target's parameters that bring its keypoints onto the source's, in least squares: one shape, every frame's pose.

    Where keypoints leave a joint free it stays as the source had it. The hands are of one side.
    """
    source, target = copy.deepcopy(source).double(), copy.deepcopy(target).double()
    pose, betas = (torch.from_numpy(np.asarray(a, np.float64)) for a in (given.pose, given.betas))
    with torch.no_grad():
        wanted = _keypoints(source, pose, betas)
    n = len(pose)
    start = torch.zeros(n * 51 + target.shape_basis.shape[-1], dtype=torch.float64)
    step = start.clone().requires_grad_()

    def split() -> tuple[Tensor, Tensor, Tensor]:
        """Pose, motion (turn, shift in hand lengths of 0.1 m) and betas."""
        moved = step[: n * 51].unflatten(0, (n, 51))
        return pose + moved[:, 6:], moved[:, :6], step[n * 51 :]

    def loss() -> Tensor:
        """Squared distances in millimetres, and the pull to the start."""
        theta, motion, shape = split()
        points = _keypoints(target, theta, shape) @ axis_angle_to_matrix(motion[:, :3]).transpose(-1, -2)
        off = points + 0.1 * motion[:, None, 3:] - wanted
        pull = PULL_MM2 * ((theta - pose).square().sum() + n * shape.square().sum())
        return 1e6 * off.square().sum() + pull

    optimiser = torch.optim.LBFGS([step], max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        """Loss with its gradient."""
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)
    with torch.no_grad():
        theta, motion, shape = (part.detach() for part in split())
        T_source_target = rigid(axis_angle_to_matrix(motion[:, :3]), 0.1 * motion[:, 3:])
    T = np.asarray(given.T_cam_hand, np.float64) @ T_source_target.numpy()
    return HandFit(*(np.asarray(a, np.float32) for a in (T, theta.numpy(), shape.numpy())))


def _keypoints(hand: HandModel, pose: Tensor, betas: Tensor) -> Tensor:
    """The 21 keypoints of every frame in the hand frame, metres."""
    return hand.keypoints_of(axis_angle_to_matrix(pose.unflatten(1, (15, 3))), betas.expand(len(pose), -1))

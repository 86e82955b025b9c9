"""Fitting the hand model to a clip's keypoints: all frames at once, one shape.

The objective is a sum of squared residuals in units of their standard deviations, so a setting is a sigma that can be
measured:

    E = E_keypoints + E_directions + E_pose + E_limits + E_betas + E_motion

Depth is metric because the betas' prior knows how large hands are. It is minimised by Levenberg-Marquardt: only
neighbouring frames share a term, so the normal equations are a band with a border for the betas
(hoi/hand/normal_equations.py).
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoi.config import RATE, HandFitting
from hoi.errors import DataFailure, InputError
from hoi.geometry.cameras import project
from hoi.geometry.rotations import axis_angle_to_matrix, rigid
from hoi.hand.initialise import initialise
from hoi.hand.model import HandModel
from hoi.hand.normal_equations import ANGLES, BETAS, NormalEquations, carried_offsets, linearise, projection_jacobian

# Bones of the 21 keypoints: from, to. The palm's and the fingers'.
BONE_FROM = (0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
BONE_TO = tuple(range(1, 21))
MIDDLE_KNUCKLE = 4  # of MANO's joints
APART = (1.0, 3.0, 9.0)  # times the time between frames is taken to be, until the motion fits the keypoints
EXPLAINED = 0.8  # share of the frames whose keypoints a fit must be near, to half of what counts as an outlier


class HandFit(NamedTuple):
    """One hand in N frames. Metres, radians."""

    T_cam_hand: Float[np.ndarray, "N 4 4"]
    pose: Float[np.ndarray, "N 45"]
    betas: Float[np.ndarray, "10"]


@dataclass(frozen=True)
class Observed:
    """What the fit must explain; float64 tensors."""

    keypoints_px: Float[Tensor, "N 21 2"]
    directions: Float[Tensor, "N 20 3"]  # unit vectors along the bones, camera axes
    confidence: Float[Tensor, "N"]
    weights: Float[Tensor, "21"]
    offsets_m: Float[Tensor, "21 3"]  # from the model's keypoint to what is called so in the pictures, on the flat hand
    K: Float[Tensor, "3 3"]
    sigma_px: float


@dataclass(frozen=True)
class State:
    """What is optimised; float64 tensors."""

    R_cam_hand: Float[Tensor, "N 3 3"]
    transl: Float[Tensor, "N 3"]
    angles: Float[Tensor, "N 15 3"]
    betas: Float[Tensor, "n"]

    def moved(self, step: Float[Tensor, "N 51"], step_betas: Float[Tensor, "n"]) -> "State":
        """The state after a step: turn about the wrist in camera axes (3), translation (3), angles (45); betas."""
        return State(
            axis_angle_to_matrix(step[:, :3]) @ self.R_cam_hand,
            self.transl + step[:, 3:6],
            self.angles + step[:, 6:].unflatten(-1, (15, 3)),
            self.betas + step_betas,
        )


def keypoints_cam(state: State, hand: HandModel, offsets_m: Float[Tensor, "21 3"]) -> Float[Tensor, "N 21 3"]:
    """What the pictures' keypoints should show, in the camera, metres: the model's keypoints with their offsets."""
    R, betas = hand.rotations(state.angles), state.betas.expand(len(state.transl), -1)
    X_hand = hand.keypoints_of(R, betas) + carried_offsets(hand.skinning_transforms(R, betas), offsets_m)
    return X_hand @ state.R_cam_hand.transpose(-1, -2) + state.transl[:, None]


def bone_directions(keypoints: Float[Tensor, "N 21 3"]) -> Float[Tensor, "N 20 3"]:
    """Unit vectors along the 20 bones."""
    bones = keypoints[:, BONE_TO] - keypoints[:, BONE_FROM]
    return bones / bones.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def keypoint_residual(X_cam: Float[Tensor, "N 21 3"], seen: Observed) -> Float[Tensor, "N 21 2"]:
    """Reprojection error in sigmas, weighed by confidence and keypoint."""
    weight = (seen.confidence[:, None] * seen.weights).sqrt() / seen.sigma_px
    return weight[..., None] * (project(seen.K, X_cam) - seen.keypoints_px)


def direction_residual(X_cam: Float[Tensor, "N 21 3"], seen: Observed, sigma: float) -> Float[Tensor, "N 20 3"]:
    """Difference of the bones' directions in sigmas; scale and place of the relative keypoints do not matter."""
    return (seen.confidence.sqrt() / sigma)[:, None, None] * (bone_directions(X_cam) - seen.directions)


def pose_residual(angles: Float[Tensor, "N 15 3"], hand: HandModel, weight: float) -> Float[Tensor, "N 15 3"]:
    """Angles from the middle of their range (a loosely curled hand) in half ranges."""
    middle, half = (hand.angle_upper + hand.angle_lower) / 2, (hand.angle_upper - hand.angle_lower) / 2
    return weight**0.5 * (angles - middle) / half


def motion_matrix(n: int, settings: HandFitting) -> Float[Tensor, "N N"]:
    """M with E_motion = y^T M y for each coordinate over time: squared accelerations, and a little squared velocity.

    Velocity is there so that ends without observations stay put.
    """
    return _motion_matrix(n, settings.acceleration_sigma_m, settings.velocity_sigma_m)


@lru_cache(maxsize=1)  # products of n x n matrices, asked for at every step
def _motion_matrix(n: int, acceleration_sigma_m: float, velocity_sigma_m: float) -> Float[Tensor, "N N"]:
    velocity = torch.diff(torch.eye(n, dtype=torch.float64), dim=0)
    acceleration = torch.diff(velocity, dim=0)
    return acceleration.T @ acceleration / acceleration_sigma_m**2 + velocity.T @ velocity / velocity_sigma_m**2


def at_rate(settings: HandFitting, fps: float) -> HandFitting:
    """The same expectation of how hands move where frames are farther apart than the settings are for (RATE).

    Velocity as a random walk in time: it changes by the square root of the time between frames, and what a frame's acceleration
    moves by its power of 1.5. Else few frames a second would be held to the slow motion of many.
    """
    apart = max(RATE / fps, 1.0)
    return settings.model_copy(
        update={
            "acceleration_sigma_m": settings.acceleration_sigma_m * apart**1.5,
            "velocity_sigma_m": settings.velocity_sigma_m * apart**0.5,
        }
    )


def hand_size(hand: HandModel, betas: Float[Tensor, "n"]) -> tuple[Float[Tensor, ""], Float[Tensor, "n"]]:
    """Wrist to middle knuckle as a multiple of the mean hand's, and its derivative by the betas.

    Motion is measured in hands, not metres: else a smaller, nearer hand would move less and every fit would shrink.
    """
    mean = hand.rest_joints[MIDDLE_KNUCKLE]
    knuckle = mean + hand.joint_basis[MIDDLE_KNUCKLE] @ betas
    return knuckle.norm() / mean.norm(), knuckle @ hand.joint_basis[MIDDLE_KNUCKLE] / (knuckle.norm() * mean.norm())


def energy(state: State, hand: HandModel, seen: Observed, settings: HandFitting, cutoff: float) -> Float[Tensor, ""]:
    """The objective. Keypoints count by Geman-McClure, r^2 / (1 + r^2 / cutoff^2)."""
    X_cam = keypoints_cam(state, hand, seen.offsets_m)
    r_sq = keypoint_residual(X_cam, seen).square().sum(-1)
    y = X_cam.flatten(1) / hand_size(hand, state.betas)[0]
    return (
        (r_sq / (1 + r_sq / cutoff**2)).sum()
        + direction_residual(X_cam, seen, settings.direction_sigma).square().sum()
        + pose_residual(state.angles, hand, settings.pose_prior).square().sum()
        + hand.angle_violation(state.angles).sum() / settings.limit_sigma_rad**2
        + seen.confidence.sum() * settings.betas_prior * state.betas.square().sum()
        + (y * (motion_matrix(len(y), settings) @ y)).sum()
    )


def normal_equations(
    state: State, hand: HandModel, seen: Observed, settings: HandFitting, cutoff: float
) -> NormalEquations:
    """Gauss-Newton's half Hessian and half gradient of the objective; keypoints by reweighted least squares."""
    n = len(state.transl)
    X_cam, J = linearise(hand, state.R_cam_hand, state.transl, state.angles, state.betas, seen.offsets_m)
    out = NormalEquations(n, J.shape[-1])

    r = keypoint_residual(X_cam, seen)
    w = 1 / (1 + r.square().sum(-1, keepdim=True) / cutoff**2)  # square root of the derivative of Geman-McClure
    scale = (seen.confidence[:, None] * seen.weights).sqrt() / seen.sigma_px
    J_px = scale[..., None, None] * projection_jacobian(seen.K, X_cam) @ J
    out.add_per_frame((w * r).flatten(1), (w[..., None] * J_px).flatten(1, 2))

    r = direction_residual(X_cam, seen, settings.direction_sigma)
    bones = X_cam[:, BONE_TO] - X_cam[:, BONE_FROM]
    length, d = bones.norm(dim=-1).clamp_min(1e-6)[..., None, None], bone_directions(X_cam)
    across = (torch.eye(3, dtype=d.dtype) - d[..., None] * d[..., None, :]) / length
    scale = (seen.confidence.sqrt() / settings.direction_sigma)[:, None, None, None]
    out.add_per_frame(r.flatten(1), (scale * across @ (J[:, BONE_TO] - J[:, BONE_FROM])).flatten(1, 2))

    half = (hand.angle_upper - hand.angle_lower) / 2
    slope = settings.pose_prior**0.5 / half
    out.add_diagonal(
        ANGLES,
        (slope**2).expand(n, -1, -1).flatten(1),
        (slope * pose_residual(state.angles, hand, settings.pose_prior)).flatten(1),
    )
    beyond = (state.angles - hand.angle_upper).clamp_min(0) - (hand.angle_lower - state.angles).clamp_min(0)
    s = 1 / settings.limit_sigma_rad**2
    out.add_diagonal(ANGLES, (s * (beyond != 0)).double().flatten(1), (s * beyond).flatten(1))
    prior = settings.betas_prior * seen.confidence[:, None].expand(-1, len(state.betas))
    out.add_diagonal(BETAS, prior, prior * state.betas)

    size, size_slope = hand_size(hand, state.betas)
    y, J_y = X_cam.flatten(1) / size, J.flatten(1, 2) / size
    J_y[..., BETAS] -= y[..., None] * size_slope / size
    out.add_coupled(motion_matrix(n, settings), y, J_y)
    return out


def minimise(state: State, hand: HandModel, seen: Observed, settings: HandFitting, cutoff: float) -> State:
    """Levenberg-Marquardt: damping grows fourfold when a step fails, shrinks when two in a row hold."""
    value, damping, failed = energy(state, hand, seen, settings, cutoff), 1e-3, False
    equations = normal_equations(state, hand, seen, settings, cutoff)
    for _ in range(settings.iterations):
        trial = state.moved(*equations.step(damping))
        trial_value = energy(trial, hand, seen, settings, cutoff)
        if not trial_value < value:
            damping, failed = 4 * damping, True
            continue
        converged = value - trial_value < settings.tolerance * value
        state, value = trial, trial_value
        if converged:
            break
        damping, failed = damping if failed else damping / 4, False
        equations = normal_equations(state, hand, seen, settings, cutoff)
    return state


def explained(state: State, hand: HandModel, seen: Observed, cutoff: float) -> float:
    """The share of the frames with a hand in which most keypoints are where they were seen, to so many sigmas."""
    gap_px = (project(seen.K, keypoints_cam(state, hand, seen.offsets_m)) - seen.keypoints_px).norm(dim=-1)
    close = gap_px.median(1).values < cutoff * seen.sigma_px
    return float(close[seen.confidence > 0].double().mean())


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread: matrices are 51 x 51, and threads that wait for each other cost 30 times more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check(keypoints_px: Float[np.ndarray, "N 21 2"], confidence: Float[np.ndarray, "N"]) -> None:
    """Refuses a clip without a hand."""
    if not (confidence > 0).any():
        raise DataFailure(
            "hand fitting", "no frame with a detected hand", "at least one", "look at the clip, or give the side"
        )
    if not np.isfinite(keypoints_px[confidence > 0]).all():
        raise InputError(
            "hand fitting", "keypoints that are not finite", "finite pixels", "set the frame's confidence to 0"
        )


def fit_hand(
    keypoints_px: Float[np.ndarray, "N 21 2"],
    keypoints_rel_m: Float[np.ndarray, "N 21 3"],
    confidence: Float[np.ndarray, "N"],
    K: Float[np.ndarray, "3 3"],
    hand: HandModel,
    settings: HandFitting,
) -> HandFit:
    """The hand model in every frame of a clip, from 2D keypoints (pixels) and relative 3D ones (metres, camera axes).

    Keypoints in OpenPose's order; the relative ones may have any origin. Frames of confidence 0 are bridged by smooth
    motion and their keypoints not read. A rate that is not known or not true shows: more motion is then allowed.
    """
    check(keypoints_px, confidence)
    hand = copy.deepcopy(hand).double()
    seen_rows = confidence > 0
    px = torch.from_numpy(np.where(seen_rows[:, None, None], keypoints_px, 0.0).astype(np.float64))
    rel = torch.from_numpy(np.where(seen_rows[:, None, None], keypoints_rel_m, 0.0).astype(np.float64))
    K_ = torch.from_numpy(K.astype(np.float64))
    c = torch.from_numpy(confidence.astype(np.float64))
    extent = (px.amax(1) - px.amin(1)).amax(-1)[c > 0].median()
    mirrored = torch.tensor([1.0 if hand.side == "right" else -1.0, 1.0, 1.0])
    seen = Observed(
        px,
        bone_directions(rel),
        c,
        torch.tensor(settings.keypoint_weights).double(),
        mirrored * torch.tensor(settings.keypoint_offsets_mm).double() / 1000,
        K_,
        float(settings.keypoint_sigma * extent),
    )
    with one_thread():
        R, t, angles = initialise(hand, px, rel, c, K_, seen.offsets_m)
        start = State(R, t, angles, torch.zeros(hand.shape_basis.shape[-1], dtype=torch.float64))
        for apart in APART:
            state, moving = start, at_rate(settings, RATE / apart)
            for widen in (3.0, 1.0):  # graduated non-convexity: far points count at first
                state = minimise(state, hand, seen, moving, widen * settings.outlier_sigmas)
            if explained(state, hand, seen, settings.outlier_sigmas / 2) > EXPLAINED:
                break
    fitted = (rigid(state.R_cam_hand, state.transl), hand.pose_from_angles(state.angles), state.betas)
    return HandFit(*(x.numpy().astype(np.float32) for x in fitted))

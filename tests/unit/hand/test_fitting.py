"""Fitting the hand to keypoints: derivatives, the banded solver, and clips made by the model itself."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hoi.config import HandFitting
from hoi.errors import InputError
from hoi.geometry.cameras import intrinsics, project
from hoi.geometry.rotations import axis_angle_to_matrix
from hoi.hand.fitting import (
    HandFit,
    Observed,
    State,
    at_rate,
    bone_directions,
    energy,
    fit_hand,
    keypoints_cam,
    normal_equations,
)
from hoi.hand.initialise import angles_of_bones, bridge, bridge_rotations, linear_translation, procrustes_rotation
from hoi.hand.model import load_hand
from hoi.hand.normal_equations import NormalEquations, solve_block_band

CONFIG = Path(__file__).parents[3] / "config" / "config.yaml"
K = intrinsics(600.0, 600.0, 320.0, 240.0)


@pytest.fixture(scope="module")
def settings() -> HandFitting:
    return HandFitting(**yaml.safe_load(CONFIG.read_text())["track_hand"]["fitting"]).model_copy(
        update={"keypoint_offsets_mm": [(0.0, 0.0, 0.0)] * 21}
    )


def made_clip(n: int, side: str, seed: int, size: float = 0.0) -> np.ndarray:
    """Keypoints (n, 21, 3) in the camera: half a metre away, turning by 40 degrees, fingers closing a little."""
    g, hand = torch.Generator().manual_seed(seed), load_hand(side)
    low, span = hand.angle_lower, hand.angle_upper - hand.angle_lower
    s = torch.linspace(0, 1, n)[:, None, None]
    start = 0.3 + 0.3 * torch.rand(15, 3, generator=g)
    angles = low + span * (start + 0.15 * s)
    betas = 0.5 * torch.randn(10, generator=g)
    betas[0] = size
    axis = torch.randn(2, 3, generator=g)
    turn = axis_angle_to_matrix(axis[0] / axis[0].norm() * 0.7 * s[:, 0]) @ axis_angle_to_matrix(axis[1])
    transl = torch.tensor([0.03, -0.02, 0.5]) + s[:, 0] * torch.tensor([0.03, 0.02, 0.05])
    X = hand.keypoints_of(hand.rotations(angles), betas.expand(n, -1))
    return (X @ turn.transpose(-1, -2) + transl[:, None]).numpy()


def observe(X: np.ndarray, noise_px: float, noise_m: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    px = project(K, torch.from_numpy(X)).numpy() + rng.normal(0, noise_px, (*X.shape[:2], 2))
    rel = X - X.mean(1, keepdims=True) + rng.normal(0, noise_m, X.shape)
    return px.astype(np.float32), rel.astype(np.float32)


def fitted_keypoints(fit: HandFit, side: str) -> np.ndarray:
    hand = load_hand(side)
    X = hand(torch.from_numpy(fit.pose), torch.from_numpy(fit.betas).expand(len(fit.pose), -1)).keypoints.numpy()
    return X @ fit.T_cam_hand[:, :3, :3].transpose(0, 2, 1) + fit.T_cam_hand[:, None, :3, 3]


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def root_error_mm(A: np.ndarray, B: np.ndarray) -> float:
    return 1000 * float(np.linalg.norm((A - A[:, :1]) - (B - B[:, :1]), axis=-1).mean())


@pytest.mark.parametrize("side", ["right", "left"])
def test_exact_keypoints_give_the_hand_back(side, settings):
    X = made_clip(8, side, seed=1)
    px, rel = observe(X, 0, 0)
    fit = fit_hand(px, rel, np.ones(8, np.float32), K.numpy(), load_hand(side), settings)
    Y = fitted_keypoints(fit, side)
    assert root_error_mm(Y, X) < 2.5
    assert np.abs(Y[:, 0, 2] / X[:, 0, 2] - 1).mean() < 0.03
    assert fit.T_cam_hand.dtype == fit.pose.dtype == fit.betas.dtype == np.float32


@pytest.mark.parametrize("side", ["right", "left"])
def test_offsets_of_the_detector_are_taken_off(side, settings):
    """Keypoints moved by known offsets give the same hand; without the offsets in the settings they do not."""
    offsets_mm = [(0.0, 0.0, 0.0)] * 21
    offsets_mm[0] = (-16.0, 0.0, 4.0)
    moved = settings.model_copy(update={"keypoint_offsets_mm": offsets_mm})
    X = made_clip(6, side, seed=1)
    x, z = unit(X[:, 0] - X[:, 9]), unit(X[:, 5] - X[:, 17])
    seen = X.copy()
    seen[:, 0] += -0.016 * x + 0.004 * z
    px, rel = observe(seen, 0, 0)
    fits = [fit_hand(px, rel, np.ones(6, np.float32), K.numpy(), load_hand(side), s) for s in (moved, settings)]
    depth_errors = [np.abs(fitted_keypoints(f, side)[:, 9, 2] / X[:, 9, 2] - 1).mean() for f in fits]
    assert depth_errors[0] < 0.03 and depth_errors[1] > 2 * depth_errors[0]


def test_noisy_keypoints(settings):
    X = made_clip(20, "right", seed=2)
    px, rel = observe(X, 3, 0.005)
    Y = fitted_keypoints(fit_hand(px, rel, np.ones(20, np.float32), K.numpy(), load_hand("right"), settings), "right")
    assert root_error_mm(Y, X) < 6


def test_frames_farther_apart_may_move_more(settings):
    """A hand that swings 5 cm in three seconds, seen five times a second; held to the motion of fifteen, it is lost."""
    n = 15
    swing = np.sin(2 * np.pi * np.arange(n) / 15)[:, None, None] * np.array([0.05, 0.0, 0.05])
    X = (made_clip(n, "right", seed=2) + swing).astype(np.float32)
    px, rel = observe(X, 1, 0.005)

    def depth_error(s: HandFitting) -> float:
        fit = fit_hand(px, rel, np.ones(n, np.float32), K.numpy(), load_hand("right"), s)
        return float(np.abs(fitted_keypoints(fit, "right")[:, 0, 2] / X[:, 0, 2] - 1).mean())

    assert depth_error(at_rate(settings, 5.0)) < 0.04 < 0.09 < depth_error(settings)


def test_a_rate_that_is_not_true_shows(settings):
    """The swing in which keypoints and motion do not agree at all: more is allowed, though nobody said so."""
    n = 15
    swing = np.sin(2 * np.pi * np.arange(n) / 12)[:, None, None] * np.array([0.08, 0.0, 0.08])
    X = (made_clip(n, "right", seed=2) + swing).astype(np.float32)
    px, rel = observe(X, 1, 0.005)
    fit = fit_hand(px, rel, np.ones(n, np.float32), K.numpy(), load_hand("right"), settings)
    assert np.abs(fitted_keypoints(fit, "right")[:, 0, 2] / X[:, 0, 2] - 1).mean() < 0.08  # 0.42 at the rate given


def test_settings_hold_from_15_frames_a_second_on(settings):
    assert at_rate(settings, 15.0) == at_rate(settings, 60.0) == settings
    slow = at_rate(settings, 3.75)
    assert slow.acceleration_sigma_m == pytest.approx(8 * settings.acceleration_sigma_m)
    assert slow.velocity_sigma_m == pytest.approx(2 * settings.velocity_sigma_m)


def test_gross_outliers_hardly_pull(settings):
    X = made_clip(12, "right", seed=2)
    px, rel = observe(X, 1, 0.005)
    px[::4, 8] += 80  # index tip far off in every fourth frame
    Y = fitted_keypoints(fit_hand(px, rel, np.ones(12, np.float32), K.numpy(), load_hand("right"), settings), "right")
    assert root_error_mm(Y, X) < 6


def test_gaps_are_bridged_and_never_read(settings):
    X = made_clip(16, "right", seed=3)
    px, rel = observe(X, 1, 0.005)
    confidence = np.ones(16, np.float32)
    confidence[6:11] = 0
    px[6:11], rel[6:11] = np.nan, np.nan
    Y = fitted_keypoints(fit_hand(px, rel, confidence, K.numpy(), load_hand("right"), settings), "right")
    assert root_error_mm(Y[6:11], X[6:11]) < 10
    steps = np.linalg.norm(np.diff(Y, axis=0), axis=-1).max(1)
    assert steps.max() < 3 * np.median(steps)


def test_a_clip_without_a_hand_is_refused(settings):
    zeros = np.zeros((3, 21, 3), np.float32)
    with pytest.raises(InputError, match="no frame with a detected hand"):
        fit_hand(zeros[..., :2], zeros, np.zeros(3, np.float32), K.numpy(), load_hand("right"), settings)


def test_keypoints_not_finite_are_refused(settings):
    X = made_clip(3, "right", seed=0)
    px, rel = observe(X, 0, 0)
    px[1, 2] = np.nan
    with pytest.raises(InputError, match="not finite"):
        fit_hand(px, rel, np.ones(3, np.float32), K.numpy(), load_hand("right"), settings)


def test_a_larger_hand_is_fitted_larger_when_perspective_tells(settings):
    """Depth leans on the prior's mean size; exact perspective still moves betas to the right side."""
    strict = settings.model_copy(update={"betas_prior": 0.001, "pose_prior": 1e-4})
    X = made_clip(8, "right", seed=1, size=2.0)
    px, rel = observe(X, 0, 0)
    assert fit_hand(px, rel, np.ones(8, np.float32), K.numpy(), load_hand("right"), strict).betas[0] > 0.5


@pytest.mark.parametrize("n", [1, 2, 5])
def test_normal_equations_hold_the_gradient(n, settings):
    hand = copy.deepcopy(load_hand("right")).double()
    g = torch.Generator().manual_seed(0)
    low, span = hand.angle_lower, hand.angle_upper - hand.angle_lower
    state = State(
        axis_angle_to_matrix(torch.randn(n, 3, generator=g, dtype=torch.float64)),
        torch.tensor([0.0, 0.0, 0.5]) + 0.02 * torch.randn(n, 3, generator=g, dtype=torch.float64),
        low + span * (1.2 * torch.rand(n, 15, 3, generator=g, dtype=torch.float64) - 0.1),
        torch.randn(10, generator=g, dtype=torch.float64),
    )
    offsets = 0.01 * torch.randn(21, 3, generator=g, dtype=torch.float64)
    X, K64 = keypoints_cam(state, hand, offsets), K.double()
    seen = Observed(
        project(K64, X) + 5 * torch.randn(n, 21, 2, generator=g),
        bone_directions(X + 0.01 * torch.randn(n, 21, 3, generator=g)),
        torch.rand(n, generator=g, dtype=torch.float64),
        torch.rand(21, generator=g, dtype=torch.float64),
        offsets,
        K64,
        5.0,
    )
    step = torch.zeros(n, 51, dtype=torch.float64, requires_grad=True)
    betas = torch.zeros(10, dtype=torch.float64, requires_grad=True)
    value = energy(state.moved(step, betas), hand, seen, settings, 4.0)
    by_step, by_betas = torch.autograd.grad(value, (step, betas))
    equations = normal_equations(state, hand, seen, settings, 4.0)
    scale = float(by_step.abs().max())
    torch.testing.assert_close(2 * equations.g[:, :51], by_step, atol=1e-5 * scale, rtol=1e-4)
    torch.testing.assert_close(2 * equations.g[:, 51:].sum(0), by_betas, atol=1e-5 * scale, rtol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_banded_solution_equals_the_dense_one(n):
    g = torch.Generator().manual_seed(0)
    p, m = 53, 60
    r, J = torch.randn(n, m, generator=g).double(), torch.randn(n, m, p, generator=g).double()
    x, L = torch.randn(n, 9, generator=g).double(), torch.randn(n, 9, p, generator=g).double()
    D = torch.diff(torch.diff(torch.eye(n, dtype=torch.float64), dim=0), dim=0)
    M = D.T @ D
    equations = NormalEquations(n, p)
    equations.add_per_frame(r, J)
    equations.add_coupled(M, x, L)
    step, betas = equations.step(0.0)

    def dense(rows: torch.Tensor, frame: int) -> torch.Tensor:
        out = torch.zeros(rows.shape[0], 51 * n + 2, dtype=torch.float64)
        out[:, 51 * frame : 51 * frame + 51], out[:, 51 * n :] = rows[:, :51], rows[:, 51:]
        return out

    J_all, L_all = torch.cat([dense(J[t], t) for t in range(n)]), torch.stack([dense(L[t], t) for t in range(n)])
    H = J_all.T @ J_all + torch.einsum("smp,st,tmq->pq", L_all, M, L_all)
    gradient = J_all.T @ r.flatten() + torch.einsum("smp,st,tm->p", L_all, M, x)
    expected = torch.linalg.solve(H, -gradient)
    torch.testing.assert_close(torch.cat([step.flatten(), betas]), expected)


def test_a_band_that_is_not_positive_definite_has_no_solution():
    blocks = [torch.tensor([[[1.0]], [[1.0]]]), torch.tensor([[[2.0]]])]  # [1 2; 2 1]
    assert solve_block_band(blocks, torch.ones(2, 1, 1)).isnan().all()
    assert not solve_block_band([blocks[0], blocks[1] / 4], torch.ones(2, 1, 1)).isnan().any()


def test_angles_of_bones_are_exact_without_twist():
    hand = copy.deepcopy(load_hand("left")).double()
    angles = hand.angle_lower + 0.4 * (hand.angle_upper - hand.angle_lower).expand(2, 15, 3)
    angles = angles * torch.tensor([1.0, 1.0, 0.0])
    X = hand.keypoints_of(hand.rotations(angles), torch.zeros(2, 10, dtype=torch.float64))
    torch.testing.assert_close(angles_of_bones(hand, X), angles, atol=0.05, rtol=0)


def test_procrustes_and_linear_translation_are_exact():
    g = torch.Generator().manual_seed(0)
    X = torch.randn(6, 3, generator=g).double()
    R = axis_angle_to_matrix(torch.randn(2, 3, generator=g).double())
    Y = 3 * X @ R.transpose(-1, -2) + 1
    torch.testing.assert_close(procrustes_rotation(X, Y), R)
    t = torch.tensor([[0.1, -0.2, 7.0], [0.0, 0.3, 9.0]]).double()
    px = project(K.double(), X + t[:, None])
    torch.testing.assert_close(linear_translation(K.double(), px, X.expand(2, 6, 3)), t)


def test_bridge_interpolates_and_holds_the_ends():
    seen = torch.tensor([False, True, False, False, True, False])
    values = torch.tensor([[9.0], [1.0], [9.0], [9.0], [4.0], [9.0]])
    torch.testing.assert_close(bridge(values, seen)[:, 0], torch.tensor([1.0, 1.0, 2.0, 3.0, 4.0, 4.0]))
    R = axis_angle_to_matrix(torch.tensor([[0.0, 0, 0], [0, 0, 0], [0, 0, 0.8]]))
    middle = bridge_rotations(R, torch.tensor([True, False, True]))[1]
    torch.testing.assert_close(middle, axis_angle_to_matrix(torch.tensor([0.0, 0.0, 0.4])))

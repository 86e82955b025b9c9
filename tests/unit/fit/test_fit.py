"""Whole fits of a small scene: a ball carried by an open hand, seen from six sides."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hoi.config import FitClip
from hoi.errors import DataFailure, InputError
from hoi.field.rasterise import Topology, raster
from hoi.fit import Observations, at_rate, fit, sdf
from hoi.fit.variables import Variables
from hoi.geometry.rotations import axis_angle_to_matrix, rigid
from hoi.hand.model import load_hand

CENTRE, RADIUS, SIZE = np.array([-0.09, -0.06, 0.0]), 0.035, (60, 80)
SMALL = {"steps": 80, "warm_steps": 20, "level_steps": 30, "mesh_cells": 48, "grid_cells": 40}


def _settings(**changes: object) -> FitClip:
    text = (Path(__file__).parents[3] / "config" / "config.yaml").read_text()
    settings = yaml.safe_load(text)["fit_clip"]
    settings["start"] |= {"inflations": 3, "cells": 32, "rounds": 1, "teach_steps": 80}
    settings["weights"]["prior"] = 0
    return FitClip(**(settings | SMALL | changes))


def _scene() -> Observations:
    n = 6
    angle = torch.linspace(-1.2, 1.2, n)[:, None] * torch.tensor([[0.3, 0.9, 0.0]])
    R = axis_angle_to_matrix(angle) @ axis_angle_to_matrix(torch.tensor([1.5, 0.0, 0.0]))
    T = rigid(R, torch.tensor([0.0, 0, 0.5]) - R @ torch.tensor(CENTRE, dtype=torch.float32))
    K = torch.tensor([[100.0, 0, 40], [0, 100, 30], [0, 0, 1]])
    hands = {
        "T_cam_hand": T.numpy(), "pose": np.zeros((n, 45), np.float32),
        "betas": np.zeros(10, np.float32), "K": K.numpy(),
        "keypoints_px": np.zeros((n, 21, 2), np.float32),
        "confidence": np.ones(n, np.float32), "found": np.ones(n, bool),
        "is_right": np.bool_(True),
    }  # fmt: skip
    posed = Variables(hands, torch.device("cpu")).posed(torch.arange(n))
    maps = raster(
        posed.vertices_px.detach().numpy(),
        posed.vertices_cam[..., 2].detach().numpy(),
        Topology.of(load_hand().faces.numpy()),
        SIZE,
    )
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    ball = np.hypot(x - 40, y - 30) < 100 * np.tan(np.arcsin(RADIUS / 0.5))
    hand = maps.face >= 0
    obj = np.broadcast_to(ball, hand.shape)
    masks = {"object": obj & ~hand, "hand": hand, "confidence": np.ones(n, np.float32)}
    return Observations.from_arrays(masks, hands)


def _silent(done: int, total: int, note: str = "") -> None:
    assert done <= total


def test_a_ball_comes_back_as_a_ball():
    settings = _settings()
    from_a_sphere = settings.start.model_copy(update={"rounds": 0, "teach_steps": 0})
    masks_alone = settings.weights.model_copy(update={"guess": 0.0})
    settings = settings.model_copy(update={"start": from_a_sphere, "weights": masks_alone})
    result = fit(_scene(), settings, 0, _silent)
    assert result.mesh.is_watertight
    np.testing.assert_allclose(result.mesh.bounds.mean(0), CENTRE, atol=0.015)
    np.testing.assert_allclose(result.mesh.extents, 2 * RADIUS, atol=0.03)
    assert result.poses["T_cam_obj"].shape == (6, 4, 4) and result.poses["K"].shape == (6, 3, 3)
    np.testing.assert_allclose(
        result.poses["T_cam_obj"], result.poses["T_cam_hand"] @ result.poses["T_hand_obj"], atol=1e-5
    )
    history = result.history
    assert np.isfinite(history.to_numpy()).all()
    assert history["label_object"].iloc[-1] < 0.5 * history["label_object"].iloc[0]


def _off(kernel: str) -> float:
    """How far a short fit's surface is from the ball's, mean, metres."""
    settings = _settings()
    field = settings.field.model_copy(update={"kernel": kernel})
    mesh = fit(_scene(), settings.model_copy(update={"field": field}), 0, _silent).mesh
    return float(np.abs(np.linalg.norm(mesh.vertices - CENTRE, axis=1) - RADIUS).mean())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: docs/stack.md says what is unverified")
@pytest.mark.parametrize("kernel", ["torch", "tcnn"])
def test_a_fit_on_a_gpu_is_as_good_as_one_on_the_cpu(kernel, monkeypatch):
    if kernel == "tcnn":
        pytest.importorskip("tinycudann")
    on_gpu = _off(kernel)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert abs(on_gpu - _off("torch")) < 0.003


def test_steadiness_counts_less_between_frames_farther_apart():
    settings = _settings()
    slow, w = at_rate(settings, 7.5), settings.weights
    assert slow.weights.camera_smooth == w.camera_smooth / 8 and slow.weights.temporal == w.temporal / 2
    assert slow.outline.smooth_frames == settings.outline.smooth_frames / 2, "as many seconds"
    assert at_rate(settings, 15.0) == at_rate(settings, 120.0) == settings


def test_same_seed_same_mesh():
    settings = _settings(steps=6, warm_steps=2)
    first, second = (fit(_scene(), settings, 3, _silent).mesh for _ in range(2))
    np.testing.assert_array_equal(first.vertices, second.vertices)


def _with_an_empty_frame() -> Observations:
    """The scene, whose hand and object have left the picture in the last frame."""
    seen = _scene()
    there = np.arange(6) < 5
    hands = seen.hands | {"found": there, "confidence": np.where(there, 1, 0).astype(np.float32)}
    masks = {"object": seen.object_mask & there[:, None, None], "hand": seen.hand_mask & there[:, None, None]}
    return Observations.from_arrays({**masks, "confidence": there.astype(np.float32)}, hands)


@pytest.mark.parametrize("rounds", [0, 1])
def test_a_frame_without_hand_and_object_is_a_gap(rounds):
    settings = _settings(steps=6, warm_steps=2)
    start = settings.start.model_copy(update={"rounds": rounds})
    result = fit(_with_an_empty_frame(), settings.model_copy(update={"start": start}), 0, _silent)
    assert all(np.isfinite(result.poses[key]).all() for key in ("T_cam_obj", "T_cam_hand", "pose", "K"))
    np.testing.assert_allclose(result.mesh.extents, 2 * RADIUS, atol=0.05)


def test_an_object_too_small_to_start_from_is_the_data_s_failure():
    seen = _scene()
    speck = np.zeros((6, 480, 640), bool)
    speck[:, 240, 320] = True
    observed = Observations(speck, np.repeat(np.repeat(seen.hand_mask, 8, 1), 8, 2), seen.confidence, seen.hands)
    with pytest.raises(DataFailure, match="1 pixels at most"):
        fit(observed, _settings(steps=6, warm_steps=2), 0, _silent)


def _stop(*_: object) -> None:
    raise InterruptedError("what follows is no matter here")


@pytest.mark.parametrize(("kernel", "wanted"), [("numba", False), ("torch", True)])
def test_a_fit_says_what_it_computes_on(kernel, wanted, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sdf, "Optimisation", _stop)
    field = _settings().field.model_copy(update={"kernel": kernel})
    with pytest.raises(InterruptedError):
        fit(_scene(), _settings(field=field.model_dump()), 0, _silent)
    told = capsys.readouterr().err
    assert f"the fit (kernel {kernel}) computes on CPU" in told and ("torch sees no GPU" in told) == wanted


def test_hull_holds_the_ball():
    settings = _settings(method="hull")
    hull = settings.hull.model_copy(update={"cells": 48})
    result = fit(_scene(), settings.model_copy(update={"hull": hull}), 0, _silent)
    assert result.mesh.is_watertight
    inside = result.mesh.bounds
    assert (inside[0] < CENTRE - 0.5 * RADIUS).all() and (inside[1] > CENTRE + 0.5 * RADIUS).all()


def test_nothing_to_fit_is_said_first():
    scene = _scene()
    empty = Observations(np.zeros_like(scene.object_mask), scene.hand_mask, scene.confidence, scene.hands)
    with pytest.raises(InputError, match="object mask"):
        fit(empty, _settings(), 0, _silent)
    short = Observations(scene.object_mask[:1], scene.hand_mask[:1], scene.confidence[:1], scene.hands)
    with pytest.raises(InputError, match="1 frames"):
        fit(short, _settings(), 0, _silent)


def test_a_non_finite_loss_ends_the_fit_with_its_name():
    settings = _settings()
    rates = settings.rates.model_copy(update={"network": 1e30})
    with pytest.raises(InputError, match="non-finite loss at step"):
        fit(_scene(), settings.model_copy(update={"rates": rates}), 0, _silent)


def test_a_hand_with_nan_is_named():
    scene = _scene()
    hands = scene.hands | {"K": np.full((3, 3), np.nan, np.float32)}
    with pytest.raises(InputError, match="hands: K"):
        fit(Observations(scene.object_mask, scene.hand_mask, scene.confidence, hands), _settings(), 0, _silent)


def test_residuals_are_zero_at_the_start_and_turn_about_the_grasp():
    variables = Variables(_scene().hands, torch.device("cpu"))
    np.testing.assert_allclose(variables.T_cam_hand().detach(), variables.start_T_cam_hand, atol=1e-6)
    np.testing.assert_allclose(variables.T_hand_obj().detach(), np.eye(4)[None].repeat(6, 0), atol=1e-6)
    with torch.no_grad():
        variables.camera[:, 1] = 0.3
    at = variables.T_cam_hand().detach()[:, :3, :3] @ variables.grasp + variables.T_cam_hand().detach()[:, :3, 3]
    was = variables.start_T_cam_hand[:, :3, :3] @ variables.grasp + variables.start_T_cam_hand[:, :3, 3]
    np.testing.assert_allclose(at, was, atol=1e-6)


def test_a_share_of_the_views_is_spread_evenly():
    observed = _scene()
    assert np.flatnonzero(observed.share(1.0).confidence).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.flatnonzero(observed.share(0.5).confidence).tolist() == [1, 3, 5]
    assert np.flatnonzero(observed.share(0.0).confidence).tolist() == [3], "one frame at least, the middle one"

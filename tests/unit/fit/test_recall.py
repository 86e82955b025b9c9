"""A remembered object is found again by what a clip shows of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from hoi.config import FitRecall
from hoi.field.bent import BentField
from hoi.fit import Prior
from hoi.fit.grid import GridField
from hoi.fit.observations import Observations
from hoi.fit.optimise import Optimisation
from hoi.fit.recall import Seen, best_of_each, recall
from hoi.fit.surface import mesh_from_grid
from hoi.fit.told import Teller
from hoi.fit.variables import Variables
from hoi.geometry.rotations import axis_angle_to_matrix, invert_rigid
from hoi.geometry.sampling import sample_surface
from hoi.prior.memory import Kept, Memory
from tests.unit.prior.scenes import denoiser

from .test_fit import CENTRE, RADIUS, _scene, _settings

QUICK = FitRecall(points=200, few=100, settling=6, tried=8, kept=2, places=1, frames=(3, 6), pixels=(40, 80), steps=(20, 60),
                  rate=0.03, touch=0, cells=30000, agree=0.9, beta_m=0.002, cell_m=0.03)  # fmt: skip
SHAPES = {0: trimesh.creation.icosphere(3, RADIUS), 1: trimesh.creation.box([0.02, 0.02, 0.2])}
FAR = torch.full((5, 1, 3), 9.0)  # fingers that hold nothing


def _shape(category: str, seed: int):
    assert category == "bottle"
    return np.asarray(SHAPES[seed].vertices), np.asarray(SHAPES[seed].faces)


def _memory(off_m: float = 0.02) -> Memory:
    """A ball and a rod, each held once, some way from where the scene's ball is."""
    T = np.eye(4, dtype=np.float32)
    T[:3, 3] = CENTRE + off_m
    kept = [
        Kept("bottle", seed, sample_surface(mesh.vertices, mesh.faces, 200, 0), T[None])
        for seed, mesh in SHAPES.items()
    ]
    return Memory(kept, _shape)


def _ball(cells: int = 40) -> GridField:
    low, high = (torch.tensor(CENTRE + d * 0.08).float() for d in (-1, 1))
    axes = [torch.linspace(float(a), float(b), cells) for a, b in zip(low, high, strict=True)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    return GridField((points - torch.tensor(CENTRE).float()).norm(dim=-1) - RADIUS, low, high)


def _recalled(
    memory: Memory, rough: GridField, observed: Observations, pads_obj: Tensor = FAR, touch: float = 0.0
) -> GridField | None:
    v = Variables(observed.hands, torch.device("cpu"))
    n = len(observed.object_mask)
    with torch.no_grad():
        seen = Seen(rough, torch.eye(4).repeat(n, 1, 1), v.T_cam_hand(), v.K(), pads_obj)
    settings = QUICK.model_copy(update={"touch": touch})
    return recall(memory.held("bottle", True), seen, observed, settings, 0)


def test_the_ball_is_recalled_not_the_rod_and_lies_where_it_is_seen():
    body = _recalled(_memory(), _ball(), _scene())
    mesh = mesh_from_grid(body.values.numpy(), body.low.numpy(), body.high.numpy())
    np.testing.assert_allclose(mesh.extents, 2 * RADIUS, atol=0.003)
    np.testing.assert_allclose(mesh.bounds.mean(0), CENTRE, atol=0.006)


@pytest.mark.parametrize("times", [1.0, 1.15])
def test_fingers_tell_a_small_object_from_a_larger_one_farther_off(times):
    """One frame shows a ball: so large, or larger and as much farther away. The fingers lie on the one or the other."""
    scene = _scene().share(0.0)
    shown = int(scene.confidence.argmax())
    eye = invert_rigid(torch.from_numpy(scene.hands["T_cam_hand"]))[shown, :3, 3].numpy()
    held_at, radius = eye + times * (CENTRE - eye), times * RADIUS
    balls = {seed: trimesh.creation.icosphere(3, size * RADIUS) for seed, size in enumerate([1.0, 1.15])}
    T = np.eye(4, dtype=np.float32)
    T[:3, 3] = CENTRE
    kept = [Kept("bottle", i, sample_surface(b.vertices, b.faces, 200, 0), T[None]) for i, b in balls.items()]
    memory = Memory(kept, lambda category, seed: (np.asarray(balls[seed].vertices), np.asarray(balls[seed].faces)))
    ways = np.concatenate([np.eye(3), -np.eye(3)])[:5]
    pads = torch.from_numpy(held_at + radius * ways).float()[:, None]
    body = _recalled(memory, _ball(), scene, pads, touch=0.001)
    mesh = mesh_from_grid(body.values.numpy(), body.low.numpy(), body.high.numpy())
    np.testing.assert_allclose(mesh.extents, 2 * radius, atol=0.003)
    np.testing.assert_allclose(mesh.bounds.mean(0), held_at, atol=0.006)


def test_best_guesses_of_each_object():
    costs = torch.tensor([0.3, 0.1, 0.2, 0.4, 0.5])
    assert best_of_each(costs, [7, 7, 7, 8, 9], places=1, count=2).tolist() == [1, 3]
    assert best_of_each(costs, [7, 7, 7, 8, 9], places=2, count=4).tolist() == [1, 2, 3, 4]


def test_nothing_known_or_nothing_seen_recalls_nothing():
    scene, ball = _scene(), _ball()
    assert _recalled(Memory([], _shape), ball, scene) is None
    assert _recalled(_memory(), replace(ball, values=ball.values.abs() + 0.01), scene) is None
    unseen = replace(scene, object_mask=np.zeros_like(scene.object_mask))
    assert _recalled(_memory(), ball, unseen) is None


@pytest.mark.parametrize("condition, recalled", [("hand_and_category", True), ("hand", False), ("category", False)])
def test_a_fit_starts_from_what_is_recalled_where_the_prior_knows_hand_and_category(condition, recalled):
    settings = _settings(steps=2)
    prior = settings.prior.model_copy(update={"recall": QUICK, "condition": condition, "bodies": ["recalled"]})
    weights = settings.weights.model_copy(update={"prior": 1.0})
    settings = settings.model_copy(update={"prior": prior, "weights": weights})
    fit_ = Optimisation(_scene(), settings, 0, torch.device("cpu"), Prior(denoiser, "bottle", _memory()))
    fit_.step(0)
    assert (fit_.told == "recalled") is recalled
    assert isinstance(fit_.field, BentField) is recalled, "and is bent"
    before = [p.detach().clone() for p in fit_.field.parameters()]
    fit_.step(1)
    assert all((a != b).any() for a, b in zip(before, fit_.field.parameters(), strict=True)), "the new field learns"


def test_what_is_recalled_but_explains_the_masks_worse_gives_way_to_what_is_imagined(monkeypatch):
    asked = []
    monkeypatch.setattr(Teller, "imagined", lambda self, seen, scene, progress: asked.append(progress))
    rod = Memory(_memory().kept[1:], _shape)
    settings = _settings(steps=2)
    prior = settings.prior.model_copy(update={"recall": QUICK})
    weights = settings.weights.model_copy(update={"prior": 1.0})
    settings = settings.model_copy(update={"prior": prior, "weights": weights})
    fit_ = Optimisation(_scene(), settings, 0, torch.device("cpu"), Prior(denoiser, "bottle", rod))
    fit_.step(0)
    assert asked == [0] and fit_.told is None


def test_a_left_hand_holds_the_mirrored_object():
    T = np.eye(4, dtype=np.float32)
    T[:3, :3], T[:3, 3] = axis_angle_to_matrix(torch.tensor([0.3, 0.2, 0.1])).numpy(), [0.01, 0.02, 0.03]
    memory = Memory([Kept("bottle", 1, np.float32([[0.01, 0.0, 0.1]]), T[None])], _shape)
    right, left = (memory.held("bottle", side)[0] for side in (True, False))
    assert torch.equal(left.cloud(), right.cloud() * torch.tensor([-1.0, 1, 1]))
    volume = [trimesh.Trimesh(*held.mesh(), process=False).volume for held in (right, left)]
    assert volume == pytest.approx([SHAPES[1].volume] * 2, rel=1e-4), "faces look outwards on both sides"

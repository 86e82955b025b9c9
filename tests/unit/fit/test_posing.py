"""Guesses of a known shape's pose: misfit by hand, and motions that are undone."""

import numpy as np
import pytest
import torch

from hoi.fit.posing import Guess, Views, descend, misfit, motion, settle
from hoi.geometry.rotations import axis_angle_to_matrix, rigid, transform
from hoi.geometry.sampling import sample_surface
from tests.unit.geometry.test_registration import mug

SMALL = rigid(axis_angle_to_matrix(torch.tensor([0.1, -0.08, 0.12])), torch.tensor([0.01, -0.006, 0.008]))


def test_misfit_by_hand():
    # One point in the middle of a 10 x 10 picture, depth 1, focal length 10; the object's one pixel lies 3 px beside it.
    outside = torch.full((1, 10, 10), 2.0)
    views = Views(
        torch.eye(4)[None], torch.tensor([[[10.0, 0, 5], [0, 10, 5], [0, 0, 1]]]), outside,
        torch.tensor([[[8.0, 5.0]]]), torch.tensor([2.0]),
    )  # fmt: skip
    guess = Guess.at(torch.tensor([[0.0, 0, 1]]))
    assert misfit(torch.zeros(1, 3), guess, views).item() == pytest.approx((2 / 2) ** 2 + (3 / 2) ** 2)


def test_descent_moves_and_turns_but_does_not_scale_a_free_guess():
    points = torch.from_numpy(sample_surface(mug().vertices, mug().faces, 300, 0)).float()
    points -= points.mean(0)
    guess = Guess.at(torch.zeros(2, 3))
    costs = descend(lambda g: (g.posed(points) - transform(SMALL, points)).square().mean((1, 2)), guess, 0.02, 200)
    assert float(costs.max()) < 1e-7 and torch.equal(guess.log_scale, torch.zeros(2))
    assert torch.allclose(guess.posed(points)[0], transform(SMALL, points), atol=1e-3)


def test_settling_undoes_a_small_motion_though_a_part_is_missing():
    whole = torch.from_numpy(sample_surface(mug().vertices, mug().faces, 1500, 0)).float()
    there = transform(SMALL, whole)
    part = there[whole[:, 2] > -0.03]  # without the lowest 2 cm
    found = settle(torch.stack([whole, there]), part, 40, 0.001)
    assert float((found - there).norm(dim=-1).max()) < 0.002
    assert torch.allclose(settle(whole[None], whole, 5, 0.001)[0], whole, atol=1e-6)


def test_a_motion_is_found_from_where_points_went():
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 20, 3))).float()
    assert torch.allclose(motion(points, transform(SMALL[None], points))[0], SMALL, atol=1e-5)

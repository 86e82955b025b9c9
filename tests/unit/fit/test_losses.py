"""Each term with an answer computed by hand."""

import math

import numpy as np
import torch

from hoi.fit import losses

YES, NO = torch.tensor([True]), torch.tensor([False])
ONE = torch.ones(1)


def test_label_object_counts_only_what_stands_before_the_hand():
    weights, depth = torch.tensor([[0.25, 0.5]]), torch.tensor([[0.3, 0.5]])
    before = losses.label_object(weights, depth, torch.tensor([0.4]), NO, YES, ONE, 1e-3)
    np.testing.assert_allclose(before, 0.25, atol=1e-6)
    free = losses.label_object(weights, depth, torch.tensor([0.4]), YES, NO, ONE, 1e-3)
    np.testing.assert_allclose(free, 0.25, atol=1e-6)  # all of it is seen: 1 - 0.75
    unknown = losses.label_object(weights, depth, torch.tensor([1e3]), NO, YES, ONE, 1e-3)
    assert float(unknown) == 0.0


def test_hand_terms_leave_the_forearm_and_the_hidden_hand_out():
    label = torch.tensor([[0.0, 0.25, 0.75], [0.0, 0.0, 1.0]])
    hand, arm = torch.tensor([True, True]), torch.tensor([False, True])
    np.testing.assert_allclose(losses.label_hand(label, hand, arm, torch.ones(2)), 0.75)
    neither = torch.tensor([False, False])
    on_object = losses.hand_mask(
        torch.tensor([0.3, 0.9]), torch.tensor([False, True]), torch.tensor([True, False]), neither, torch.ones(2)
    )
    np.testing.assert_allclose(on_object, 0.7, atol=1e-6)


def test_trust_weights_rays():
    label = torch.tensor([[0.0, 0.5, 0.5], [0.0, 1.0, 0.0]])
    got = losses.label_hand(label, torch.tensor([True, False]), torch.tensor([False, False]), torch.tensor([1.0, 0.25]))
    np.testing.assert_allclose(got, (0.5 + 0.25) / 1.25, rtol=1e-6)


def test_hand_contour_is_squared_and_saturates():
    at = torch.zeros(1, 2, 2)
    gap = torch.tensor([[[0.01, 0.0], [1000.0, 0.0]]])
    near = losses.hand_contour(at, gap, torch.tensor([[1.0, 0.0]]), ONE)
    np.testing.assert_allclose(near, 1e-4, rtol=0.02)
    assert float(losses.hand_contour(at, gap, torch.tensor([[0.0, 1.0]]), ONE)) <= 0.01


def test_steady_motion_costs_nothing_in_the_camera_but_a_slipping_grasp_does():
    steady = torch.arange(5.0)[:, None, None] * torch.tensor([0.01, 0, 0]) + torch.rand(21, 3)
    assert float(losses.camera_smooth(steady)) < 1e-12
    np.testing.assert_allclose(losses.temporal(steady), 1e-4, rtol=1e-4)
    jump = torch.zeros(3, 21, 3)
    jump[1, :, 0] = 0.01
    np.testing.assert_allclose(losses.camera_smooth(jump), 4e-4, rtol=1e-4)


def test_shape_terms_by_hand():
    np.testing.assert_allclose(losses.eikonal(torch.tensor([[0.0, 0, 1], [0, 3, 4]])), (0 + 16) / 2, rtol=1e-4)
    # a ball of radius 4 cm: Laplacian 2 / r = 50, half its square over 100
    np.testing.assert_allclose(losses.curvature(torch.tensor([50.0, 1e9]), torch.tensor([1.0, 0.0])), 12.5)
    np.testing.assert_allclose(losses.unseen(torch.tensor([0.0, 1.0, -1.0, 1.0]), 0.001), 1.5 / 4, rtol=1e-5)
    np.testing.assert_allclose(losses.penetration(torch.tensor([[-0.01, 0.02]])), 0.005)


def test_contact_is_the_gap_of_the_nearest_point_of_each_finger():
    sdf = torch.tensor([[[0.01, 0.004], [-0.001, 0.3], [0.5, 0.9]]])
    np.testing.assert_allclose(losses.contact(sdf, 0.02), (0.004 + 0 + 0.02) / 3, rtol=1e-5)


def test_residual_in_units():
    np.testing.assert_allclose(losses.residual(torch.full((2, 3), 0.2), 0.1), 4.0, rtol=1e-5)
    assert math.isfinite(float(losses.residual(torch.zeros(1, 1), 1.0)))

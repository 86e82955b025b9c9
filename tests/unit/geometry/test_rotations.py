"""Rotations: known answers, inverses, gradients at and near zero."""

import numpy as np
import pytest
import torch

from hoi.geometry.rotations import (
    axis_angle_to_matrix,
    invert_rigid,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    mean_rotation,
    quaternion_to_matrix,
    rigid,
    rotate,
    skew,
    transform,
)

QUARTER = np.pi / 2


def random_axis_angles(n: int, largest: float) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    v = torch.randn(n, 3, generator=g, dtype=torch.float64)
    return v / v.norm(dim=-1, keepdim=True) * torch.rand(n, 1, generator=g, dtype=torch.float64) * largest


def test_quarter_turn_about_z_takes_x_to_y():
    R = axis_angle_to_matrix(torch.tensor([0.0, 0.0, QUARTER]))
    torch.testing.assert_close(R @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


def test_skew_is_the_cross_product():
    v, w = random_axis_angles(2, 1.0)
    torch.testing.assert_close(skew(v) @ w, torch.linalg.cross(v, w))


def test_matrices_are_rotations():
    R = axis_angle_to_matrix(random_axis_angles(100, np.pi))
    torch.testing.assert_close(R @ R.transpose(-1, -2), torch.eye(3, dtype=R.dtype).expand_as(R))
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(100, dtype=R.dtype))


@pytest.mark.parametrize("largest", [1e-9, 1e-4, 1.0, np.pi - 1e-6])
def test_axis_angle_round_trip(largest):
    omega = random_axis_angles(100, largest)
    torch.testing.assert_close(matrix_to_axis_angle(axis_angle_to_matrix(omega)), omega, atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0, -0.8)])
def test_half_turn_keeps_its_axis_up_to_sign(axis):
    omega = np.pi * torch.tensor(axis, dtype=torch.float64)
    R = axis_angle_to_matrix(omega)
    torch.testing.assert_close(axis_angle_to_matrix(matrix_to_axis_angle(R)), R)


def test_quaternion_of_a_third_turn():
    R = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # about (1, 1, 1)
    torch.testing.assert_close(matrix_to_quaternion(R), torch.full((4,), 0.5))


def test_quaternion_round_trip():
    q = torch.nn.functional.normalize(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    q = torch.where(q[:, :1] < 0, -q, q)
    torch.testing.assert_close(matrix_to_quaternion(quaternion_to_matrix(q)), q)
    quarter = torch.tensor([0.5**0.5, 0.0, 0.0, 0.5**0.5])  # about z: x to y
    torch.testing.assert_close(quaternion_to_matrix(quarter)[:, 0], torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [0.0, 1e-6, 5e-5, 1e-3, 1.0])
def test_axis_angle_to_matrix_gradient(scale):
    omega = (scale * torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_matrix, (omega,), atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 3.0])
def test_round_trip_gradient(scale):
    omega = (scale * torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: matrix_to_axis_angle(axis_angle_to_matrix(w)), (omega,), atol=1e-5)


def test_round_trip_gradient_at_zero_is_the_identity():
    J = torch.autograd.functional.jacobian(
        lambda w: matrix_to_axis_angle(axis_angle_to_matrix(w)), torch.zeros(3, dtype=torch.float64)
    )
    torch.testing.assert_close(J, torch.eye(3, dtype=torch.float64))


def test_the_mean_of_turns_to_and_fro_is_where_they_start():
    omega = torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)
    start = axis_angle_to_matrix(torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64))
    there = torch.stack([axis_angle_to_matrix(a * omega) @ start for a in (-1.0, 1.0)])
    torch.testing.assert_close(mean_rotation(there), start)
    torch.testing.assert_close(mean_rotation(there[:1]), there[0])


def test_the_mean_rotation_lies_between_two():
    R = axis_angle_to_matrix(torch.tensor([[0.0, 0.0, 0.2], [0.0, 0.0, 0.2], [0.0, 0.0, 1.4]], dtype=torch.float64))
    x, y = (2 * np.cos(0.2) + np.cos(1.4)), (2 * np.sin(0.2) + np.sin(1.4))  # about one axis: the mean of arrows
    expected = torch.tensor([0.0, 0.0, np.arctan2(y, x)], dtype=torch.float64)
    torch.testing.assert_close(matrix_to_axis_angle(mean_rotation(R)), expected)


def test_the_mean_of_far_rotations_is_a_rotation():
    """Also where the nearest orthogonal matrix is a mirror: half turns about all axes sum to -1."""
    half = axis_angle_to_matrix(np.pi * torch.eye(3, dtype=torch.float64))
    tilted = axis_angle_to_matrix(random_axis_angles(3, 0.1)) @ half
    assert torch.linalg.det(tilted.mean(0)) < 0
    for some in (tilted, axis_angle_to_matrix(random_axis_angles(9, np.pi))):
        mean = mean_rotation(some)
        torch.testing.assert_close(mean @ mean.T, torch.eye(3, dtype=mean.dtype))
        torch.testing.assert_close(torch.linalg.det(mean), torch.tensor(1.0, dtype=mean.dtype))
        near = ((some - mean) ** 2).sum((1, 2)).mean()
        others = axis_angle_to_matrix(random_axis_angles(300, np.pi))
        assert near <= ((some - others[:, None]) ** 2).sum((2, 3)).mean(1).min() + 1e-9, "none is nearer"


def test_rigid_transform_and_inverse():
    T = rigid(axis_angle_to_matrix(torch.tensor([0.0, 0.0, QUARTER])), torch.tensor([1.0, 2.0, 3.0]))
    x = torch.tensor([[1.0, 0.0, 0.0]])
    torch.testing.assert_close(transform(T, x), torch.tensor([[1.0, 3.0, 3.0]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(rotate(T, x), torch.tensor([[0.0, 1.0, 0.0]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(invert_rigid(T) @ T, torch.eye(4), atol=1e-6, rtol=0)

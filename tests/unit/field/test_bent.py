"""A known body, bent: what moves it, what does not tear it, and what bending costs."""

import pytest
import torch

from hoi.field.bent import FINE, BentField, cubic_b_spline

LOW, HIGH = torch.full((3,), -0.06), torch.full((3,), 0.06)
CELL_M = 0.03


def plate(half_m: float = 0.002, count: int = 121) -> BentField:
    """A plate across z, 4 mm thick, on a lattice of four cells a side."""
    axis = torch.linspace(-0.06, 0.06, count)
    z = torch.meshgrid(axis, axis, axis, indexing="ij")[2]
    return BentField(z.abs() - half_m, LOW, HIGH, CELL_M, 0.002)


def inside(count: int = 500, reach_m: float = 0.05) -> torch.Tensor:
    return reach_m * (2 * torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) - 1)


def knots(field: BentField) -> torch.Tensor:
    """Where the lattice's coefficients lie: a B-spline of values that are linear in these is linear."""
    axis = LOW[0] + CELL_M * (torch.arange(field.lattice.shape[0]) - 1.0)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)


def test_it_is_the_body_until_it_is_bent():
    x = inside()
    torch.testing.assert_close(plate()(x), x[:, 2].abs() - 0.002, atol=1e-6, rtol=0)


def test_beyond_the_body_s_grid_distances_grow_with_the_way():
    assert plate()(torch.tensor([[0.0, 0.0, 0.1]])).item() == pytest.approx(0.098, abs=1e-6)


def test_a_displacement_that_is_everywhere_the_same_moves_the_body():
    field, x = plate(), inside()
    field.lattice.data[..., 2] = -0.005
    torch.testing.assert_close(field(x), (x[:, 2] - 0.005).abs() - 0.002, atol=1e-6, rtol=0)
    assert field.bending().item() == 0


def test_a_wall_that_is_bent_by_more_than_its_thickness_is_whole():
    """Distances that a sum raises by 3 mm where the wall is 4 mm thick have no inside there; bent by 1 cm they have."""
    field = plate()
    field.lattice.data[..., 2] = -0.01 * torch.sin(40 * knots(field)[..., 0])
    axis = torch.linspace(-0.05, 0.05, 2001)
    for x in (-0.04, 0.0, 0.03):
        along = torch.stack([torch.full_like(axis, x), torch.zeros_like(axis), axis], -1)
        within = axis[field(along) < 0]
        assert 0.0038 < within.max() - within.min() < 0.0042, "as thick as it was"
        assert len(within) == ((axis >= within.min()) & (axis <= within.max())).sum(), "in one piece"


def test_turning_stretching_and_shearing_bend_nothing():
    field = plate()
    A = torch.tensor([[0.1, 0.3, 0.0], [-0.2, -0.05, 0.1], [0.0, 0.4, 0.2]])
    field.lattice.data = knots(field) @ A.T
    assert field.bending().item() < 1e-10
    x = inside(reach_m=0.03)
    torch.testing.assert_close(field(x), (x + x @ A.T)[:, 2].abs() - 0.002, atol=1e-5, rtol=0)


def test_bending_by_hand():
    """d_z = x²/2 has the second difference cell² along x everywhere, a cell's change of stretch; the pair (x, x) alone counts."""
    field = plate()
    field.lattice.data[..., 2] = knots(field)[..., 0] ** 2 / 2
    assert field.bending().item() == pytest.approx(CELL_M**2, rel=1e-4)


def test_splines_sum_to_one_and_are_straight_where_coefficients_are():
    splines = cubic_b_spline(4, FINE)
    torch.testing.assert_close(splines.sum(1), torch.ones(4 * FINE + 1))
    torch.testing.assert_close(splines @ (torch.arange(7) - 1.0), torch.arange(4 * FINE + 1) / FINE)
    assert (splines >= 0).all() and ((splines > 0).sum(1) <= 4).all()


def test_gradients_are_those_of_differences():
    torch.manual_seed(0)
    field = plate().double()
    field.body = tuple(a.double() for a in field.body)
    field.splines = [a.double() for a in field.splines]
    field.lattice.data = 0.004 * torch.randn_like(field.lattice)
    x = inside(20, 0.04).double() + 1e-5
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, _: field(x), (x, field.lattice), eps=1e-7, atol=1e-4)

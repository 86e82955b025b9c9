"""The field as a correction of a body that is known roughly."""

import pytest
import torch

from hoi.field.hashgrid import GridSpec
from hoi.field.sdf import SdfField

SPEC = GridSpec((0.0, 0.0, 0.0), 0.2, (8, 16), 2**12)


@pytest.fixture
def field():
    return SdfField(SPEC, 0.05, 0.01, 16, "torch", torch.Generator().manual_seed(0))


def plate(count=61):
    """Signed distances of a plate 4 mm thick, on a grid finer than the field's."""
    axis = torch.linspace(-0.06, 0.06, count)
    z = torch.meshgrid(axis, axis, axis, indexing="ij")[2]
    return z.abs() - 0.002, torch.full((3,), -0.06), torch.full((3,), 0.06)


def test_a_rebased_field_is_the_body_until_it_is_corrected(field):
    field.rebase(*plate())
    x = 0.05 * (2 * torch.rand(500, 3, generator=torch.Generator().manual_seed(1)) - 1)
    assert torch.allclose(field(x), x[:, 2].abs() - 0.002, atol=1e-4), "thinner than the field's cells, and whole"
    field.b3.data += 0.1
    moved = field(x) - (x[:, 2].abs() - 0.002)
    assert torch.allclose(moved, moved[0].expand(500), atol=1e-4) and moved[0] > 1e-3, "the network adds to it"


def test_beyond_the_body_s_grid_distances_grow_with_the_way(field):
    field.rebase(*plate())
    assert field(torch.tensor([[0.0, 0.0, 0.1]])).item() == pytest.approx(0.098, abs=1e-4)


def test_a_rebased_field_learns(field):
    field.rebase(*plate())
    x = torch.tensor([[0.0, 0.0, 0.01]])
    field(x).sum().backward()
    assert field.w3.grad.abs().max() > 0 and field.b3.grad.abs().max() > 0

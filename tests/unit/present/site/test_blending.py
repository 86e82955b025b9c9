import numpy as np
import pytest
import torch

from hoi.geometry.rotations import axis_angle_to_matrix
from hoi.hand.model import load_hand
from hoi.present.site.blending import blended

from .test_packing import unpacked


def unblended(data):
    base, shapes, shares, poses = (unpacked(data[key]) for key in ("base", "shapes", "shares", "poses"))
    local = base + np.einsum("nk,kvi->nvi", shares, shapes)
    return np.einsum("nij,nvj->nvi", poses[:, :3, :3], local) + poses[:, None, :3, 3]


def numbers(data):
    return sum(np.prod(part["shape"]) for part in data.values())


def carried_hand(frames):
    """A hand that closes while it is turned and carried, in metres."""
    u = torch.linspace(0, 1, frames)[:, None]
    with torch.no_grad():
        closing = load_hand()(0.6 * u * torch.sin(torch.arange(45)), torch.zeros(frames, 10)).vertices
    R = axis_angle_to_matrix(u * torch.tensor([0.5, 2.0, 1.0]))
    return (closing @ R.mT + u[:, None] * torch.tensor([0.3, -0.1, 0.4])).numpy()


def test_a_hand_comes_back_within_the_error_in_a_quarter_of_the_numbers():
    vertices = carried_hand(30)
    data, finer = blended(vertices, 2e-3), blended(vertices, 1e-4)
    off, less = (np.linalg.norm(unblended(d) - vertices, axis=-1).max() for d in (data, finer))
    assert less < off < 2.1e-3 and less < 1.5e-4
    assert numbers(data) < numbers(finer) < vertices.size / 4


@pytest.mark.parametrize("frames", [1, 4])
def test_what_does_not_bend_needs_no_shapes(frames):
    vertices = np.tile(carried_hand(1), (frames, 1, 1)) + 0.1 * np.arange(frames)[:, None, None]
    data = blended(vertices, 1e-4)
    assert data["shapes"]["shape"][0] == 0
    np.testing.assert_allclose(unblended(data), vertices, atol=1e-5)

"""Distances to the nearest points, against torch's over all pairs."""

import pytest
import torch

from hoi.fit.nearest import distance_to_nearest


def clouds(batch, m, n, d):
    g = torch.Generator().manual_seed(m + n)
    points, cloud = (torch.randn(*batch, k, d, generator=g) for k in (m, n))
    return points.requires_grad_(), cloud.requires_grad_()


def test_a_square_by_hand():
    corners = torch.tensor([[0.0, 0.0], [0.0, 4.0], [3.0, 0.0], [3.0, 4.0]])
    found = distance_to_nearest(torch.tensor([[0.0, 1.0], [1.5, 2.0], [3.0, 4.0]]), corners)
    assert found.tolist() == [1.0, 2.5, 0.0]


@pytest.mark.parametrize(
    ("batch", "m", "n", "d"), [((), 5, 9, 2), ((3,), 4, 70, 3), ((2, 3), 1, 1, 2), ((4, 2), 8, 33, 3)]
)
def test_values_and_gradients_are_torch_s(batch, m, n, d):
    points, cloud = clouds(batch, m, n, d)
    found, wanted = distance_to_nearest(points, cloud), torch.cdist(points.double(), cloud.double()).amin(-1)
    assert torch.allclose(found.double(), wanted, atol=1e-6)
    weights = torch.randn(found.shape)
    ours = torch.autograd.grad((found * weights).sum(), (points, cloud))
    theirs = torch.autograd.grad((wanted * weights).sum(), (points, cloud))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs, strict=True))


def test_a_point_of_the_cloud_has_no_pull():
    points = torch.zeros(1, 3, requires_grad=True)
    distance_to_nearest(points, torch.zeros(2, 3)).sum().backward()
    assert points.grad.tolist() == [[0.0, 0.0, 0.0]]


def test_an_empty_cloud_is_refused():
    with pytest.raises(ValueError, match="without points"):
        distance_to_nearest(torch.zeros(1, 2), torch.zeros(0, 2))

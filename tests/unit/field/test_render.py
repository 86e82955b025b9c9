"""Volume rendering and blending with answers computed by hand."""

import math

import numpy as np
import torch
from torch.autograd import gradcheck

from hoi.field.render import blend, density, expected_depth, look_up, propose, ray_weights, sphere_span


def test_density_by_hand():
    beta = torch.tensor(0.01)
    got = density(torch.tensor([0.0, 0.01, -0.01, -1.0]), beta)
    np.testing.assert_allclose(got, [50, 50 / math.e, 100 - 50 / math.e, 100], rtol=1e-5)


def test_weights_by_hand():
    weights = ray_weights(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 1.0]]))
    want = [1 - math.exp(-0.5), math.exp(-0.5) * (1 - math.exp(-2))]
    np.testing.assert_allclose(weights[0], want, rtol=1e-6)


def test_blend_sums_to_one_and_orders_by_depth():
    weights, depth = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.5, 0.2]]), torch.tensor([[0.4, 0.41]]).expand(3, 2)
    label = blend(weights, depth, torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.3, 0.6, 0.3]), 1e-3)
    np.testing.assert_allclose(label.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(label, [[0, 1, 0], [1, 0, 0], [0.7, 0, 0.3]], atol=1e-6)


def test_blend_gradient():
    g = torch.Generator().manual_seed(0)
    weights = (torch.rand(3, 4, generator=g) / 4).double().requires_grad_()
    alpha, hand = (
        torch.rand(3, generator=g).double().requires_grad_(),
        (torch.rand(3, generator=g)).double().requires_grad_(),
    )
    depth = torch.rand(3, 4, generator=g).double().requires_grad_()
    assert gradcheck(lambda *a: blend(*a, 0.3), (weights, depth, alpha, hand))


def test_look_up_is_linear():
    x, y, z = torch.meshgrid(torch.linspace(0, 1, 5), torch.linspace(0, 2, 4), torch.linspace(-1, 1, 3), indexing="ij")
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2, 2]) - torch.tensor(
        [0, 0, 1.0]
    )
    got = look_up(x + 2 * y - 3 * z, torch.tensor([0.0, 0, -1]), torch.tensor([1.0, 2, 1]), points)
    np.testing.assert_allclose(got, points @ torch.tensor([1.0, 2, -3]), atol=1e-5)


def test_samples_gather_at_the_surface_and_cover_the_span():
    bins = torch.linspace(0, 1, 64)[None]
    samples = propose(bins - 0.5, torch.zeros(1), torch.ones(1), 0.02, 32, torch.full((1, 32), 0.5))
    np.testing.assert_allclose(samples.length.sum(), 1, rtol=1e-5)
    assert (samples.depth.diff() > 0).all()
    assert ((samples.depth - 0.5).abs() < 0.1).sum() > 20


def test_sphere_span_by_hand():
    origin, direction = torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]])
    near, far = sphere_span(origin, direction, torch.tensor([0.0, 0.3, 0.6]), 0.5)
    np.testing.assert_allclose([near.item(), far.item()], [0.2, 1.0], rtol=1e-5)


def test_rendered_ball_is_its_silhouette_and_depth():
    """Rays at 0, 0.9 and 1.1 radii of a ball: masks 1, 1, 0; the first meets it at its near side."""
    z = torch.linspace(0.3, 0.7, 2001)[None].expand(3, -1)
    offset = torch.tensor([0.0, 0.09, 0.11])
    sdf = ((z - 0.5) ** 2 + offset[:, None] ** 2).sqrt() - 0.1
    weights = ray_weights(density(sdf, torch.tensor(5e-4)), torch.full_like(z, 2e-4))
    mask, depth = expected_depth(weights, z)
    np.testing.assert_allclose(mask, [1, 1, 0], atol=1e-3)
    np.testing.assert_allclose(depth[0], 0.4, atol=2e-3)

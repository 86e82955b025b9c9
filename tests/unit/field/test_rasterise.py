"""The compiled rasteriser against the plain reference and against known shapes."""

import numpy as np
import torch
import trimesh

from hoi.field.rasterise import Topology, hand_layer, plane_depth, raster, segment_distance, visible_faces
from hoi.field.rasterise_plain import hand_layer_plain

K = torch.tensor([[120.0, 0, 32], [0, 120.0, 24], [0, 0, 1]])
SIZE = (48, 64)


def _scene() -> tuple[Topology, torch.Tensor]:
    """Two overlapping balls as one mesh, half a metre away."""
    ball = trimesh.creation.icosphere(3, 0.05)
    other = trimesh.creation.icosphere(2, 0.03).apply_translation([0.05, 0.01, -0.04])
    mesh = trimesh.util.concatenate([ball, other])
    vertices = torch.tensor(mesh.vertices, dtype=torch.float32) + torch.tensor([0.003, -0.002, 0.5])
    return Topology.of(np.asarray(mesh.faces)), vertices


def _both(vertices: torch.Tensor, topology: Topology, pixel: torch.Tensor, sigma: float):
    px = (vertices @ K.T)[:, :2] / vertices[:, 2:]
    direction = torch.cat([pixel.flip(-1) + 0.5, torch.ones(len(pixel), 1)], -1) @ torch.linalg.inv(K).T
    maps = raster(px[None].detach().numpy(), vertices[None, :, 2].detach().numpy(), topology, SIZE)
    zeros = torch.zeros(len(pixel), dtype=torch.long)
    fast = hand_layer(maps, topology, zeros, zeros, pixel, direction, vertices[None], px[None], sigma)
    return fast, hand_layer_plain(topology, pixel.flip(-1) + 0.5, direction, vertices, px, sigma), maps


def test_equals_the_plain_reference_in_values_and_gradients():
    topology, start = _scene()
    pixel = torch.cartesian_prod(torch.arange(0, 48, 2), torch.arange(0, 64, 2))
    fast, plain, _ = _both(start, topology, pixel, 1.5)
    on = plain[1] < 1
    same = (
        fast[0] - plain[0]
    ).abs() < 1e-4  # an edge where outlines cross may count as outer in one and inner in the other
    assert same.float().mean() > 0.97
    np.testing.assert_array_equal(fast[1][on] < 1, True)
    np.testing.assert_allclose(fast[1][on], plain[1][on], atol=1e-5)
    grads = []
    for which in (0, 1):
        vertices = start.clone().requires_grad_()
        alpha, depth = _both(vertices, topology, pixel, 1.5)[which]
        (alpha[same].sum() + depth[on].sum()).backward()
        grads.append(vertices.grad)
    np.testing.assert_allclose(grads[0], grads[1], atol=2e-3 * float(grads[1].abs().max()))


def test_visible_faces_are_those_of_the_raster():
    topology, vertices = _scene()
    px, z = ((vertices @ K.T)[:, :2] / vertices[:, 2:]).numpy(), vertices[:, 2].numpy()
    whole = raster(px[None], z[None], topology, SIZE)
    assert np.array_equal(visible_faces(px, z, topology.faces, SIZE), whole.face[0])


def test_mask_of_a_ball_is_its_disc():
    """A ball of radius r at depth z covers a disc of angular radius asin(r / z)."""
    ball = trimesh.creation.icosphere(4, 0.05)
    topology = Topology.of(np.asarray(ball.faces))
    vertices = torch.tensor(ball.vertices, dtype=torch.float32) + torch.tensor([0.0, 0, 0.5])
    pixel = torch.cartesian_prod(torch.arange(48), torch.arange(64))
    (alpha, depth), _, maps = _both(vertices, topology, pixel, 1.0)
    radius = 120 * np.tan(np.arcsin(0.1))
    gap = ((pixel.flip(-1) + 0.5 - torch.tensor([32.0, 24])) ** 2).sum(-1).sqrt() - radius
    np.testing.assert_array_equal((maps.face[0] >= 0).ravel()[gap.abs() > 0.2], (gap < 0)[gap.abs() > 0.2])
    near = gap.abs() < 6
    np.testing.assert_allclose(alpha[near], torch.sigmoid(-gap)[near], atol=0.03)
    centre = pixel.eq(torch.tensor([24, 32])).all(-1)
    np.testing.assert_allclose(depth[centre], 0.45, atol=1e-3)


def test_inner_outlines_are_not_the_mask():
    """Where one ball stands before the other, the front ball's outline runs inside the mask and is no edge of it."""
    topology, vertices = _scene()
    pixel = torch.tensor([[24, 38]])
    (alpha, _), _, _ = _both(vertices, topology, pixel, 0.5)
    assert float(alpha) > 0.99


def test_plane_depth_by_hand():
    triangle = torch.tensor([[[0.0, 0, 1], [1, 0, 1], [0, 1, 2]]])
    np.testing.assert_allclose(plane_depth(triangle, torch.tensor([[0.0, 0.5, 1.0]])), [2.0])  # z = 1 + y = 1 + z / 2


def test_segment_distance_by_hand():
    a, b = torch.tensor([[0.0, 0]]).expand(3, 2), torch.tensor([[2.0, 0]]).expand(3, 2)
    p = torch.tensor([[1.0, 3], [-3.0, 4], [5.0, 4]])
    np.testing.assert_allclose(segment_distance(p, a, b), [3, 5, 5], rtol=1e-5)

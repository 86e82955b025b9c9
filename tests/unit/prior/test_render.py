import numpy as np
import pytest
import torch

from hoi.hand.model import load_hand
from hoi.prior.grid_sdf import grid_sdf
from hoi.prior.render import Ball, barycentric, render_hand, render_object

from .scenes import RENDER, ahead, sphere

BALL = Ball(torch.zeros(3), 0.08)
BETA = torch.tensor(0.0005)


def test_a_sphere_has_its_projected_area_depth_and_normals():
    image = render_object(sphere(), torch.tensor(0.0001), ahead(), BALL, RENDER)
    # a sphere of radius r at distance d is seen under tan = r / sqrt(d² - r²); a grazing ray meets some 3 β more
    radius_px = 320 * 0.0403 / (0.5**2 - 0.0403**2) ** 0.5
    assert float(image.mask.sum()) == pytest.approx(np.pi * radius_px**2, rel=0.02)
    depth, normal = image.depth.reshape(64, 64), image.normal.reshape(64, 64, 3)
    assert float(depth[32, 32]) == pytest.approx(0.46, abs=0.001)
    assert torch.allclose(normal[32, 32], torch.tensor([0.0, 0.0, -1.0]), atol=0.03)
    right, low = normal[32, 50], normal[50, 32]
    assert right[0] > 0.6 and abs(right[1]) < 0.05 and right[2] < 0, "x to the right"
    assert low[1] > 0.6 and abs(low[0]) < 0.05, "y down"
    assert float(image.mask[0]) == 0 and float(depth[0, 0]) == 0 and float(normal[0, 0].abs().sum()) == 0


def test_normals_on_the_sphere_are_those_of_its_points():
    view = ahead()
    image = render_object(sphere(), BETA, view, BALL, RENDER)
    full = (image.mask > 0.99).nonzero()[:, 0]
    row, col = full // 64, full % 64
    x = image.depth[full, None] * torch.stack(
        [(col + 0.5 - 32) / 320, (row + 0.5 - 32) / 320, torch.ones(len(full))], -1
    )
    expected = torch.nn.functional.normalize(x - torch.tensor([0.0, 0.0, 0.5]), dim=-1)
    assert float((image.normal[full] - expected).norm(dim=-1).median()) < 0.03


def test_a_subset_of_pixels_is_that_of_the_whole():
    pixels = torch.tensor([5, 32 * 64 + 32, 40 * 64 + 20, 4095])
    whole, some = (render_object(sphere(), BETA, ahead(), BALL, RENDER, p) for p in (None, pixels))
    for name in ("mask", "normal", "depth"):
        assert torch.allclose(getattr(whole, name)[pixels], getattr(some, name), atol=1e-6)


def test_a_view_of_nothing_is_empty():
    image = render_object(lambda x: torch.full(x.shape[:-1], 1.0), BETA, ahead(), BALL, RENDER)
    assert float(image.mask.sum()) == 0 and image.normal.shape == (4096, 3)


def test_depth_follows_a_shift_of_the_object_and_the_mask_a_growth():
    shift = torch.zeros(3, requires_grad=True)
    pixel = torch.tensor([32 * 64 + 32, 32 * 64 + 32 + 28])  # the middle, and a pixel 2.8 px beyond the outline
    beta = torch.tensor(0.002)

    def seen(growth):
        return render_object(lambda x: (x - shift).norm(dim=-1) - 0.04 - growth, beta, ahead(), BALL, RENDER, pixel)

    (slope,) = torch.autograd.grad(seen(0.0).depth[0], shift)
    assert float(slope[2]) == pytest.approx(1.0, abs=0.1), "the object's way is the depth's way"
    growth = torch.zeros((), requires_grad=True)
    (grown,) = torch.autograd.grad(seen(growth).mask[1], growth)
    with torch.no_grad():
        difference = float(seen(2e-4).mask[1] - seen(-2e-4).mask[1]) / 4e-4
    assert float(grown) == pytest.approx(difference, rel=0.1) and difference > 10, "a larger object covers more"


def test_normals_carry_gradient_to_the_field():
    tilt = torch.zeros((), requires_grad=True)
    pixel = torch.tensor([32 * 64 + 32])
    image = render_object(lambda x: -x[..., 2] + tilt * x[..., 0], BETA, ahead(0.5), BALL, RENDER, pixel)
    (slope,) = torch.autograd.grad(image.normal[0, 0] / image.mask[0].detach(), tilt)
    assert float(slope) == pytest.approx(1.0, abs=0.05), "n = (tilt, 0, -1) to first order"


def test_the_hand_is_where_its_vertices_are():
    hand = load_hand("right")
    vertices = hand(torch.zeros(1, 45), torch.zeros(1, 10)).vertices[0]
    view = ahead(0.6, 150.0)
    image = render_hand(vertices, hand.faces, hand.face_uv, view)
    on = image.mask > 0
    assert 100 < int(on.sum()) < 2000
    z = vertices[:, 2] + 0.6
    assert (
        float(image.depth[on].min()) >= float(z.min()) - 1e-4 and float(image.depth[on].max()) <= float(z.max()) + 1e-4
    )
    assert torch.allclose(image.normal[on].norm(dim=-1), torch.ones(int(on.sum())), atol=1e-4)
    assert (image.normal[on][:, 2] < 0.2).all(), "towards the viewer"
    assert float(image.uv[on].min()) >= 0 and float(image.uv[on].max()) <= 1
    assert image.mean_depth == pytest.approx(float(z.mean()), abs=1e-5)
    assert float(image.depth[~on].abs().sum()) == 0


def test_uv_of_a_triangle_is_linear_on_its_plane():
    vertices = torch.tensor([[-0.2, -0.2, 0.0], [0.2, -0.2, 0.1], [-0.2, 0.2, 0.2]])
    faces, uv = torch.tensor([[0, 1, 2]]), torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    image = render_hand(vertices, faces, uv, ahead(0.5, 40.0))
    on = (image.mask > 0).nonzero()[:, 0]
    assert len(on) > 50
    u, v = image.uv[on].T
    assert torch.allclose(image.depth[on], 0.5 + 0.1 * u + 0.2 * v, atol=1e-4)


def test_barycentric_weights_by_hand():
    triangle = torch.tensor([[[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [0.0, 4.0, 1.0]]])
    assert torch.allclose(barycentric(triangle, torch.tensor([[1.0, 2.0, 1.0]])), torch.tensor([[0.25, 0.25, 0.5]]))


def test_a_mesh_with_holes_has_an_inside():
    """Every tenth face is missing: one ray in ten leaves through a hole, most do not."""
    import trimesh

    ball = trimesh.creation.icosphere(4, 0.04)
    faces = np.asarray(ball.faces)[np.random.default_rng(0).random(len(ball.faces)) > 0.1]
    grid = grid_sdf(np.asarray(ball.vertices), faces, 0.003, 40_000, 0.02)
    way = torch.nn.functional.normalize(torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    assert (grid(0.025 * way) < 0).float().mean() > 0.99 and (grid(0.055 * way) > 0).float().mean() > 0.99


def test_a_mesh_on_a_grid_is_the_function_itself():
    import trimesh

    ball = trimesh.creation.icosphere(4, 0.04)
    grid = grid_sdf(np.asarray(ball.vertices), np.asarray(ball.faces), 0.003, 40_000, 0.01)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.uniform(-0.045, 0.045, (500, 3))).float()
    near = (x.norm(dim=-1) - 0.04).abs() < 0.01
    assert torch.allclose(grid(x)[near], (x.norm(dim=-1) - 0.04)[near], atol=6e-4)
    assert torch.allclose(grid(x), x.norm(dim=-1) - 0.04, atol=4e-3)
    far = torch.tensor([[0.3, 0.0, 0.0], [0.0, -0.2, 0.0]])
    assert torch.allclose(grid(far), torch.tensor([0.26, 0.16]), atol=1e-3), "its border's value plus the way"
    picture = render_object(grid, BETA, ahead(), BALL, RENDER)
    exact = render_object(sphere(), BETA, ahead(), BALL, RENDER)
    assert float((picture.mask - exact.mask).abs().mean()) < 0.01

from dataclasses import fields

import numpy as np
import pytest
import torch
import trimesh

from hoi.geometry.rotations import axis_angle_to_matrix, invert_rigid, rigid, transform
from hoi.hand.model import load_hand
from hoi.prior.encode import encode_hand, encode_object
from hoi.prior.grid_sdf import grid_sdf
from hoi.prior.pictures import depth_picture, grid, normals_picture, sample_grid
from hoi.prior.render import Ball, render_hand, render_object
from hoi.prior.samples import AROUND_M, Channels, Held, Thing, channels, render_sample, stored
from hoi.prior.views import draw_view

from .scenes import RENDER, VIEWS, denoiser, sphere

BETA = torch.tensor(RENDER.beta_m)
T_ROUGH_OBJ = rigid(axis_angle_to_matrix(torch.tensor([0.4, -0.7, 1.1])), torch.tensor([0.012, -0.02, 0.008]))


@pytest.fixture(scope="module")
def thing():
    box = trimesh.creation.box((0.08, 0.05, 0.06))
    sdf = grid_sdf(np.asarray(box.vertices), np.asarray(box.faces), 0.004, 40_000, 0.01)
    return Thing.of(sdf, np.asarray(box.vertices, np.float32), "box", 7)


@pytest.fixture(scope="module")
def held():
    """A box, put anyhow into a ball before a hand."""
    T_hand_rough = torch.eye(4)
    T_hand_rough[:3, 3] = torch.tensor([-0.08, -0.04, 0.0])
    vertices = load_hand("right")(torch.full((1, 45), 0.1), torch.zeros(1, 10)).vertices[0]
    way = torch.nn.functional.normalize(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    return Held(vertices, T_hand_rough, T_ROUGH_OBJ, sphere(0.045), 0.045 * way)


def box(x):
    """The thing's distances, exactly."""
    q = x.abs() - torch.tensor([0.04, 0.025, 0.03])
    return q.clamp_min(0).norm(dim=-1) + q.amax(-1).clamp_max(0)


def sample(thing, held, seed=3):
    return render_sample(thing, held, load_hand("right"), np.random.default_rng(seed), VIEWS, RENDER)


def test_training_pictures_are_those_that_distillation_draws(thing, held):
    """`draw_view`, `render_object` and `render_hand` in the rough body's frame, which is the fit's object frame."""
    hand = load_hand("right")
    obj, skin, body = sample(thing, held)
    points = torch.cat([transform(T_ROUGH_OBJ, thing.points), held.rough_points])
    T = held.T_hand_rough
    view = draw_view(np.random.default_rng(3), transform(T, points), held.vertices_hand, T, VIEWS)
    same = render_hand(held.vertices_hand, hand.faces, hand.face_uv, view)
    assert skin.mean_depth == same.mean_depth
    for name in ("mask", "normal", "depth", "uv"):
        assert torch.equal(getattr(skin, name), getattr(same, name)), name
    rough = render_object(held.rough, BETA, view, Ball.around(held.rough_points, AROUND_M), RENDER)
    assert all(torch.equal(getattr(body, f.name), getattr(rough, f.name)) for f in fields(rough))

    def there(x):
        return box(transform(invert_rigid(T_ROUGH_OBJ), x.reshape(-1, 3))).reshape(x.shape[:-1])

    ball = Ball.around(transform(T_ROUGH_OBJ, thing.points), AROUND_M)
    true = render_object(there, BETA, view, ball, RENDER)
    assert float((true.mask - obj.mask).abs().mean()) < 0.02
    both = (true.mask > 0.9) & (obj.mask > 0.9)
    assert both.sum() > 3 and float((true.depth - obj.depth)[both].abs().median()) < 0.001
    assert float((true.normal * obj.normal).sum(-1)[both].median()) > 0.99


def test_the_crop_holds_object_and_rough_body(thing, held):
    """Either may be the larger one: the crop must not tell which."""
    far = torch.eye(4)
    far[:3, 3] = torch.tensor([0.0, 0.3, 0.0])
    for lone in (Held(held.vertices_hand, held.T_hand_rough, far, held.rough, held.rough_points),
                 Held(held.vertices_hand, held.T_hand_rough, torch.eye(4), sphere(0.045, (0.0, 0.3, 0.0)),
                      held.rough_points + far[:3, 3])):  # fmt: skip
        for image in sample(thing, lone):
            picture = image.mask.reshape(VIEWS.resolution, -1)
            border = torch.cat([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
            assert picture.max() > 0.2 and float(border.max()) == 0


def test_stored_pictures_come_back_as_channels(thing, held):
    obj, hand, rough = sample(thing, held)
    arrays = {k: v[None] for k, v in stored(obj, hand, rough, VIEWS.resolution).items()}
    x, h, body = channels(arrays, 0)
    assert torch.allclose(x.flatten(1), encode_object(obj, hand.mean_depth), atol=0.02)
    assert torch.allclose(h.flatten(1), encode_hand(hand), atol=0.01)
    assert torch.allclose(body.flatten(1), encode_object(rough, hand.mean_depth), atol=0.02)


def test_pictures_for_people():
    x = torch.zeros(5, 4, 4)
    x[0] = -0.5
    x[:, 1, 2] = torch.tensor([0.5, 1.0, 0.0, 0.0, 1.0])
    normals, depth = normals_picture(x), depth_picture(x)
    assert normals[1, 2].tolist() == [255, 128, 128] and normals[0, 0].tolist() == [255, 255, 255]
    assert depth[1, 2, 0] == round(255 * 0.15) and depth[0, 0, 0] == 255
    assert grid([[normals, depth], [depth, normals]]).shape == (16, 16, 3)


def test_a_grid_of_samples_shows_what_was_given_and_what_was_true():
    g = torch.Generator().manual_seed(0)
    given = Channels(
        torch.randn(2, 5, 16, 16, generator=g), torch.randn(2, 12, 16, 16, generator=g), torch.tensor([1, 2])
    )
    picture = sample_grid(denoiser(), given, 2, 1.0, 0)[::2, ::2].reshape(2, 16, 9, 16, 3).swapaxes(1, 2)
    for row, x, told in zip(picture, given.x, given.given, strict=True):
        expected = (normals_picture(told[:7]), normals_picture(told[7:]), normals_picture(x))
        assert all(np.array_equal(a, b) for a, b in zip(row, expected, strict=False))
        assert np.array_equal(row[6], depth_picture(x))
        assert not np.array_equal(row[3], row[7]) and not np.array_equal(row[7], row[8])

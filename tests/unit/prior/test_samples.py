import numpy as np
import pytest
import torch
import trimesh

from hoi.config import PriorHandJitter
from hoi.geometry.rotations import matrix_to_axis_angle, transform
from hoi.hand.model import load_hand
from hoi.prior.encode import encode_hand, encode_object
from hoi.prior.grid_sdf import grid_sdf
from hoi.prior.pictures import depth_picture, grid, normals_picture
from hoi.prior.render import Ball, render_hand, render_object
from hoi.prior.samples import Holding, Thing, channels, render_pair, shaken, stored
from hoi.prior.views import draw_view

from .scenes import RENDER, VIEWS


@pytest.fixture(scope="module")
def thing():
    box = trimesh.creation.box((0.08, 0.05, 0.06))
    sdf = grid_sdf(np.asarray(box.vertices), np.asarray(box.faces), 0.004, 40_000, 0.01)
    return Thing.of(sdf, np.asarray(box.vertices, np.float32), "box", 7)


@pytest.fixture(scope="module")
def holding():
    T = torch.eye(4)
    T[:3, 3] = torch.tensor([-0.08, -0.04, 0.0])
    return Holding(torch.full((45,), 0.1), torch.zeros(10), T)


def test_training_pictures_are_those_that_distillation_draws(thing, holding):
    """`draw_view`, `render_object` and `render_hand` on a plain signed distance, as the fit calls them."""
    hand = load_hand("right")
    obj, skin, view = render_pair(thing, holding, hand, np.random.default_rng(3), VIEWS, RENDER)
    vertices = hand(holding.pose[None], holding.betas[None]).vertices[0]
    points = transform(holding.T_hand_obj, thing.points)
    same = draw_view(np.random.default_rng(3), points, vertices, holding.T_hand_obj, VIEWS)
    assert torch.equal(view.T_view_obj, same.T_view_obj) and view.focal_px == same.focal_px

    def box(x):
        q = x.abs() - torch.tensor([0.04, 0.025, 0.03])
        return q.clamp_min(0).norm(dim=-1) + q.amax(-1).clamp_max(0)

    other = render_object(box, torch.tensor(RENDER.beta_m), same, Ball.around(thing.points, 0.01), RENDER)
    assert float((other.mask - obj.mask).abs().mean()) < 0.02
    both = (other.mask > 0.9) & (obj.mask > 0.9)
    assert both.sum() > 3 and float((other.depth - obj.depth)[both].abs().median()) < 0.001
    assert torch.equal(render_hand(vertices, hand.faces, hand.face_uv, same).depth, skin.depth)


def test_stored_pictures_come_back_as_channels(thing, holding):
    obj, hand, view = render_pair(thing, holding, load_hand("right"), np.random.default_rng(3), VIEWS, RENDER)
    arrays = {k: v[None] for k, v in stored(obj, hand, view.resolution).items()}
    x, h = channels(arrays, 0)
    assert torch.allclose(x.flatten(1), encode_object(obj, hand.mean_depth), atol=0.02)
    assert torch.allclose(h.flatten(1), encode_hand(hand), atol=0.01)


def test_an_unshaken_holding_is_itself(holding):
    still = shaken(
        holding, PriorHandJitter(rotation_deg=0, translation_m=0, articulation_rad=0, betas=0), np.random.default_rng(0)
    )
    assert torch.equal(still.pose, holding.pose) and torch.allclose(still.T_hand_obj, holding.T_hand_obj)


def test_a_shaken_hand_errs_as_much_as_said(holding):
    settings = PriorHandJitter(rotation_deg=5, translation_m=0.006, articulation_rad=0.05, betas=0.3)
    rng = np.random.default_rng(0)
    many = [shaken(holding, settings, rng) for _ in range(500)]
    turn = torch.stack([matrix_to_axis_angle(h.T_hand_obj[:3, :3]) for h in many])
    shift = torch.stack([h.T_hand_obj[:3, 3] - holding.T_hand_obj[:3, 3] for h in many])
    assert float(turn.pow(2).sum(-1).mean().sqrt()) == pytest.approx(np.radians(5), rel=0.1)
    assert float(shift.pow(2).sum(-1).mean().sqrt()) == pytest.approx(0.006, rel=0.1)
    assert float(torch.stack([h.pose - 0.1 for h in many]).std()) == pytest.approx(0.05, rel=0.05)


def test_pictures_for_people():
    x = torch.zeros(5, 4, 4)
    x[0] = -0.5
    x[:, 1, 2] = torch.tensor([0.5, 1.0, 0.0, 0.0, 1.0])
    normals, depth = normals_picture(x), depth_picture(x)
    assert normals[1, 2].tolist() == [255, 128, 128] and normals[0, 0].tolist() == [255, 255, 255]
    assert depth[1, 2, 0] == round(255 * 0.15) and depth[0, 0, 0] == 255
    assert grid([[normals, depth], [depth, normals]]).shape == (16, 16, 3)

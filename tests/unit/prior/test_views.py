import numpy as np
import torch

from hoi.geometry.cameras import project
from hoi.geometry.rotations import transform
from hoi.prior.views import draw_view, random_rotation

from .scenes import VIEWS, ahead


def scene():
    rng = np.random.default_rng(3)
    points = torch.from_numpy(rng.uniform(-0.05, 0.15, (50, 3))).float()
    hand = torch.from_numpy(rng.uniform(-0.1, 0.0, (60, 3))).float()
    T_hand_obj = torch.eye(4)
    T_hand_obj[:3, 3] = torch.tensor([0.02, 0.01, -0.03])
    return points, hand, T_hand_obj


def test_hand_and_object_lie_in_the_crop_but_for_the_shift():
    points, hand, T = scene()
    rng = np.random.default_rng(0)
    for _ in range(50):
        view = draw_view(rng, points, hand, T, VIEWS)
        px = project(view.K, transform(view.T_view_hand, torch.cat([points, hand])))
        size = float((px.amax(0) - px.amin(0)).max()) / 16
        assert 1 / 1.5 - 1e-3 <= size <= 1 / 1.05 + 1e-3
        assert float(px.min()) > -0.12 / 2 * 16 and float(px.max()) < 16 * (1 + 0.12 / 2)
        assert torch.allclose(view.T_view_obj, view.T_view_hand @ T, atol=1e-6)


def test_the_camera_looks_at_the_hand_from_the_distance():
    points, hand, T = scene()
    rng = np.random.default_rng(0)
    at = torch.stack([transform(draw_view(rng, points, hand, T, VIEWS).T_view_hand, hand).mean(0) for _ in range(200)])
    assert float(at[:, :2].abs().max()) < 1e-5
    assert 0.4 <= float(at[:, 2].min()) < 0.42 and 0.58 < float(at[:, 2].max()) <= 0.6


def test_rotations_are_uniform():
    rng = np.random.default_rng(1)
    R = torch.stack([random_rotation(rng) for _ in range(4000)])
    assert torch.allclose(R @ R.mT, torch.eye(3).expand(4000, 3, 3), atol=1e-5)
    assert float(R.mean(0).abs().max()) < 0.04
    # uniform rotations: the angle's density is (1 - cos a) / π, so its mean is π / 2 + 2 / π
    angle = torch.acos(((R.diagonal(dim1=1, dim2=2).sum(-1) - 1) / 2).clamp(-1, 1))
    assert abs(float(angle.mean()) - (np.pi / 2 + 2 / np.pi)) < 0.03


def test_same_seed_same_view():
    views = [draw_view(np.random.default_rng(4), *scene(), VIEWS) for _ in range(2)]
    assert torch.equal(views[0].T_view_obj, views[1].T_view_obj) and views[0].centre_px == views[1].centre_px


def test_a_pooled_view_is_the_same_camera():
    view = ahead(distance_m=0.5, focal_px=320.0, resolution=64)
    x = torch.tensor([[0.02, -0.01, 0.5]])
    assert torch.allclose(project(view.pooled(2).K, x), project(view.K, x) / 2)
    assert view.pooled(2).resolution == 32

"""How well bodies explain masks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hoi.fit.agreement import agreement
from hoi.fit.grid import GridField
from hoi.fit.observations import Observations
from hoi.fit.variables import Variables

from .test_fit import CENTRE, RADIUS, _scene


def body(radius_m, centre=CENTRE, cells=40):
    """A ball's signed distances on a grid of 4 mm."""
    low = torch.tensor(CENTRE, dtype=torch.float32) - 0.08
    axes = [torch.linspace(float(a), float(a) + 0.16, cells) for a in low]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    return GridField((points - torch.tensor(centre)).norm(dim=-1) - radius_m, low, low + 0.16)


@pytest.fixture(scope="module")
def scene():
    observed = _scene()
    variables = Variables(observed.hands, torch.device("cpu"))
    with torch.no_grad():
        return observed, variables.T_cam_hand(), variables.K()


def judged(scene, of):
    observed, T_cam_obj, K = scene
    return agreement(of, observed, T_cam_obj, K, np.random.default_rng(0))


def test_the_true_body_agrees_and_others_the_less_the_worse_they_are(scene):
    true, small, aside = (
        judged(scene, of)
        for of in (body(RADIUS), body(0.5 * RADIUS), body(RADIUS, CENTRE + np.array([0.0, 0.0, 0.6 * RADIUS])))
    )
    assert true > 0.7, "7 pixels of radius: half a pixel of rim costs an eighth"
    assert small < 0.5 and small < aside < true


def test_what_the_hand_hides_counts_neither_way(scene):
    observed, T_cam_obj, K = scene
    everything_else = replace(observed, hand_mask=~observed.object_mask)
    big = body(1.5 * RADIUS)
    assert judged((everything_else, T_cam_obj, K), big) > 0.95 > judged(scene, big) + 0.2


def test_no_body_agrees_with_nothing(scene):
    assert judged(scene, body(-0.05)) == 0.0
    observed, T_cam_obj, K = scene
    blind = replace(observed, object_mask=np.zeros_like(observed.object_mask))
    assert judged((blind, T_cam_obj, K), body(RADIUS)) == 0.0


def test_a_plate_thinner_than_a_cell_is_seen(scene):
    ball = body(RADIUS)
    shell = GridField(ball.values.abs() - 0.0002, ball.low, ball.high)
    assert judged(scene, shell) > 0.6


def test_a_coarse_body_seen_from_near_is_no_worse_than_a_fine_one():
    """A ball that fills its mask, 30 cm away: cells of 9 mm are 5 pixels of the small picture apart."""
    z, radius, size = 0.3, 0.035, (480, 640)
    K, T = torch.tensor([[640.0, 0, 320], [0, 640, 240], [0, 0, 1]])[None], torch.eye(4)[None]
    T[0, 2, 3] = z
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    thing = np.hypot(x - 320, y - 240)[None] < 640 * np.tan(np.arcsin(radius / z))
    observed = Observations(thing, np.zeros_like(thing), np.ones(1, np.float32), {})
    coarse, fine = (
        agreement(ball_on(cell_m, radius), observed, T, K, np.random.default_rng(0)) for cell_m in (0.009, 0.0015)
    )
    assert fine > 0.9 and abs(fine - coarse) < 0.1


def ball_on(cell_m, radius):
    """A ball about the origin on a grid of such cells."""
    half = cell_m * round(0.06 / cell_m)
    axis = torch.linspace(-half, half, round(2 * half / cell_m) + 1)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return GridField(points.norm(dim=-1) - radius, torch.full((3,), -half), torch.full((3,), half))

"""The first guess: inflated silhouettes, and poses registered to them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from hoi.fit import inflate as inflation
from hoi.fit.inflate import behind_hand, half_width, inflate, silhouettes
from hoi.fit.register import Outlines, Touch, moved, register
from hoi.fit.small import distance_px, shrink
from hoi.fit.start import begin
from hoi.fit.variables import Variables
from hoi.geometry.rotations import axis_angle_to_matrix, rigid

from .test_fit import CENTRE, RADIUS, _scene, _settings

K = torch.tensor([[100.0, 0, 40], [0, 100, 30], [0, 0, 1]])


def _disc(radius: int) -> np.ndarray:
    return cv2.circle(np.zeros((60, 80), np.uint8), (40, 30), radius, 1, -1) > 0


def test_half_width_of_a_bar_is_half_its_width():
    bar = np.zeros((60, 80), bool)
    bar[20:40, 10:70] = True
    distance, radius = half_width(bar)
    assert abs(distance[30, 40] - 10) < 1.1 and distance[10, 40] < -9
    assert abs(radius[30, 40] - 10) < 1.1 and abs(radius[22, 40] - 10) < 1.1
    assert abs(radius[5, 40] - 10) < 1.1, "outside: that of the nearest pixel inside"


@pytest.mark.parametrize("thick", [2, 3, 6])
def test_thin_things_stay_when_masks_are_made_small(thick):
    for beside in range(4):  # wherever they lie on the small grid
        pen = np.zeros((360, 640), bool)
        pen[180 + beside : 180 + beside + thick, 100:500] = True
        small = shrink(pen, (160, 90))
        assert 100 <= small.any(0).sum() <= 101 and 1 <= small.any(1).sum() <= 2


def test_distances_are_bounded_where_there_is_nothing_to_be_far_from():
    everywhere = np.ones((60, 80), bool)
    assert (distance_px(everywhere) == 100).all() and (distance_px(~everywhere) == 0).all()
    distance, radius = half_width(everywhere)
    assert np.isfinite(distance).all() and radius.max() <= 100
    outlines = Outlines.of(np.zeros((1, 480, 640), bool), np.zeros((1, 480, 640), bool), np.random.default_rng(0))
    assert outlines.beyond_px.max() == pytest.approx(800) and not outlines.has_points.any()


def test_what_the_hand_hides_is_filled_within_the_hull_alone():
    obj, hand = _disc(15), np.zeros((60, 80), bool)
    hand[:, 36:44] = True
    filled = behind_hand(obj & ~hand, hand)
    assert filled[30, 40] and not filled[2, 40] and not filled[30, 70]


def test_a_disc_inflates_to_a_ball():
    mask = np.stack([_disc(12)] * 2)
    T = torch.eye(4).repeat(2, 1, 1)
    T[:, 2, 3] = 0.5
    views = silhouettes(mask, np.zeros_like(mask), np.ones(2, np.float32))
    points = torch.tensor([[0.0, 0, 0], [0.06, 0, 0], [0, 0, 0.06], [0.09, 0, 0], [0, 0.09, 0], [0, 0, 0.09]])
    body = inflate(views, T, K.repeat(2, 1, 1), (60, 80), torch.zeros(3), points, 0.5, 2)
    np.testing.assert_allclose(body, [-0.06, 0.0, 0.0, 0.03, 0.03, 0.03], atol=0.012)


def _turning(mask: np.ndarray, points: torch.Tensor) -> torch.Tensor:
    """The body of a mask that six views from around the grasp all show."""
    angle = torch.linspace(-1.2, 1.2, 6)[:, None] * torch.tensor([[0.3, 0.9, 0.0]])
    T = rigid(axis_angle_to_matrix(angle), torch.tensor([0.0, 0.0, 0.5]).expand(6, 3))
    masks = np.stack([mask] * 6)
    views = silhouettes(masks, np.zeros_like(masks), np.ones(6, np.float32))
    return inflate(views, T, K.repeat(6, 1, 1), (60, 80), torch.zeros(3), points, 0.2, 5)


def test_points_that_no_body_can_hold_are_rightly_left_out(monkeypatch):
    """The same bits everywhere, with less than half of the grid looked at in the rounds between."""
    axis = torch.linspace(-0.15, 0.15, 24)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    mask = _disc(6) | np.roll(_disc(4), 9, 1)
    quick = _turning(mask, points)
    monkeypatch.setattr(inflation, "BESIDE_M", 1e9)
    full = _turning(mask, points)
    assert (full < 0).any() and torch.equal(quick, full)


def test_what_the_picture_cuts_off_does_not_go_on_without_end():
    """A ball at the picture's right edge in all of six turning views: nothing three radii beyond it is inside."""
    cut = cv2.circle(np.zeros((60, 80), np.uint8), (78, 30), 12, 1, -1) > 0
    middle, radius_m = torch.tensor([0.19, 0.0, 0.0]), 0.06
    axis = torch.linspace(-0.3, 0.3, 25)
    points = middle + torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    masks, T = np.stack([cut] * 6), torch.eye(4).repeat(6, 1, 1)
    T[:, :3, :3] = axis_angle_to_matrix(torch.linspace(-0.6, 0.6, 6)[:, None] * torch.tensor([[0.3, 0.9, 0.0]]))
    T[:, :3, 3] = middle + torch.tensor([0.0, 0.0, 0.5]) - T[:, :3, :3] @ middle
    views = silhouettes(masks, np.zeros_like(masks), np.ones(6, np.float32))
    body = inflate(views, T, K.repeat(6, 1, 1), (60, 80), middle, points, 0.2, 5)
    away = (points - middle).norm(dim=-1)
    assert (body[away < 0.4 * radius_m] < 0).all() and (body[away > 3 * radius_m] > 0).all()


def test_an_object_that_no_point_is_near_has_no_body():
    corner = np.zeros((60, 80), bool)
    corner[2:6, 2:6] = True
    assert (_turning(corner, torch.tensor([[0.0, 0, 0], [0.02, 0, 0]])) > 0.04).all()


def test_a_fit_begins_with_the_body_that_the_masks_show():
    """A ball in a hand that turns and hides nothing: its body, about where it is, and points on its surface."""
    hidden = _scene()
    disc = np.stack([_disc(7)] * len(hidden.object_mask))
    observed = replace(hidden, object_mask=disc, hand_mask=np.zeros_like(disc))
    variables, settings = Variables(observed.hands, torch.device("cpu")), _settings().start
    centre = torch.tensor(CENTRE, dtype=torch.float32)
    found = begin(observed, variables, settings, 0.2, np.random.default_rng(0))
    again = begin(observed, variables, settings, 0.2, np.random.default_rng(0))
    assert torch.equal(found.body.values, again.body.values) and torch.equal(found.T_hand_obj, again.T_hand_obj)
    assert found.body.at(centre[None]) < -0.5 * RADIUS
    points = found.points(np.random.default_rng(0))
    assert (points - centre).norm(dim=-1).median() == pytest.approx(RADIUS, abs=0.012)
    assert found.body.at(points).abs().median() < 0.01
    still = begin(observed, variables, settings.model_copy(update={"rounds": 0}), 0.2, np.random.default_rng(0))
    torch.testing.assert_close(still.T_hand_obj, torch.eye(4).expand(6, 4, 4), atol=1e-6, rtol=0)


def test_moved_turns_about_the_centre_and_shifts():
    T = torch.eye(4)[None].clone()
    T[0, 2, 3] = 0.5
    centre = torch.tensor([0.1, 0.0, 0.0])
    xi = torch.tensor([[0.0, 0, np.pi / 2, 0.01, 0, 0]], dtype=torch.float32)
    out = moved(T, centre, xi)[0]
    np.testing.assert_allclose(out[:3, :3] @ centre + out[:3, 3], [0.11, 0, 0.5], atol=1e-6)
    np.testing.assert_allclose(out[:3, :3] @ torch.tensor([1.0, 0, 0]), [0, 1, 0], atol=1e-6)


def test_frames_without_evidence_do_not_loosen_the_others():
    """A disc half as large again as its mask: depth would explain that, and is held as hard where most frames are not trusted."""
    angle = torch.linspace(0, 2 * np.pi, 40)
    surface = torch.cat([0.09 * r * torch.stack([angle.cos(), angle.sin(), 0 * angle], -1) for r in (0.5, 0.8, 1)])
    free = _settings().start.model_copy(update={"steps": 80, "rate": 0.003, "depth_m": 0.005})

    def depth_m(frames):
        mask, T = np.stack([_disc(12)] * frames), torch.eye(4).repeat(frames, 1, 1)
        T[:, 2, 3] = 0.5
        outlines = Outlines.of(mask, np.zeros_like(mask), np.random.default_rng(0))
        trust = (torch.arange(frames) % 8 == 0).float()
        xi = register(T, K.repeat(frames, 1, 1), torch.zeros(3), surface, outlines, trust, torch.zeros(frames, 6), free)
        return float(xi[0, 5])

    assert depth_m(33) == pytest.approx(depth_m(9), rel=0.2)


def test_fingers_that_touch_it_tell_how_far_away_a_known_body_is():
    """A disc that faces the camera: fingers 2 cm before it draw it to them, against its silhouette."""
    mask = np.stack([_disc(12)] * 3)
    outlines = Outlines.of(mask, np.zeros_like(mask), np.random.default_rng(0))
    T = torch.eye(4).repeat(3, 1, 1)
    T[:, 2, 3] = 0.5
    angle = torch.linspace(0, 2 * np.pi, 40)
    surface = torch.cat([0.06 * r * torch.stack([angle.cos(), angle.sin(), 0 * angle], -1) for r in (0.5, 0.8, 1)])
    pads = torch.tensor([[0.0, 0.03], [0.03, 0.0]])
    pads_cam = torch.cat([pads, torch.full((2, 1), 0.48)], 1)[None, :, None].expand(3, -1, 4, -1)
    free = _settings().start.model_copy(update={"steps": 80, "rate": 0.003, "depth_m": 0.03})
    known = T, K.repeat(3, 1, 1), torch.zeros(3), surface, outlines, torch.ones(3), torch.zeros(3, 6), free
    alone, held = (register(*known, Touch(pads_cam, weight))[:, 5] for weight in (0.0, 1.0))
    assert torch.equal(register(*known)[:, 5], alone)
    assert float(alone.min()) > 0 and float((alone - held).min()) > 0.02
    assert Touch(pads_cam, 1.0).gap_m(torch.tensor([[[0.0, 0.03, 0.5]]] * 3))[0] == pytest.approx(
        [0.02, 0.0469], abs=1e-4
    )

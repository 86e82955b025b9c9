"""Drawing pixels, the forearm, the hull's votes, and the mesh from a grid."""

import numpy as np
import pytest

from hoi.errors import InputError
from hoi.fit.hand_view import contour_points
from hoi.fit.hull import votes
from hoi.fit.pixels import POOLS, Pixels, forearm
from hoi.fit.surface import grid_box, mesh_from_grid

CIRCLE = np.full((2, 2), 25.0), np.full(2, 100.0)


def _masks() -> tuple[np.ndarray, np.ndarray]:
    obj, hand = np.zeros((2, 40, 60), bool), np.zeros((2, 40, 60), bool)
    obj[:, 10:20, 10:30] = True
    hand[:, 20:35, 10:50] = True
    return obj, hand


def test_labels_are_the_masks_at_the_pixels_drawn():
    obj, hand = _masks()
    none = np.zeros_like(hand)
    pixels = Pixels(obj, hand, none, *CIRCLE, np.array([1.0, 0.5]), 3.0)
    rays = pixels.draw(
        np.array([1]), 100, dict(zip(POOLS, (0.2, 0.2, 0.2, 0.2, 0.2), strict=True)), np.random.default_rng(0)
    )
    row, col = rays.pixel.numpy().T
    np.testing.assert_array_equal(rays.is_object.numpy(), obj[1, row, col])
    np.testing.assert_array_equal(rays.is_hand.numpy(), hand[1, row, col])
    assert rays.is_object.sum() == 40 and rays.is_hand.sum() == 20
    assert (rays.trust == 0.5).all() and (rays.frame == 1).all() and (rays.slot == 0).all()


def test_empty_masks_draw_background():
    """Fault 7 of the published release: a frame without object pixels must not end the fit."""
    obj, hand = _masks()
    obj[0], hand[0] = False, False
    pixels = Pixels(obj, hand, np.zeros_like(hand), *CIRCLE, np.ones(2), 3.0)
    rays = pixels.draw(np.array([0, 1]), 50, dict.fromkeys(POOLS, 1.0), np.random.default_rng(0))
    assert not rays.is_object[rays.frame == 0].any() and rays.is_object[rays.frame == 1].any()


def test_forearm_lies_behind_the_wrist():
    _, hand = _masks()
    arm = forearm(hand, np.array([[40.0, 27], [40, 27]]), np.array([[20.0, 27], [20, 27]]))
    assert arm[0, 25, 45] and not arm[0, 25, 35] and not arm[0, 5, 55]


def test_contour_touches_background_only():
    obj, hand = _masks()
    points, weights = contour_points(hand, obj, np.zeros_like(hand), 200, np.random.default_rng(0))
    col, row = (points[0] - 0.5).astype(int).T
    assert hand[0, row, col].all() and (weights == 1).all()
    assert not ((row == 20) & (col > 10) & (col < 30)).any()  # this side touches the object


def test_votes_by_hand():
    obj, hand = _masks()
    px = np.array([[15.5, 12.5], [15.5, 25.5], [55.5, 5.5], [-3.0, 5.0]])
    on, off = votes(px, obj[0], hand[0])
    np.testing.assert_array_equal(on, [True, False, False, False])
    np.testing.assert_array_equal(off, [False, False, True, False])


def test_mesh_of_a_ball_and_its_largest_part():
    axis = np.linspace(-0.1, 0.1, 60)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    ball = np.sqrt(x**2 + y**2 + z**2) - 0.05
    speck = np.sqrt((x - 0.08) ** 2 + y**2 + z**2) - 0.01
    mesh = mesh_from_grid(np.minimum(ball, speck), np.full(3, -0.1), np.full(3, 0.1))
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.volume, 4 / 3 * np.pi * 0.05**3, rtol=0.01)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 0.05, atol=2e-4)


def test_surface_that_leaves_the_grid_is_closed():
    axis = np.linspace(-0.1, 0.1, 20)
    x = np.meshgrid(axis, axis, axis, indexing="ij")[0]
    assert mesh_from_grid(x, np.full(3, -0.1), np.full(3, 0.1)).is_watertight


def test_empty_grid_is_an_error():
    with pytest.raises(InputError, match="empty surface"):
        grid_box(np.full((4, 4, 4), 9.0), np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match="empty surface"):
        mesh_from_grid(np.ones((4, 4, 4)), np.zeros(3), np.ones(3))


def test_a_blade_between_the_vertices_is_in_the_box():
    axis = np.linspace(0, 0.2, 21)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    blade = np.maximum(abs(z - 0.105) - 0.001, np.maximum(abs(x - 0.1), abs(y - 0.1)) - 0.05)
    assert blade.min() > 0
    low, high = grid_box(blade, np.zeros(3), np.full(3, 0.2))
    assert (low <= [0.05, 0.05, 0.104]).all() and (high >= [0.15, 0.15, 0.106]).all()

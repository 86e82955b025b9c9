"""Shape distances against answers computed by hand and against open3d."""

import numpy as np
import open3d as o3d
import pytest

from hoi.evaluate.shape import both_ways, chamfer_cm2, f_score, nearest_distances

GRID = np.stack(np.meshgrid(*[np.arange(5) * 1.0] * 3), -1).reshape(-1, 3)  # 125 points, 1 m apart


def test_chamfer_of_shifted_points_is_twice_the_squared_shift():
    # every point is 3 cm from its partner, both ways: 9 + 9 cm^2
    assert chamfer_cm2(GRID + np.array([0.03, 0, 0]), GRID) == pytest.approx(18.0)


def test_chamfer_takes_both_directions():
    # pred: one point at the origin; truth: origin and 10 cm away. Forth 0; back (0 + 100) / 2 = 50 cm^2.
    pred, true = np.zeros((1, 3)), np.array([[0.0, 0, 0], [0.1, 0, 0]])
    assert chamfer_cm2(pred, true) == pytest.approx(50.0)
    assert chamfer_cm2(true, pred) == pytest.approx(50.0)


def test_two_concentric_spheres():
    # Radii 4 and 5 cm: each point is 1 cm from the other sphere: 1 + 1 cm^2. Matching directions make it exact.
    direction = np.random.default_rng(0).normal(size=(2000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    assert chamfer_cm2(0.04 * direction, 0.05 * direction) == pytest.approx(2.0, rel=1e-6)


def test_f_score_is_the_harmonic_mean_of_precision_and_recall():
    # pred: 4 points, 3 near the truth; truth: 2 points, 1 of them near pred. P = 3/4, R = 1/2, F = 0.6.
    true = np.array([[0, 0, 0], [1.0, 0, 0]])
    pred = np.array([[0, 0, 0], [0.001, 0, 0], [0, 0.004, 0], [0.5, 0, 0]])
    assert f_score(pred, true, 0.005) == pytest.approx(0.6)
    assert f_score(pred, true, 0.0035) == pytest.approx(0.5)  # P = 1/2, R = 1/2
    assert f_score(pred + 9, true, 0.005) == 0.0


def test_the_threshold_is_exclusive():
    assert f_score(GRID + np.array([0.0625, 0, 0]), GRID, 0.0625) == 0.0
    assert f_score(GRID + np.array([0.0625, 0, 0]), GRID, 0.0626) == 1.0


def test_identical_samples():
    assert chamfer_cm2(GRID, GRID) == 0.0
    assert f_score(GRID, GRID, 1e-6) == 1.0


def test_distances_agree_with_open3d():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(500, 3)), rng.normal(size=(400, 3))
    clouds = [o3d.geometry.PointCloud(o3d.utility.Vector3dVector(x)) for x in (a, b)]
    forth, back = (np.asarray(clouds[i].compute_point_cloud_distance(clouds[1 - i])) for i in (0, 1))
    np.testing.assert_allclose(nearest_distances(a, b), forth, rtol=1e-12)
    assert chamfer_cm2(a, b) == pytest.approx(1e4 * ((forth**2).mean() + (back**2).mean()), rel=1e-6)
    precision, recall = (forth < 0.2).mean(), (back < 0.2).mean()
    assert f_score(a, b, 0.2) == pytest.approx(2 * precision * recall / (precision + recall), rel=1e-6)


def test_distances_to_a_surface_agree_with_open3ds_rays():
    # Samples of a sphere against open3d's distance to the mesh itself: samples are farther by less than their spacing.
    ball = o3d.t.geometry.TriangleMesh.create_sphere(0.05, 60)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(ball)
    samples = ball.sample_points_uniformly(20_000).point.positions.numpy().astype(float)
    x = np.random.default_rng(4).normal(size=(200, 3)) * 0.05
    exact = scene.compute_distance(o3d.core.Tensor(x.astype(np.float32))).numpy()
    ours = nearest_distances(x, samples)
    assert (ours > exact - 1e-6).all() and (ours - exact).max() < 0.003


def test_half_the_unsquared_sum_is_forehois():
    pred, true = np.zeros((1, 3)), np.array([[0.0, 0, 0], [0.1, 0, 0]])
    assert both_ways(pred, true).chamfer_cm() == pytest.approx((0 + 5) / 2)

"""Surface samples and spread rotations."""

import numpy as np
import trimesh

from hoi.geometry.sampling import evenly, face_areas, sample_surface, spread_rotations

# Two right triangles in the plane z = 0: legs 1, 1 (area 1/2) and, 10 to the right, legs 3, 1 (area 3/2).
VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [10, 0, 0], [13, 0, 0], [10, 1, 0]], float)
FACES = np.array([[0, 1, 2], [3, 4, 5]])


def test_areas_by_hand():
    assert face_areas(VERTICES, FACES).tolist() == [0.5, 1.5]


def test_density_follows_area_and_means_are_centroids():
    points = sample_surface(VERTICES, FACES, 20000, 0)
    left = points[points[:, 0] < 5]
    assert len(left) == 5000  # a quarter of the area, exactly: the draw is stratified
    np.testing.assert_allclose(left.mean(0), [1 / 3, 1 / 3, 0], atol=0.01)
    np.testing.assert_allclose(points[points[:, 0] > 5].mean(0), [11, 1 / 3, 0], atol=0.03)
    np.testing.assert_allclose(left.var(0), [1 / 18, 1 / 18, 0], atol=0.003)  # variance of a uniform right triangle


def test_points_lie_on_the_surface_and_repeat_with_the_seed():
    box = trimesh.creation.box([1, 2, 3])
    points = sample_surface(np.asarray(box.vertices), np.asarray(box.faces), 500, 7)
    assert np.abs(np.abs(points) / [0.5, 1, 1.5]).max(-1).min() > 1 - 1e-12
    assert (points == sample_surface(np.asarray(box.vertices), np.asarray(box.faces), 500, 7)).all()
    assert (points != sample_surface(np.asarray(box.vertices), np.asarray(box.faces), 500, 8)).any()


def test_rotations_are_proper_and_cover_the_group():
    R = spread_rotations(96)
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    assert (np.linalg.det(R) > 0).all()
    from scipy.spatial.transform import Rotation

    probes = Rotation.random(500, rng=np.random.default_rng(0)).as_matrix()
    trace = np.einsum("aij,bij->ab", probes, R).max(-1)
    assert np.degrees(np.arccos((trace - 1) / 2)).max() < 50  # every rotation has a start nearby


def test_rows_are_picked_evenly_with_both_ends():
    rows = np.array([3, 5, 8, 9, 20])
    assert evenly(rows, 3).tolist() == [3, 8, 20]
    assert evenly(rows, 9).tolist() == rows.tolist(), "no row comes twice"
    assert evenly(rows, 1).tolist() == [3] and evenly(rows[:0], 3).tolist() == []

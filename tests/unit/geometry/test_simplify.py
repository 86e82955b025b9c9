import numpy as np
import pytest
import trimesh

from hoi.geometry.raycast import distance_to_surface
from hoi.geometry.simplify import simplified


def test_small_meshes_stay_as_they_are():
    box = trimesh.creation.box([1, 1, 1])
    vertices, faces = simplified(np.asarray(box.vertices), np.asarray(box.faces), 12)
    assert vertices is not None and np.array_equal(faces, box.faces)


def test_a_subdivided_box_needs_twelve_triangles():
    box = trimesh.creation.box([0.2, 0.1, 0.1]).subdivide().subdivide().subdivide()
    vertices, faces = simplified(np.asarray(box.vertices), np.asarray(box.faces), 12)
    small = trimesh.Trimesh(vertices, faces)
    assert len(faces) == 12
    assert small.volume == pytest.approx(0.002, rel=1e-3)


def test_slivers_do_no_harm():
    ball = trimesh.creation.icosphere(4, 0.05)
    faces = np.asarray(ball.faces)
    vertices = np.asarray(ball.vertices).copy()
    vertices[faces[::7, 1]] = vertices[faces[::7, 0]]  # edges of length zero, as marching cubes makes them
    small, few = simplified(vertices, faces, 1000)
    assert len(few) <= 1000 and np.isfinite(small).all()
    assert np.abs(np.linalg.norm(small, axis=1) - 0.05).max() < 0.004


def test_distance_to_a_box_is_to_its_faces_edges_and_corners():
    box = trimesh.creation.box([2, 2, 2])
    points = np.array([[0, 0, 1.5], [2, 2, 0], [2, 2, 2], [0, 0, 0.25], [1, 0, 0.0]])
    expected = [0.5, 2**0.5, 3**0.5, 0.75, 0.0]
    assert distance_to_surface(points, np.asarray(box.vertices), np.asarray(box.faces)) == pytest.approx(
        expected, abs=1e-6
    )

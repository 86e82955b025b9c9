"""Shared volumes against geometry and voxels."""

import numpy as np
import pytest
import trimesh

from hoi.geometry.raycast import distances_within
from hoi.geometry.solids import boundary_loops, capped, shared_volumes_m3, solid, united


def parts(mesh, *moves):
    return np.stack([np.asarray(mesh.vertices) + move for move in moves]), np.asarray(mesh.faces)


def test_offset_cubes_by_hand():
    cube = trimesh.creation.box([0.1, 0.1, 0.1])
    still = np.asarray(cube.vertices), np.asarray(cube.faces)
    volumes = shared_volumes_m3(still, *parts(cube, [0.06, 0, 0], [0.2, 0, 0], [0.05, 0.05, 0.05]))
    # 4 x 10 x 10 cm; apart; 5 x 5 x 5 cm
    np.testing.assert_allclose(volumes, [400e-6, 0, 125e-6], rtol=1e-4, atol=1e-12)


def test_a_box_in_a_box_shares_its_own_volume():
    inner, outer = trimesh.creation.box([0.02, 0.03, 0.04]), trimesh.creation.box([0.1, 0.1, 0.1])
    volumes = shared_volumes_m3((np.asarray(outer.vertices), np.asarray(outer.faces)), *parts(inner, [0.01, 0, 0]))
    assert volumes[0] == pytest.approx(24e-6, rel=1e-4)


def test_two_spheres_by_their_lens():
    # Radius r = 3 cm, centres d = 4 cm apart: pi (4 r + d) (2 r - d)^2 / 12
    ball = trimesh.creation.icosphere(5, 0.03)
    volumes = shared_volumes_m3((np.asarray(ball.vertices), np.asarray(ball.faces)), *parts(ball, [0.04, 0, 0]))
    assert volumes[0] == pytest.approx(np.pi * 0.16 * 0.02**2 / 12, rel=0.01)


def test_voxels_agree():
    ball, box = trimesh.creation.icosphere(4, 0.03), trimesh.creation.box([0.05, 0.03, 0.1])
    box.apply_translation([0.02, 0.01, 0])
    exact = shared_volumes_m3((np.asarray(box.vertices), np.asarray(box.faces)), *parts(ball, [0, 0, 0]))[0]
    side = 0.0008
    axis = np.arange(-0.04, 0.04, side) + side / 2
    cells = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    inside = [distances_within((m.vertices, m.faces), cells, 0.001, True) < 0 for m in (ball, box)]
    assert np.count_nonzero(inside[0] & inside[1]) * side**3 == pytest.approx(
        exact, rel=0.03
    )  # the box's faces lie along cells


def test_an_open_hand_is_closed_at_the_rim():
    tube = trimesh.creation.cylinder(0.02, 0.1, sections=24)
    sides = tube.faces[np.abs(tube.face_normals[:, 2]) < 0.5]
    loops = boundary_loops(sides)
    assert sorted(len(loop) for loop in loops) == [24, 24]
    vertices, faces = capped(np.asarray(tube.vertices)[None], sides)
    assert trimesh.Trimesh(vertices[0], faces).is_watertight
    assert trimesh.Trimesh(vertices[0], faces).volume == pytest.approx(tube.volume)


def test_the_way_a_surface_is_wound_changes_no_volume():
    cube = trimesh.creation.box([0.1, 0.1, 0.1])
    vertices, faces = np.asarray(cube.vertices), np.asarray(cube.faces)
    moved = vertices[None] + [0.05, 0, 0]
    for still, moving in ((faces, faces[:, ::-1]), (faces[:, ::-1], faces), (faces[:, ::-1], faces[:, ::-1])):
        assert shared_volumes_m3((vertices, still), moved, moving)[0] == pytest.approx(500e-6, rel=1e-4)


def test_parts_that_go_through_each_other_have_one_inside():
    cube, other, hollow = (trimesh.creation.box([side] * 3) for side in (0.1, 0.1, 0.02))
    other.apply_translation([0.05, 0, 0])
    hollow.apply_translation([-0.03, 0, 0])
    hollow.invert()
    both = trimesh.util.concatenate([cube, other, hollow])
    asked = np.array([[0.025, 0, 0], [-0.03, 0, 0], [0.12, 0, 0]])  # in both; in the hollow; outside
    # to the walls of the union: 5 cm down or up; 1 cm to the hollow's wall; 2 cm
    found = distances_within(united(np.asarray(both.vertices), np.asarray(both.faces)), asked, 1.0, True)
    np.testing.assert_allclose(found, [-0.045, 0.01, 0.02], atol=1e-6)
    volume = shared_volumes_m3(united(*map(np.asarray, (both.vertices, both.faces))), *parts(other, [0, 0, 0]))
    assert volume[0] == pytest.approx(1e-3, rel=1e-3)


def test_parts_side_by_side_stay_as_they_are():
    cube, other = trimesh.creation.box([0.1, 0.1, 0.1]), trimesh.creation.box([0.1, 0.1, 0.1])
    other.apply_translation([0.3, 0, 0])
    both = trimesh.util.concatenate([cube, other])
    vertices, faces = united(np.asarray(both.vertices), np.asarray(both.faces))
    np.testing.assert_array_equal(vertices, both.vertices)
    np.testing.assert_array_equal(faces, both.faces)
    turned = np.asarray(cube.faces).copy()
    turned[0] = turned[0, ::-1]  # watertight, but no surface for booleans
    assert solid(np.asarray(cube.vertices), turned) is None
    np.testing.assert_array_equal(united(np.asarray(cube.vertices), turned)[1], turned)


def test_an_open_still_surface_has_no_volume():
    box = trimesh.creation.box([0.1, 0.1, 0.1])
    assert solid(np.asarray(box.vertices), np.asarray(box.faces)[:-1]) is None
    assert shared_volumes_m3((np.asarray(box.vertices), np.asarray(box.faces)[:-1]), *parts(box, [0, 0, 0])) is None


def test_distances_agree_with_trimesh_and_end_at_the_reach():
    ball = trimesh.creation.icosphere(3, 0.03)
    x = np.random.default_rng(0).uniform(-0.05, 0.05, (300, 3))
    ours = distances_within((ball.vertices, ball.faces), x, 0.1, True)
    pairs = [np.repeat(ball.triangles, len(x), 0), np.tile(x, (len(ball.faces), 1))]
    theirs = np.linalg.norm(trimesh.triangles.closest_point(*pairs) - pairs[1], axis=-1).reshape(-1, len(x)).min(0)
    np.testing.assert_allclose(np.abs(ours), theirs, atol=1e-7)  # open3d works in float32
    far = np.abs(theirs) > 0.001
    np.testing.assert_array_equal((ours < 0)[far], (np.linalg.norm(x, axis=-1) < 0.03)[far])
    assert distances_within((ball.vertices, ball.faces), np.array([[0.2, 0, 0]]), 0.1, True)[0] == np.inf
    assert distances_within((ball.vertices, ball.faces), np.zeros((1, 3)), 0.1, False)[0] == pytest.approx(
        0.03, rel=0.02
    )

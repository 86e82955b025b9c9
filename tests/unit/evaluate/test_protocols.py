"""The protocols undo what they say they undo, and measure what they say they measure."""

import numpy as np
import open3d as o3d
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoi.evaluate.protocols import axis_rotations, diffhoi, forehoi, hold, icp_within, voxel_centres
from hoi.geometry.registration import Search, Similarity
from hoi.geometry.sampling import sample_surface

SEARCH = Search(starts=48, coarse_points=150, coarse_steps=8, refined=4, points=500, polished=1)


def wedge() -> trimesh.Trimesh:
    box = trimesh.creation.box([0.12, 0.06, 0.03]).subdivide().subdivide().subdivide().subdivide()
    lump = trimesh.creation.icosphere(3, 0.02)
    lump.apply_translation([0.05, 0.03, 0.01])
    return trimesh.util.concatenate([box, lump])


def points(mesh, n=2000, seed=0):
    return sample_surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), n, seed)


def moved(x, scale=1.0, R=None):
    turn = Rotation.random(rng=np.random.default_rng(5)).as_matrix() if R is None else R
    return scale * x @ turn.T + np.array([0.1, -0.2, 0.4])


def test_diffhoi_undoes_a_motion_and_with_scale_a_size():
    same = diffhoi(moved(points(wedge())), points(wedge(), seed=1), SEARCH)
    assert same["f5"] > 0.99 and same["cd_cm2"] < 0.12 and same["scale"] == pytest.approx(1, abs=0.02)
    bigger = diffhoi(moved(points(wedge()), 1.4), points(wedge(), seed=1), SEARCH)
    assert bigger["f5"] < 0.8 and bigger["cd_cm2"] > 0.5
    assert bigger["f5_scaled"] > 0.99 and bigger["scale"] == pytest.approx(1 / 1.4, rel=0.02)


def test_hold_measures_vertices_after_icp_with_scale():
    mesh, R = wedge(), Rotation.from_rotvec([0.4, 2.0, -0.7]).as_matrix()
    out = hold(
        moved(mesh.vertices, 1.03, R), np.asarray(mesh.vertices), moved(points(mesh, 1000), 1.03, R),
        points(mesh, 1000, 1), SEARCH,
    )  # fmt: skip
    assert out["hold_f5"] > 0.999 and out["hold_cd_cm2"] < 0.05


def test_icp_pairs_only_what_is_near():
    source = np.array([[0.0, 0, 0], [0.01, 0, 0], [0, 0.01, 0], [1.0, 1, 1]])  # the last has no partner
    target = source[:3] + np.array([0.002, 0, 0])
    found = icp_within(source, target, Similarity(np.eye(3), np.zeros(3), 1.0), 0.01, 30)
    np.testing.assert_allclose(found.apply(source[:3]), target, atol=1e-12)


def test_icp_with_scale_is_open3ds():
    mesh, R = wedge(), Rotation.from_rotvec([0.1, -0.05, 0.08]).as_matrix()
    source, target = 1.05 * points(mesh, 800) @ R.T, points(mesh, 800, 1)
    clouds = [o3d.geometry.PointCloud(o3d.utility.Vector3dVector(x)) for x in (source, target)]
    with_scale = o3d.pipelines.registration.TransformationEstimationPointToPoint(with_scaling=True)
    until = o3d.pipelines.registration.ICPConvergenceCriteria(0, 0, 30)
    T = o3d.pipelines.registration.registration_icp(*clouds, 0.01, np.eye(4), with_scale, until).transformation
    found = icp_within(source, target, Similarity(np.eye(3), np.zeros(3), 1.0), 0.01, 30)
    np.testing.assert_allclose(found.apply(source), source @ T[:3, :3].T + T[:3, 3], atol=1e-6)


def test_axis_rotations_are_24_and_proper():
    R = axis_rotations()
    assert len(R) == 24 and len({tuple(r.round().ravel()) for r in R}) == 24
    np.testing.assert_allclose(np.linalg.det(R), 1)


def test_voxels_of_a_cubes_surface():
    # 8 cells a side, every face filled: 8^3 - 6^3 cells
    assert len(voxel_centres(points(trimesh.creation.box([2, 2, 2]), 60_000), 8)) == 8**3 - 6**3


def test_forehoi_loses_size_and_keeps_shape():
    mesh, R = wedge(), axis_rotations()[7] @ Rotation.from_rotvec([0.1, -0.15, 0.1]).as_matrix()
    surface = np.concatenate([points(mesh, 60_000), mesh.vertices])
    same = forehoi(moved(surface, 3.0, R), surface)
    assert same["forehoi_f5"] > 0.99
    # The truth's cells are 0.12 m / 64 = 1.9 mm wide: two voxelisations of one surface differ by less than a cell.
    assert same["forehoi_cd_cm"] < 0.19


def test_forehoi_of_a_longer_box_by_hand():
    # A rod of length 1 and one of length 1 with a square section of 0.5: unit boxes align their long axes; the thick
    # one's side faces lie 0.25 from the thin one's axis.
    rod = np.stack([np.linspace(-0.5, 0.5, 2000), np.zeros(2000), np.zeros(2000)], -1)
    thick = points(trimesh.creation.box([1, 0.5, 0.5]), 60_000)
    out = forehoi(thick, rod)
    assert 20 < out["forehoi_cd_cm"] < 30  # 0.25 to 0.35 m both ways, and half of the sum

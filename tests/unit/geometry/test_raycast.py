"""Ray casting against answers computed by hand."""

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from hoi.geometry.raycast import Posed, build_scene, cast, cast_posed, occluded, pixel_rays, visible_masks

K = np.array([[100.0, 0, 32], [0, 100.0, 24], [0, 0, 1]])


def square(z, half=1.0, centre=(0.0, 0.0)):
    x, y = centre
    corners = [[-half + x, -half + y, z], [half + x, -half + y, z], [half + x, half + y, z], [-half + x, half + y, z]]
    return np.array(corners), np.array([[0, 1, 2], [0, 2, 3]])


def test_rays_go_through_pixel_centres():
    rays = pixel_rays(K, 64, 48)
    assert rays.shape == (48, 64, 3)
    np.testing.assert_allclose(rays[24, 32], [0.005, 0.005, 1])  # centre (32.5, 24.5), half a pixel off the axis
    np.testing.assert_allclose(rays[0, 63], [0.315, -0.235, 1], rtol=1e-6)


def test_plane_depth_is_z_and_normal_faces_the_viewer():
    seen = cast([square(2.0, half=5)], K, 64, 48)
    np.testing.assert_allclose(seen.depth, 2.0, rtol=1e-6)  # along the corner ray the length would be 2.16
    np.testing.assert_allclose(seen.normals, np.broadcast_to([0, 0, -1], (48, 64, 3)), atol=1e-6)
    assert (seen.instance == 0).all()


def test_edges_of_a_square_fall_between_the_right_pixels():
    # x in [0, 0.1] at z = 1 covers u in [32, 42]: columns 32..41; y in [-0.04, 0.06] covers v in [20, 30]: rows 20..29.
    vertices, faces = square(1.0, half=0.05, centre=(0.05, 0.01))
    rows, columns = np.nonzero(cast([(vertices, faces)], K, 64, 48).instance == 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max(), len(rows)) == (20, 29, 32, 41, 100)


def test_sphere_depth_and_background():
    ball = trimesh.creation.icosphere(4, 0.5)
    ball.apply_translation([0.01, 0.01, 2.0])  # centre on the ray through pixel (24, 32)
    seen = cast([(ball.vertices, ball.faces)], K, 64, 48)
    np.testing.assert_allclose(seen.depth[24, 32], 1.5, atol=2e-3)
    assert (seen.depth[0, 0], seen.instance[0, 0], seen.face[0, 0]) == (0, -1, -1)
    point = seen.barycentric[24, 32] @ ball.vertices[ball.faces[seen.face[24, 32]]]
    np.testing.assert_allclose(point, [0.0075, 0.0075, 1.5], atol=2e-3)


def test_nearer_mesh_hides_the_farther():
    T = np.eye(4)[None]
    vertices, faces = square(1.0, half=0.05)
    hand = square(0.9, half=5)[0] + [5, 0, 0]  # x from 0 on: hides the right half
    obj, hand_seen = visible_masks((vertices, faces), T, hand[None], faces, K[None], 64, 48)
    assert obj.sum() == 5 * 10 and obj[0, :, 32:].sum() == 0
    assert hand_seen[0, :, 32:].all() and not hand_seen[0, :, :32].any()


def test_occlusion_is_per_ray():
    posed = [Posed(build_scene(*square(1.0, half=0.05)), np.eye(4))]
    origins, directions = np.zeros((2, 3), np.float32), np.array([[0, 0, 1], [0, 0, -1]], np.float32)
    assert occluded(posed, origins, directions).tolist() == [True, False]
    behind = np.diag([1.0, 1, -1, 1])  # the square mirrored to z = -1
    assert occluded([Posed(posed[0].scene, behind)], origins, directions).tolist() == [False, True]


def test_a_posed_mesh_looks_as_its_moved_vertices():
    box, ball = trimesh.creation.box([0.1, 0.2, 0.3]), trimesh.creation.icosphere(2, 0.08)
    R = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, [0.02, -0.03, 1.0]
    ball.apply_translation([0, 0.05, 0.9])
    moved = cast([(box.vertices @ R.T + T[:3, 3], box.faces), (ball.vertices, ball.faces)], K, 64, 48)
    scenes = [Posed(build_scene(box.vertices, box.faces), T), Posed(build_scene(ball.vertices, ball.faces), np.eye(4))]
    posed = cast_posed(scenes, K, 64, 48)
    assert (moved.instance == posed.instance).mean() > 0.998 and len(np.unique(posed.instance)) == 3
    same = moved.face == posed.face
    np.testing.assert_allclose(posed.depth[same], moved.depth[same], atol=1e-5)
    np.testing.assert_allclose(posed.normals[same], moved.normals[same], atol=1e-4)


def test_masks_are_those_of_the_whole_picture():
    # Balls in the middle, across the border, behind the camera, and outside: only the rays that can meet them are cast.
    K = np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]])
    ball = trimesh.creation.icosphere(2, 0.1)
    T = np.tile(np.eye(4), (4, 1, 1))
    T[:, :3, 3] = [[0, 0, 1], [0.5, 0, 1], [0, 0, -1], [5, 0, 1]]
    hand = np.tile(ball.vertices * 0.5 + np.array([0.05, 0, 0.9]), (4, 1, 1))
    hand[3, :, 0] += 5
    seen = visible_masks((ball.vertices, ball.faces), T, hand, ball.faces, np.tile(K, (4, 1, 1)), 64, 48)
    for i in range(4):
        whole = cast([(ball.vertices + T[i, :3, 3], ball.faces), (hand[i], ball.faces)], K, 64, 48).instance
        for k in (0, 1):
            np.testing.assert_array_equal(seen[k][i], whole == k)
    assert seen[0][1].any() and seen[1][2].any() and not seen[0][3].any()

"""Ray casting and light: answers known by hand, and the mesh that is filmed."""

import numpy as np
import open3d as o3d
import pytest
import torch

from hoi.hand.model import load_hand
from hoi.sources import shading
from hoi.sources.scenery import make_lights
from hoi.sources.skin import loop_matrix, make_body

K = np.array([[10.0, 0, 5], [0, 10, 4], [0, 0, 1]], np.float32)
SQUARE = np.array([[-1, -1, 2], [1, -1, 2], [1, 1, 2], [-1, 1, 2]], np.float32)
FACES = np.array([[0, 2, 1], [0, 3, 2]])
UP = np.array([0.0, -1.0, 0.0])


def test_cast_hits_pixel_centres():
    square = SQUARE * [0.25, 0.25, 1]  # +-1.25 px about the principal point (5, 4)
    hits = shading.cast(shading.scene_of([(square, FACES)]), K, 8, 10)
    depth = hits.image(hits.position[:, 2])
    assert sorted(map(tuple, np.argwhere(depth > 0))) == [(i, j) for i in (3, 4) for j in (4, 5)]
    np.testing.assert_allclose(depth[depth > 0], 2, rtol=1e-6)
    np.testing.assert_allclose(hits.position[:, 0] / hits.position[:, 2] * 10 + 5, [4.5, 5.5, 4.5, 5.5], atol=1e-5)


def test_window_is_the_same_picture():
    scene = shading.scene_of([(SQUARE * [0.25, 0.25, 1], FACES)])
    whole = shading.cast(scene, K, 8, 10)
    rows, cols, inner = shading.window(SQUARE * [0.25, 0.25, 1], K, 8, 10)
    part = shading.cast(scene, inner, rows.stop - rows.start, cols.stop - cols.start)
    picture = np.zeros((8, 10))
    picture[rows, cols] = part.image(part.position[:, 2])
    np.testing.assert_allclose(picture, whole.image(whole.position[:, 2]), atol=1e-6)


def test_shadow_and_openness_by_hand():
    lights = shading.Lights(np.array([0.0, 0, 1.0]), 0.01, *(np.ones(3),) * 3, UP)
    scene = shading.scene_of([(SQUARE, FACES)])
    rng = np.random.default_rng(0)
    points = np.array([[0, 0, 3], [0, 0, 1.5], [5, 0, 3]], np.float32)
    np.testing.assert_array_equal(shading.shadow(scene, points, lights, 4, rng), [0, 1, 1])
    normals = np.tile(np.array([[0, 0, -1.0]], np.float32), (2, 1))
    free = shading.openness(scene, np.array([[0, 0, 2.01], [0, 0, 1.9]], np.float32), normals, 16, 0.5, rng)
    assert free[0] < 0.05 and free[1] == 1


def test_denoise_keeps_edges_and_means():
    rng = np.random.default_rng(0)
    depth = np.ones((20, 20))
    depth[:, 10:] = 1.1
    normals = np.tile(np.array([0, 0, -1.0]), (20, 20, 1))
    truth = (depth > 1.05).astype(float)[..., None]
    noisy = truth + 0.2 * rng.standard_normal(truth.shape)
    clean = shading.denoise(noisy, depth, normals, 2, 2)
    assert np.abs(clean - truth).mean() < 0.4 * np.abs(noisy - truth).mean()
    assert np.abs(clean[:, 8:10].mean()) < 0.1 and np.abs(clean[:, 10:12].mean() - 1) < 0.1


def test_loop_subdivision_of_an_octahedron():
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    S, finer = loop_matrix(faces, 6)
    np.testing.assert_allclose(S.sum(1), 1)
    assert finer.shape == (32, 3) and S.shape == (18, 6)
    np.testing.assert_allclose((S @ vertices)[0], [1 - 4 * 3 / 32, 0, 0], atol=1e-12)  # weight 3 / (8 * 4) each of 4
    new = (S @ vertices)[6:]
    np.testing.assert_allclose(np.sort(np.abs(new), 1), np.tile([0, 0.375, 0.375], (12, 1)), atol=1e-12)


def test_the_filmed_hand_is_the_hand():
    hand = load_hand("right")
    body = make_body(hand, np.zeros(10), np.random.default_rng(0))
    pose = 0.3 * torch.randn(45, generator=torch.Generator().manual_seed(0)).numpy()
    X = body.vertices(pose, np.array([1.0, 0, 0]))
    with torch.no_grad():
        V = hand(torch.from_numpy(pose)[None], torch.zeros(1, 10)).vertices[0].numpy()
    skin = shading.scene_of([(X, body.faces)])
    gap = skin.compute_distance(o3d.core.Tensor(np.ascontiguousarray(V))).numpy()
    assert np.median(gap) < 0.0005 and np.quantile(gap, 0.99) < 0.003, "smoothing keeps the shape"
    arm = X[np.unique(body.faces[body.hand_faces :])]
    assert arm[:, 0].max() > 0.4 and arm[:, 0].min() > -0.02, "the forearm goes back from the wrist"
    edges = np.sort(np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]]), 1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 1).sum() == 2 * len(body.ring), "open at the elbow only"


def test_nails_are_on_the_backs_of_the_fingertips():
    hand = load_hand("right")
    body = make_body(hand, np.zeros(10), np.random.default_rng(0))
    skin = body.look
    face = np.arange(len(body.faces))
    middle = body.attributes[body.faces].mean(1)
    look = skin(face, middle, shading.unit(middle[:, 3:6]))
    nail = look.roughness < 0.3
    assert 20 < nail.sum() < 1500
    assert (middle[nail & (skin.face_finger > 0), 4] > 0.1).all(), "nails of the fingers look up in the rest pose"


@pytest.mark.parametrize("seed", range(3))
def test_lights_stand_above(seed):
    lights = make_lights(UP, np.random.default_rng(seed))
    assert lights.key_position @ UP > 0.5


def test_develop_is_monotonic_in_the_unit_range():
    x = np.linspace(0, 20, 100)[:, None, None] * np.ones((1, 1, 3))
    y = shading.develop(x, 1.0)
    assert (np.diff(y[:, 0, 0]) >= 0).all() and y.min() >= 0 and y.max() <= 1

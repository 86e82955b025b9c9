"""Registration finds what was hidden."""

import numpy as np
import pytest
import trimesh
from scipy.optimize import approx_fprime
from scipy.spatial.transform import Rotation

from hoi.geometry.registration import (
    Search,
    Similarity,
    _Pair,
    chamfer_and_gradient,
    coarse,
    curvature,
    register,
    register_both,
    umeyama,
)
from hoi.geometry.sampling import sample_surface

SEARCH = Search(starts=96, coarse_points=256, coarse_steps=8, refined=5, points=1000, polished=1)


def mug() -> trimesh.Trimesh:
    handle = trimesh.creation.torus(0.025, 0.006)
    handle.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    handle.apply_translation([0.045, 0, 0.012])
    return trimesh.util.concatenate([trimesh.creation.cylinder(0.04, 0.1), handle])


def knife() -> trimesh.Trimesh:
    grip = trimesh.creation.box([0.1, 0.025, 0.015])
    grip.apply_translation([-0.1, 0.004, 0])
    return trimesh.util.concatenate([trimesh.creation.box([0.25, 0.02, 0.004]), grip])


def test_umeyama_recovers_a_similarity_exactly_and_never_mirrors():
    rng = np.random.default_rng(0)
    a, w = rng.normal(size=(4, 20, 3)), np.full(20, 1.0)
    R0, t0 = Rotation.random(4, rng=rng).as_matrix(), rng.normal(size=(4, 3))
    b = 1.7 * a @ R0.transpose(0, 2, 1) + t0[:, None]
    R, t, scale = umeyama(a, b, w, True)
    np.testing.assert_allclose(R, R0, atol=1e-9)
    np.testing.assert_allclose(t, t0, atol=1e-9)
    np.testing.assert_allclose(scale, 1.7)
    assert np.linalg.det(umeyama(a, a * [1, 1, -1], w, False)[0]) == pytest.approx([1, 1, 1, 1])


@pytest.mark.parametrize("with_scale", [False, True])
def test_gradient_is_that_of_the_value(with_scale):
    rng = np.random.default_rng(1)
    pair = _Pair.of(rng.normal(size=(60, 3)), rng.normal(size=(50, 3)))
    R0, x = Rotation.random(rng=rng).as_matrix(), np.array([0.4, -0.9, 0.6, 0.1, 0.2, -0.1, 0.2 * with_scale])
    gradient = chamfer_and_gradient(x, pair, R0, with_scale)[1]
    numeric = approx_fprime(x, lambda y: chamfer_and_gradient(y, pair, R0, with_scale)[0], 1e-7)
    free = slice(0, 7 if with_scale else 6)
    np.testing.assert_allclose(gradient[free], numeric[free], rtol=1e-4, atol=1e-5)
    assert with_scale or gradient[6] == 0


def test_curvature_is_that_of_one_point_and_its_neighbour():
    # Half of moving both squared distances (2 each), whatever the way; half of moving them along x alone.
    pair = _Pair.of(np.array([[0.3, 0, 0]]), np.zeros((1, 3)))
    hessian = curvature(pair, Similarity(np.eye(3), np.zeros(3), 1.0), False)
    np.testing.assert_allclose(np.diag(hessian)[3:6], [4, 2, 2], rtol=1e-6)


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(s, marks=pytest.mark.slow) for s in range(6, 30))])
def test_a_random_motion_is_undone(seed):
    rng = np.random.default_rng(seed)
    mesh, with_scale = (mug, knife)[seed % 2](), seed % 4 > 1
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    scale = np.exp(rng.uniform(-0.4, 0.4)) if with_scale else 1.0
    hidden = Similarity(Rotation.random(rng=rng).as_matrix(), rng.normal(size=3) * 0.1, scale)
    a, b = sample_surface(vertices, faces, 2000, 2 * seed), sample_surface(vertices, faces, 2000, 2 * seed + 1)
    found = register(hidden.apply(a), b, with_scale, SEARCH)
    restored = found.apply(hidden.apply(vertices))
    assert np.linalg.norm(restored - vertices, axis=-1).max() < 0.004
    assert with_scale or found.scale == 1.0


def test_without_scale_a_small_copy_stays_small():
    mesh = mug()
    a = sample_surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), 500, 0)
    assert register(0.5 * a, a, False, SEARCH).scale == 1.0
    assert register(0.5 * a, a, True, SEARCH).scale == pytest.approx(2.0, abs=1e-3)


def test_both_registrations_are_those_of_each():
    mesh = mug()
    a = sample_surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), 2000, 0)
    b = 1.2 * sample_surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), 2000, 1)
    rigid, similar = register_both(a, b, SEARCH)
    assert rigid.scale == 1.0 and similar.scale == pytest.approx(1.2, rel=0.01)


def test_coarse_search_gives_the_hidden_rotation_first():
    mesh = mug()
    a = sample_surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), 600, 0)
    R = Rotation.from_rotvec([1.0, -2.0, 0.5]).as_matrix()
    first = coarse(a @ R, a, SEARCH)[0]
    assert first.scale == 1.0 and np.trace(first.R.T @ R) > 2.9


def test_same_input_same_answer():
    a = np.random.default_rng(0).normal(size=(300, 3))
    b = np.random.default_rng(1).normal(size=(300, 3))
    first, second = register(a, b, True, SEARCH), register(a, b, True, SEARCH)
    assert (first.R == second.R).all() and (first.t == second.t).all() and first.scale == second.scale

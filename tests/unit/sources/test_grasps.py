"""Grasps: distances known by hand, limits kept, and acceptance recomputed independently of the search."""

import numpy as np
import pytest
import torch
import trimesh
import yaml
from scipy.spatial import cKDTree

from hoi.config import ProceduralSettings
from hoi.errors import InputError
from hoi.hand.model import load_hand
from hoi.imports import PACKAGE
from hoi.sources import contact, grasps
from hoi.sources.shapes import make_object


def settings(**changes):
    section = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["prepare_clip"]["procedural"]
    return ProceduralSettings(**{**section, "grasp_starts": 8, "grasp_steps": 50, "grasp_refined": 3, **changes})


@pytest.fixture(scope="module")
def box():
    mesh = trimesh.creation.box((0.04, 0.06, 0.08))
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


@pytest.fixture(scope="module")
def cup():
    outer = trimesh.creation.cylinder(0.04, 0.1, sections=64)
    inner = trimesh.creation.cylinder(0.036, 0.1, sections=64)
    inner.apply_translation([0, 0, 0.006])
    mesh = trimesh.boolean.difference([outer, inner], engine="manifold")
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def test_distances_of_a_box(box):
    points = np.array([[0, 0, 0], [0.03, 0, 0], [0.02, 0, 0.05], [0.019, 0, 0]], np.float32)
    np.testing.assert_allclose(contact.signed_distance(*box, points), [-0.02, 0.01, 0.01, -0.001], atol=1e-6)
    grid = contact.make_obstacle(*box, 0.002, "none").surface
    np.testing.assert_allclose(grid(torch.from_numpy(points)[None])[0], [-0.02, 0.01, 0.01, -0.001], atol=6e-4)
    far = grid(torch.tensor([[[0.14, 0.0, 0.0]]]))
    assert float(far) == pytest.approx(0.12, abs=1e-3), "outside the grid the way to it is added"


def test_distance_grid_has_the_gradient_of_a_distance(box):
    grid = contact.make_obstacle(*box, 0.002, "none").surface
    points = torch.tensor([[[0.025, 0.003, 0.002], [-0.03, 0.004, 0.001], [0.003, 0.036, 0.002]]], requires_grad=True)
    grid(points).sum().backward()
    np.testing.assert_allclose(points.grad[0], [[1, 0, 0], [-1, 0, 0], [0, 1, 0]], atol=0.02)


def test_a_hollow_is_solid_for_the_hand_and_the_outside_for_a_thumb_within(cup):
    parts = contact.make_obstacle(*cup, 0.002, "thumb")
    hollow, outside, above = (
        torch.tensor([[[0.0, 0, 0.01]]]),
        torch.tensor([[[0.05, 0, 0]]]),
        torch.tensor([[[0, 0, 0.055]]]),
    )
    assert (
        float(parts.surface(hollow)) > 0.03 and float(parts.hand(hollow)) < -0.03 and float(parts.thumb(hollow)) > 0.03
    )
    assert float(parts.hand(outside)) == pytest.approx(0.01, abs=1e-3)
    assert float(parts.thumb(outside)) == pytest.approx(-0.01, abs=1e-3)
    assert float(parts.thumb(above)) > 0


def test_a_finger_through_a_wall_is_seen(cup):
    finger = trimesh.creation.cylinder(0.006, 0.04, sections=12)
    finger.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [0, 1, 0]))  # along x
    skin, faces = trimesh.remesh.subdivide_to_size(finger.vertices, finger.faces, 0.012)
    pads = [np.flatnonzero(skin[:, 0] < -0.0199)]
    through, beside = skin + np.array([0.033, 0, 0]), skin + np.array([0.0615, 0, 0])
    assert contact.check_contact(through, faces, pads, *cup)[2] > 4
    reach, depth, pierced = contact.check_contact(beside, faces, pads, *cup)
    assert pierced == 0 and depth == 0 and reach[0] == pytest.approx(0.0415 - 0.04, abs=1e-4)


def test_pads_are_on_the_palm_side_and_belong_to_their_fingers():
    hand = load_hand("right")
    rest, k = grasps.articulate(hand, np.zeros(45), np.zeros(10))
    for finger, pad in enumerate(grasps.pad_vertices(hand, np.zeros(10))):
        tips = np.linalg.norm(rest[pad].mean(0) - k[[4, 8, 12, 16, 20]], axis=1)
        assert len(pad) > 10 and tips.argmin() == finger
        if finger:
            assert (rest[pad, 1] < k[4 * finger + 4, 1] + 0.004).all(), "below the finger in the flat hand"


def test_left_and_right_hands_start_alike():
    thing = make_object("bottle", 0, "train")
    starts = [
        grasps.make_starts(grasps.Anatomy(load_hand(side), np.zeros(10)), thing.grasps[0], 1, np.random.default_rng(0))
        for side in ("right", "left")
    ]
    np.testing.assert_allclose(starts[0].R_obj_hand, starts[1].R_obj_hand)
    assert torch.linalg.det(starts[0].R_obj_hand[0]) == pytest.approx(1, abs=1e-5)
    palm = -starts[0].R_obj_hand[0, :, 1].numpy()
    np.testing.assert_allclose(palm, thing.grasps[0].facing, atol=1e-6)


def winding(X, triangles):
    """How often the surface winds around each point (van Oosterom & Strackee 1983)."""
    total = np.zeros(len(X))
    for i, x in enumerate(X):
        a, b, c = (triangles[:, k] - x for k in range(3))
        la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
        top = (a * np.cross(b, c)).sum(1)
        low = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (a * c).sum(1) * lb
        total[i] = np.arctan2(top, low).sum() / (2 * np.pi)
    return total


def test_same_seed_same_search():
    thing, anatomy = make_object("bottle", 0, "train"), grasps.Anatomy(load_hand("right"), np.zeros(10))
    short = settings(grasp_steps=3, grasp_starts=3, grasp_refined=2)
    one, two = (grasps.search_hint(thing, anatomy, thing.grasps[0], short, np.random.default_rng(5)) for _ in range(2))
    assert all(
        np.array_equal(a.pose, b.pose) and np.array_equal(a.T_hand_obj, b.T_hand_obj)
        for a, b in zip(one, two, strict=True)
    )


@pytest.fixture(scope="module")
def held():
    thing, betas = make_object("bottle", 0, "train"), np.full(10, 0.3, np.float32)
    return thing, betas, grasps.find_grasp(thing, load_hand("right"), betas, settings(), 0)


def test_found_grasp_holds_by_an_independent_count(held):
    thing, betas, grasp = held
    hand, mesh = load_hand("right"), thing.mesh
    T = np.linalg.inv(grasp.T_hand_obj)
    with torch.no_grad():
        out = hand(torch.from_numpy(grasp.pose).float()[None], torch.from_numpy(betas)[None])
    X = out.vertices[0].numpy() @ T[:3, :3].T + T[:3, 3]
    surface = trimesh.sample.sample_surface(mesh, 200_000, seed=0)[0]
    distance = cKDTree(surface).query(X)[0]  # at most 0.5 mm too long
    boxed = ((X > mesh.bounds[0]) & (X < mesh.bounds[1])).all(1) & (distance > 0.001)  # the rest cannot be too deep
    inside = winding(X[boxed], mesh.triangles) > 0.5
    assert boxed.any() and distance[boxed][inside].max(initial=0) <= 0.0035
    last = {"thumb": (14, 15), "index": (2, 3), "middle": (5, 6), "ring": (11, 12), "little": (8, 9)}
    weights = hand.skin_weights.numpy()
    near = {f: distance[weights[:, list(j)].sum(1) > 0.6].min() <= 0.003 for f, j in last.items()}
    assert near["thumb"] and sum(near.values()) >= 3
    assert hand.limit_violation(torch.from_numpy(grasp.pose).float()[None]) < 1e-6


def test_acceptance_by_hand():
    reach = np.array([0.002, 0.001, 0.003, 0.02, 0.03])
    grasp = grasps.Grasp("x", np.eye(4), np.zeros(45), reach, 0.0029, 0, 1.0)
    assert grasp.accepted(0.003, 0.003)
    assert not grasp.accepted(0.003, 0.002), "too deep"
    assert not grasp.accepted(0.0025, 0.003), "two fingers"
    thumbless = grasps.Grasp("x", np.eye(4), np.zeros(45), reach[::-1].copy(), 0.0, 0, 1.0)
    assert not thumbless.accepted(0.003, 0.003)
    assert not grasps.Grasp("x", np.eye(4), np.zeros(45), reach, 0.0, 99, 1.0).accepted(0.003, 0.003), "through a wall"


def test_no_grasp_says_what_to_do():
    thing = make_object("bottle", 0, "train")
    hopeless = settings(grasp_starts=1, grasp_steps=1, grasp_refined=1, grasp_hints=1, penetration_m=1e-9)
    with pytest.raises(InputError, match="another seed"):
        grasps.find_grasp(thing, load_hand("right"), np.zeros(10, np.float32), hopeless, 0)

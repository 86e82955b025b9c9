import json

import cv2
import numpy as np
import pytest
import trimesh

from hoi.geometry.registration import Search
from hoi.present.site.shown import Column, Hand, Layer, Surface, error_layer, outlines, surface_of

SEARCH = Search(starts=24, coarse_points=150, coarse_steps=8, refined=3, points=300, polished=1)
POSES = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))


def test_outlines_fill_to_the_mask_again():
    mask = np.zeros((40, 60), bool)
    mask[5:30, 8:50] = True
    mask[12:20, 20:30] = False  # a hole
    drawn = np.zeros(mask.shape, np.uint8)
    lines = outlines(mask)
    assert len(lines) == 2
    polygons = [np.round(np.reshape(line, (-1, 2)) - 0.5).astype(np.int32) for line in lines]
    cv2.fillPoly(drawn, polygons, 1)
    assert np.count_nonzero(drawn.astype(bool) != mask) <= 36, "at most the hole's own outline"


def test_an_empty_mask_has_no_outline():
    assert outlines(np.zeros((4, 4), bool)) == []


def test_error_of_a_larger_sphere_is_the_difference_of_radii():
    true, fit = trimesh.creation.icosphere(4, 0.040), trimesh.creation.icosphere(4, 0.043)
    fit.apply_translation([0.3, -0.1, 0.5])  # where the fit is does not matter: it is registered first
    layer = error_layer(fit.vertices, fit, true, SEARCH, samples=1500, high_mm=20.0, seed=0)
    assert layer.values == pytest.approx(3.0, abs=0.25)
    assert (layer.name, layer.unit, layer.low, layer.high) == ("error", "mm", 0.0, 20.0)


def test_a_surface_gets_as_few_faces_as_asked_and_stays_where_it_is():
    sphere = trimesh.creation.icosphere(5, 0.05)
    small = surface_of(sphere, POSES, 2000)
    assert 1900 <= len(small.faces) <= 2000
    assert np.linalg.norm(small.vertices, axis=1) == pytest.approx(0.05, abs=2e-4)
    assert surface_of(sphere, POSES, 10**6).faces is not None


def test_a_column_is_json_and_says_what_is_not_known():
    box = trimesh.creation.box([0.1, 0.1, 0.1])
    layer = Layer("seen", "seen", "", 0.0, 1.0, np.linspace(0, 1, 8))
    surface = Surface(np.asarray(box.vertices), np.asarray(box.faces), POSES, [layer])
    hand = Hand(np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32), np.array([[0, 1, 2]]))
    K = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))
    masks = {"object": {1: np.ones((3, 4), bool)}}
    data = json.loads(json.dumps(Column("a", K, surface, hand, masks=masks).data(), allow_nan=False))
    assert data["object"]["layers"][0]["name"] == "seen"
    assert data["hand"]["base"]["shape"] == [5, 3] and data["hand"]["poses"]["shape"] == [2, 4, 4]
    assert list(data["masks"]["object"]) == ["1"]
    assert data["joints"] is None and data["keypoints"] is None and data["found"] is None
    nothing = Column("b", K)
    assert nothing.data()["object"] is None and nothing.contents() == "" and nothing.fitted() is None
    assert Column("a", K, surface, hand, masks=masks).contents() == "object, hand, masks of 1 frames"

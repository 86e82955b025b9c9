"""Things of no category: every style is a solid that a hand can take, and none of them is a clip of the benchmark."""

import numpy as np
import open3d as o3d
import pytest
from pydantic import ValidationError

from hoi.sources.shapes import CATEGORIES, KINDS, block, make_object, surface_albedo, tool
from hoi.sources.shapes.finishes import finish_of
from hoi.sources.shapes.textures import Chart
from hoi.table import ClipRow

STYLES = {"block": set(block.STYLES), "tool": {f"{head} on a grip" for head in tool.HEADS}}
OTHERS = sorted(set(KINDS) - set(CATEGORIES))


def distance(mesh, points):
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(mesh.vertices.astype(np.float32)), o3d.core.Tensor(mesh.faces.astype(np.uint32))
    )
    return scene.compute_distance(o3d.core.Tensor(np.asarray(points, np.float32))).numpy()


@pytest.mark.parametrize("kind", OTHERS)
def test_every_style_is_a_solid_within_reach_of_a_hand(kind):
    seen = set()
    for seed in range(30):
        thing = make_object(kind, seed, "train")
        mesh = thing.mesh
        assert mesh.is_watertight and mesh.is_volume and mesh.body_count == 1, (seed, thing.style)
        low, middle, high = np.sort(thing.extents)
        assert 0.008 < low and middle < 0.25 and high < 0.42, (seed, thing.style)
        np.testing.assert_allclose(thing.vertices.min(axis=0) + thing.vertices.max(axis=0), 0, atol=1e-9)
        assert {hint.hand for hint in thing.grasps} == {"either"}
        assert max(hint.radius for hint in thing.grasps) <= 0.046
        assert distance(mesh, [hint.palm for hint in thing.grasps]).min() < 0.006, (seed, thing.style)
        seen.add(thing.style)
    assert seen == STYLES[kind]


@pytest.mark.parametrize("kind", OTHERS)
def test_the_same_seed_makes_the_same_thing_and_others_differ(kind):
    one, again, other = (make_object(kind, seed, "train") for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.vertices, again.vertices)
    assert one.materials[0].base == again.materials[0].base
    assert np.abs(one.extents - other.extents).max() > 1e-3
    assert np.abs(one.extents - make_object(kind, 3, "test").extents).max() > 1e-4


def test_finishes_are_colours_and_many_are_printed():
    rng, printed = np.random.default_rng(0), 0
    charts = (Chart("side"), Chart("around", 0.03), Chart("top"))
    made = [finish_of(rng, 2, (0.0, 0.1), charts) for _ in range(60)]
    for material in made:
        assert 0 <= material.roughness <= 1 and max(material.base) <= 0.95
        printed += len(material.layers) > 1 or (len(material.layers) == 1 and material.metallic == 0)
    assert 20 < printed < 55
    thing = make_object("block", 0, "train")
    colour = surface_albedo(thing, np.arange(len(thing.faces)), thing.mesh.triangles_center, thing.mesh.face_normals)
    assert np.isfinite(colour).all() and (colour >= 0).all() and (colour <= 1).all()


@pytest.mark.parametrize("kind", OTHERS)
def test_no_clip_of_the_benchmark_is_of_them(kind):
    with pytest.raises(ValidationError, match="category of a procedural clip"):
        ClipRow(clip="x", source="procedural", category=kind, split="test", seed=0)

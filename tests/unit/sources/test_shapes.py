from functools import cache

import numpy as np
import open3d as o3d
import pytest
import trimesh

from hoi.errors import InputError
from hoi.sources.shapes import CATEGORIES, albedo, make_object, surface_albedo, surface_shine

SEEDS = (0, 1)
# smallest and largest extents along x, y, z, in millimetres
SIZES_MM = {
    "mug": ((95, 60, 80), (130, 90, 125)),
    "bottle": ((50, 50, 150), (90, 90, 310)),
    "kettle": ((170, 110, 110), (300, 195, 260)),
    "bowl": ((105, 105, 30), (180, 180, 100)),
    "knife": ((170, 15, 20), (360, 32, 90)),
    "toycar": ((80, 30, 25), (160, 90, 90)),
}
made = cache(make_object)
everything = pytest.mark.parametrize(("category", "seed"), [(c, s) for c in sorted(CATEGORIES) for s in SEEDS])
every_category = pytest.mark.parametrize("category", sorted(CATEGORIES))


def scene_of(thing: trimesh.Trimesh) -> o3d.t.geometry.RaycastingScene:
    scene = o3d.t.geometry.RaycastingScene()
    vertices, faces = thing.vertices.astype(np.float32), thing.faces.astype(np.uint32)
    scene.add_triangles(o3d.core.Tensor(vertices), o3d.core.Tensor(faces))
    return scene


def signed_distance(mesh: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    return scene_of(mesh).compute_signed_distance(o3d.core.Tensor(np.asarray(points, np.float32))).numpy()


@everything
def test_solid_is_closed_whole_and_turned_outwards(category: str, seed: int) -> None:
    mesh = made(category, seed, "test").mesh
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.is_volume
    assert mesh.volume > 0
    assert mesh.body_count == 1


@everything
def test_size_and_frame(category: str, seed: int) -> None:
    thing = made(category, seed, "test")
    low, high = SIZES_MM[category]
    assert (thing.extents * 1000 > low).all() and (thing.extents * 1000 < high).all()
    np.testing.assert_allclose(thing.vertices.min(axis=0) + thing.vertices.max(axis=0), 0, atol=1e-9)
    assert 5_000 < len(thing.faces) <= 60_000


@every_category
def test_seeds_differ_in_size_and_colour(category: str) -> None:
    extents = np.array([made(category, seed, "test").extents for seed in SEEDS])
    gaps = np.abs(extents[:, None] - extents[None]).max(axis=-1) + np.eye(len(SEEDS))
    assert gaps.min() > 0.0005
    bases = {tuple(material.base for material in made(category, seed, "test").materials) for seed in SEEDS}
    assert len(bases) == len(SEEDS)


@every_category
def test_same_seed_is_the_same_object_and_splits_share_none(category: str) -> None:
    first, again, other = make_object(category, 1, "test"), make_object(category, 1, "test"), made(category, 1, "train")
    np.testing.assert_array_equal(first.vertices, again.vertices)
    np.testing.assert_array_equal(first.faces, again.faces)
    np.testing.assert_array_equal(first.face_part, again.face_part)
    assert np.abs(first.extents - other.extents).max() > 1e-4


def test_unknown_category_and_split_are_refused() -> None:
    with pytest.raises(InputError, match="teapotty"):
        make_object("teapotty", 0, "train")
    with pytest.raises((InputError, Exception), match="holdout"):
        make_object("mug", 0, "holdout")


@pytest.mark.parametrize("category", ["mug", "bowl"])
@pytest.mark.parametrize("seed", SEEDS)
def test_mugs_and_bowls_are_hollow(category: str, seed: int) -> None:
    thing = made(category, seed, "test")
    centre_x = 0.0 if category == "bowl" else thing.vertices[:, 0].min() + thing.extents[1] / 2
    inside = np.array([[centre_x, 0.0, z] for z in np.linspace(0.0, 0.45, 5) * thing.extents[2]])
    assert (signed_distance(thing.mesh, inside) > 0.005).all()
    floor = np.array([[centre_x, 0.0, z] for z in np.linspace(-0.5, -0.3, 60) * thing.extents[2]])
    assert signed_distance(thing.mesh, floor).min() < -0.0005


@pytest.mark.parametrize("category", ["bottle", "kettle", "knife", "toycar"])
def test_the_others_are_solid(category: str) -> None:
    thing = made(category, 0, "test")
    assert thing.mesh.volume > (0.25 if category != "knife" else 0.05) * thing.mesh.convex_hull.volume


@everything
def test_parts_cover_the_surface_and_have_materials(category: str, seed: int) -> None:
    thing = made(category, seed, "test")
    assert thing.face_part.shape == (len(thing.faces),)
    assert len(thing.materials) == len(thing.parts) == len(set(thing.parts))
    assert set(np.unique(thing.face_part)) == set(range(len(thing.parts)))
    shine = surface_shine(thing, np.arange(len(thing.faces)))
    assert (shine >= 0).all() and (shine <= 1).all()


@everything
def test_albedo_is_a_bounded_pure_function_of_the_point(category: str, seed: int) -> None:
    thing = made(category, seed, "test")
    index = np.arange(0, len(thing.faces), 17)
    points, normals = thing.mesh.triangles_center[index], thing.mesh.face_normals[index]
    colour = surface_albedo(thing, index, points, normals)
    assert colour.shape == points.shape and np.isfinite(colour).all()
    assert (colour >= 0).all() and (colour <= 1).all() and colour.max() > 0.02
    one = thing.face_part[index] == thing.face_part[index[0]]
    direct = albedo(thing.materials[thing.face_part[index[0]]], points[one], normals[one])
    np.testing.assert_array_equal(colour[one], direct)


@everything
def test_grasp_hints_touch_the_surface_and_fit_a_hand(category: str, seed: int) -> None:
    thing = made(category, seed, "test")
    assert len(thing.grasps) >= 2
    palms = np.array([hint.palm for hint in thing.grasps])
    # over an open mouth the palm rests on the hull, not on the surface
    gaps = [np.abs(signed_distance(mesh, palms)) for mesh in (thing.mesh, thing.mesh.convex_hull)]
    assert np.minimum(*gaps).max() < 0.006
    for hint in thing.grasps:
        assert hint.radius <= 0.046
        np.testing.assert_allclose([np.linalg.norm(hint.facing), np.linalg.norm(hint.thumb_axis)], 1, atol=1e-9)
        assert abs(hint.facing @ hint.thumb_axis) < 1e-9
        assert (hint.target - hint.palm) @ hint.facing > 0


def test_a_knife_is_seen_by_a_distance_field_down_to_its_edge() -> None:
    thing = made("knife", 0, "test")
    edge = thing.parts.index("edge")
    corners = thing.vertices[thing.faces[thing.face_part == edge]].reshape(-1, 3)
    lowest = corners[corners[:, 2] < corners[:, 2].min() + 0.002]
    assert 0.0007 < np.ptp(lowest[:, 1]) < 0.003

"""Made clips without pictures: masks by hand, and the truth that they agree with."""

import cv2
import numpy as np
import pytest
import torch
import trimesh
import yaml

from hoi.config import Rehearsals
from hoi.geometry.raycast import cast
from hoi.geometry.rotations import axis_angle_to_matrix
from hoi.hand.model import load_hand
from hoi.imports import PACKAGE
from hoi.sources.rehearsal import FILLED, Film, rehearse, rehearse_truth
from hoi.sources.shapes import make_object

from .test_procedural import pixels, preset_grasp
from .test_procedural import settings as film_settings

K = np.array([[100, 0, 32], [0, 100, 24], [0, 0, 1]], np.float32)


def settings(**changes):
    section = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["prior_data"]["rehearsal"]
    return Rehearsals(**(section | {"frames": 3, "width_px": 64, "height_px": 48, "lost_share": 0.0} | changes))


def cuboid(size, centre):
    mesh = trimesh.creation.box(size)
    return np.asarray(mesh.vertices + centre, np.float32), np.asarray(mesh.faces)


def plate(limb_z):
    """A plate of 10 x 10 cm whose front is 50 cm away: 20 x 20 pixels; a bar 4 cm wide at another depth."""
    vertices, faces = cuboid((0.1, 0.1, 0.02), (0, 0, 0))
    bar, bar_faces = cuboid((0.04, 0.2, 0.02), (0, 0, limb_z + 0.01))
    T = np.eye(4, dtype=np.float32)[None].repeat(2, 0)
    T[:, 2, 3] = 0.51
    return Film([bar, bar], bar_faces, vertices, faces, T, K)


def rectangle(top, bottom, left, right):
    out = np.zeros((48, 64), bool)
    out[top:bottom, left:right] = True
    return out


def test_masks_are_where_object_and_hand_are_seen():
    obj, hand = plate(limb_z=0.4).masks(settings(), np.random.default_rng(0))  # the bar's front: 10 px wide, 50 high
    bar, square = rectangle(0, 48, 27, 37), rectangle(14, 34, 22, 42)
    assert obj.shape == hand.shape == (2, 48, 64)
    assert (hand == bar).all() and (obj == (square & ~bar)).all()


def test_what_is_behind_the_object_hides_nothing():
    obj, hand = plate(limb_z=0.8).masks(settings(), np.random.default_rng(0))  # 5 px wide, 25 high
    square = rectangle(14, 34, 22, 42)
    assert (obj == square).all() and (hand == (cast_alone(plate(0.8), 0) & ~square)).all() and hand.any()


def cast_alone(film, frame):
    return cast([(film.limb[frame], film.limb_faces)], film.K, 64, 48).instance == 0


def test_a_part_is_lost_around_a_point_of_the_object():
    film, radius_m = plate(limb_z=0.8), 0.03
    whole, hand = film.masks(settings(), np.random.default_rng(0))
    points = pixels(K, film.vertices + film.T_cam_obj[0, :3, 3])
    column, row = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    for seed in range(5):
        part, same = film.masks(settings(lost_share=1.0, lost_m=(radius_m, radius_m)), np.random.default_rng(seed))
        lost = whole & ~part
        assert np.array_equal(hand, same), "the hand loses nothing, and wins nothing"
        assert not (part & ~whole).any() and part.any() and np.array_equal(lost[0], lost[1])
        assert cv2.connectedComponents(lost[0].astype(np.uint8))[0] == 2, "one part"
        away = np.hypot(column - points[:, 0, None, None], row - points[:, 1, None, None])
        depth = film.vertices[:, 2] + 0.51
        disc = away < (100 * radius_m / depth)[:, None, None]
        assert any(np.array_equal(lost[0], whole[0] & d) for d in disc)
    nothing, _ = film.masks(settings(lost_share=1.0, lost_m=(0.0, 0.0)), np.random.default_rng(0))
    assert np.array_equal(nothing, whole)


def made(seed=0, **changes):
    thing, hand, betas = make_object("bottle", 0, "train"), load_hand("right"), np.zeros(10, np.float32)
    grasp = preset_grasp(thing, hand, betas, None, 0)
    size = {"width_px": 96, "height_px": 72}
    return thing, grasp, rehearse(thing, hand, betas, grasp, film_settings(), settings(**size | changes),
                                  np.random.default_rng(seed))  # fmt: skip


@pytest.fixture(scope="module")
def clip():
    return made()


def test_a_rehearsal_agrees_with_its_truth(clip):
    thing, grasp, seen = clip
    assert len(seen.object_mask) == len(seen.T_cam_obj) == 3, "its own number of frames"
    for T, obj, hand in zip(seen.T_cam_obj, seen.object_mask, seen.hand_mask, strict=True):
        alone = cast([(thing.vertices @ T[:3, :3].T + T[:3, 3], thing.faces)], seen.hands["K"], 96, 72).instance == 0
        assert not (obj & hand).any() and not (obj & ~alone).any()
        assert (hand[alone & ~obj]).all() and (alone & ~obj).any() and obj.any(), "only the hand hides the object"
        border = np.concatenate([obj[0], obj[-1], obj[:, 0], obj[:, -1]])
        assert not border.any()
    T_hand_obj = np.linalg.inv(seen.hands["T_cam_hand"].astype(np.float64)) @ seen.T_cam_obj
    np.testing.assert_allclose(T_hand_obj, np.tile(grasp.T_hand_obj, (3, 1, 1)), atol=1e-5)
    pose, betas = torch.from_numpy(seen.hands["pose"]), torch.from_numpy(seen.hands["betas"]).expand(3, -1)
    joints = load_hand("right")(pose, betas).keypoints.numpy()
    for T, mask, X in zip(seen.hands["T_cam_hand"], seen.object_mask | seen.hand_mask, joints, strict=True):
        column, row = np.floor(pixels(seen.hands["K"], X @ T[:3, :3].T + T[:3, 3])).astype(int).T
        assert mask[row, column].mean() > 0.9


def test_the_same_draws_make_the_same_rehearsal(clip):
    def arrays(seen):
        return [seen.object_mask, seen.hand_mask, seen.T_cam_obj, *(seen.hands[k] for k in sorted(seen.hands))]

    same, other = arrays(made()[2]), arrays(made(seed=1)[2])
    assert all(np.array_equal(a, b) for a, b in zip(arrays(clip[2]), same, strict=True))
    assert not np.array_equal(same[2], other[2])


def test_views_are_as_far_apart_as_drawn():
    spread = []
    for degrees in (30, 90):
        T = made(view_range_deg=(degrees, degrees))[2].T_cam_obj
        seen = np.einsum("nji,nj->ni", T[:, :3, :3], -T[:, :3, 3])
        seen /= np.linalg.norm(seen, axis=1, keepdims=True)
        spread.append(np.degrees(np.arccos((seen @ seen.T).min())))
    assert 20 < spread[0] < 40 and 70 < spread[1] < 110


@pytest.mark.parametrize("size", [(64, 48), (48, 64)], ids=["wide", "tall"])
def test_a_clip_with_truth_is_seen_whole(size):
    """A box of eight vertices and a hand, anywhere before the camera: the crop holds both, and one side fills it."""
    rng = np.random.default_rng(0)
    limb, limb_faces = cuboid((0.08, 0.03, 0.18), (0.3, -0.2, 0.6))
    vertices, faces = cuboid((0.3, 0.05, 0.06), (0, 0, 0))
    T = np.eye(4, dtype=np.float32)[None].repeat(4, 0)
    T[:, :3, :3] = axis_angle_to_matrix(torch.from_numpy(rng.normal(0, 1, (4, 3)))).numpy()
    T[:, :3, 3] = [0.35, -0.2, 0.65]
    wide, high = size
    seen = rehearse_truth(limb[None].repeat(4, 0), limb_faces, {"pose": np.zeros((4, 45))}, vertices, faces, T,
                          settings(width_px=wide, height_px=high), rng)  # fmt: skip
    moving = np.einsum("nij,pj->npi", T[:, :3, :3], vertices) + T[:, None, :3, 3]
    at = pixels(seen.hands["K"], np.concatenate([moving.reshape(-1, 3), limb]))
    assert (at > 0).all() and (at < size).all()
    np.testing.assert_allclose(((at.max(0) - at.min(0)) / size).max(), FILLED, atol=1e-4)
    np.testing.assert_allclose((at.max(0) + at.min(0)) / 2, np.array(size) / 2, atol=1e-2)
    assert np.isclose(seen.hands["K"][0, 0], seen.hands["K"][1, 1]) and seen.object_mask.any((1, 2)).all()
    assert np.array_equal(seen.hands["pose"], np.zeros((4, 45))) and np.array_equal(seen.T_cam_obj, T)

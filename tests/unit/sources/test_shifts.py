"""Each shift does what its word says, and touches nothing else."""

from typing import get_args

import cv2
import numpy as np
import pytest

from hoi.sources import motion, procedural
from hoi.sources.procedural import make_clip
from hoi.sources.scenery import Planes, Scenery, coarsely, rays_around
from hoi.sources.shifts import SHIFTS, Shift, encode
from hoi.sources.srgb import to_linear
from hoi.table import ShiftWord

from .test_procedural import pixels, preset_grasp, settings

TRUTH = ("T_cam_obj", "T_cam_hand", "pose", "joints_cam", "object_mask", "hand_mask", "forearm_mask", "depth")
OF_PICTURES = sorted(set(SHIFTS) - {"left_hand", "handheld", "motion_blur"})


@pytest.fixture(scope="module")
def film():
    """Clips by shift, made once."""
    made = {}

    def of(shift):
        if shift not in made:
            made[shift] = make_clip("bottle", 0, settings(first_person_share=0), split="train", shift=shift)
        return made[shift]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(procedural, "find_grasp", preset_grasp)
        yield of


def bright(clip, mask):
    return clip.frames[mask].mean()


def around(clip):
    return ~(clip.object_mask | clip.hand_mask | clip.forearm_mask)


def sharpness(clip, mask):
    edges = np.stack([np.abs(cv2.Laplacian(f.mean(-1), cv2.CV_64F)) for f in clip.frames])
    return edges[mask].mean()


def test_the_table_has_these_words():
    assert get_args(ShiftWord) == tuple(SHIFTS)


def test_a_clip_without_a_shift_is_what_it_was(film):
    """Not a draw has moved: the mean colour of every frame, and where the object is."""
    colours = [[157.78, 148.86, 152.9], [161.32, 150.29, 152.53], [159.34, 149.36, 152.01]]
    np.testing.assert_allclose(film(None).frames.mean((1, 2)), colours, atol=0.1)
    np.testing.assert_allclose(film(None).T_cam_obj[:, :3, 3].mean(0), [0.0022, -0.0129, 0.502], atol=1e-4)


@pytest.mark.parametrize("shift", OF_PICTURES)
def test_what_changes_pictures_alone_keeps_the_truth(film, shift):
    plain, other = film(None), film(shift)
    for name in TRUTH:
        assert np.array_equal(getattr(plain, name), getattr(other, name)), name
    assert other.frames.shape == plain.frames.shape and not np.array_equal(other.frames, plain.frames)


def test_skins_are_darker_and_paler(film):
    hand, held = film(None).hand_mask, film(None).object_mask
    assert bright(film("dark_skin"), hand) < 0.7 * bright(film(None), hand) < 0.9 * bright(film("pale_skin"), hand)
    assert abs(bright(film("dark_skin"), held) - bright(film(None), held)) < 3


def test_clutter_is_full_of_edges_and_a_passerby_moves(film):
    assert sharpness(film("clutter"), around(film(None))) > 2 * sharpness(film(None), around(film(None)))
    moves = {s: np.abs(np.diff(film(s).frames.astype(float), axis=0)).mean() for s in (None, "passerby")}
    assert moves["passerby"] > 1.2 * moves[None]


def test_light_is_hard_coloured_or_faint(film):
    plain, hand = film(None), film(None).hand_mask
    spread = [np.ptp(np.percentile(film(s).frames[hand].mean(-1), [5, 95])) for s in (None, "hard_light")]
    assert spread[1] > 1.3 * spread[0], "lit and unlit sides lie further apart"
    colour = film("coloured_light").frames[around(plain)].mean(0)
    assert colour.max() > 1.6 * colour.min()
    assert bright(film("dim"), around(plain)) < 0.7 * bright(plain, around(plain))
    grain = {s: sharpness(film(s), around(plain)) / bright(film(s), around(plain)) for s in (None, "dim")}
    assert grain["dim"] > 3 * grain[None]


def test_out_of_focus_a_point_is_a_disc_of_the_same_light():
    point = np.zeros((41, 100, 3), np.float32)
    point[20, 50] = 1
    seen = to_linear(Shift(defocus=0.04).through_lens(point))[..., 0]
    y, x = np.nonzero(seen > 1e-6)
    assert 3.9 < np.hypot(y - 20, x - 50).max() < 4.5
    assert seen.max() == pytest.approx(1 / (np.pi * 4**2), rel=0.05)
    assert seen.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(Shift(defocus=0.04).through_lens(point * 0 + 0.3), 0.3, atol=1e-5)
    assert Shift().through_lens(point) is point


def test_a_blurred_clip_has_sharp_masks_of_the_middle_of_the_exposure(film):
    clip, plain = film("motion_blur"), film(None)
    step = clip.T_cam_obj[:, :3, 3] - plain.T_cam_obj[:, :3, 3]
    assert 0.002 < np.linalg.norm(step, axis=1).max() <= 0.02 and np.abs(step[:, 2]).max() < 1e-6
    np.testing.assert_allclose(clip.T_cam_hand[:, :3, 3] - plain.T_cam_hand[:, :3, 3], step, atol=1e-6)
    assert sharpness(clip, clip.object_mask) < 0.8 * sharpness(plain, plain.object_mask)
    for T, mask in zip(clip.T_cam_obj, clip.object_amodal, strict=True):
        uv, box = pixels(clip.K, clip.object_mesh.vertices @ T[:3, :3].T + T[:3, 3]), np.argwhere(mask)
        assert np.abs(box.min(0) + 0.5 - uv.min(0)[::-1]).max() < 1.2


def test_the_shutter_is_open_about_the_middle():
    moments = SHIFTS["motion_blur"].moments
    assert len(moments) > 1 and moments.mean() == pytest.approx(0) and np.ptp(moments) < 0.75
    assert Shift().moments.tolist() == [0]


def test_poses_between_frames():
    T = np.tile(np.eye(4), (3, 1, 1))
    T[:, 0, 3] = [0, 1, 3]
    T[2, :3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    half = motion.between(T, 1, 0.5)
    assert half[0, 3] == 2 and half[0, 0] == pytest.approx(np.sqrt(0.5)) and half[1, 0] > 0
    assert [motion.between(T, *x)[0, 3] for x in ((1, -0.5), (0, -0.5), (2, 0.5), (0, 0.0))] == [0.5, -0.5, 4, 0]


def test_a_hand_held_camera_carries_all_that_it_sees(film):
    clip, plain = film("handheld"), film(None)
    T_now_first = clip.T_cam_hand.astype(float) @ np.linalg.inv(plain.T_cam_hand.astype(float))
    np.testing.assert_allclose(T_now_first @ plain.T_cam_obj, clip.T_cam_obj, atol=1e-5)
    assert 0.001 < np.linalg.norm(T_now_first[:, :3, 3], axis=1).max() < 0.1
    joints = plain.joints_cam @ T_now_first[:, :3, :3].transpose(0, 2, 1) + T_now_first[:, None, :3, 3]
    np.testing.assert_allclose(joints, clip.joints_cam, atol=1e-5)


def test_the_room_stays_where_it_is_when_the_camera_moves():
    """A room whose colours are the places of its table and wall: each pixel shows the place that its ray meets."""
    K, up = np.array([[100.0, 0, 48], [0, 100, 36], [0, 0, 1]]), np.array([0, -0.8, -0.6])
    planes, margin = Planes(up, -0.3, 1.0), 40
    d = rays_around(K, 72, 96, margin)[0]
    t = np.minimum(*planes.distances(np.zeros(3), d))
    room = Scenery((d * t[..., None]).astype(np.float32), coarsely(d, 72, 96), planes)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = cv2.Rodrigues(np.array([0.03, -0.05, 0.02]))[0], [0.02, -0.01, 0.015]
    moved = room.seen_from(T, K, 72, 96)
    rays = rays_around(K, 72, 96, 0)[0]
    seen = moved.crop(np.zeros(2), 72, 96) @ T[:3, :3].T + T[:3, 3]
    assert np.abs(seen[..., :2] / seen[..., 2:] - rays[..., :2]).max() < 2e-3, "a fifth of a pixel"
    there = moved.table[..., 2] > 0
    at = (moved.table[there] - T[:3, 3]) @ T[:3, :3]
    assert there.any() and np.abs(at @ up + 0.3).max() < 1e-5
    assert room.seen_from(np.eye(4), K, 72, 96) is room


def test_a_small_file_keeps_every_frame(tmp_path):
    rng = np.random.default_rng(0)
    still = cv2.resize(rng.integers(0, 255, (24, 32, 3), np.uint8), (321, 241), interpolation=cv2.INTER_CUBIC)
    frames = np.stack([np.roll(still, 3 * i, 1) for i in range(30)])
    near, far = (Shift(bits_per_second=rate).stored(frames, 15.0) for rate in (300_000, 60_000))
    errors = [np.abs(other.astype(float) - frames).mean((1, 2, 3)) for other in (near, far)]
    assert near.shape == far.shape == frames.shape and errors[0].max() < 20 and errors[1].mean() > errors[0].mean()
    assert errors[0].mean() < 0.5 * np.abs(frames[1:].astype(float) - frames[:-1]).mean(), "in order"
    encode(tmp_path / "a.mp4", frames, 15.0, 300_000)
    assert 8 * (tmp_path / "a.mp4").stat().st_size < 1.3 * 300_000 * 2, "two seconds of it"
    assert Shift().stored(frames, 15.0) is frames


def test_the_other_hand(film):
    assert (film(None).side, film("left_hand").side) == ("right", "left")

"""Clips made by us: the truth agrees with itself, however it is read."""

import numpy as np
import pytest
import torch
import yaml

from hoi.config import ProceduralSettings
from hoi.hand.model import load_hand
from hoi.imports import PACKAGE
from hoi.sources import procedural
from hoi.sources.contact import signed_distance
from hoi.sources.grasps import Anatomy, Grasp, make_starts
from hoi.sources.procedural import make_clip

SMALL = {"frames": 3, "width_px": 96, "height_px": 72}


def settings(**changes):
    section = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["prepare_clip"]["procedural"]
    return ProceduralSettings(**{**section, **SMALL, **changes})


def preset_grasp(thing, hand, betas, section, seed):
    """A hand laid on the object as its first hint says: enough for a clip, and quick."""
    anatomy, hint = Anatomy(hand, betas), thing.grasps[0]
    start = make_starts(anatomy, hint, 1, np.random.default_rng(seed))
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = start.R_obj_hand[0], start.t_obj_hand[0]
    pose = hand.pose_from_angles(start.preset[:1])[0].numpy()
    return Grasp(hint.name, np.linalg.inv(T), pose, np.zeros(5), 0.0, 0, 0.0)


@pytest.fixture(scope="module")
def clip():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(procedural, "find_grasp", preset_grasp)
        return make_clip("bottle", 0, settings(), split="train")


def pixels(K, X):
    x = X @ K.T
    return x[..., :2] / x[..., 2:]


def inside(mask, uv):
    col, row = np.floor(uv).astype(int).T
    ok = (row >= 0) & (row < mask.shape[0]) & (col >= 0) & (col < mask.shape[1])
    return mask[row[ok], col[ok]]


def grown(mask):
    padded = np.pad(mask, 1)
    h, w = mask.shape
    return np.any([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)], 0)


def test_shapes_and_parts_of_the_picture(clip):
    assert clip.frames.shape == (3, 72, 96, 3) and clip.frames.dtype == np.uint8
    parts = np.stack([clip.object_mask, clip.hand_mask, clip.forearm_mask]).sum(0)
    assert parts.max() == 1, "a pixel belongs to one thing"
    assert np.array_equal(clip.depth > 0, parts == 1)
    assert not (clip.object_mask & ~clip.object_amodal).any() and not (clip.hand_mask & ~clip.hand_amodal).any()
    assert clip.object_mask.sum() < clip.object_amodal.sum(), "the hand hides some of the object"
    assert clip.object_mask.any((1, 2)).all() and clip.hand_mask.any((1, 2)).all()


def test_amodal_mask_is_the_projected_object(clip):
    for T, mask in zip(clip.T_cam_obj, clip.object_amodal, strict=True):
        uv = pixels(clip.K, clip.object_mesh.vertices @ T[:3, :3].T + T[:3, 3])
        assert inside(grown(mask), uv).all()
        box = np.argwhere(mask)
        assert np.abs(box.min(0) + 0.5 - uv.min(0)[::-1]).max() < 1.2
        assert np.abs(box.max(0) + 0.5 - uv.max(0)[::-1]).max() < 1.2


def test_depth_is_that_of_the_object_at_pixel_centres(clip):
    T = clip.T_cam_obj[1]
    row, col = np.argwhere(clip.object_mask[1])[::7].T
    X = np.stack(
        [(col + 0.5 - clip.K[0, 2]) / clip.K[0, 0], (row + 0.5 - clip.K[1, 2]) / clip.K[1, 1], np.ones(len(row))], 1
    )
    X = (X * clip.depth[1, row, col, None] - T[:3, 3]) @ T[:3, :3]
    mesh = clip.object_mesh
    assert np.abs(signed_distance(np.asarray(mesh.vertices), np.asarray(mesh.faces), X)).max() < 1e-4


def test_joints_are_the_posed_hands_and_lie_in_it(clip):
    out = load_hand(clip.side)(torch.from_numpy(clip.pose), torch.from_numpy(clip.betas)[None].expand(3, -1))
    X = out.keypoints.numpy() @ clip.T_cam_hand[:, :3, :3].transpose(0, 2, 1) + clip.T_cam_hand[:, None, :3, 3]
    np.testing.assert_allclose(X, clip.joints_cam, atol=1e-5)
    for mask, joints in zip(clip.hand_amodal, clip.joints_cam, strict=True):
        assert inside(grown(mask), pixels(clip.K, joints)[1:]).mean() > 0.9


def test_the_hand_carries_the_object(clip):
    T_hand_obj = np.linalg.inv(clip.T_cam_hand.astype(np.float64)) @ clip.T_cam_obj
    np.testing.assert_allclose(T_hand_obj, np.tile(clip.grasp.T_hand_obj, (3, 1, 1)), atol=1e-5)
    assert 0 < np.abs(clip.pose - clip.grasp.pose).max() < 0.04, "fingers move, slightly"
    assert load_hand(clip.side).limit_violation(torch.from_numpy(clip.pose)).max() < 3 * 0.04**2


def test_views_span_about_what_was_asked(clip):
    seen = np.einsum("nji,nj->ni", clip.T_cam_obj[:, :3, :3], -clip.T_cam_obj[:, :3, 3])
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    assert 45 < np.degrees(np.arccos((seen @ seen.T).min())) < 75


def test_hand_and_object_stay_inside_the_frame(clip):
    for mask in (clip.object_amodal, clip.hand_amodal):
        border = np.concatenate([mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]], 1)
        assert not border.any()


def test_same_arguments_same_clip(clip, monkeypatch):
    monkeypatch.setattr(procedural, "find_grasp", preset_grasp)
    again, other = (make_clip("bottle", 0, settings(), split=split) for split in ("train", "test"))
    for name in ("frames", "T_cam_obj", "pose", "betas", "object_mask", "depth"):
        assert np.array_equal(getattr(clip, name), getattr(again, name)), name
    assert other.object_mesh.vertices.shape != clip.object_mesh.vertices.shape or not np.allclose(
        other.object_mesh.vertices, clip.object_mesh.vertices
    ), "splits share no instance"

"""Colours gathered from made pictures of a painted ball, whose colours and visible side are known."""

import numpy as np
import pytest
import trimesh

from hoi.errors import InputError
from hoi.meshes import read_coloured
from hoi.present.appearance import appearance, blended, filled, sampled

K = np.array([[400.0, 0, 80], [0, 400, 60], [0, 0, 1]])
BALL = trimesh.creation.icosphere(4, 0.05)


def turned(angle):
    T = np.eye(4)
    T[:3, :3] = trimesh.transformations.rotation_matrix(angle, [0, 1, 0])[:3, :3]
    T[2, 3] = 0.5
    return T


def paint(points):
    """Red where y < 0 (up), blue below: sRGB."""
    return np.where(points[..., 1:2] < 0, [0.8, 0.2, 0.2], [0.2, 0.2, 0.8])


def filmed(angles, finger=False):
    """Frames of the ball in each pose and its visible pixels; a green finger across it where asked for."""
    y, x = np.mgrid[:120, :160] + 0.5
    rays = np.stack([(x - 80) / 400, (y - 60) / 400, np.ones_like(x)], -1)
    a, b, c = (rays**2).sum(-1), -2 * rays[..., 2] * 0.5, 0.5**2 - 0.05**2
    root = b**2 - 4 * a * c
    hit = root > 0
    points = rays * ((-b - np.sqrt(root.clip(0))) / (2 * a))[..., None]
    frames, masks = [], []
    for angle in angles:
        T = turned(angle)
        picture = np.where(hit[..., None], paint((points - T[:3, 3]) @ T[:3, :3]), 0.9)
        mask = hit.copy()
        if finger:
            picture[:, 75:85], mask[:, 75:85] = (0.1, 0.9, 0.1), False
        frames.append(np.round(255 * picture).astype(np.uint8))
        masks.append(mask)
    poses = np.stack([turned(a) for a in angles])
    return poses, np.tile(K, (len(angles), 1, 1)), np.stack(frames), np.stack(masks), np.ones(len(angles))


def test_what_was_seen_has_its_colour_and_the_back_is_inferred():
    found = appearance(BALL, *filmed(np.linspace(-0.4, 0.4, 6)), views=6)
    front = (BALL.vertices[:, 2] < -0.03) & (np.abs(BALL.vertices[:, 1]) > 0.01)
    np.testing.assert_allclose(found.rgb[front], paint(BALL.vertices)[front], atol=0.06)
    back = BALL.vertices[:, 2] > 0.03
    assert found.seen[front].min() > 0.6 and found.seen[back].max() == 0
    upper = back & (BALL.vertices[:, 1] < -0.03)
    assert (found.rgb[upper, 0] > found.rgb[upper, 2]).all(), "what was not seen takes its neighbours' colour"


def test_a_finger_before_it_leaves_no_colour():
    found = appearance(BALL, *filmed(np.linspace(-0.6, 0.6, 8), finger=True), views=8)
    assert found.rgb[:, 1].max() < 0.3


def test_a_frame_without_trust_is_not_looked_at():
    poses, k, frames, masks, _ = filmed([0.0, np.pi])
    found = appearance(BALL, poses, k, frames, masks, np.array([1.0, 0.0]), views=2)
    assert found.seen[BALL.vertices[:, 2] > 0.03].max() == 0
    nothing = appearance(BALL, poses, k, frames, masks, np.zeros(2), views=2)
    assert (nothing.seen == 0).all() and (nothing.rgb == 0.5).all()


def test_a_part_behind_another_is_not_seen():
    far = BALL.copy()
    far.apply_translation([0, 0, 0.2])
    both = trimesh.util.concatenate([BALL, far])
    found = appearance(both, *filmed([0.0]), views=1)
    assert found.seen[len(BALL.vertices) :].max() == 0
    assert found.rgb[len(BALL.vertices) :] == pytest.approx(0.5, abs=1e-3), "nothing to infer it from: grey"


def test_a_highlight_in_one_view_does_little():
    colours = np.full((5, 1, 3), 0.3)
    colours[2] = 0.9
    mean, total = blended(np.ones((5, 1)), colours)
    assert np.abs(mean - 0.3).max() < 0.02 and total.tolist() == [5.0]


def test_between_pixels_and_outside():
    image = np.array([[0.0, 1.0]], np.float32)
    px = np.array([[0.5, 0.5], [1.0, 0.5], [1.5, 0.5], [9.0, 9.0]])
    np.testing.assert_allclose(sampled(image, px), [0, 0.5, 1, 0], atol=1e-3)
    assert sampled(np.ones((2, 2, 3), np.float32), np.ones((40_000, 2))).shape == (40_000, 3), "a fine mesh"


def test_filling_is_harmonic_where_nothing_was_seen():
    """On a strip 0 - 1 - 2 of two triangles and known ends, the middle is their mean."""
    strip = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 1], [1, 2, 2]], process=False)
    rgb = filled(strip, np.array([[0.2] * 3, [0.0] * 3, [0.8] * 3]), np.array([100.0, 0.0, 100.0]))
    np.testing.assert_allclose(rgb[1], 0.5, atol=0.01)


def test_a_painted_mesh_keeps_both_in_a_file(tmp_path):
    found = appearance(BALL, *filmed([0.0]), views=1)
    found.painted(BALL).export(tmp_path / "a.ply")
    again = read_coloured(tmp_path / "a.ply")
    np.testing.assert_array_equal(again.visual.vertex_colors[:, :3], np.round(255 * found.rgb))
    np.testing.assert_allclose(again.vertex_attributes["seen"], found.seen, atol=1e-6)
    BALL.export(tmp_path / "plain.ply")
    with pytest.raises(InputError, match=r"plain\.ply(.|\n)*seen"):
        read_coloured(tmp_path / "plain.ply")

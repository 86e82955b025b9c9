"""Drawing: coverage, order, shading, overlays and views, by small scenes whose answer is known."""

import numpy as np
import pytest
import trimesh

from hoi.present.overlay import Fitted, MovingObject, blend, masked, overlay_frames, write_video
from hoi.present.render import FEW, OBJECT_RGB, Body, Shape, corner_normals, on_white, render
from hoi.present.stills import gallery, sheet, still, write_png
from hoi.present.views import TURNS, View, seen_from

K = np.array([[100.0, 0, 32], [0, 100.0, 24], [0, 0, 1]])
QUAD = np.array([[0, 1, 2], [0, 2, 3]])
POSES = np.tile(np.eye(4), (3, 1, 1))
POSES[:, 2, 3] = 0.5


def quad(left, right, top, bottom, z, rgb):
    """A square that covers the given pixel range exactly, facing the camera."""
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    vertices = np.array([[(u - 32) / 100 * z, (v - 24) / 100 * z, z] for u, v in corners])
    return Body(Shape(vertices, QUAD[:, ::-1], rgb), np.eye(4))


def test_coverage_and_order_are_exact():
    far, near = quad(10, 30, 10, 20, 1.0, (0.2, 0.2, 0.9)), quad(20, 40, 10, 20.5, 0.8, (0.9, 0.2, 0.2))
    drawn = render([far, near], K, 64, 48, sky=8)
    assert drawn.instance[15, 10:40].tolist() == [0] * 10 + [1] * 20
    assert drawn.coverage[10:20, 10:40].min() == 1 and drawn.coverage[:, :10].max() == 0
    np.testing.assert_allclose(drawn.coverage[20, 20:40], 0.5)  # half a row, two by two rays
    assert drawn.rgb[15, 15, 2] > drawn.rgb[15, 15, 0] and drawn.rgb[15, 35, 0] > drawn.rgb[15, 35, 2]
    assert (on_white(drawn)[0, 0] == 1).all()


def test_a_body_in_the_light_casts_a_shadow():
    floor = quad(0, 64, 0, 48, 1.0, (0.8, 0.8, 0.8))
    shade = quad(26, 38, 18, 30, 0.9, (0.8, 0.2, 0.2))
    free, dark = (render([floor, shade], K, 64, 48, sky=64, shadows=s).rgb for s in (False, True))
    assert dark[32, 40].sum() < 0.95 * free[32, 40].sum()  # beside the shade, away from the light


def test_vertex_colours_are_interpolated():
    black = quad(0, 64, 0, 48, 1.0, (0.0, 0.0, 0.0)).shape
    red = Shape(black.vertices, black.faces, np.array([[0.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]]))
    row = render([Body(red, np.eye(4))], K, 64, 48, sky=8, samples=1).rgb[24, :, 0]
    assert row[2] < 0.3 < row[60] and (np.diff(row) > -1e-3).all()


def test_creases_stay_sharp_and_curves_become_smooth():
    box = trimesh.creation.box([1, 1, 1])
    vertices, faces = np.asarray(box.vertices), np.asarray(box.faces)
    np.testing.assert_allclose(
        corner_normals(vertices, faces, 40.0), np.repeat(box.face_normals[:, None], 3, 1), atol=1e-12
    )
    diagonal = np.abs(corner_normals(vertices, faces, 180.0)).min(-1)
    assert diagonal.min() > 0.3  # everything averaged: corners point outwards along the diagonals
    ball = trimesh.creation.icosphere(3)
    smooth = corner_normals(np.asarray(ball.vertices), np.asarray(ball.faces), 40.0)
    np.testing.assert_allclose(smooth, ball.vertices[ball.faces], atol=0.02)


@pytest.mark.parametrize(("name", "axis"), [("front", [0, 0, -1]), ("side", [1, 0, 0]), ("top", [0, -1, 0])])
def test_views_show_the_named_side(name, axis):
    """A knob on the side of a ball that faces the camera, its right, its top."""
    ball, knob = trimesh.creation.icosphere(2, 0.05), trimesh.creation.icosphere(2, 0.01)
    knob.apply_translation(0.045 * np.array(axis))
    turned = seen_from([MovingObject(m, POSES).body(0) for m in (ball, knob)], name, View(0.06, 64))
    offset = turned[1].outer_cam().mean(0) - turned[0].outer_cam().mean(0)
    np.testing.assert_allclose(offset, [0, 0, -0.045], atol=1e-6)  # towards the viewer
    assert set(TURNS) >= {"back", "below", "other side"}


def toy() -> Fitted:
    hand = trimesh.creation.icosphere(2, 0.03)
    hand.apply_translation([0.03, 0, 0.45])
    moving = MovingObject(trimesh.creation.box([0.08, 0.08, 0.08]), POSES)
    return Fitted(
        moving, np.repeat(np.asarray(hand.vertices)[None], 3, 0), np.asarray(hand.faces), np.repeat(K[None], 3, 0)
    )


def test_overlay_leaves_the_rest_of_the_frame_alone():
    frame = np.full((48, 64, 3), 90, np.uint8)
    picture = render(toy().bodies(0), K, 64, 48, sky=8)
    out = blend(frame, picture)
    assert (out[:5] == 90).all() and (out[24, 30] != 90).any()
    assert out[24, 42].astype(int)[0] > out[24, 42].astype(int)[2]  # the hand is warm
    assert out[18, 27].astype(int)[2] > out[18, 27].astype(int)[0]  # the object is blue


def test_masks_lie_over_their_pixels_alone():
    frame, thing, hand = np.full((60, 80, 3), 100, np.uint8), np.zeros((60, 80), bool), np.zeros((60, 80), bool)
    thing[10:30, 10:30], hand[10:30, 25:50] = True, True
    seen = masked(frame, thing, hand)
    assert (seen[31:] == 100).all() and (seen[:, 51:] == 100).all()
    assert seen[20, 27].argmax() == 2 and seen[20, 40].argmax() == 0, "blue, where both claim a pixel, and orange"


def test_film_and_stills_are_written_whole(tmp_path):
    frames = np.full((3, 48, 64, 3), 90, np.uint8)
    film = list(overlay_frames(frames, toy()))
    assert [f.shape for f in film] == [(48, 64 + 64 + 24, 3)] * 3
    write_video(tmp_path / "o.mp4", film, 15.0)
    assert (tmp_path / "o.mp4").read_bytes()[4:8] == b"ftyp"
    truth = MovingObject(trimesh.creation.icosphere(1, 0.04), POSES)
    page = still(frames, toy(), [0, 2], truth, size=48)
    write_png(tmp_path / "s.png", page)
    assert page.shape[1] > 6 * 48 and page.shape[0] > 4 * 48
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.mp4", "s.png"]


def test_a_fit_out_of_sight_still_makes_a_page():
    seen, gone = toy(), POSES.copy()
    gone[:, 0, 3] = 9
    out = Fitted(MovingObject(seen.object.mesh, gone), np.add(seen.hand_vertices, [9, 0, 0]), seen.hand_faces, seen.K)
    assert still(np.zeros((3, 48, 64, 3), np.uint8), out, [1], size=48).shape[2] == 3


def test_sheet_places_tiles():
    red, blue = (np.full((40, 40, 3), c, np.uint8) for c in ([255, 0, 0], [0, 0, 255]))
    page = sheet([("a", [red, blue], ("x", "y")), ("b", [blue], ())])
    assert (page == [255, 0, 0]).all(-1).sum() == 1600 and (page == [0, 0, 255]).all(-1).sum() == 3200
    assert gallery({"ball": MovingObject(trimesh.creation.icosphere(1, 0.04), POSES)}, 0, 32).shape[2] == 3


def test_outer_vertices_reach_as_far_as_all():
    dented = trimesh.creation.icosphere(5, 0.05)
    vertices = np.asarray(dented.vertices) * (1 - 0.5 * (np.asarray(dented.vertices)[:, :1] > 0.03))
    outer = Shape(vertices, np.asarray(dented.faces), OBJECT_RGB).outer
    assert len(outer) < len(vertices) > FEW
    for way in np.random.default_rng(0).normal(size=(20, 3)):
        assert (outer @ way).max() == pytest.approx((vertices @ way).max(), abs=1e-12)


def test_all_vertices_of_a_flat_shape_are_outer():
    flat = np.random.default_rng(0).random((FEW + 1, 3)) * [1, 1, 0]
    assert Shape(flat, np.array([[0, 1, 2]]), OBJECT_RGB).outer is flat

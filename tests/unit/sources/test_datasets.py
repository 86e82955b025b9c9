"""Readers of published data sets, on trees rebuilt in their layouts: a wrong axis, unit or centre is off by centimetres."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError

pytest.importorskip("smplx")

from hoi.artefacts import read_npz
from hoi.clip import read_clip, read_truth
from hoi.config import HandChoice, PrepareClip, TrackHand
from hoi.errors import DataFailure, InputError, SetupError
from hoi.geometry.rotations import transform
from hoi.hand.mano import load_mano
from hoi.imports import PACKAGE
from hoi.observe.trackers import track
from hoi.sources.datasets import moved, one_camera
from hoi.sources.hoi4d import colour_map
from hoi.sources.load import load_folder
from hoi.stages.prepare_clip import prepare_clip
from hoi.table import ClipRow
from tests.unit.hand.synthetic_mano import write_mano

from . import trees

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())
SETTINGS = PrepareClip.model_validate(CONFIG["prepare_clip"])
TREES = {"diffhoi": trees.diffhoi_tree, "hoi4d": trees.hoi4d_tree, "ho3d": trees.ho3d_tree, "dexycb": trees.dexycb_tree}
SOURCES = sorted(TREES)


@pytest.fixture(scope="session")
def mano(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mano")
    for side in ("right", "left"):
        write_mano(folder, side)
    return HandChoice(model="mano", files=str(folder))


@pytest.fixture(scope="module")
def scene():
    return trees.make_scene()


def prepared(tmp_path, source, path, choice, **columns):
    out = tmp_path / "prepared"
    row = ClipRow(clip="x", source=source, path=str(path), **columns)
    prepare_clip(row, SETTINGS, choice, out, out.with_suffix(".sha256"))
    return read_clip(out)


def keypoints_of(clip, choice):
    hands = clip.given_hands()
    pose, betas = torch.from_numpy(hands["pose"]), torch.from_numpy(hands["betas"])
    hand = load_mano(choice.files, clip.info.side)
    return transform(torch.from_numpy(hands["T_cam_hand"]), hand(pose, betas.expand(len(pose), -1)).keypoints).numpy()


@pytest.mark.parametrize("source", SOURCES)
def test_hands_object_camera_and_masks_are_those_put_in(tmp_path, source, mano, scene):
    clip = prepared(tmp_path, source, TREES[source](tmp_path / "data", scene), mano)
    truth = read_truth(clip.path)
    assert clip.info.side == "right" and clip.info.category == "mug" and len(clip.frames()) == len(scene.pose)
    np.testing.assert_allclose(keypoints_of(clip, mano), scene.keypoints_cam, atol=1e-4)
    np.testing.assert_allclose(truth.poses["joints_cam"], scene.keypoints_cam, atol=1e-4)
    np.testing.assert_allclose(truth.poses["T_cam_obj"], scene.T_cam_obj, atol=1e-5)
    bounds = __import__("trimesh").load_mesh(truth.object_path).bounds
    np.testing.assert_allclose(bounds, scene.box.bounds, atol=1e-5)
    if source == "ho3d":
        assert clip.given_masks() is None
        return
    height, width = clip.frames().shape[1:3]
    for i, (thing, hand) in enumerate(zip(clip.given_masks()["object"], clip.given_masks()["hand"], strict=True)):
        expected = trees.silhouette(trees.pixels(clip.K(), trees.object_points(scene, i)), (height, width))
        assert (thing & expected).sum() / (thing | expected).sum() > 0.93
        near = trees.silhouette(trees.pixels(clip.K(), scene.keypoints_cam[i]), (height, width)) & ~expected
        assert (hand & near).sum() / (hand | near).sum() > 0.8
    assert set(truth.masks["object"]) == set(range(len(scene.pose)))


@pytest.mark.parametrize("source", SOURCES)
def test_without_mano_the_hands_are_left_out_and_it_says_so(tmp_path, source, scene):
    clip = prepared(tmp_path, source, TREES[source](tmp_path / "data", scene), HandChoice(model="open", files=None))
    assert clip.given_hands() is None and clip.info.intrinsics is not None
    assert "hand.files" in json.loads((clip.path / "source.json").read_text())["hands"]
    assert read_npz("true_poses", clip.path / "gt/poses.npz")["T_cam_obj"].shape == (len(scene.pose), 4, 4)


@pytest.mark.parametrize("source", SOURCES)
def test_a_missing_data_set_is_named(tmp_path, source, mano):
    path = tmp_path / "HOI4D_release/ZY20210800001/H1/C2/N31/S92/s05/T2"
    with pytest.raises(SetupError, match=r"no such folder(.|\n)*docs/datasets\.md"):
        prepared(tmp_path, source, path, mano)
    assert not (tmp_path / "prepared").exists(), "no failure is recorded: the same command goes on when it is there"


PARTS = [
    ("hoi4d", "handpose/refinehandpose_right", 8),
    ("hoi4d", "camera_params", 8),
    ("ho3d", "models", 2),
    ("dexycb", "calibration", 3),
]


@pytest.mark.parametrize(("source", "part", "up"), PARTS)
def test_a_missing_part_of_a_data_set_is_no_clip_s_failure(tmp_path, source, part, up, mano, scene):
    path = TREES[source](tmp_path / "data", scene)
    shutil.rmtree(path.parents[up - 1] / part)
    with pytest.raises(SetupError, match=rf"{part}(.|\n)*no such folder"):
        prepared(tmp_path, source, path, mano)


def test_missing_or_broken_files_of_mano_are_no_clip_s_failure(tmp_path, scene):
    path = trees.ho3d_tree(tmp_path / "data", scene)
    choice = HandChoice(model="mano", files=str(tmp_path))
    with pytest.raises(SetupError, match="MANO_RIGHT"):
        prepared(tmp_path, "ho3d", path, choice)
    (tmp_path / "MANO_RIGHT.pkl").write_bytes(b"half a file")
    with pytest.raises(SetupError, match="MANO_RIGHT"):
        prepared(tmp_path, "ho3d", path, choice)


GONE = {
    "hoi4d": "align_rgb/00002.jpg",
    "ho3d": "rgb/0002.jpg",
    "dexycb": "color_000002.jpg",
}


@pytest.mark.parametrize("source", sorted(GONE))
def test_a_missing_frame_is_named(tmp_path, source, mano, scene):
    path = TREES[source](tmp_path / "data", scene)
    (path / GONE[source]).unlink()
    with pytest.raises(InputError, match="none of number 2"):
        prepared(tmp_path, source, path, mano)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("hoi4d", "../../../../../../../../HOI4D_annotations/{video}/2Dseg/mask/00001.png"),
        ("hoi4d", "../../../../../../../../HOI4D_annotations/{video}/objpose/00001.json"),
        ("hoi4d", "../../../../../../../../handpose/refinehandpose_right/{video}/1.pickle"),
        ("ho3d", "meta/0001.pkl"),
        ("dexycb", "labels_000003.npz"),
    ],
)
def test_a_frame_without_its_annotation_is_named(tmp_path, source, name, mano, scene):
    path = TREES[source](tmp_path / "data", scene)
    (path / name.format(video=trees.VIDEO)).unlink()
    with pytest.raises(DataFailure, match="no such file"):
        prepared(tmp_path, source, path, mano)


def test_diffhoi_s_suffixes_are_columns(tmp_path, mano, scene):
    path = trees.diffhoi_tree(tmp_path / "data", scene, ("", "_smooth_100", "_pred"))
    arrays = dict(np.load(path / "cameras_hoi_pred.npz"))
    arrays["cTw"] = arrays["cTw"].copy()
    arrays["cTw"][:, 2, 3] += 0.05
    np.savez_compressed(path / "cameras_hoi_pred.npz", **arrays)
    off = keypoints_of(prepared(tmp_path, "diffhoi", path, mano, hands="pred"), mano) - scene.keypoints_cam
    np.testing.assert_allclose(off[..., 2], 0.05, atol=1e-4)
    exact = keypoints_of(prepared(tmp_path, "diffhoi", path, mano, hands="gt"), mano)
    np.testing.assert_allclose(exact, scene.keypoints_cam, atol=1e-4)
    with pytest.raises(InputError, match=r"cameras_hoi_x50\.npz"):
        prepared(tmp_path, "diffhoi", path, mano, hands="x50")


def test_a_wild_clip_of_diffhoi_runs_as_it_is_and_has_no_true_object(tmp_path, mano, scene):
    clip = prepared(tmp_path, "diffhoi", trees.wild_tree(tmp_path / "data", scene), mano)
    truth = read_truth(clip.path)
    assert truth.object_path is None and truth.poses is None, "its oObj.obj is a placeholder"
    assert clip.info.category == "mug"
    np.testing.assert_allclose(keypoints_of(clip, mano), scene.keypoints_cam, atol=1e-4)
    size = clip.frames().shape[1:3]
    for i, mask in enumerate(clip.given_masks()["object"]):
        expected = trees.silhouette(trees.pixels(clip.K(), trees.object_points(scene, i)), size)
        assert (mask & expected).sum() / (mask | expected).sum() > 0.93


def test_a_clip_of_diffhoi_that_lost_a_picture_is_refused(tmp_path, mano, scene):
    path = trees.wild_tree(tmp_path / "data", scene)
    (path / "obj_mask/0009.jpg").unlink()
    with pytest.raises(InputError, match=r"obj_mask(.|\n)*3 masks"):
        prepared(tmp_path, "diffhoi", path, mano)
    (path / "image/frame0009.png").unlink()
    with pytest.raises(InputError, match=r"cTw: 4 rows(.|\n)*cTw: 3 rows"):
        prepared(tmp_path, "diffhoi", path, mano)


def test_masks_of_another_palette_are_refused(tmp_path, mano, scene):
    path = trees.diffhoi_tree(tmp_path / "a", scene)
    whole = {p: cv2.imread(str(p)) for p in (path / "obj_mask").iterdir()}
    for other in (1, 38, 128):
        for file, mask in whole.items():
            cv2.imwrite(str(file), mask // 255 * other)
        with pytest.raises(InputError, match="palette"):
            prepared(tmp_path, "diffhoi", path, mano)
    path = trees.hoi4d_tree(tmp_path / "b", scene)
    mask = path.parents[7] / f"HOI4D_annotations/{trees.VIDEO}/2Dseg/mask/00000.png"
    cv2.imwrite(str(mask), np.full((*trees.SIZE, 3), 255, np.uint8))
    with pytest.raises(InputError, match=r"\(255, 255, 255\)(.|\n)*palette"):
        prepared(tmp_path, "hoi4d", path, mano)


def test_hoi4d_s_colours():
    """As `get_color_map` of the release prints them."""
    expected = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)]
    assert [tuple(c) for c in colour_map()[:7].tolist()] == expected
    assert [tuple(c) for c in colour_map()[7:].tolist()] == [(128, 128, 128), (64, 0, 0), (192, 0, 0)]


def test_hoi4d_s_parts_are_stretches_of_handling(tmp_path, mano):
    """Rest 0 to 0.2 s, handled to 0.8 s: frames 3 to 11 at 15 a second."""
    scene = trees.make_scene(12)
    path = trees.hoi4d_tree(tmp_path / "data", scene, first=3)
    clip = prepared(tmp_path, "hoi4d", path, mano, part=1)
    assert json.loads((clip.path / "source.json").read_text())["source_frames"] == list(range(3, 12))
    np.testing.assert_allclose(keypoints_of(clip, mano), scene.keypoints_cam[:9], atol=1e-4)
    with pytest.raises(InputError, match="1 parts"):
        prepared(tmp_path, "hoi4d", path, mano, part=2)


def source_frames(clip):
    return json.loads((clip.path / "source.json").read_text())["source_frames"]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("clock", [1, 2])
@pytest.mark.parametrize("form", ["events", "marks"])
def test_hoi4d_s_events_come_in_two_forms_and_two_clocks(tmp_path, mano, form, clock, declared):
    """A file that counts the video's second as half a one says so, or its last event ends there."""
    events = trees.hoi4d_events(form, clock, declared)
    path = trees.hoi4d_tree(tmp_path / "data", trees.make_scene(12), first=3, events=events)
    assert source_frames(prepared(tmp_path, "hoi4d", path, mano, part=1)) == list(range(3, 12))


def test_hoi4d_s_test_clips_keep_the_published_rule(tmp_path, mano):
    """Fifteen frames a second of the file's clock, whatever it declares: 0.1 to 0.4 s."""
    events = trees.hoi4d_events(clock=2)
    path = trees.hoi4d_tree(tmp_path / "data", trees.make_scene(14), first=1, events=events)
    assert source_frames(prepared(tmp_path, "hoi4d", path, mano, part=1, split="test")) == list(range(1, 6))


@pytest.mark.parametrize(
    ("events", "found"),
    [
        (trees.hoi4d_events(events=trees.EVENTS[:2]), "until 0.5 s, 1 s declared"),
        (trees.hoi4d_events() | {"info": {"duration": 0.5}}, "until 1 s, 0.5 s declared"),
        ({"info": {"duration": 1.0}}, "no events"),
        (trees.hoi4d_events(events=[]), "no events"),
        ({"events": [{"event": "rest"}]}, "no events"),
    ],
)
def test_events_of_hoi4d_that_do_not_tell_the_frames_are_refused(tmp_path, mano, events, found):
    path = trees.hoi4d_tree(tmp_path / "data", trees.make_scene(12), first=3, events=events)
    with pytest.raises(InputError, match=rf"color\.json(.|\n)*{found}"):
        prepared(tmp_path, "hoi4d", path, mano, part=1)


@pytest.mark.parametrize(
    "layout", [{"as_film": True}, {"masks": "shift_mask"}, {"pose_name": "{}"}, {"key": "objects"}], ids=str
)
def test_hoi4d_s_layouts(tmp_path, mano, scene, layout):
    clip = prepared(tmp_path, "hoi4d", trees.hoi4d_tree(tmp_path / "data", scene, **layout), mano)
    np.testing.assert_allclose(read_truth(clip.path).poses["T_cam_obj"], scene.T_cam_obj, atol=1e-5)
    masks = read_truth(clip.path).masks["object"]
    assert len(masks) == len(scene.pose) == len(clip.frames()) and all(m.any() for m in masks.values())


def test_parts_of_a_film_of_hoi4d(tmp_path, mano):
    path = trees.hoi4d_tree(
        tmp_path / "data", trees.make_scene(12), 3, as_film=True, events=trees.hoi4d_events(clock=2)
    )
    assert source_frames(prepared(tmp_path, "hoi4d", path, mano, part=1)) == list(range(3, 12))


def test_a_film_of_hoi4d_at_another_rate_is_refused(tmp_path, mano, scene):
    path = trees.hoi4d_tree(tmp_path / "data", scene, as_film=True)
    trees.film(path / "align_rgb/image.mp4", [trees.picture(i) for i in range(8)], fps=30.0)
    with pytest.raises(InputError, match="30 frames a second"):
        prepared(tmp_path, "hoi4d", path, mano)


def test_a_training_video_of_hoi4d_loses_frames_without_annotation_alone(tmp_path, mano, scene):
    path = trees.hoi4d_tree(tmp_path / "data", scene)
    hands = path.parents[7] / f"handpose/refinehandpose_right/{trees.VIDEO}"
    (hands / "1.pickle").unlink()
    clip = prepared(tmp_path, "hoi4d", path, mano, split="train")
    assert source_frames(clip) == [0, 2, 3] and len(clip.frames()) == 3
    assert json.loads((clip.path / "source.json").read_text())["left_out"] == [1]
    np.testing.assert_allclose(keypoints_of(clip, mano), scene.keypoints_cam[[0, 2, 3]], atol=1e-4)
    np.testing.assert_allclose(read_truth(clip.path).poses["T_cam_obj"], scene.T_cam_obj[[0, 2, 3]], atol=1e-5)
    for i in (0, 2):
        (hands / f"{i}.pickle").unlink()
    with pytest.raises(InputError, match=r"2\.pickle(.|\n)*no such file"):
        prepared(tmp_path, "hoi4d", path, mano, split="train")


def test_hoi4d_s_known_faulty_hands_are_refused(tmp_path, mano, scene):
    path = trees.hoi4d_tree(tmp_path / "data", scene)
    trees.dump(
        path.parents[7] / f"handpose/refinehandpose_right/{trees.VIDEO}/0.pickle",
        {"poseCoeff": np.zeros(1, np.float32)},
    )
    with pytest.raises(InputError, match="known faults"):
        prepared(tmp_path, "hoi4d", path, mano)


def test_articulated_objects_of_hoi4d_are_refused(tmp_path, mano):
    path = tmp_path / "HOI4D_release/ZY20210800001/H1/C3/N31/S92/s05/T2"
    path.mkdir(parents=True)
    with pytest.raises(InputError, match="rigid"):
        prepared(tmp_path, "hoi4d", path, mano)


def test_ho3d_s_evaluation_split_has_object_and_wrist_alone(tmp_path, mano, scene):
    path = trees.ho3d_tree(tmp_path / "data", scene, "AP10", "evaluation")
    clip = prepared(tmp_path, "ho3d", path, mano)
    poses = read_npz("true_poses", clip.path / "gt/poses.npz")
    assert clip.given_hands() is None and "joints_cam" not in poses
    np.testing.assert_allclose(poses["T_cam_obj"], scene.T_cam_obj, atol=1e-5)


def test_unannotated_frames_of_ho3d_stay_and_are_marked(tmp_path, mano):
    scene = trees.make_scene(5)
    path = trees.ho3d_tree(tmp_path / "data", scene)
    for i in (1, 2):
        trees.dump(path / f"meta/{i:04d}.pkl", {"camMat": trees.K, "objRot": None, "handPose": None})
    clip = prepared(tmp_path, "ho3d", path, mano)
    truth, nearest = read_truth(clip.path), [0, 0, 3, 3, 4]
    assert len(clip.frames()) == 5 and list(truth.poses["known"]) == [True, False, False, True, True]
    np.testing.assert_allclose(truth.poses["T_cam_obj"], scene.T_cam_obj[nearest], atol=1e-5)
    assert json.loads((clip.path / "source.json").read_text())["unannotated"] == [1, 2]
    np.testing.assert_allclose(keypoints_of(clip, mano), scene.keypoints_cam[nearest], atol=1e-4)
    settings = TrackHand.model_validate(CONFIG["track_hand"] | {"tracker": "given"})
    hands = track(clip.frames(), clip.K(), "right", clip.given_hands(), settings, mano, 0)
    assert list(hands["found"]) == [True, False, False, True, True] and list(hands["confidence"]) == [1, 0, 0, 1, 1]
    as_folder = load_folder(ClipRow(clip="y", source="folder", path=str(clip.path), first=2), SETTINGS)
    assert list(as_folder.hands["found"]) == [False, True, True]


def test_a_sequence_of_ho3d_without_annotations_is_refused(tmp_path, mano, scene):
    path = trees.ho3d_tree(tmp_path / "data", scene)
    for i in (0, 1):
        trees.dump(path / f"meta/{i:04d}.pkl", {"camMat": trees.K, "objRot": None})
    with pytest.raises(InputError, match="2 frames without annotation"):
        prepared(tmp_path, "ho3d", path, mano, last=1)


def test_left_hands_of_dexycb_are_left(tmp_path, mano):
    scene = trees.make_scene(side="left")
    clip = prepared(tmp_path, "dexycb", trees.dexycb_tree(tmp_path / "data", scene), mano)
    assert clip.info.side == "left"
    np.testing.assert_allclose(keypoints_of(clip, mano), scene.keypoints_cam, atol=1e-4)


def test_dexycb_starts_where_the_hand_does_and_may_not_lose_it(tmp_path, mano, scene):
    path = trees.dexycb_tree(tmp_path / "data", scene, empty=2)
    clip = prepared(tmp_path, "dexycb", path, mano)
    assert json.loads((clip.path / "source.json").read_text())["source_frames"] == [2, 3, 4, 5]
    shutil.copy(path / "labels_000000.npz", path / "labels_000004.npz")
    with pytest.raises(InputError, match="no hand"):
        prepared(tmp_path, "dexycb", path, mano)


def test_one_camera_shows_each_ray_where_its_own_did():
    """A bright square at a known ray, seen by two crops of different scale, lands on one pixel."""
    K = np.array([[[100.0, 0, 20], [0, 100, 30], [0, 0, 1]], [[200.0, 0, 60], [0, 200, 10], [0, 0, 1]]])
    shared, size = one_camera(K, (120, 120), 640)
    assert shared[0, 0] == 100  # nothing is enlarged
    ray = np.array([0.15, 0.2])
    for k in K:
        picture, (x, y) = np.zeros((120, 120), np.uint8), k[[0, 1], [0, 1]] * ray + k[:2, 2]
        picture[round(y) - 4 : round(y) + 4, round(x) - 4 : round(x) + 4] = 255
        there = moved(picture, k, shared, size)
        ys, xs = np.nonzero(there > 127)
        expected = shared[[0, 1], [0, 1]] * ray + shared[:2, 2]
        np.testing.assert_allclose([xs.mean() + 0.5, ys.mean() + 0.5], expected, atol=0.6)


@pytest.mark.parametrize(
    "columns", [{"hands": "gt"}, {"part": 1, "source": "folder"}, {"part": 1, "first": 0, "source": "hoi4d"}]
)
def test_columns_of_other_sources_are_refused(columns):
    with pytest.raises(ValidationError):
        ClipRow.model_validate({"clip": "x", "source": "video", "path": "a", **columns})

"""Another tracker's file: its hands come out as they were, and how well a hand was tracked is told."""

import cv2
import numpy as np
import pytest
import torch

from hoi.artefacts import check, write_npz
from hoi.clip import read_clip, write_clip
from hoi.config import HandChoice, PrepareClip
from hoi.errors import DataFailure, InputError
from hoi.geometry.cameras import project
from hoi.geometry.rotations import transform
from hoi.hand.mano import read_mano
from hoi.hand.model import load_hand
from hoi.observe.from_file import mano_keypoints
from hoi.observe.quality import gaps, jitter_mm, track_quality
from hoi.observe.trackers import track
from hoi.sources.load import load_folder
from hoi.table import ClipRow
from tests.unit.hand.synthetic_mano import write_mano

from .conftest import section

OPEN = HandChoice(model="open", files=None)
N, SIZE = 8, (240, 320)
K = np.array([[400, 0, 160], [0, 400, 120], [0, 0, 1]], np.float32)
FRAMES = np.zeros((N, *SIZE, 3), np.uint8)


def true_hand(side):
    """A curled hand that wanders and turns a little: keypoints in the clip's camera, metres, and where it is."""
    hand, t = load_hand(side), torch.linspace(0, 1, N)
    pose = torch.zeros(N, 15, 3)
    pose[..., 2] = 0.35 if side == "right" else -0.35
    turn = torch.stack([0.3 + 0.2 * t, 0.2 * t, 1.5 + 0 * t], -1)
    shift = torch.stack([0.02 * t, 0.01 - 0.02 * t, 0.5 + 0.03 * t], -1)
    with torch.no_grad():
        return hand(pose.flatten(1), torch.zeros(N, 10), turn, shift).keypoints.numpy()


def other_camera(X, focal):
    """The same pixels seen by a tracker with another focal length: farther away, as HaMeR's full-frame cameras are."""
    away = X.copy()
    away[..., 2] += X[:, :1, 2] * (focal / 400 - 1)
    away[..., :2] = X[..., :2] / X[..., 2:] * 400 / focal * away[..., 2:]
    return away


def tracks_of(X, focal, right):
    rows = len(X)
    return {"keypoints_cam": X.astype(np.float32), "focal_px": np.float32(focal), "is_right": np.full(rows, right),
            "frames": np.arange(rows)}  # fmt: skip


@pytest.mark.parametrize(("side", "focal", "error_mm"), [("right", 400, 5), ("left", 400, 5), ("right", 5000, 9)])
def test_hands_come_out_as_they_were(track_settings, side, focal, error_mm):
    X = true_hand(side)
    given = check("tracks", tracks_of(other_camera(X, focal), focal, side == "right"), "tracks")
    settings = track_settings.model_copy(update={"tracker": "file"})
    hands = check("hands", track(FRAMES, K, None, given, settings, OPEN, 0), "hands")
    assert bool(hands["is_right"]) == (side == "right") and hands["found"].all()
    seen = project(torch.from_numpy(K), torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(hands["keypoints_px"], seen, atol=0.01)
    quality = track_quality(hands)
    assert quality["reprojection_px"] < 2 and quality["coverage"] == 1 and quality["gaps"] == []
    hand = load_hand(side)
    with torch.no_grad():
        own = hand(torch.from_numpy(hands["pose"]), torch.from_numpy(hands["betas"]).expand(N, -1)).keypoints
    found = transform(torch.from_numpy(hands["T_cam_hand"]), own).numpy()
    relative = (found - found[:, :1]) - (X - X[:, :1])
    assert 1000 * np.linalg.norm(relative, axis=-1).mean() < error_mm
    assert np.abs(found[:, 0, 2] - X[:, 0, 2]).max() < 0.05, "depth in the clip's camera, not in the tracker's"


def test_frames_without_a_hand_are_bridged_and_other_hands_ignored(track_settings):
    X, other = true_hand("right"), true_hand("left")
    both = tracks_of(np.concatenate([X, other[:2]]), 400, True)
    both["is_right"][N:] = False
    both["frames"] = np.array([*range(N), 0, 1])
    kept = np.isin(both["frames"], (3, 4), invert=True)
    both = {k: v[kept] if np.ndim(v) else v for k, v in both.items()}
    settings = track_settings.model_copy(update={"tracker": "file"})
    hands = track(FRAMES, K, None, both, settings, OPEN, 0)
    assert hands["is_right"] and hands["found"].tolist() == [t not in (3, 4) for t in range(N)]
    assert track_quality(hands)["gaps"] == [[3, 4]]
    middle = hands["T_cam_hand"][:, :3, 3]
    assert np.linalg.norm(np.diff(middle, axis=0), axis=1).max() < 0.02
    with pytest.raises(DataFailure, match="no left hand"):
        track(FRAMES, K, "left", tracks_of(X, 400, True), settings, OPEN, 0)


def test_what_a_file_lacks_is_said(track_settings):
    settings = track_settings.model_copy(update={"tracker": "file"})
    with pytest.raises(InputError, match=r"tracks\.npz"):
        track(FRAMES, K, None, None, settings, OPEN, 0)
    at_origin = true_hand("right") - (0, 0, 0.5)
    with pytest.raises(DataFailure, match="add cam_t"):
        track(FRAMES, K, None, tracks_of(at_origin.astype(np.float32), 400, True), settings, OPEN, 0)
    with pytest.raises(DataFailure, match=r"(?s)0% of the keypoints in the picture.*focal_px 4000"):
        track(
            FRAMES, K, None, tracks_of(true_hand("right") + np.float32([0.15, 0.1, 0]), 4000, True), settings, OPEN, 0
        )


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"frames": np.arange(1, N + 1)}, f"rows of frames 0 to {N}"),
        ({"frames": np.arange(-1, N - 1)}, "rows of frames -1 to"),
        ({"confidence": np.full(N, 87, np.float32)}, "confidence 87 to 87"),
    ],
)
def test_a_file_that_numbers_otherwise_is_refused(tmp_path, changed, found):
    (tmp_path / "frames").mkdir(parents=True)
    for i in range(N):
        cv2.imwrite(str(tmp_path / f"frames/{i:05d}.png"), np.zeros((*SIZE, 3), np.uint8))
    write_npz("tracks", tmp_path / "tracks.npz", **tracks_of(true_hand("right"), 400, True) | changed)
    with pytest.raises(InputError, match=found):
        load_folder(ClipRow(clip="a", source="folder", path=str(tmp_path)), PrepareClip(**section("prepare_clip")))


def test_a_file_follows_the_frames_that_are_taken(tmp_path):
    folder = tmp_path / "clip"
    (folder / "frames").mkdir(parents=True)
    for i in range(N):
        cv2.imwrite(str(folder / f"frames/{i:05d}.png"), np.zeros((960, 1280, 3), np.uint8))
    write_npz("tracks", folder / "tracks.npz", **tracks_of(true_hand("right"), 1600, True))
    row = ClipRow(clip="a", source="folder", path=str(folder), first=1, stride=3)
    prepared = load_folder(row, PrepareClip(**section("prepare_clip")))
    assert prepared.tracks["frames"].tolist() == [0, 1, 2] and prepared.tracks["focal_px"] == 800
    np.testing.assert_array_equal(prepared.tracks["keypoints_cam"], true_hand("right")[[1, 4, 7]])
    (tmp_path / "out").mkdir()
    write_clip(tmp_path / "out", prepared)
    assert read_clip(tmp_path / "out").given_tracks()["is_right"].tolist() == [True] * 3


def test_rows_of_another_hand_may_be_anything(track_settings):
    X = true_hand("right")
    both = tracks_of(np.concatenate([X, -X[:1]]), 400, True)
    both["is_right"][N:], both["frames"] = False, np.array([*range(N), 0])
    settings = track_settings.model_copy(update={"tracker": "file"})
    assert track(FRAMES, K, None, both, settings, OPEN, 0)["found"].all()


def test_quality_by_hand():
    assert gaps(np.array([False, True, True, False, False, True, False])) == [[0, 0], [3, 4], [6, 6]]
    X = np.zeros((4, 21, 3))
    X[1] = (0, 0.003, 0.004)  # second differences: 10 mm, then 5 mm
    assert jitter_mm(X) == pytest.approx((10 + 5) / 2)
    assert jitter_mm(X[:2]) is None


def test_mano_parameters_stand_for_keypoints_where_its_files_are(tmp_path, track_settings):
    """MANO by hand: the flat hand turned about the template's wrist, mirrored for a left one, then moved."""
    write_mano(tmp_path, "right")
    file, rng = read_mano(str(tmp_path), "right"), np.random.default_rng(0)
    betas, cam_t = rng.normal(size=10).astype(np.float32), np.tile(np.float32([0.02, 0.03, 0.6]), (N, 1))
    turn = np.tile(np.float32([0.3, 0.2, 1.5]), (N, 1))
    parameters = {
        "global_orient": turn,
        "hand_pose": np.zeros((N, 45), np.float32),
        "betas": np.tile(betas, (N, 1)),
        "cam_t": cam_t,
    }
    rest = {"focal_px": np.float32(400), "frames": np.arange(N)}
    mano, flat = OPEN.model_copy(update={"files": str(tmp_path)}), file.template + file.shape_basis @ betas
    joints = file.joint_regressor @ flat
    R = cv2.Rodrigues(turn[0].astype(float))[0]
    for right in (True, False):
        given = check("tracks", parameters | rest | {"is_right": np.full(N, right)}, "tracks")
        X = (joints - joints[0]) @ R.T + joints[0]
        X = (X if right else X * [-1, 1, 1]) + cam_t[0]
        found = mano_keypoints(given, mano)
        np.testing.assert_allclose(found[3, [0, 5, 6, 7]], X[[0, 1, 2, 3]], atol=1e-5)  # wrist and index finger
        hands = track(FRAMES, K, None, given, track_settings.model_copy(update={"tracker": "file"}), mano, 0)
        assert bool(hands["is_right"]) == right and hands["found"].all()
        np.testing.assert_allclose(
            hands["keypoints_px"], project(torch.from_numpy(K), torch.from_numpy(found)), atol=0.01
        )
    with pytest.raises(InputError, match=r"hand\.files"):
        track(FRAMES, K, None, given, track_settings.model_copy(update={"tracker": "file"}), OPEN, 0)
    write_npz("tracks", tmp_path / "tracks.npz", **{k: v for k, v in given.items() if k != "betas"})
    with pytest.raises(InputError, match="keypoints_cam, or all of global_orient"):
        read_clip(tmp_path).given_tracks()

"""What everyday clips do to a tracker, from really encoded files: no hand, a hand that leaves, two hands on the object."""

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from hoi.artefacts import read_json
from hoi.config import HandChoice, PrepareClip
from hoi.errors import DataFailure
from hoi.observe.quality import track_quality
from hoi.observe.stretch import hand_stretch
from hoi.observe.trackers import track
from hoi.sources.load import load_video
from hoi.stages.prepare_clip import prepare_clip
from hoi.table import ClipRow

from .conftest import section

OPEN = HandChoice(model="open", files=None)


def filmed(path, frames):
    """Frames as an H.264 file, read again as any video is."""
    write(path, frames)
    return load_video(ClipRow(clip="a", source="video", path=str(path)), PrepareClip(**section("prepare_clip")))


def write(path, frames):
    writer = imageio_ffmpeg.write_frames(str(path), frames.shape[2:0:-1], fps=10, codec="libx264", macro_block_size=2)
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()


def tracked(clip, settings):
    return track(clip.frames, clip.info.intrinsics.matrix(), None, None, settings, OPEN, 0)


def test_no_hand_is_told_with_what_to_do(tmp_path, real_frames, track_settings):
    wall = np.repeat(real_frames[:1, :, :40], 16, axis=2)[:, :, :640].repeat(4, 0)
    with pytest.raises(DataFailure, match=r"no hand in any of 4(.|\n)*crop it to the hand"):
        tracked(filmed(tmp_path / "a.mp4", wall), track_settings)
    with pytest.raises(DataFailure, match=r"no hand in any of 4, which are dark(.|\n)*film in better light"):
        tracked(filmed(tmp_path / "b.mp4", np.zeros_like(wall)), track_settings)


def test_a_hand_that_leaves_is_gone_and_reported(tmp_path, real_frames, track_settings):
    wall = np.repeat(real_frames[:1, :, :40], 16, axis=2)[:, :, :640].repeat(5, 0)
    hands = tracked(filmed(tmp_path / "a.mp4", np.concatenate([real_frames[:6], wall])), track_settings)
    assert hands["found"].tolist() == [True] * 6 + [False] * 5 and not hands["confidence"][6:].any()
    assert track_quality(hands)["gaps"] == [[6, 10]]
    assert np.isfinite(hands["T_cam_hand"]).all()


def test_of_two_hands_on_the_object_one_is_followed_throughout(tmp_path, real_frames, track_settings):
    """The clip beside its mirror image, so that both hands reach for one thing in the middle."""
    pair = np.concatenate([real_frames[:, :, :249:-1], real_frames[:, :, 250:]], axis=2)[:, :, ::-1]
    hands = tracked(filmed(tmp_path / "a.mp4", pair[:6]), track_settings)
    assert hands["found"].all()
    wrist = hands["keypoints_px"][:, 0, 0] > pair.shape[2] / 2
    assert wrist.all() or not wrist.any(), "never one hand, then the other"
    step = np.linalg.norm(np.diff(hands["keypoints_px"], axis=0), axis=-1).mean(-1)
    assert step.max() < 40


def test_of_a_long_video_the_frames_with_a_hand_are_taken(tmp_path, real_frames, capsys):
    small = np.stack([cv2.resize(f, (320, 240), interpolation=cv2.INTER_AREA) for f in real_frames[:6]])
    wall = np.repeat(small[:1, :, :20], 16, axis=2)
    write(tmp_path / "a.mp4", np.concatenate([wall.repeat(30, 0), small.repeat(4, 0), wall.repeat(30, 0)]))
    settings = PrepareClip(**section("prepare_clip") | {"max_frames": 40})
    row = ClipRow(clip="a", source="video", path=str(tmp_path / "a.mp4"))
    prepare_clip(row, settings, OPEN, tmp_path / "a", tmp_path / "a.sha256")
    source = read_json(tmp_path / "a/source.json")
    assert source["stretch"] == {"first": 24, "last": 57, "of": 84} and source["frames"] == list(range(24, 58))
    assert "a hand is seen in frames 24 to 57 of 84" in capsys.readouterr().err


def test_a_wall_has_no_stretch_with_a_hand(real_frames):
    assert hand_stretch(iter(np.repeat(real_frames[:1, :, :40], 16, axis=2))) is None

"""Files as phones, screens and bad luck make them, really encoded: read, or refused with what to do."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import yaml

from hoi.config import PrepareClip
from hoi.errors import InputError
from hoi.imports import PACKAGE
from hoi.sources.load import load_video
from hoi.sources.probe import lens_px, told
from hoi.table import ClipRow

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["prepare_clip"]
SETTINGS = PrepareClip.model_validate(CONFIG)
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params")
# 12 frames at 10 a second, the left half red, the right half as bright as the frame's number
GREY = "if(lt(X,W/2),0,N*20)"
SCENE = f"color=red:s={{w}}x{{h}}:r=10:d=1.2,format=rgb24,geq=r='if(lt(X,W/2),200,N*20)':g='{GREY}':b='{GREY}'"


def ffmpeg(*words):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, words)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)


def encoded(path, *words, w=64, h=48, before=()):
    ffmpeg(*before, "-f", "lavfi", "-i", SCENE.format(w=w, h=h), *words, path)
    return path


def load(path, **more):
    settings = PrepareClip.model_validate(CONFIG | more.pop("settings", {}))
    return load_video(ClipRow(clip="a", source="video", path=str(path), **more), settings)


def brightness(prepared):
    """Of the middle of each frame's right half."""
    _, h, w, _ = prepared.frames.shape
    return prepared.frames[:, h // 4 : -h // 4, 5 * w // 8 : 7 * w // 8].mean((1, 2, 3))


@pytest.mark.parametrize(
    ("name", "codec", "tolerance"),
    [
        ("clip.mp4", X264, 6),
        ("clip.mov", X264, 6),
        ("clip.webm", ("-c:v", "libvpx", "-b:v", "1M"), 6),
        ("clip.gif", (), 14),
        ("ten_bit.mov", (*X265, "log-level=none"), 6),
    ],
)
def test_any_container_gives_every_frame(tmp_path, name, codec, tolerance):
    prepared = load(encoded(tmp_path / name, *codec))
    assert prepared.frames.shape == (12, 48, 64, 3) and prepared.info.fps == pytest.approx(10, rel=0.01)
    np.testing.assert_allclose(brightness(prepared), 20 * np.arange(12), atol=tolerance)
    red = prepared.frames[0, 10:38, 4:24].mean((0, 1))
    assert red[0] > 150 and red[1:].max() < 60, "RGB, not BGR"
    assert prepared.origin["missing_frames"] == 0 and not prepared.origin["variable_rate"]


def test_what_opencv_cannot_decode_is_decoded_by_ffmpeg_and_said(tmp_path):
    path = encoded(tmp_path / "a.mp4", "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime")
    prepared = load(path)
    assert prepared.origin["decoder"] in ("ffmpeg", "opencv") and len(prepared.frames) == 12
    np.testing.assert_allclose(brightness(prepared), 20 * np.arange(12), atol=8)


def test_portrait_by_a_rotation_tag_stands_upright(tmp_path):
    lying = encoded(tmp_path / "lying.mp4", *X264)
    ffmpeg("-display_rotation", "90", "-i", lying, "-c", "copy", tmp_path / "tagged.mp4")
    prepared = load(tmp_path / "tagged.mp4")
    assert prepared.frames.shape == (12, 64, 48, 3)
    below, above = prepared.frames[0, 44:60, 8:40].mean((0, 1)), prepared.frames[0, 4:20, 8:40].mean((0, 1))
    assert below[0] > 150 > 100 > above[0], "turned by 90 degrees against the clock: what was left is below"
    assert prepared.info.intrinsics.matrix()[:2, 2].tolist() == [24, 32]
    assert prepared.info.intrinsics.fx == 64, "a phone's focal length is about its longer side, held either way"


def test_variable_rate_keeps_its_frames_and_says_so(tmp_path):
    path = encoded(tmp_path / "v.mp4", "-vf", "select='lt(n,6)+not(mod(n,3))'", "-fps_mode", "vfr", *X264)
    prepared = load(path)
    np.testing.assert_allclose(brightness(prepared), 20 * np.array([0, 1, 2, 3, 4, 5, 6, 9]), atol=6)
    assert prepared.origin["variable_rate"] and prepared.info.fps == pytest.approx(7 / 0.9, rel=0.02)


def test_4k_is_scaled_down_with_its_camera(tmp_path):
    prepared = load(encoded(tmp_path / "k4.mp4", *X264, "-frames:v", "3", w=3840, h=2160), focal_px=3000)
    assert prepared.frames.shape == (3, 360, 640, 3)
    assert prepared.info.intrinsics.fx == pytest.approx(500) and prepared.origin["intrinsics"] == "clips table"


def test_a_broken_tail_gives_the_frames_before_it_and_says_so(tmp_path):
    whole = encoded(tmp_path / "whole.mp4", *X264, "-g", "4", "-movflags", "+faststart", w=320, h=240)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: int(0.6 * whole.stat().st_size)])
    prepared = load(tmp_path / "cut.mp4")
    assert 3 <= len(prepared.frames) < 12
    assert prepared.origin["missing_frames"] == 12 - len(prepared.frames)
    np.testing.assert_allclose(brightness(prepared), 20 * np.arange(len(prepared.frames)), atol=8)


def test_a_tail_with_the_index_in_it_is_refused(tmp_path):
    whole = encoded(tmp_path / "whole.mp4", *X264)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:-1500])
    with pytest.raises(InputError, match=r"cut\.mp4(.|\n)*moov(.|\n)*copy it again"):
        load(tmp_path / "cut.mp4")


def test_sound_alone_is_refused(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", "-c:a", "aac", tmp_path / "a.mp4")
    with pytest.raises(InputError, match="sound alone"):
        load(tmp_path / "a.mp4")


def test_hdr_is_shown_as_a_screen_would(tmp_path):
    """PQ code 100/255 is 31 cd/m², 15 % of diffuse white (203): sRGB 108. Code 160/255 is 313 cd/m²: white."""
    tags = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
    shown = brightness(load(encoded(tmp_path / "hdr.mov", *X265, tags)))
    assert shown[0] < 4 and abs(shown[5] - 108) < 12 and shown[8:].min() > 250


def test_a_long_video_is_thinned_out_unless_a_stride_is_given(tmp_path):
    path = encoded(tmp_path / "long.mp4", *X264)
    short = {"max_frames": 5}
    thinned = load(path, settings=short)
    assert thinned.origin["frames"] == [0, 3, 6, 9] and thinned.origin["stride"] == 3
    assert thinned.info.fps == pytest.approx(10 / 3, rel=0.01)
    assert load(path, settings=short, first=4, last=8).origin["frames"] == [4, 5, 6, 7, 8]
    assert len(load(path, settings=short, stride=1).frames) == 12


def test_a_phones_lens_gives_the_focal_length(tmp_path):
    tag = ("-movflags", "use_metadata_tags", "-metadata", "com.apple.quicktime.camera.focal_length.35mm_equivalent=26")
    prepared = load(encoded(tmp_path / "phone.mov", *X264, *tag))
    assert prepared.info.intrinsics.fx == pytest.approx(26 * 80 / 43.27) == pytest.approx(lens_px(26.0, 64, 48))
    assert prepared.origin["intrinsics"] == "the file's lens, 26 mm (35 mm equivalent)"


def test_the_cover_of_a_song_is_no_video():
    about = told("  Stream #0:0: Audio: mp3\n  Stream #0:1: Video: mjpeg, 300x300 (attached pic)\n")
    assert about.has_audio and not about.has_video


def test_a_hint_follows_the_frames(tmp_path):
    path = encoded(tmp_path / "h.mp4", *X264, w=1280, h=960)
    prepared = load(path, first=2, stride=3, hint_frame=6, hint_box="100, 200, 300 400")
    assert prepared.origin["frames"] == [2, 5, 8, 11]
    assert (prepared.info.hint.frame, prepared.info.hint.box_px) == (1, (50, 100, 150, 200))
    assert load(path, hint_frame=3, hint_click="640 480").info.hint.click_px == (320, 240)
    with pytest.raises(InputError, match="from 2 to 11"):
        load(path, first=2, stride=3, hint_frame=1, hint_click="1 1")


@pytest.mark.parametrize(
    "hint", [{"hint_frame": 1}, {"hint_box": "1 2 3 4"}, {"hint_frame": 1, "hint_box": "9 2 3 4"},
             {"hint_frame": 1, "hint_box": "1 2 3 4", "hint_click": "1 2"}, {"hint_frame": 1, "hint_click": "here"}],
)  # fmt: skip
def test_half_a_hint_is_refused(hint):
    with pytest.raises(ValueError, match="hint"):
        ClipRow(clip="a", source="video", path="a.mp4", **hint)

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
from hoi.sources.timing import Timing, shown
from hoi.table import ClipRow

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["prepare_clip"]
SETTINGS = PrepareClip.model_validate(CONFIG)
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params")
AV1 = ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime")
# 12 frames at 10 a second, the left half red, the right half as bright as the frame's number
GREY = "if(lt(X,W/2),0,N*20)"
SCENE = f"color=red:s={{w}}x{{h}}:r=10:d=1.2,format=rgb24,geq=r='if(lt(X,W/2),200,N*20)':g='{GREY}':b='{GREY}'"


def ffmpeg(*words):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, words)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)


def encoded(path, *words, w=64, h=48, before=()):
    ffmpeg(*before, "-f", "lavfi", "-i", SCENE.format(w=w, h=h), *words, path)
    return path


def turned(path, tagged):
    ffmpeg("-display_rotation", "90", "-i", path, "-c", "copy", tagged)
    return tagged


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
    """AV1, 10 bit, lying on its side: a part of it, thinned."""
    encoded(tmp_path / "lying.mp4", "-pix_fmt", "yuv420p10le", *AV1)
    path = turned(tmp_path / "lying.mp4", tmp_path / "a.mp4")
    prepared = load(path)
    assert prepared.origin["decoder"] == "ffmpeg" and prepared.frames.shape == (12, 64, 48, 3)
    assert prepared.info.fps == pytest.approx(10, rel=0.01) and prepared.origin["missing_frames"] == 0
    np.testing.assert_allclose(prepared.frames[:, 4:20, 8:40].mean((1, 2, 3)), 20 * np.arange(12), atol=8)
    red = prepared.frames[0, 44:60, 8:40].mean((0, 1))
    assert red[0] > 150 and red[1:].max() < 60, "RGB, turned upright"
    part = load(path, settings={"max_frames": 2}, last=8)
    assert part.origin["frames"] == [0, 5] and part.origin["missing_frames"] == 0


def test_portrait_by_a_rotation_tag_stands_upright(tmp_path):
    prepared = load(turned(encoded(tmp_path / "lying.mp4", *X264), tmp_path / "tagged.mp4"))
    assert prepared.frames.shape == (12, 64, 48, 3)
    below, above = prepared.frames[0, 44:60, 8:40].mean((0, 1)), prepared.frames[0, 4:20, 8:40].mean((0, 1))
    assert below[0] > 150 > 100 > above[0], "turned by 90 degrees against the clock: what was left is below"
    assert prepared.info.intrinsics.matrix()[:2, 2].tolist() == [24, 32]
    assert prepared.info.intrinsics.fx == 64, "a phone's focal length is about its longer side, held either way"


def test_variable_rate_keeps_its_frames_and_says_so(tmp_path):
    """The rate is that of the frames that follow each other at the usual step."""
    path = encoded(tmp_path / "v.mp4", "-vf", "select='lt(n,6)+not(mod(n,3))'", "-fps_mode", "vfr", *X264)
    prepared = load(path)
    np.testing.assert_allclose(brightness(prepared), 20 * np.array([0, 1, 2, 3, 4, 5, 6, 9]), atol=6)
    assert prepared.origin["variable_rate"] and prepared.info.fps == pytest.approx(10, rel=0.001)


def test_a_pause_is_no_slower_rate(tmp_path):
    prepared = load(encoded(tmp_path / "p.mp4", "-vf", "setpts=PTS+gte(N\\,6)*10/TB", "-fps_mode", "vfr", *X264))
    assert prepared.info.fps == pytest.approx(10, rel=0.001) and prepared.origin["variable_rate"]
    assert len(prepared.frames) == 12 and prepared.origin["missing_frames"] == 0


@pytest.mark.parametrize("rate", ["2401/10", "1/2"])
def test_a_rate_is_what_it_is(tmp_path, rate):
    """A phone's slow motion, a little above 240; a time lapse."""
    path = encoded(tmp_path / "r.mp4", *X264, before=("-r", rate))
    prepared = load(path)
    over, under = map(int, rate.split("/"))
    assert prepared.info.fps == pytest.approx(over / under, rel=0.001) == prepared.origin["fps"]


def test_a_rate_that_cannot_be_is_said_to_be_unknown(tmp_path):
    path = encoded(tmp_path / "r.mp4", *X264, before=("-r", "1/60"))
    prepared = load(path)
    assert prepared.origin["fps"] is None and prepared.info.fps == SETTINGS.fps_if_unknown


@pytest.mark.parametrize("codec", [X264, AV1])
def test_what_was_trimmed_off_is_not_missing(tmp_path, codec):
    """An edit list leaves out what is before the cut, from the last key frame on."""
    encoded(tmp_path / "whole.mp4", *codec, "-g", "12")
    ffmpeg("-ss", "0.4", "-i", tmp_path / "whole.mp4", "-c", "copy", tmp_path / "trimmed.mp4")
    prepared = load(tmp_path / "trimmed.mp4")
    np.testing.assert_allclose(brightness(prepared), 20 * np.arange(4, 12), atol=6)
    assert prepared.origin["missing_frames"] == 0


def test_damage_in_the_middle_does_not_end_a_video(tmp_path):
    """OpenCV ends where a frame cannot be decoded; ffmpeg goes on."""
    content = bytearray(encoded(tmp_path / "a.mp4", *X264, "-g", "4", w=320, h=240).read_bytes())
    start, stop = content.index(b"mdat") + 4, content.index(b"moov")
    low, high = (start + int(share * (stop - start)) for share in (0.4, 0.45))
    content[low:high] = bytes(high - low)
    (tmp_path / "damaged.mp4").write_bytes(content)
    prepared = load(tmp_path / "damaged.mp4")
    assert prepared.origin["decoder"] == "ffmpeg" and 8 <= len(prepared.frames) < 12
    assert prepared.origin["missing_frames"] == 12 - len(prepared.frames)
    assert brightness(prepared)[-1] == pytest.approx(220, abs=8), "to its end"
    assert load(tmp_path / "damaged.mp4", last=2).origin["decoder"] == "opencv", (
        "not asked for what is beyond the range"
    )


def test_a_recording_without_a_length_is_thinned_out(tmp_path):
    """What a browser records has neither a duration nor a count of frames."""
    path = encoded(tmp_path / "live.webm", "-c:v", "libvpx", "-b:v", "1M", "-f", "webm", "-live", "1")
    prepared = load(path, settings={"max_frames": 5})
    assert prepared.origin["frames"] == [0, 3, 6, 9] and prepared.origin["missing_frames"] == 0


def test_packets_tell_when_frames_are_shown():
    """As ffmpeg lists them: out of order, one left out by an edit list, one hidden 1 ms behind another."""
    text = "#tb 0: 1/1000\n0, 0, -100, 100, 9, 0xa, F=0x5\n0, 1, 0, 100, 9, 0xa\n0, 2, 200, 100, 9, 0xa, F=0x0\n"
    times_s, packets = shown(text + "0, 3, 100, 100, 9, 0xa, F=0x0, S=1, x\n0, 4, 101, 1, 9, 0xa, F=0x0\n")
    np.testing.assert_allclose(times_s, [0, 0.1, 0.2])
    assert packets == 5
    unknown = text.replace(" 0, 100,", f" {np.iinfo(np.int64).min}, 100,")
    np.testing.assert_allclose(shown(unknown)[0], [0.001, 0.002], err_msg="in the order of decoding")
    assert len(shown("")[0]) == 0 and Timing(shown("")[0]).rate() is None


def test_4k_is_scaled_down_with_its_camera(tmp_path):
    prepared = load(
        encoded(tmp_path / "k4.mp4", *X264, "-frames:v", "3", "-vf", "scale=3840:2160,setsar=1"), focal_px=3000
    )
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


PQ = {0: 0, 5: 108, 8: 255, 11: 255}
HLG = {0: 0, 5: 104, 8: 185, 11: 255}


@pytest.mark.parametrize(("transfer", "screen"), [("smpte2084", PQ), ("arib-std-b67", HLG)])
@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_hdr_is_shown_as_a_screen_would(tmp_path, transfer, screen, codec):
    """PQ code 100/255 is 31 cd/m², 15 % of diffuse white (203): sRGB 108. Code 160/255 is 313 cd/m²: white.

    HLG code 100/255 is 0.051 of the scene's light; 1000 cd/m² times 0.051^1.2 is 28: sRGB 104. Code 160/255: 99, 185.
    """
    tags = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:log-level=none"
    params = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    av1 = ("-vf", f"scale=out_color_matrix=bt2020nc,format=yuv420p10le,{params}", *AV1)
    prepared = load(encoded(tmp_path / "hdr.mp4", *((*X265, tags) if codec == "hevc" else av1)))
    assert prepared.origin["decoder"] == {"hevc": "opencv", "av1": "ffmpeg"}[codec]
    shown = brightness(prepared)
    for frame, value in screen.items():
        assert abs(shown[frame] - value) < 12, frame
    red = prepared.frames[8:, 10:38, 4:24].mean((0, 1, 2))
    assert red[0] > 245 and red[1:].max() < 70


def test_a_long_video_is_thinned_out_unless_a_stride_is_given(tmp_path):
    path = encoded(tmp_path / "long.mp4", *X264)
    short = {"max_frames": 5}
    thinned = load(path, settings=short)
    assert thinned.origin["frames"] == [0, 3, 6, 9] and thinned.origin["stride"] == 3
    assert thinned.info.fps == pytest.approx(10 / 3, rel=0.01)
    assert load(path, settings=short, first=4, last=8).origin["frames"] == [4, 5, 6, 7, 8]
    assert len(load(path, settings=short, stride=1).frames) == 12


def test_of_a_long_video_the_part_with_a_hand_is_taken(tmp_path):
    """62 frames at 10 a second, every third looked at; looks of the red half above 100 show a "hand"."""
    path = encoded(tmp_path / "long.mp4", *X264, "-vf", "tpad=start=20:stop=30", "-frames:v", "62")
    settings = PrepareClip.model_validate(CONFIG | {"max_frames": 20})
    told = []

    def find(looks):
        told.extend(look[:, : look.shape[1] // 2, 0].mean() > 100 for look in looks)
        return (told.index(True), len(told) - 1 - told[::-1].index(True)) if any(told) else None

    def taken(find, **more):
        prepared = load_video(ClipRow(clip="a", source="video", path=str(path), **more), settings, find)
        return prepared.origin.get("stretch"), prepared.origin["frames"]

    assert taken(find) == ({"first": 15, "last": 36, "of": 62}, list(range(15, 37, 2)))
    assert told == [False] * 7 + [True] * 4 + [False] * 10, "frames 21 to 30 of those that show it, 20 to 31"
    assert taken(lambda looks: None) == (None, list(range(0, 62, 4)))
    assert taken(find, first=0) == (None, list(range(0, 62, 4))), "a range is kept"
    assert taken(find, stride=10) == (None, list(range(0, 62, 10)))
    assert taken(find, hint_frame=3, hint_click="1 1") == (None, list(range(0, 62, 4)))


def test_a_phones_lens_gives_the_focal_length(tmp_path):
    tag = ("-movflags", "use_metadata_tags", "-metadata", "com.apple.quicktime.camera.focal_length.35mm_equivalent=26")
    prepared = load(encoded(tmp_path / "phone.mov", *X264, *tag))
    assert prepared.info.intrinsics.fx == pytest.approx(26 * 80 / 43.27) == pytest.approx(lens_px(26.0, 64, 48))
    assert prepared.origin["intrinsics"] == "the file's lens, 26 mm (35 mm equivalent)"


def test_the_cover_of_a_song_is_no_video():
    about = told("  Stream #0:0: Audio: mp3\n  Stream #0:1: Video: mjpeg, 300x300 (attached pic)\n")
    assert about.has_audio and not about.has_video


def test_a_hint_follows_the_frames(tmp_path):
    path = encoded(tmp_path / "h.mp4", *X264, "-vf", "scale=1280:960")
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


@pytest.mark.parametrize("lying", [False, True])
def test_pixels_that_are_not_square_are_made_so(tmp_path, lying):
    path = encoded(tmp_path / "clip.mp4", *X264, "-vf", "setsar=16/11")
    prepared = load(turned(path, tmp_path / "turned.mp4") if lying else path)
    size = (64, round(48 * 11 / 16)) if lying else (48, round(64 * 16 / 11))
    assert prepared.frames.shape[1:3] == size and prepared.origin["size"] == size

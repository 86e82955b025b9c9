import zlib

import cv2
import numpy as np
import pytest
import yaml

from hoi.artefacts import write_npz
from hoi.clip import read_clip, read_truth, write_clip
from hoi.config import PrepareClip
from hoi.errors import InputError
from hoi.imports import PACKAGE
from hoi.sources.load import load_folder, load_video, stand_in
from hoi.sources.video import FrameRange, read_footage
from hoi.table import ClipRow

SETTINGS = PrepareClip.model_validate(
    yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["prepare_clip"]
)


def picture(i, size=(48, 64)):
    return np.full((*size, 3), 20 * i, np.uint8)


def folder(path, n=5, masks=False, size=(48, 64)):
    (path / "frames").mkdir(parents=True)
    for i in range(n):
        cv2.imwrite(str(path / "frames" / f"{i:05d}.png"), picture(i, size))
    for name in ("object", "hand") if masks else ():
        (path / "masks" / name).mkdir(parents=True)
        for i in range(n):
            cv2.imwrite(str(path / "masks" / name / f"{i:05d}.png"), np.full(size, 255, np.uint8))
    return path


def row(path, **more):
    return ClipRow(clip="a", source=more.pop("source", "folder"), path=str(path), **more)


def video(path, n=6):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10.0, (64, 48))
    for i in range(n):
        writer.write(picture(i))
    writer.release()
    return path


def test_frame_range():
    assert [i for i in range(10) if i in FrameRange(2, 8, 3)] == [2, 5, 8]
    assert [i for i in range(4) if i in FrameRange(None, None, None)] == [0, 1, 2, 3]


def test_video_stride_scales_rate_and_keeps_indices(tmp_path):
    footage = read_footage(video(tmp_path / "clip.mp4"), FrameRange(1, None, 2), 32, SETTINGS.limits)
    assert footage.indices == [1, 3, 5] and footage.fps == pytest.approx(5.0)
    assert footage.frames.shape == (3, 24, 32, 3) and footage.scale == 0.5
    assert np.abs(footage.frames[1].mean() - 60) < 6


@pytest.mark.parametrize(
    ("span", "told"),
    [((900, None, None), "6 frames, none from first = 900 on\n.*first at most 4"),
     ((5, None, None), "1 in the range, of 6 frames"),
     ((2, 2, None), "1 in the range, of 3 frames"), ((None, None, 9), "1 in the range, of 6 frames")],
)  # fmt: skip
def test_a_range_that_holds_no_clip_is_told_with_the_length(tmp_path, span, told):
    with pytest.raises(InputError, match=told) as error:
        read_footage(video(tmp_path / "clip.mp4"), FrameRange(*span), 32, SETTINGS.limits)
    assert "None" not in str(error.value) and "FIRST" in str(error.value)
    with pytest.raises(InputError, match=told.replace("of 3", "of 6")):
        read_footage(folder(tmp_path / "c", 6) / "frames", FrameRange(*span), 64, SETTINGS.limits)


def test_intrinsics_scale_with_the_frames_or_are_assumed(tmp_path):
    path = folder(tmp_path / "c", size=(480, 1280))
    (path / "clip.yaml").write_text("intrinsics: {fx: 1000, fy: 900, cx: 640, cy: 240}\nfps: 30\n")
    prepared = load_folder(row(path, stride=2), SETTINGS)
    np.testing.assert_allclose(prepared.info.intrinsics.matrix(), [[500, 0, 320], [0, 450, 120], [0, 0, 1]])
    assert prepared.info.fps == 15 and prepared.origin["intrinsics"] == "given"
    prepared = load_video(row(video(tmp_path / "v.mp4"), source="video", category="mug"), SETTINGS)
    assert prepared.info.intrinsics.fx == 64 and prepared.origin["intrinsics"].startswith("assumed")


def test_a_focal_length_of_the_table_keeps_the_folder_s_principal_point(tmp_path):
    path = folder(tmp_path / "c", size=(480, 1280))
    (path / "clip.yaml").write_text("intrinsics: {fx: 1000, fy: 900, cx: 600, cy: 200}\n")
    prepared = load_folder(row(path, focal_px=800), SETTINGS)
    np.testing.assert_allclose(prepared.info.intrinsics.matrix(), [[400, 0, 300], [0, 360, 100], [0, 0, 1]])
    assert prepared.origin["intrinsics"] == "clips table"


def test_frames_a_second_of_clip_yaml_win_over_the_video_s(tmp_path):
    path = tmp_path / "c"
    path.mkdir()
    video(path / "clip.mp4")
    assert load_folder(row(path), SETTINGS).info.fps != 120
    (path / "clip.yaml").write_text("fps: 120\n")
    assert load_folder(row(path), SETTINGS).info.fps == 120
    assert load_folder(row(path, stride=2), SETTINGS).info.fps == 60


def test_given_hands_without_intrinsics_are_refused(tmp_path):
    path = folder(tmp_path / "c", n=2)
    hands = {"T_cam_hand": np.tile(np.eye(4, dtype=np.float32), (2, 1, 1)), "pose": np.zeros((2, 45), np.float32)}
    write_npz("given_hands", path / "hands.npz", model=np.array("open"), betas=np.zeros(10, np.float32), **hands)
    with pytest.raises(InputError, match=r"(?s)hands.npz.*without intrinsics"):
        load_folder(row(path), SETTINGS)
    assert load_folder(row(path, focal_px=60), SETTINGS).hands is not None


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    path = folder(tmp_path / "c", n=12, masks=True)
    for sub in ("frames", "masks/object", "masks/hand"):
        for file in sorted((path / sub).iterdir()):
            file.rename(file.with_name(f"{int(file.stem)}.png"))
    assert load_folder(row(path), SETTINGS).frames[:, 0, 0, 0].tolist() == [20 * i for i in range(12)]


def test_masks_of_frames_that_are_not_numbered_from_0_are_refused(tmp_path):
    path = folder(tmp_path / "c", n=3, masks=True)
    (path / "frames/00002.png").rename(path / "frames/00003.png")
    with pytest.raises(InputError, match=r"(?s)numbered 0 to 3.*from 0 without a gap"):
        load_folder(row(path), SETTINGS)


def test_given_masks_stay_in_place_when_frames_are_scaled_down(tmp_path):
    path = folder(tmp_path / "c", n=2, size=(480, 2560), masks=True)
    for name in ("object", "hand"):
        mask = np.zeros((480, 2560), np.uint8)
        mask[:, 1001:1201] = 255
        for i in range(2):
            cv2.imwrite(str(path / f"masks/{name}/{i:05d}.png"), mask)
    scaled = load_folder(row(path), SETTINGS).masks["object"][0]  # four to one: 250.25 to 300.25
    assert np.flatnonzero(scaled.any(0)).tolist() == list(range(250, 300))


def test_black_bars_do_not_widen_the_assumed_view(tmp_path):
    path = folder(tmp_path / "c", size=(96, 128))
    for file in (path / "frames").iterdir():
        frame = np.full((96, 128, 3), 120, np.uint8)
        frame[:, :30] = frame[:, 98:] = 0
        cv2.imwrite(str(file), frame)
    assert load_folder(row(path), SETTINGS).info.intrinsics.fx == 96


def test_folder_masks_and_truth_follow_the_frame_range(tmp_path):
    path = folder(tmp_path / "c", masks=True)
    (path / "gt/masks/object").mkdir(parents=True)
    for i in (1, 2, 3):
        mask = np.zeros((48, 64), np.uint8)
        mask[:, : i * 10] = 255
        cv2.imwrite(str(path / f"gt/masks/object/{i:05d}.png"), mask)
    prepared = load_folder(row(path, first=1, stride=2), SETTINGS)
    out = tmp_path / "prepared"
    out.mkdir()
    write_clip(out, prepared)
    clip, truth = read_clip(out), read_truth(out)
    assert clip.frames()[:, 0, 0, 0].tolist() == [20, 60]
    assert clip.given_masks()["object"].shape == (2, 48, 64)
    assert sorted(truth.masks["object"]) == [0, 1]
    assert truth.masks["object"][1].sum() == 48 * 30
    assert not (out / "gt").exists(), "the truth of a folder stays where it is"


def test_prepared_clip_is_a_clip_folder_again(tmp_path):
    first = tmp_path / "first"
    first.mkdir()
    write_clip(first, load_folder(row(folder(tmp_path / "c", masks=True), category="mug", side="left"), SETTINGS))
    again = load_folder(row(first), SETTINGS)
    assert again.info.category == "mug" and again.info.side == "left" and len(again.frames) == 5


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames(tmp_path, count):
    path = folder(tmp_path / "c", n=count)
    with pytest.raises(InputError, match=f"{count} frames"):
        load_folder(row(path), SETTINGS)


def test_missing_video(tmp_path):
    with pytest.raises(InputError, match=r"gone\.mp4(.|\n)*no such file"):
        load_video(row(tmp_path / "gone.mp4", source="video"), SETTINGS)


def test_unreadable_video(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"not a video" * 100)
    with pytest.raises(InputError, match=r"clip\.mp4(.|\n)*no frame could be decoded"):
        load_video(row(tmp_path / "clip.mp4", source="video"), SETTINGS)


def test_frames_of_different_sizes(tmp_path):
    path = folder(tmp_path / "c")
    cv2.imwrite(str(path / "frames/00003.png"), picture(3, (40, 64)))
    with pytest.raises(InputError, match=r"00003\.png(.|\n)*64x40(.|\n)*64x48"):
        load_folder(row(path), SETTINGS)


def test_mask_of_the_wrong_size(tmp_path):
    path = folder(tmp_path / "c", masks=True)
    cv2.imwrite(str(path / "masks/hand/00002.png"), np.zeros((10, 12), np.uint8))
    with pytest.raises(InputError, match=r"hand/00002\.png(.|\n)*12x10(.|\n)*64x48"):
        load_folder(row(path), SETTINGS)


def test_incomplete_masks(tmp_path):
    path = folder(tmp_path / "c", masks=True)
    (path / "masks/hand/00002.png").unlink()
    out = tmp_path / "out"
    out.mkdir()
    write_clip(out, load_folder(row(path), SETTINGS))
    with pytest.raises(InputError, match="no mask for frame 2"):
        read_clip(out).given_masks()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("intrinsics: {fx: .nan, fy: 1, cx: 1, cy: 1}", "fx"),
        ("intrinsics: {fx: 1, fy: 1, cx: 1}", "cy"),
        ("colour: red", "colour"),
        ("side: [", "clip.yaml"),
    ],
)
def test_bad_clip_yaml(tmp_path, text, found):
    path = folder(tmp_path / "c")
    (path / "clip.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        load_folder(row(path), SETTINGS)
    assert found in str(error.value) and "clip.yaml" in str(error.value)


def test_unknown_side_in_clip_yaml(tmp_path):
    path = folder(tmp_path / "c")
    (path / "clip.yaml").write_text("side: middle")
    with pytest.raises(InputError, match="middle"):
        load_folder(row(path), SETTINGS)


@pytest.mark.parametrize(
    ("limit", "found"),
    [({"megabytes": 0.0001}, "MB"), ({"megapixels": 0.001}, "frames of 64x48"), ({"frames": 4}, "more than 4 frames")],
)
def test_a_video_beyond_a_limit_is_refused_and_the_setting_named(tmp_path, limit, found):
    limits = SETTINGS.limits.model_copy(update=limit)
    with pytest.raises(InputError) as error:
        read_footage(video(tmp_path / "clip.mp4"), FrameRange(None, None, None), 64, limits)
    assert found in str(error.value) and f"prepare_clip.limits.{next(iter(limit))}" in str(error.value)


@pytest.mark.parametrize(
    ("limit", "found"),
    [({"megabytes": 0.0001}, "MB"), ({"megapixels": 0.001}, "frames of 64x48"), ({"frames": 4}, "more than 4 frames")],
)
def test_a_folder_beyond_a_limit_is_refused_and_the_setting_named(tmp_path, limit, found):
    settings = SETTINGS.model_copy(update={"limits": SETTINGS.limits.model_copy(update=limit)})
    with pytest.raises(InputError) as error:
        load_folder(row(folder(tmp_path / "c")), settings)
    assert found in str(error.value) and f"prepare_clip.limits.{next(iter(limit))}" in str(error.value)


@pytest.mark.parametrize(("name", "found"), [("frames", "10000x10000"), ("masks/hand", "10000x10000(.|\n)*64x48")])
def test_a_huge_picture_is_refused_by_its_header(tmp_path, name, found):
    """Its pixels are those of a small picture: it cannot have been decoded."""
    path = folder(tmp_path / "c", masks=True)
    picture = (path / name / "00002.png").read_bytes()
    header = b"IHDR" + (10000).to_bytes(4, "big") * 2 + picture[24:29]
    chunk = header + zlib.crc32(header).to_bytes(4, "big")
    (path / name / "00002.png").write_bytes(picture[:12] + chunk + picture[33:])
    with pytest.raises(InputError, match=found):
        load_folder(row(path), SETTINGS)


def test_a_frame_range_keeps_a_long_video_within_the_limit(tmp_path):
    limits = SETTINGS.limits.model_copy(update={"frames": 3})
    assert len(read_footage(video(tmp_path / "clip.mp4"), FrameRange(0, None, 2), 64, limits).frames) == 3


def test_an_unreadable_clip_has_a_stand_in_that_names_its_file(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"abc")
    made = stand_in(row(tmp_path / "clip.mp4", source="video"), SETTINGS)
    assert made.origin["sha256"].startswith("ba7816bf8f01cfea")  # FIPS 180-2, appendix B.1
    assert len(made.frames) == 2 and made.info.intrinsics is not None and made.origin["truth"] is None
    write_clip(tmp_path / "made", made)
    assert read_truth(tmp_path / "made").object_path is None

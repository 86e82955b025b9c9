import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from hoi.artefacts import write_npz
from hoi.clip import read_clip, read_frames, read_masks, read_truth, write_clip
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
    with pytest.raises(InputError, match=r"(?s)00000.png to 00003.png.*from 0 without a gap"):
        load_folder(row(path), SETTINGS)
    for i, name in ((3, "frame_0003"), (1, "frame_0002"), (0, "frame_0001")):
        (path / f"frames/{i:05d}.png").rename(path / f"frames/{name}.png")
    with pytest.raises(InputError, match=r"(?s)frame_0001.png to frame_0003.png.*from 0 without a gap"):
        load_folder(row(path), SETTINGS)
    for i in range(3):
        (path / f"frames/frame_{i + 1:04d}.png").rename(path / f"frames/cut2_{i}.png")
    assert len(load_folder(row(path), SETTINGS).masks["hand"]) == 3, "by the last number in a name"


def labels(mask, path):
    cv2.imwrite(path, mask.astype(np.uint8))


def sixteen_bits_of_eight(mask, path):
    cv2.imwrite(path, mask.astype(np.uint16) * 255)


def palette(mask, path):
    picture = Image.fromarray(mask.astype(np.uint8))
    picture.putpalette([0, 0, 0, 128, 0, 0])
    picture.save(path)


def alpha(mask, path):
    cv2.imwrite(path, np.dstack([np.full((*mask.shape, 3), 255, np.uint8), mask.astype(np.uint8) * 255]))


@pytest.mark.parametrize("draw", [labels, sixteen_bits_of_eight, palette, alpha])
def test_masks_that_would_be_read_as_empty_or_full_are_refused(tmp_path, draw):
    mask = np.zeros((48, 64), bool)
    mask[10:20, 10:30] = True
    for i in range(2):
        draw(mask, str(tmp_path / f"{i}.png"))
    with pytest.raises(InputError, match=r"expected: 0 and 255"):
        read_masks(tmp_path)


def test_masks_of_one_and_of_sixteen_bits_are_read(tmp_path):
    mask = np.zeros((48, 64), bool)
    mask[10:20, 10:30] = True
    Image.fromarray(mask).save(tmp_path / "0.png")
    cv2.imwrite(str(tmp_path / "1.png"), mask.astype(np.uint16) * 65535)
    alpha(np.ones_like(mask), str(tmp_path / "2.png"))
    cv2.imwrite(str(tmp_path / "3.png"), np.zeros((48, 64), np.uint8))
    assert [int(m.sum()) for m in read_masks(tmp_path).values()] == [200, 200, 48 * 64, 0]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"intrinsics": {"fx": 1500, "fy": 1500, "cx": 960, "cy": 720}}, "the middle of 1920x1440"),
        ({"intrinsics": {"fx": 0, "fy": 50, "cx": 32, "cy": 24}}, "fx"),
        ({"fps": -30}, "fps"),
        ({"hint": {"frame": 1, "box_px": [40, 30, 10, 5]}}, "left, top, right, bottom"),
        ({"hint": {"frame": 1, "box_px": [400, 300, 1000, 500]}}, "400 300 1000 500"),
        ({"hint": {"frame": 1, "click_px": [4000, 30]}}, "4000 30"),
    ],
)
def test_words_of_clip_yaml_that_cannot_be_right_are_refused(tmp_path, content, found):
    path = folder(tmp_path / "c")
    (path / "clip.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=found):
        load_folder(row(path), SETTINGS)


def test_a_crop_s_camera_and_a_hint_half_in_the_picture_are_taken(tmp_path):
    path = folder(tmp_path / "c")
    camera = {"fx": 90, "fy": 90, "cx": 5, "cy": 24}
    (path / "clip.yaml").write_text(
        yaml.safe_dump({"intrinsics": camera, "hint": {"frame": 1, "box_px": [-5, 3, 9, 20]}})
    )
    info = load_folder(row(path), SETTINGS).info
    assert info.intrinsics.model_dump() == camera and info.hint.box_px == (-5, 3, 9, 20)


def test_a_clip_yaml_in_another_encoding_is_told(tmp_path):
    path = folder(tmp_path / "c")
    (path / "clip.yaml").write_bytes("category: Flaschenöffner".encode("latin-1"))
    with pytest.raises(InputError, match=r"(?s)clip.yaml.*UTF-8"):
        load_folder(row(path), SETTINGS)


def test_a_stride_makes_frames_of_an_unknown_rate_fewer(tmp_path):
    path = folder(tmp_path / "c")
    assert load_folder(row(path), SETTINGS).info.fps == SETTINGS.fps_if_unknown
    assert load_folder(row(path, stride=2), SETTINGS).info.fps == SETTINGS.fps_if_unknown / 2


def test_hidden_files_are_no_frames_and_other_pictures_are_named(tmp_path):
    path = folder(tmp_path / "c", n=3)
    (path / "frames/._00000.png").write_bytes(b"macOS")
    (path / "frames/٣1.png").write_bytes((path / "frames/00001.png").read_bytes())
    assert len(load_folder(row(path), SETTINGS).frames) == 4
    for file in (path / "frames").glob("*.png"):
        file.rename(file.with_suffix(".webp"))
    with pytest.raises(InputError, match=r"0 frames: \.webp"):
        load_folder(row(path), SETTINGS)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_cut_short_is_refused(tmp_path, suffix):
    path = folder(tmp_path / "c", n=3)
    file = path / f"frames/00003{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(file), noise)
    assert len(load_folder(row(path), SETTINGS).frames) == 4
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(InputError, match=rf"00003{suffix}\n.*damaged picture"):
        load_folder(row(path), SETTINGS)


def test_frames_are_held_once(tmp_path):
    path = folder(tmp_path / "c", n=12, size=(960, 1280))
    tracemalloc.start()
    frames = read_frames(path / "frames")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * frames.nbytes and frames[:, 0, 0, 0].tolist() == [20 * i for i in range(12)]


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
    cv2.imwrite(str(path / "gt/masks/object/00002.png"), np.zeros((30, 100), np.uint8))
    with pytest.raises(InputError, match=r"(?s)100x30.*64x48, the size of the frames"):
        read_truth(out)


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

"""What `auto` takes, and that it says so."""

import json

import numpy as np
import pytest
import yaml

from hoi.artefacts import check, read_json, read_npz
from hoi.clip import MANO_PARAMETERS, ClipInfo, Intrinsics, Prepared, read_clip, write_clip
from hoi.config import HandChoice
from hoi.observe.auto import taken_masker, taken_tracker
from hoi.stages.mask_clip import mask_clip
from hoi.stages.track_hand import track_hand
from hoi.study import Study

from .conftest import ROOT
from .test_from_file import OPEN, SIZE, K, N, tracks_of, true_hand

FILES = HandChoice(model="open", files="data/mano")


def clip_with(folder, side="right", masks=None, **arrays):
    """A prepared clip that brings what it is told to."""
    camera = Intrinsics(fx=float(K[0, 0]), fy=float(K[1, 1]), cx=float(K[0, 2]), cy=float(K[1, 2]))
    info = ClipInfo(category="mug", side=side, fps=10, intrinsics=camera)
    folder.mkdir()
    origin = {"intrinsics": "given", "truth": None}
    write_clip(folder, Prepared(np.zeros((N, *SIZE, 3), np.uint8), info, origin, masks, **arrays))
    return read_clip(folder)


def given_hands():
    T = np.tile(np.eye(4, dtype=np.float32), (N, 1, 1))
    T[:, 2, 3] = 0.5
    return {
        "model": np.array("open"),
        "T_cam_hand": T,
        "pose": np.zeros((N, 45), np.float32),
        "betas": np.zeros(10, np.float32),
    }


def tracks():
    return check("tracks", tracks_of(true_hand("right"), 400, True), "tracks")


def drawn_masks(frames=N):
    one = np.zeros(SIZE, bool)
    one[50:90, 60:100] = True
    return {"object": dict.fromkeys(range(frames), one), "hand": dict.fromkeys(range(N), ~one)}


def test_hands_are_those_of_the_clip_if_they_are_whole(tmp_path):
    both = clip_with(tmp_path / "both", tracks=tracks(), hands=given_hands())
    assert str(taken_tracker("auto", both, OPEN)) == "file (tracks.npz)"
    assert (
        taken_tracker("given", both, OPEN).given.keys() == given_hands().keys()
        and taken_tracker("mediapipe", both, OPEN).given is None
    )
    assert str(taken_tracker("auto", clip_with(tmp_path / "hands", hands=given_hands()), OPEN)) == "given (hands.npz)"
    sideless = taken_tracker("auto", clip_with(tmp_path / "sideless", None, hands=given_hands()), OPEN)
    assert sideless.name == "mediapipe" and "side" in str(sideless)
    assert str(taken_tracker("auto", clip_with(tmp_path / "bare"), OPEN)) == "mediapipe"
    parameters = {k: np.zeros((N, n), np.float32) for k, n in zip(MANO_PARAMETERS, (3, 45, 10, 3), strict=True)}
    mano = clip_with(tmp_path / "mano", tracks={k: v for k, v in tracks().items() if k != "keypoints_cam"} | parameters)
    assert (
        "hand.files" in str(taken_tracker("auto", mano, OPEN)) and taken_tracker("auto", mano, OPEN).name == "mediapipe"
    )
    assert taken_tracker("auto", mano, FILES).name == "file"


def test_masks_are_those_of_the_clip_if_there_is_one_a_frame(tmp_path, mask_settings, monkeypatch):
    auto = mask_settings.model_copy(update={"masker": "auto"})
    whole = taken_masker(auto, clip_with(tmp_path / "whole", masks=drawn_masks()))
    assert str(whole) == "given" and whole.given["object"].sum() == N * 1600
    lacking, bare = clip_with(tmp_path / "lacking", masks=drawn_masks(N - 1)), clip_with(tmp_path / "bare")
    assert str(taken_masker(auto, lacking)) == f"grasp (given masks: no mask for frame {N - 1})"
    assert str(taken_masker(auto, bare)) == "grasp"
    empty = drawn_masks() | {"object": dict.fromkeys(range(N), np.zeros(SIZE, bool))}
    assert str(taken_masker(auto, clip_with(tmp_path / "empty", masks=empty))) == "grasp (given masks: all are empty)"
    assert taken_masker(mask_settings, lacking).given is None, "a masker that is named looks at no given masks"


@pytest.mark.parametrize(("masker", "package"), [("sam2", "transformers"), ("detectron2", "detectron2")])
def test_a_segmenter_is_taken_if_package_and_weights_are_there(tmp_path, mask_settings, monkeypatch, masker, package):
    auto, bare = mask_settings.model_copy(update={"masker": "auto"}), clip_with(tmp_path / "bare")
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).touch()
    weights = {"model": str(tmp_path)} if masker == "sam2" else {"weights": "model.pkl"}
    trained = auto.model_copy(update={masker: getattr(auto, masker).model_copy(update=weights)})
    monkeypatch.setattr("hoi.observe.auto.find_spec", lambda _: None)
    assert taken_masker(trained, bare).name == "grasp"
    monkeypatch.setattr("hoi.observe.auto.find_spec", lambda name: object() if name == package else None)
    assert taken_masker(trained, bare).name == masker and taken_masker(auto, bare).name == "grasp"


def test_the_stages_take_them_and_say_which(tmp_path, track_settings, mask_settings):
    clip = clip_with(tmp_path / "clip", masks=drawn_masks(), tracks=tracks()).path
    hands, quality, masks = (tmp_path / name for name in ("hands.npz", "hands.json", "masks.npz"))
    track_hand(clip, track_settings.model_copy(update={"tracker": "auto"}), OPEN, 0, hands, quality)
    assert str(read_npz("hands", hands)["tracker"]) == read_json(quality)["tracker"] == "file (tracks.npz)"
    mask_clip(clip, hands, [], mask_settings.model_copy(update={"masker": "auto"}), masks)
    found = read_npz("masks", masks)
    assert str(found["masker"]) == "given" and found["object"].sum() == N * 1600


def test_make_clip_takes_what_is_best_and_other_runs_what_they_say():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    assert (config["track_hand"]["tracker"], config["mask_clip"]["masker"]) == ("mediapipe", "grasp")
    own = yaml.safe_load((ROOT / "config/own_clip.yaml").read_text())
    for stage in ("track_hand", "mask_clip"):
        config[stage] |= own[stage]
    study = Study.model_validate(config)
    chosen = [json.loads(study.as_json("diffhoi", stage)) for stage in ("track_hand", "mask_clip")]
    assert [chosen[0]["tracker"], chosen[1]["masker"]] == ["auto", "auto"]

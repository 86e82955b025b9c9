"""A clip of HOI4D's layout through every stage with MANO's hand: what each writes is of that hand."""

import copy
import json

import numpy as np
import pytest
import yaml

pytest.importorskip("smplx")

from hoi.artefacts import read_npz
from hoi.config import FitStart, HandChoice, PriorData, ProceduralSettings, TrackHand
from hoi.imports import PACKAGE
from hoi.meshes import read_mesh
from hoi.score import placed_fit, score
from hoi.stages.fit_clip import fit_clip
from hoi.stages.mask_clip import mask_clip
from hoi.stages.prepare_clip import prepare_clip
from hoi.stages.prior_data import prior_data
from hoi.stages.score_clip import score_clip
from hoi.stages.track_hand import track_hand
from hoi.study import read_study
from hoi.table import ClipRow
from tests.unit.hand.synthetic_mano import write_mano
from tests.unit.sources.trees import hoi4d_tree, make_scene

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())
TINY = yaml.safe_load((PACKAGE.parent / "tests/workflow/tiny.yaml").read_text())


def made_settings() -> dict:
    """Of score_clip, as quick as may be."""
    return CONFIG["score_clip"] | {k: v for k, v in TINY["score_clip"].items() if k != "registration"}


@pytest.fixture(scope="module")
def study():
    config = copy.deepcopy(CONFIG)
    config["fit_clip"] |= {k: v for k, v in TINY["fit_clip"].items() if k not in ("template", "weights")}
    config["score_clip"] = made_settings()
    return read_study(config)


@pytest.fixture(scope="module")
def made(tmp_path_factory, study):
    """All files of the clip, by a variant that is given masks and hands."""
    folder = tmp_path_factory.mktemp("mano_clip")
    for side in ("right", "left"):
        write_mano(folder / "mano", side)
    scene, choice = make_scene(), HandChoice(model="mano", files=str(folder / "mano"))
    row = ClipRow(clip="mug_1", source="hoi4d", path=str(hoi4d_tree(folder / "HOI4D", scene)))
    at = {name: folder / name for name in ("clip", "hands.npz", "masks.npz", "object.ply", "poses.npz")}
    prepare_clip(row, study.prepare_clip, choice, at["clip"], folder / "clip.sha256")
    track_hand(at["clip"], study.settings("oracle", "track_hand"), choice, 0, at["hands.npz"], folder / "hands.json")
    mask_clip(at["clip"], at["hands.npz"], [], study.settings("oracle", "mask_clip"), at["masks.npz"])
    fit = (at["object.ply"], at["poses.npz"], *(folder / n for n in ("history.parquet", "scene.glb", "run.json")))
    settings = study.settings("oracle", "fit_clip")
    fit_clip(at["clip"], at["hands.npz"], at["masks.npz"], [], settings, 0, 1, folder / "checkpoint", *fit)
    files = (at["clip"], at["hands.npz"], at["masks.npz"], *fit[:2], fit[4])
    score_clip(row, "oracle", *files, choice, study.score_clip, 0, folder / "score.json")
    return folder, scene, choice


def test_tracked_hands_are_mano_s_and_where_they_were_put(made):
    folder, scene, choice = made
    hands = read_npz("hands", folder / "hands.npz")
    assert str(hands["model"]) == "mano" and str(hands["model_files"]) == choice.files
    K = hands["K"].astype(float)
    px = scene.keypoints_cam @ K.T
    np.testing.assert_allclose(hands["keypoints_px"], px[..., :2] / px[..., 2:], atol=0.1)


def test_fits_keep_the_hand_they_were_given(made):
    folder, scene, _ = made
    poses = read_npz("poses", folder / "poses.npz")
    placed = placed_fit(read_mesh(folder / "object.ply"), poses)
    assert str(poses["model"]) == "mano" and placed.hand.vertices_cam.shape == (len(scene.pose), 778, 3)
    assert np.linalg.norm(poses["joints_cam"] - scene.keypoints_cam, axis=-1).mean() < 0.02


def test_scores_know_object_and_joints(made):
    score = json.loads((made[0] / "score.json").read_text())
    assert not score["failed"] and score["mpjpe_mm"] < 20 and score["mask_iou_object"] == 1
    assert score["cd_cm2"] is not None and score["add_s_mm"] < 60
    assert score["contact_f1_5mm"] is not None, "the annotated hand is the true one"


def test_files_beside_a_prepared_clip_score_as_the_stage_does(made, tmp_path, capsys):
    folder, _, _ = made
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"seed": 0, "score_clip": made_settings()}))
    score(folder, folder / "clip", tmp_path / "score.json", config=tmp_path / "config.yaml")
    told, staged = (json.loads(path.read_text()) for path in (tmp_path / "score.json", folder / "score.json"))
    assert told["mpjpe_mm"] == pytest.approx(staged["mpjpe_mm"]) and told["f10"] == pytest.approx(staged["f10"])
    assert told["contact_f1_5mm"] is None, "MANO's files are not named there"
    assert "MPJPE" in capsys.readouterr().out


def test_the_clip_trains_the_prior_with_mano_s_hand(made, tmp_path):
    folder, _, choice = made
    words = CONFIG["prior_data"] | {"voxel_m": 0.004, "views_per_clip": 2}
    sections = TrackHand(**CONFIG["track_hand"]), FitStart(**CONFIG["fit_clip"]["start"])
    film = ProceduralSettings(**CONFIG["prepare_clip"]["procedural"])
    open_hand = choice.model_copy(update={"model": "open"})  # the clip says which hand its parameters are of
    prior_data(
        0, [folder / "clip"], PriorData.model_validate(words), *sections, 0.25, film, open_hand, 0, tmp_path / "0.npz"
    )
    shard = read_npz("prior_renders", tmp_path / "0.npz")
    assert (shard["hand_mask"] > 0).any((1, 2)).all() and (shard["hand_uv"].reshape(2, -1).max(1) > 0).all()


def test_given_mano_hands_become_open_ones_of_the_same_keypoints(made, study, tmp_path):
    folder, _, choice = made
    open_hand = choice.model_copy(update={"model": "open"})
    track_hand(
        folder / "clip",
        study.settings("oracle", "track_hand"),
        open_hand,
        0,
        tmp_path / "hands.npz",
        tmp_path / "hands.json",
    )
    ours, theirs = read_npz("hands", tmp_path / "hands.npz"), read_npz("hands", folder / "hands.npz")
    off = np.linalg.norm(ours["keypoints_px"] - theirs["keypoints_px"], axis=-1)
    assert str(ours["model"]) == "open" and off.mean() < 1.5 and off.max() < 6

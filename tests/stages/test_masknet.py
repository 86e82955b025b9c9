"""Frames for the masker's network, and its training."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml

from hoi.artefacts import read_npz, write_npz
from hoi.config import GraspSettings, MaskData, ProceduralSettings, TrainMasks
from hoi.errors import InputError
from hoi.imports import PACKAGE
from hoi.masknet import train
from hoi.masknet.network import MaskNet
from hoi.masknet.train import Trainer
from hoi.stages.mask_data import mask_data
from hoi.stages.train_masks import train_masks
from tests.stages.stopping import WEIGHTS, begins_anew, stopped_in_its_fifth_step, stops_whole
from tests.unit.masknet.conftest import SMALL, made_rows
from tests.unit.observe.conftest import FLAT

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())


def make_shard(output, contact_m=0.005):
    data = MaskData.model_validate(CONFIG["mask_data"] | {"instances": 1, "grasps_most": 1, "frames": 3})
    grasp = CONFIG["prior_data"]["grasp"] | {"contact_m": contact_m, "grasp_steps": 40}
    film = CONFIG["prepare_clip"]["procedural"] | {
        "width_px": 160,
        "height_px": 120,
        "shadow_rays": 1,
        "ambient_rays": 1,
    }
    network = TrainMasks.model_validate(CONFIG["train_masks"] | {"network": SMALL}).network
    mask_data(1, data, network, GraspSettings(**grasp), ProceduralSettings(**film), 120, output)


def test_a_shard_is_of_hands_that_hold_and_the_same_twice(tmp_path):
    make_shard(tmp_path / "1.npz")
    make_shard(tmp_path / "again.npz")
    a, b = (read_npz("mask_frames", tmp_path / f"{name}.npz") for name in ("1", "again"))
    for key, values in a.items():
        np.testing.assert_array_equal(values, b[key])
    assert set(a["category"]) == {"bottle"} and set(a["instance"]) == {CONFIG["mask_data"]["first"]}
    assert len(a["label"]) == 3 and a["label"].shape[1:] == (45, 45)
    for label in a["label"]:
        assert (label == 1).sum() > 40 and (label == 2).sum() > 10 and (label == 255).any()
    tips = a["keypoints_px"][:, [4, 8, 12, 16, 20]].mean(1)
    assert abs(tips - 22.5).max() < 16, "the hand is in the middle"


def test_objects_that_no_hand_can_hold_are_refused(tmp_path):
    with pytest.raises(InputError, match="no accepted grasp"):
        make_shard(tmp_path / "none.npz", contact_m=1e-9)


def train_config(**changes):
    few = {"steps": 6, "batch": 4, "warm_steps": 2, "log_every": 1, "held_out_every": 3, "held_out_samples": 4,
           "checkpoint_minutes": 1e-9, "network": SMALL}  # fmt: skip
    return TrainMasks.model_validate(CONFIG["train_masks"] | few | changes)


class Place:
    """Shards and the outputs of a training in a folder."""

    def __init__(self, path):
        self.path = path
        self.shards = [path / "0.npz", path / "1.npz", path / "2.npz"]
        for i, p in enumerate(self.shards):
            write_npz("mask_frames", p, **made_rows(6, FLAT, i))

    def train(self, name, seed=0, **changes):
        out = self.path / name
        train_masks(self.shards[1:], self.shards[:1], train_config(**changes), seed, 1, out / "checkpoint",
                    out / "weights", out / "history.parquet", out / "run.json")  # fmt: skip
        return out

    def start(self, name, **changes):
        """The same as a process of its own."""
        out = self.path / name
        words = ["--shards", *self.shards[1:], "--held_out", self.shards[0], "--seed", "0", "--threads", "1",
                 "--config", train_config(**changes).model_dump_json(), "--checkpoint", out / "checkpoint",
                 "--weights", out / "weights", "--history", out / "history.parquet", "--run", out / "run.json"]  # fmt: skip
        return subprocess.Popen([sys.executable, "-m", "hoi", "train_masks", *map(str, words)], cwd=PACKAGE.parent)

    def stop(self, name, monkeypatch):
        """A training killed in its fifth step."""
        with stopped_in_its_fifth_step(Trainer, monkeypatch):
            self.train(name)
        assert not (self.path / name / "weights").exists()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_killed_training_goes_on_exactly(place, monkeypatch):
    whole = place.train("whole")
    place.stop("parts", monkeypatch)
    parts = place.train("parts")
    assert (whole / WEIGHTS).read_bytes() == (parts / WEIGHTS).read_bytes()
    a, b = (pd.read_parquet(p / "history.parquet").drop(columns="seconds") for p in (whole, parts))
    pd.testing.assert_frame_equal(a, b)
    assert list(a["step"]) == [1, 2, 3, 4, 5, 6] and a["object"].notna().sum() == 2


def test_a_training_that_the_system_kills_ends_in_the_same_weights(place):
    """A process of its own, ended by SIGKILL once it has a checkpoint, and started again by the same command."""
    whole = place.train("whole", steps=60)
    run, end = place.start("parts", steps=60), time.monotonic() + 60
    while not list((place.path / "parts").glob("checkpoint/*/state.safetensors")):
        assert run.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL and not (place.path / "parts/weights").exists()
    assert place.start("parts", steps=60).wait(timeout=60) == 0
    assert (place.path / "parts" / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    rows = pd.read_parquet(place.path / "parts/history.parquet")
    assert list(rows["step"]) == list(range(1, 61)), "no step is lost, and none is taken twice"


def test_a_finished_training_says_what_it_is(place):
    out = place.train("done")
    record = json.loads((out / "run.json").read_text())
    assert record["steps"] == 6 and record["frames"] == 12 and record["judged"] == 4
    card = (out / "weights/README.md").read_text()
    assert "12 frames of made clips" in card and "6 steps of 4, seed 0" in card
    assert MaskNet.load(out / "weights").network.model_dump(mode="json") == SMALL
    assert not any((out / "checkpoint").iterdir()), "nothing is left to go on from"


@pytest.mark.parametrize("other", ["shards", "code", "seed", "rate", "steps"])
def test_another_training_begins_anew_and_leaves_the_checkpoint_alone(place, monkeypatch, capsys, other):
    place.stop("run", monkeypatch)
    (kept,) = (place.path / "run/checkpoint").iterdir()
    changes = {"seed": {"seed": 1}, "rate": {"rate": 0.1}, "steps": {"steps": 3}}.get(other, {})
    if other == "shards":
        write_npz("mask_frames", place.shards[1], **made_rows(6, FLAT, 9))
    if other == "code":
        monkeypatch.setattr("hoi.checkpoint.code_digest", lambda stage: "edited")
    begins_anew(place, kept, changes, capsys)


def test_a_damaged_checkpoint_is_refused(place, monkeypatch):
    place.stop("run", monkeypatch)
    (path,) = (place.path / "run/checkpoint").glob("*/state.safetensors")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match="a whole checkpoint"):
        place.train("run")


def test_a_training_that_diverges_stops_before_its_checkpoint_is_spoilt(place, monkeypatch):
    factors, objective = iter([1.0, 1.0, float("nan")]), train.objective
    monkeypatch.setattr(train, "objective", lambda *given: next(factors) * objective(*given))
    stops_whole(place, "train_masks")

import json

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import trimesh
import yaml

from hoi import cli
from hoi.artefacts import load_arrays, read_npz, write_failure, write_npz
from hoi.config import (
    FitStart,
    GraspSettings,
    HandChoice,
    PriorData,
    PriorMemory,
    ProceduralSettings,
    TrackHand,
    TrainPrior,
)
from hoi.errors import DataFailure, InputError
from hoi.geometry.rotations import axis_angle_to_matrix, invert_rigid, rigid, transform
from hoi.hand.model import load_hand
from hoi.imports import PACKAGE
from hoi.prior import train
from hoi.prior.denoiser import Denoiser
from hoi.prior.samples import OF_CLIP, render_sample
from hoi.prior.train import CONDITIONS, Trainer
from hoi.sources import held
from hoi.stages.prior_data import _mean, prior_data
from hoi.stages.prior_memory import prior_memory
from hoi.stages.train_prior import contents, train_prior
from tests.stages.stopping import begins_anew, stopped_in_its_fifth_step, stops_whole
from tests.unit.prior.scenes import NETWORK, shard

OPEN = HandChoice(model="open", files=None)

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())


def data_config(**changes):
    base = CONFIG["prior_data"] | {
        "shards": 4,
        "instances": 1,
        "grasps_most": 2,
        "views_per_grasp": 2,
        "views_per_clip": 3,
    }
    small = {"frames": 4, "width_px": 96, "height_px": 72}
    base |= {"voxel_m": 0.004, "views": base["views"] | {"resolution": 16}, "rehearsal": base["rehearsal"] | small}
    return PriorData.model_validate(base | changes)


def sections(start=None, **changes):
    """Settings of `prior_data`, small, and of other stages that it rehearses."""
    film, tracker = ProceduralSettings(**CONFIG["prepare_clip"]["procedural"]), TrackHand(**CONFIG["track_hand"])
    quick = {"cells": 32, "inflations": 6, "rounds": 1} | (start or {})
    begin = FitStart(**(CONFIG["fit_clip"]["start"] | quick))
    return {"config": data_config(**changes), "tracker": tracker, "start": begin, "film": film, "hand": OPEN}


def make_shard(number, clips, path, start=None, **changes):
    """Stage `prior_data`."""
    prior_data(shard=number, clip=clips, **sections(start, **changes), reach_m=0.25, seed=0, output=path)


def make_shard_by_command(number, clip, path):
    """The same by its command, which records what a clip's data do not allow."""
    words = [w for name, value in sections().items() for w in (f"--{name}", value.model_dump_json())]
    cli.main(["prior_data", "--shard", str(number), "--clip", str(clip), *words, "--reach_m", "0.25", "--seed", "0",
              "--output", str(path)])  # fmt: skip


def train_config(**changes):
    base = {"steps": 6, "batch": 4, "network": NETWORK.model_dump(), "warm_steps": 2, "log_every": 1, "held_out_every": 3,
            "held_out_levels": [100, 900], "held_out_samples": 4, "judged_samples": 6, "grid_steps": 2, "buffer_shards": 2,
            "checkpoint_minutes": 1e-9, "grid_minutes": 1e-9}  # fmt: skip
    return TrainPrior.model_validate(CONFIG["train_prior"] | base | changes)


def test_a_shard_holds_pictures_of_a_training_instance(tmp_path, monkeypatch):
    made = []
    make = held.make_object
    monkeypatch.setattr(held, "make_object", lambda *key: made.append(key) or make(*key))
    make_shard(1, [], tmp_path / "1.npz")
    arrays = read_npz("prior_renders", tmp_path / "1.npz")
    assert made == [("bottle", 0, "train")], "instances are numbered through; never one of the test split"
    assert set(arrays["category"]) == {"bottle"} and set(arrays["instance"]) == {0}
    assert len(arrays["object_mask"]) in (2, 4) and arrays["object_mask"].shape[1:] == (16, 16)
    seen = arrays["object_mask"] > 200
    assert seen.any((1, 2)).all() and (arrays["hand_mask"] > 0).any((1, 2)).all()
    depth_m = arrays["object_depth"][seen] / 10_000
    assert 0.2 < depth_m.min() and depth_m.max() < 1.0
    assert np.allclose(
        np.linalg.norm(arrays["object_normal"][arrays["object_mask"] == 255] / 127, axis=-1), 1, atol=0.03
    )
    assert (arrays["hand_depth"][arrays["hand_mask"] > 0] > 2000).all()
    rough = arrays["rough_mask"] > 200
    assert rough.any((1, 2)).all() and (seen & rough).sum() > 0.4 * (seen | rough).sum(), "a rough guess of the object"
    assert not np.array_equal(arrays["rough_depth"], arrays["object_depth"])
    make_shard(1, [], tmp_path / "again.npz")
    again = read_npz("prior_renders", tmp_path / "again.npz")
    assert all(np.array_equal(arrays[k], again[k]) for k in arrays)


@pytest.fixture
def clip(tmp_path):
    """A clip folder with a true box in a given left hand."""
    folder = tmp_path / "clip"
    (folder / "frames").mkdir(parents=True)
    (folder / "gt").mkdir()
    for i in range(2):
        cv2.imwrite(str(folder / f"frames/{i:05d}.png"), np.zeros((4, 4, 3), np.uint8))
    (folder / "clip.yaml").write_text("category: box\nside: left\n")
    T_cam_hand = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    T_cam_hand[:, 2, 3] = 0.5
    T_cam_obj = T_cam_hand.copy()
    T_cam_obj[:, 0, 3] = 0.1
    trimesh.creation.box((0.06, 0.05, 0.04)).export(folder / "gt/object.ply")
    write_npz("given_hands", folder / "hands.npz", model="open", T_cam_hand=T_cam_hand, pose=np.zeros((2, 45), np.float32),
              betas=np.zeros(10, np.float32))  # fmt: skip
    write_npz("true_poses", folder / "gt/poses.npz", T_cam_obj=T_cam_obj, joints_cam=np.zeros((2, 21, 3), np.float32))
    return folder


def test_a_clip_with_truth_adds_a_shard(clip, tmp_path, capsys):
    make_shard(4, [clip], tmp_path / "4.npz")
    arrays = read_npz("prior_renders", tmp_path / "4.npz")
    assert list(arrays["category"]) == ["box"] * 3 and (arrays["instance"] == OF_CLIP).all()
    assert (arrays["object_mask"] > 200).any((1, 2)).all() and (arrays["rough_mask"] > 200).any((1, 2)).all()
    assert "watertight" not in capsys.readouterr().err


def test_an_object_with_holes_is_rendered_and_named(clip, tmp_path, capsys):
    box = trimesh.load_mesh(clip / "gt/object.ply", process=False)
    trimesh.Trimesh(box.vertices, box.faces[1:], process=False).export(clip / "gt/object.ply")
    make_shard(4, [clip], tmp_path / "4.npz")
    assert "gt/object.ply is not watertight" in capsys.readouterr().err
    assert (read_npz("prior_renders", tmp_path / "4.npz")["object_mask"] > 200).any((1, 2)).all()


@pytest.fixture
def helds(monkeypatch):
    """What `prior_data` renders, as it goes by."""
    seen = []

    def spy(thing, held, *more):
        seen.append(held)
        return render_sample(thing, held, *more)

    monkeypatch.setattr("hoi.stages.prior_data.render_sample", spy)
    return seen


EXACT = CONFIG["prior_data"]["rehearsal"] | {
    "width_px": 96,
    "height_px": 72,
    "noise_scale": [0, 0],
    "betas": 0,
    "lost_share": 0,
}


def test_without_noise_the_truth_lies_where_it_is(clip, helds, tmp_path):
    """Where nothing is registered the rough frame is the hand's, in which the box lies 10 cm along x."""
    make_shard(4, [clip], tmp_path / "4.npz", {"rounds": 0}, rehearsal=EXACT)
    T = torch.eye(4)
    T[0, 3] = 0.1
    for h in helds:
        torch.testing.assert_close(h.T_rough_obj, T, atol=1e-5, rtol=0)
        torch.testing.assert_close(h.T_hand_rough, torch.eye(4), atol=1e-5, rtol=0)
        hand = load_hand("left")(torch.zeros(1, 45), torch.zeros(1, 10)).vertices[0]
        torch.testing.assert_close(h.vertices_hand, hand, atol=1e-5, rtol=0)
        assert h.rough(torch.tensor([[0.1, 0.0, 0.0]])) < 0 < h.rough(torch.tensor([[0.1, 0.0, 0.1]]))


def test_the_truth_goes_with_a_registered_body(clip, helds, tmp_path):
    """However poses are registered, the camera sees the true object where it is."""
    make_shard(4, [clip], tmp_path / "4.npz", {"rounds": 2}, rehearsal=EXACT)
    for h in helds:
        T_hand_obj = h.T_hand_rough @ h.T_rough_obj
        assert float((T_hand_obj[:3, 3] - torch.tensor([0.1, 0.0, 0.0])).norm()) < 0.003
        assert h.rough(h.T_rough_obj[:3, 3][None]) < 0


def test_a_tracked_hand_is_off_as_said(clip, helds, tmp_path):
    noisy = EXACT | {"noise_scale": [1, 1], "betas": 0.3}
    make_shard(4, [clip], tmp_path / "4.npz", rehearsal=noisy, views_per_clip=1)
    hand = load_hand("left")(torch.zeros(1, 45), torch.zeros(1, 10)).vertices[0]
    off_m = (helds[0].vertices_hand - hand).norm(dim=-1)
    assert 0.0005 < float(off_m.mean()) < 0.03


def test_the_mean_of_poses_averages_their_noise_out():
    """Turns to and fro about the grasp, and shifts to and fro."""
    about, turn, shift = (
        torch.tensor([0.1, -0.05, 0.02]),
        torch.tensor([0.2, 0.3, -0.1]),
        torch.tensor([0.01, 0.0, -0.03]),
    )
    T = rigid(axis_angle_to_matrix(torch.tensor([0.5, 1.0, -0.4])), torch.tensor([0.03, 0.02, 0.1]))
    noise = []
    for sign in (-1, 1):
        R = axis_angle_to_matrix(sign * turn)
        noise += [rigid(R, about - R @ about), rigid(torch.eye(3), sign * shift)]
    torch.testing.assert_close(_mean(torch.stack(noise) @ T, about), T, atol=1e-6, rtol=0)
    torch.testing.assert_close(_mean((noise[0] @ T)[None], about), noise[0] @ T, atol=1e-6, rtol=0)
    some = torch.stack(noise[:3]) @ T
    there = transform(invert_rigid(some), about.expand(3, 1, 3))[:, 0].mean(0)
    torch.testing.assert_close(transform(_mean(some, about), there[None])[0], about, atol=1e-6, rtol=0)


def test_frames_far_from_the_object_are_left_out(clip, tmp_path):
    hands = dict(read_npz("given_hands", clip / "hands.npz"))
    hands["T_cam_hand"][0, 0, 3] -= 0.5
    write_npz("given_hands", clip / "hands.npz", **hands)
    make_shard(4, [clip], tmp_path / "4.npz")
    depth = read_npz("prior_renders", tmp_path / "4.npz")["object_depth"]
    assert len(depth) == 3 and all((d > 0).any() for d in depth)
    hands["T_cam_hand"][:, 0, 3] = -0.5
    write_npz("given_hands", clip / "hands.npz", **hands)
    with pytest.raises(DataFailure, match="nowhere near"):
        make_shard(4, [clip], tmp_path / "5.npz")


def test_frames_without_true_poses_are_left_out(clip, tmp_path):
    poses = dict(read_npz("true_poses", clip / "gt/poses.npz"))
    poses["T_cam_obj"][1, 0, 3] = 5
    write_npz("true_poses", clip / "gt/poses.npz", **poses, known=np.array([False, True]))
    with pytest.raises(DataFailure, match="nowhere near"):
        make_shard(4, [clip], tmp_path / "4.npz")


def test_a_clip_without_truth_is_refused(clip, tmp_path):
    (clip / "gt/object.ply").unlink()
    with pytest.raises(InputError, match="no true object"):
        make_shard(4, [clip], tmp_path / "4.npz")


class Place:
    """Shards and the outputs of a training in a folder."""

    def __init__(self, path):
        self.path = path
        self.held_out, self.shards = [path / "0.npz"], [path / "1.npz", path / "2.npz"]
        for i, p in enumerate((*self.held_out, *self.shards)):
            write_npz("prior_renders", p, **shard(10, seed=i))

    def train(self, name, seed=0, **changes):
        out = self.path / name
        train_prior(self.shards, self.held_out, data_config(), train_config(**changes), seed, 1, out / "checkpoint",
                    out / "weights", out / "history.parquet", out / "samples.png", out / "run.json")  # fmt: skip
        return out

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
    for name in ("weights/model.safetensors", "samples.png"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes(), name
    a, b = (pd.read_parquet(p / "history.parquet").drop(columns="seconds") for p in (whole, parts))
    pd.testing.assert_frame_equal(a, b)
    assert list(a["step"]) == [1, 2, 3, 4, 5, 6] and a["held_out_900"].notna().sum() == 2


def test_a_finished_training_says_what_it_is(place):
    out = place.train("done")
    record = json.loads((out / "run.json").read_text())
    assert record["steps"] == 6 and record["pictures"] == 20 and set(record["held_out"]) == set(CONDITIONS)
    card = (out / "weights/README.md").read_text()
    assert "20 pictures of" in card and "seed 0" in card and "| body + hand + category |" in card
    assert "| hand, beside neither |" in card
    assert Denoiser.load(out / "weights").spec.categories[0] == "object"
    assert not any((out / "checkpoint").iterdir()), "nothing is left to go on from"


@pytest.mark.parametrize("other", ["shards", "steps"])
def test_another_training_begins_anew_and_leaves_the_checkpoint_alone(place, monkeypatch, capsys, other):
    place.stop("run", monkeypatch)
    (kept,) = (place.path / "run/checkpoint").iterdir()
    changes = {"steps": {"steps": 3}}.get(other, {})
    if other == "shards":
        write_npz("prior_renders", place.shards[0], **shard(10, seed=9))
    begins_anew(place, kept, changes, capsys)


def test_a_truncated_checkpoint_is_refused(place, monkeypatch):
    place.stop("run", monkeypatch)
    (path,) = (place.path / "run/checkpoint").glob("*/state.safetensors")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match="a whole checkpoint"):
        place.train("run")


def test_a_training_that_diverges_stops_before_its_checkpoint_is_spoilt(place, monkeypatch):
    factors, error = iter([1.0, 1.0, float("nan")]), train.squared_error
    monkeypatch.setattr(train, "squared_error", lambda *given: next(factors) * error(*given))
    stops_whole(place, "train_prior")


def test_a_failed_clip_among_three_is_left_out_and_named(place, clip, monkeypatch, capsys):
    monkeypatch.delenv("HOI_RECORDS", raising=False)
    failure = DataFailure("hands/7.pickle", "no such file", "a hand", "take other frames", "prepare_clip")
    write_failure(clip, failure)
    place.shards.append(place.path / "3.npz")
    make_shard_by_command(3, clip, place.shards[-1])
    with pytest.raises(DataFailure, match=r"hands/7\.pickle"):
        read_npz("prior_renders", place.shards[-1])
    with pytest.raises(InputError, match=r"1 of 4 shards(.|\n)*hands/7\.pickle"):
        place.train("refused", left_out_most=0.2)
    record = json.loads((place.train("done", left_out_most=0.25) / "run.json").read_text())
    assert record["left_out"] == {"3.npz": "prepare_clip: hands/7.pickle: no such file"}
    assert record["shards"] == 2 and record["pictures"] == 20
    assert "leaves out" in capsys.readouterr().err


def test_categories_are_the_six_and_those_of_the_shards(place):
    """Clips of two objects beside three made ones; what is held out alone is not known."""
    write_npz("prior_renders", place.held_out[0], **shard(10, category=["spoon"] * 10))
    for path, category, instance in (
        (place.shards[0], ["scissors"] * 10, [OF_CLIP] * 10),
        (place.shards[1], ["mug"] * 5 + ["bowl"] * 5, [0, 1] * 5),
        (place.path / "3.npz", ["drill"] * 10, [OF_CLIP] * 10),
    ):
        write_npz("prior_renders", path, **shard(10, category=category, instance=instance))
    place.shards.append(place.path / "3.npz")
    out = place.train("done")
    known = list(Denoiser.load(out / "weights").spec.categories)
    assert known == ["object", "mug", "bottle", "kettle", "bowl", "knife", "toycar", "drill", "scissors"]
    record = json.loads((out / "run.json").read_text())
    held = {"shards": 3, "pictures": 30, "instances": 4, "clips": 2, "categories": known}
    assert held.items() <= record.items()


def test_shards_are_counted_without_their_pictures(place, monkeypatch):
    asked = []
    monkeypatch.setattr("hoi.artefacts.load_arrays", lambda path, keys: asked.append(keys) or load_arrays(path, keys))
    assert contents(place.shards)[0]["pictures"] == 20
    assert asked == [("category", "instance")] * 2


def test_without_a_held_out_shard_nothing_is_trained(place):
    write_failure(place.held_out[0], DataFailure("a clip", "no hand", "a hand", "look", "prepare_clip"))
    with pytest.raises(InputError, match="held_out"):
        place.train("run", left_out_most=0.5)


def test_too_few_pictures_for_a_batch_are_refused(place):
    with pytest.raises(InputError, match="batch"):
        place.train("run", batch=64)
    assert torch.get_num_threads() == 1


def test_a_memory_is_of_training_objects_that_a_hand_can_hold(tmp_path, monkeypatch):
    monkeypatch.setattr("hoi.stages.prior_memory.CATEGORIES", ["bottle", "bowl"])
    settings, grasp = (
        PriorMemory(first=3, instances=1, further=1, grasps_most=1, points=50),
        CONFIG["prior_data"]["grasp"],
    )
    prior_memory(settings, GraspSettings(**grasp), tmp_path / "memory.npz")
    found = read_npz("prior_memory", tmp_path / "memory.npz")
    assert list(found["category"]) == ["bottle", "bowl", "bottle"] and list(found["seed"]) == [3, 3, 200_000]
    assert found["points"].shape == (3, 50, 3) and list(found["held"]) == [0, 1, 2]
    with pytest.raises(InputError, match="no accepted grasp"):
        prior_memory(settings, GraspSettings(**grasp | {"contact_m": 1e-9}), tmp_path / "none.npz")

"""A killed fit goes on from its checkpoint, and gives what it would have given; no other fit does."""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hoi.artefacts import read_json, write_npz
from hoi.checkpoint import Checkpoint
from hoi.cli import main
from hoi.errors import DataFailure
from hoi.fit import Observations, State
from hoi.stages.fit_clip import Session, _body
from tests.unit.fit.test_fit import _scene
from tests.unit.fit.test_state import _small

MADE = {"mesh": "object.ply", "poses": "poses.npz", "history": "history.parquet", "scene": "scene.glb"}
KILLED = """
import os, signal
from hoi.checkpoint import Checkpoint
from hoi.cli import main

write = Checkpoint.write

def write_and_die(*given):
    write(*given)
    os.kill(os.getpid(), signal.SIGKILL)

Checkpoint.write = write_and_die
main()
"""


def _words(folder: Path, out: Path, **changes: object) -> list[str]:
    """The command that fits the clip in `folder` into `out`, offered a checkpoint at every second step."""
    config = _small(0).model_copy(update={"checkpoint_minutes": 1e-9} | changes)
    files = {name: out / file for name, file in (MADE | {"run": "run.json", "checkpoint": "checkpoint"}).items()}
    files |= {"clip": folder, "hands": folder / "tracked.npz", "masks": folder / "masks.npz"}
    named = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    return ["fit_clip", "--prior", "--config", config.model_dump_json(), "--seed", "3", "--threads", "1", *named]


def _write(folder: Path, observed: Observations) -> None:
    write_npz("hands", folder / "tracked.npz", **observed.hands)
    masks = {"object": observed.object_mask, "hand": observed.hand_mask, "confidence": observed.confidence}
    write_npz("masks", folder / "masks.npz", **masks)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip; the undisturbed fit of it lies in its folder `whole`."""
    folder = tmp_path_factory.mktemp("clip")
    _write(folder, _scene())
    main(_words(folder, folder / "whole"))
    return folder


@pytest.fixture(scope="module")
def died(clip, tmp_path_factory):
    """Where a fit of the clip was killed at its first checkpoint."""
    out = tmp_path_factory.mktemp("died")
    done = subprocess.run([sys.executable, "-c", KILLED, *_words(clip, out)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [p.name for p in out.iterdir()] == ["checkpoint"]
    return out


@pytest.fixture
def killed(died, tmp_path):
    """The same, a test's own."""
    return shutil.copytree(died, tmp_path / "fit")


def _same(clip: Path, out: Path) -> bool:
    return all((out / name).read_bytes() == (clip / "whole" / name).read_bytes() for name in MADE.values())


def test_a_killed_fit_goes_on_to_the_same_bits(clip, killed, capsys, monkeypatch):
    taken = []
    monkeypatch.setattr(Checkpoint, "write", lambda self, state, session: taken.append(session["facts"]["step"]))
    main(_words(clip, killed))
    assert taken == [4, 6], "killed at step 2, and not begun anew"
    assert _same(clip, killed) and "anew" not in capsys.readouterr().err
    assert not (killed / "checkpoint").exists() and not (clip / "whole/checkpoint").exists()


def test_a_checkpoint_of_another_fit_is_left_aside(clip, killed, capsys):
    other = _words(clip, killed)
    other[other.index("--seed") + 1] = "4"
    main(other)
    assert "starts anew" in capsys.readouterr().err
    assert read_json(killed / "run.json")["seed"] == 4 and not _same(clip, killed)
    assert not (killed / "checkpoint").exists()


def test_a_damaged_checkpoint_costs_no_more_than_itself(clip, killed, capsys):
    (path,) = killed.glob("checkpoint/*/state.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    main(_words(clip, killed))
    assert "starts anew" in capsys.readouterr().err and _same(clip, killed)


@pytest.mark.parametrize(
    "error, kept", [(DataFailure("mesh", "nothing", "a surface", "look"), False), (OSError(), True)]
)
def test_a_checkpoint_goes_where_the_data_ended_the_fit_and_stays_where_the_disk_did(tmp_path, error, kept):
    own = Checkpoint(tmp_path / "checkpoint/fit")
    with pytest.raises(type(error)), Session(own, 0.0) as session:
        session.keep(lambda: State({}, {"step": 2}))
        raise error
    again = Session(own, 0.0)
    assert again.resumed() == (State({}, {"step": 2}) if kept else None)
    assert (again.before > 0) is kept, "the seconds that went into it count"


@pytest.mark.parametrize(
    "terms, body",
    [
        ([{"guess": 1.0}, {"guess": 1.0}], "none"),
        ([{"guess": 1.0, "prior": 2.0}, {"guess": 1.0}], "imagined"),
        ([{"prior": 2.0}, {"recalled": 1.0, "bend": 0.0}], "recalled"),
    ],
)
def test_the_record_says_whence_the_body_is(terms, body):
    """The second: a score that is distilled in every other step, not in the last."""
    assert _body(pd.DataFrame(terms)) == body


def test_nothing_is_written_before_it_is_time(tmp_path):
    session = Session(Checkpoint(tmp_path / "fit"), 60.0)
    session.keep(lambda: State({}, {}))
    assert session.resumed() is None
    session.saved -= 61
    session.keep(lambda: State({}, {}))
    assert session.resumed() == State({}, {})


@pytest.mark.parametrize("changed", ["tracked.npz", "masks.npz"])
def test_a_fit_of_another_input_does_not_go_on(clip, killed, tmp_path, changed, capsys):
    other = tmp_path / "other"
    shutil.copytree(clip, other, ignore=shutil.ignore_patterns("whole"))
    scene = _scene()
    trusted = replace(scene, confidence=0.9 * scene.confidence)
    shaken = replace(scene, hands=scene.hands | {"betas": scene.hands["betas"] + np.float32(0.01)})
    _write(other, trusted if changed == "masks.npz" else shaken)
    main(_words(other, killed))
    assert "starts anew" in capsys.readouterr().err

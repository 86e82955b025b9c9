"""A training that is stopped half-way."""

from contextlib import contextmanager

import pandas as pd
import pytest
from safetensors.torch import load_file

from hoi.errors import InputError

WEIGHTS = "weights/model.safetensors"


@contextmanager
def stopped_in_its_fifth_step(trainer, monkeypatch):
    """A training by this class, as if Ctrl-C had met it."""
    step, calls = trainer.step, []

    def killed(training, batch):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return step(training, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trainer, "step", killed)
        yield


def stops_whole(place, stage):
    """A training whose third loss is NaN, and that saves more often than it logs, leaves the state of the second step."""
    with pytest.raises(InputError, match=rf"nan(.|\n)*step 3(.|\n)*finite losses(.|\n)*{stage}.rate(.|\n)*starts anew"):
        place.train("run", log_every=100)
    (path,) = (place.path / "run/checkpoint").glob("*/state.safetensors")
    state = load_file(path)
    assert int(state["step"]) == 2 and all(tensor.isfinite().all() for tensor in state.values())


def begins_anew(place, kept, changes, capsys):
    """A changed training in the folder of a stopped one gives what it gives elsewhere, and leaves the checkpoint alone."""
    run = place.train("run", **changes)
    assert f"{kept}/state.safetensors: of other data, settings or code" in capsys.readouterr().err
    assert list((run / "checkpoint").iterdir()) == [kept]
    anew = place.train("anew", **changes)
    assert (run / WEIGHTS).read_bytes() == (anew / WEIGHTS).read_bytes()
    assert pd.read_parquet(run / "history.parquet")["step"].max() == changes.get("steps", 6)

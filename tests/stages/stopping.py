"""A training that is stopped half-way."""

from contextlib import contextmanager

import pandas as pd
import pytest

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


def begins_anew(place, kept, changes, capsys):
    """A changed training in the folder of a stopped one gives what it gives elsewhere, and leaves the checkpoint alone."""
    run = place.train("run", **changes)
    assert f"{kept}/state.safetensors: of other data, settings or code" in capsys.readouterr().err
    assert list((run / "checkpoint").iterdir()) == [kept]
    anew = place.train("anew", **changes)
    assert (run / WEIGHTS).read_bytes() == (anew / WEIGHTS).read_bytes()
    assert pd.read_parquet(run / "history.parquet")["step"].max() == changes.get("steps", 6)

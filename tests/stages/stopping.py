"""A training that is stopped half-way."""

from contextlib import contextmanager

import pytest


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

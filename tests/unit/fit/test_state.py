"""A fit goes on from where it was saved as if it had never stopped, bit by bit."""

import numpy as np
import pytest

from hoi.checkpoint import Checkpoint
from hoi.config import FitClip
from hoi.fit import Fit, Prior, State, fit
from hoi.fit.told import Teller

from ..prior.scenes import denoiser
from .test_fit import _scene, _settings, _silent
from .test_recall import _ball


def _small(weight: float, **prior: object) -> FitClip:
    """A fit that starts quickly, renewed at every second step, its poses free from the third, with the prior so weighted."""
    settings = _settings(
        steps=8, warm_steps=3, refresh=2, log_every=3, grid_cells=24, mesh_cells=24, average=0.6
    ).model_dump()
    settings["prior"] |= prior
    settings["weights"]["prior"] = weight
    settings["start"] |= {"inflations": 1, "cells": 16, "steps": 5, "teach_steps": 80}
    settings["outline"]["frames"] = 0
    return FitClip(**settings)


def _states(settings: FitClip, prior: Prior | None) -> tuple[Fit, list[State]]:
    """A whole fit, and all that it offered to keep."""
    states: list[State] = []
    return fit(_scene(), settings, 3, _silent, prior, keep=lambda state: states.append(state())), states


def _assert_same(a: Fit, b: Fit) -> None:
    assert np.array_equal(a.mesh.vertices, b.mesh.vertices) and np.array_equal(a.mesh.faces, b.mesh.faces)
    assert all(np.array_equal(a.poses[key], b.poses[key]) for key in a.poses)
    assert a.history.equals(b.history)


def test_a_fit_goes_on_before_and_after_its_poses_are_free(tmp_path):
    settings = _small(0)
    whole, states = _states(settings, None)
    assert [s.facts["step"] for s in states] == [2, 4, 6]
    checkpoint = Checkpoint(tmp_path)
    for state in states[::2]:
        checkpoint.write(state.tensors, state.facts)
        facts, tensors = checkpoint.read()
        _assert_same(fit(_scene(), settings, 3, _silent, saved=State(tensors, facts)), whole)


def test_a_recalled_body_is_not_asked_for_again(monkeypatch):
    asked = []
    monkeypatch.setattr(Teller, "recalled", lambda self, seen: asked.append(1) or _ball(24))
    settings, prior = _small(1.0, bodies=["recalled"]), Prior(denoiser, "bottle")
    whole, states = _states(settings, prior)
    assert "bend" in whole.history and asked == [1]
    _assert_same(fit(_scene(), settings, 3, _silent, prior, saved=states[-1]), whole)
    assert asked == [1]


def test_what_is_recalled_is_not_given_up_for_what_is_imagined_later(monkeypatch):
    once = iter([_ball(24)])
    monkeypatch.setattr(Teller, "recalled", lambda self, seen: next(once, None))
    monkeypatch.setattr(Teller, "imagined", lambda *_: _ball(24))
    settings = _small(1.0, bodies=["recalled", "imagined"], renewals=2)
    assert "bend" in fit(_scene(), settings, 3, _silent, Prior(denoiser, "bottle")).history.iloc[-1].dropna()


@pytest.mark.parametrize("method, renewals", [("views", 1), ("views", 2), ("score", 1)])
def test_a_prior_goes_on_drawing_where_it_was(method, renewals):
    """From step 2, after pictures of novel views at step 0: none are drawn again, or others at step 4, or a view at each."""
    small = {
        "bodies": ["imagined"],
        "views": 2,
        "steps": 1,
        "cells": 8000,
        "agree": 0.0,
        "noise_start": 0.02,
        "noise_end": 0.02,
    }
    settings, prior = _small(1.0, method=method, renewals=renewals, **small), Prior(denoiser, "bottle")
    whole, states = _states(settings, prior)
    assert whole.history["prior"].notna().any()
    _assert_same(fit(_scene(), settings, 3, _silent, prior, saved=states[0]), whole)

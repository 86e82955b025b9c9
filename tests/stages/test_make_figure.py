"""The figure stage on small files."""

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from hoi.artefacts import write_failure
from hoi.config import MakeFigure
from hoi.errors import DataFailure, InputError
from hoi.stages import make_figure as stage


@pytest.fixture
def drawn(monkeypatch):
    """The figures that a stage would write."""
    figures = []
    monkeypatch.setattr(stage, "write_figure", lambda pdf, png, figure: figures.append(figure))
    return figures


def run(tmp_path, config, names):
    scores = [tmp_path / f"{name.replace('/', '_')}.json" for name in names]
    meshes = [tmp_path / name / "object.ply" for name in names]
    poses, histories = ([tmp_path / name / file for name in names] for file in ("poses.npz", "history.parquet"))
    clips = [tmp_path] * len(names)
    stage.make_figure(names, scores, meshes, poses, histories, clips, config, 0, tmp_path / "a.pdf", tmp_path / "a.png")


def test_error_along_a_setting(tmp_path, drawn):
    names = [f"{v}/{c}" for v in ("a", "b") for c in ("m", "n", "o")]
    for i, name in enumerate(names):
        (tmp_path / f"{name.replace('/', '_')}.json").write_text(json.dumps({"f5": i / 10}))
    config = MakeFigure(kind="error", variants=["a", "b"], x=[0, 5], x_label="noise", metric="f5")
    run(tmp_path, config, names)
    axes = drawn[0].axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[0, 0.1], [5, 0.4]])  # means of 0, 1, 2 and 3, 4, 5 tenths
    with pytest.raises(ValidationError, match="1 values of x for 2 variants"):
        MakeFigure(kind="error", variants=["a", "b"], x=[0], metric="f5")
    with pytest.raises(ValidationError, match="no such metric; one of f5"):
        MakeFigure(kind="error", variants=["a"], x=[0], metric="f55")


def test_losses_are_medians_over_the_clips_that_did_not_fail(tmp_path, drawn):
    names = ["a/m", "a/n", "a/o"]
    for i, name in enumerate(names):
        (tmp_path / name).mkdir(parents=True)
        history = pd.DataFrame({"step": [0, 10], "objective": [4.0 + i, 1.0 + i]})
        history.to_parquet(tmp_path / name / "history.parquet")
    write_failure(tmp_path / "a/o/history.parquet", DataFailure("a", "b", "c", "d"))
    (tmp_path / "b/o").mkdir(parents=True)
    write_failure(tmp_path / "b/o/history.parquet", DataFailure("a", "b", "c", "d"))
    run(tmp_path, MakeFigure(kind="losses", variants=["a", "b"]), [*names, "b/o"])
    assert len(drawn[0].axes[0].lines) == 1, "a variant whose clips all failed has no curve"
    np.testing.assert_allclose(drawn[0].axes[0].lines[0].get_xydata(), [[0, 4.5], [10, 1.5]])
    with pytest.raises(InputError, match="nothing"):
        run(tmp_path, MakeFigure(kind="losses", variants=["a"], metric="nothing"), names)

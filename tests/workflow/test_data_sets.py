"""Published data sets under the workflow: what is missing stops its clip, and the same command goes on when it is there."""

import shutil

import pytest

pytest.importorskip("smplx")

from tests.unit.hand.synthetic_mano import write_mano
from tests.unit.sources.trees import ho3d_tree, make_scene

CLIP = "results/clips/cup"
WORDS = (CLIP, "--configfile", "config/config.yaml", "config/mine.yaml")


def test_a_data_set_that_comes_later_is_read_by_the_same_command(checkout):
    (checkout.path / "config/mine.tsv").write_text("clip\tsource\tpath\tcategory\ncup\tho3d\t../data/train/MC1\tmug\n")
    (checkout.path / "config/mine.yaml").write_text("clips: config/mine.tsv\nhand: {model: mano, files: data/mano}\n")
    log, clip = checkout.path / "results/logs/prepare_clip/cup.log", checkout.path / CLIP
    checkout.run(*WORDS, fails=True)
    assert "data/train/MC1" in log.read_text() and not clip.exists()
    ho3d_tree(checkout.path / "data", make_scene())
    checkout.run(*WORDS, fails=True)
    assert "MANO_RIGHT.pkl" in log.read_text() and not clip.exists()
    (checkout.path / "data/mano").mkdir()
    write_mano(checkout.path / "data/mano", "right")
    checkout.run(*WORDS)
    assert (clip / "hands.npz").exists() and not (clip / "failure.json").exists()
    shutil.rmtree(checkout.path / "data")
    assert "Nothing to be done" in checkout.run("--dry-run", *WORDS), (
        "results stay without the data that they were made of"
    )

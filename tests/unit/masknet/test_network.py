from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hoi.errors import InputError
from hoi.imports import PACKAGE, shipped_masks
from hoi.masknet.network import MaskNet

from ..observe.conftest import FLAT


@pytest.fixture
def net(settings):
    torch.manual_seed(0)
    return MaskNet(settings.network).eval()


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    lab, moving = rng.integers(0, 256, (10, 80, 100, 3), np.uint8), rng.normal(0, 1, (10, 80, 100)).astype(np.float32)
    return lab, moving, np.tile(12 * FLAT + (50, 50), (10, 1, 1)), np.full(10, 12.0)


def test_probabilities_are_of_three_labels_and_say_nothing_beyond_the_square(net, frames):
    q = net.probabilities(*frames)
    assert q.shape == (10, 80, 100, 3)
    np.testing.assert_allclose(q.sum(-1), 1, atol=1e-5)
    assert (q[:, 5, 5] == np.float32(1 / 3)).all()
    assert (q[:, 45, 50] != np.float32(1 / 3)).all()


@pytest.mark.parametrize("label, wider", [(1, False), (2, True)])
def test_an_object_that_the_square_cuts_off_is_seen_in_a_wider_one(net, frames, label, wider):
    with torch.no_grad():
        net.last[-1].bias[label] = 50.0
    said = net.probabilities(*frames)[..., label] > 0.9
    side = 2 * net.network.reach * 12
    assert (side < said.sum(2).max() <= 1.5 * side) == wider


def test_frames_do_not_mind_each_other(net, frames):
    alone = net.probabilities(*(x[9:] for x in frames))
    np.testing.assert_allclose(net.probabilities(*frames)[9:], alone, atol=1e-6)


def test_a_saved_network_is_the_same(net, frames, tmp_path):
    net.save(tmp_path / "weights", "A card.\n")
    assert (tmp_path / "weights/README.md").read_text() == "A card.\n"
    again = MaskNet.load(tmp_path / "weights")
    np.testing.assert_array_equal(again.probabilities(*frames), net.probabilities(*frames))


def test_weights_of_another_network_are_refused(net, settings, tmp_path):
    net.save(tmp_path / "a", "")
    MaskNet(settings.network.model_copy(update={"widths": (8, 24)})).save(tmp_path / "b", "")
    (tmp_path / "a/model.safetensors").write_bytes((tmp_path / "b/model.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"model\.safetensors(.|\n)*train_masks"):
        MaskNet.load(tmp_path / "a")


def test_a_damaged_file_and_a_foreign_config_are_refused(net, tmp_path):
    net.save(tmp_path / "a", "")
    config = (tmp_path / "a/config.json").read_text()
    (tmp_path / "a/config.json").write_text(config.replace('"groups"', '"grups"'))
    with pytest.raises(InputError, match="grups"):
        MaskNet.load(tmp_path / "a")
    (tmp_path / "a/config.json").write_text(config)
    whole = (tmp_path / "a/model.safetensors").read_bytes()
    (tmp_path / "a/model.safetensors").write_bytes(whole[:-40])
    with pytest.raises(InputError, match=r"model\.safetensors"):
        MaskNet.load(tmp_path / "a")


def test_the_weights_that_ship_are_small_and_of_the_config():
    folder = Path(shipped_masks())
    config = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())
    assert MaskNet.load(folder).network.model_dump(mode="json") == config["train_masks"]["network"]
    assert (folder / "model.safetensors").stat().st_size < 4e6

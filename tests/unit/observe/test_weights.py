"""Checkpoints of others: read as plain data, refused where they do not fit."""

import pickle

import pytest
import torch

from hoi.errors import InputError
from hoi.observe import pretrained


@pytest.fixture
def network():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth"])
def test_weights_are_read(network, tmp_path, name):
    other = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    save(tmp_path / name, other.state_dict())
    pretrained.load_weights(network, tmp_path / name)
    torch.testing.assert_close(network[1].weight, other[1].weight)


def save(path, weights):
    if path.suffix == ".pkl":  # as the model zoo's files: numpy arrays, and who made them
        content = {"model": {k: v.numpy() for k, v in weights.items()}, "__author__": "them"}
        path.write_bytes(pickle.dumps(content, 2))
    else:
        torch.save({"model": weights}, path)


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth"])
@pytest.mark.parametrize("change", ["missing", "shape"])
def test_a_checkpoint_of_another_architecture_is_refused(network, tmp_path, name, change):
    weights = network.state_dict()
    if change == "missing":
        del weights["1.weight"]
    else:
        weights["1.weight"] = torch.zeros(2, 5)
    save(tmp_path / name, weights)
    with pytest.raises(InputError, match=r"another architecture(.|\n)*1\.weight"):
        pretrained.load_weights(network, tmp_path / name)


class FrozenNorm(torch.nn.Module):
    """As detectron2's FrozenBatchNorm2d: all of it buffers."""

    def __init__(self):
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((3,), value))


@pytest.mark.parametrize("lost", ["weight", "bias"])
def test_a_frozen_norm_without_its_scale_is_refused(tmp_path, lost):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), FrozenNorm())
    weights = model.state_dict()
    del weights[f"1.{lost}"]
    save(tmp_path / "w.pth", weights)
    with pytest.raises(InputError, match=rf"another architecture(.|\n)*1\.{lost}"):
        pretrained.load_weights(model, tmp_path / "w.pth")


def test_a_frozen_norm_takes_its_scale_and_may_lack_statistics(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), FrozenNorm())
    weights = {k: v + 2 for k, v in model.state_dict().items() if "running" not in k}
    save(tmp_path / "w.pth", weights)
    pretrained.load_weights(model, tmp_path / "w.pth")
    torch.testing.assert_close(model[1].weight, torch.full((3,), 3.0))
    torch.testing.assert_close(model[1].running_var, torch.ones(3))


def test_missing_weights_are_named(network, tmp_path):
    with pytest.raises(InputError, match=r"mask_clip\.detectron2\.weights"):
        pretrained.load_weights(network, tmp_path / "none.pkl")


@pytest.mark.parametrize("content", [b"", b"hello there"])
def test_what_is_no_checkpoint_is_refused(network, tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match="plain checkpoint"):
        pretrained.load_weights(network, tmp_path / "w.pth")

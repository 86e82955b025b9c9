import torch

from hoi.fit.average import Average
from hoi.fit.optimise import Optimisation

from .test_fit import _scene, _settings


def test_mean_by_hand():
    value, average = torch.tensor([1.0, 4.0]), Average()
    average.give([value])
    assert value.tolist() == [1, 4], "of nothing"
    average.add([value])
    value.copy_(torch.tensor([2.0, 8.0]))
    average.add([value])
    value.copy_(torch.tensor([6.0, 0.0]))
    average.add([value])
    average.give([value])
    torch.testing.assert_close(value, torch.tensor([3.0, 4.0]))


def test_a_fit_is_the_mean_of_its_last_steps():
    settings = _settings(steps=4, warm_steps=1, refresh=2, grid_cells=16, average=0.5)
    fit, seen = Optimisation(_scene(), settings, 0, torch.device("cpu"), None), []
    for step in range(4):
        fit.step(step)
        seen.append([value.detach().clone() for value in fit.learned()])
    assert any((third != last).any() for third, last in zip(*seen[2:], strict=True))
    fit.finish()
    for value, third, last in zip(fit.learned(), *seen[2:], strict=True):
        torch.testing.assert_close(value.detach(), (third + last) / 2, atol=1e-6, rtol=1e-5)

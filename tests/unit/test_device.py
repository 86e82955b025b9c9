"""Which device computes is chosen in one place and said; records name the one that did."""

import pytest
import torch

from hoi.device import choose_device
from hoi.records import device


@pytest.mark.parametrize(
    ("seen", "of_use", "chosen", "said"),
    [
        (False, True, "cpu", "torch sees no GPU"),
        (False, False, "cpu", "CPU"),
        (True, False, "cpu", "CPU"),
        (True, True, "cuda", "the fit computes on H1"),
    ],
)
def test_the_device_is_chosen_and_said(monkeypatch, capsys, seen, of_use, chosen, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "H1")
    assert choose_device("the fit", of_use).type == chosen
    told = capsys.readouterr().err
    assert said in told and ("no GPU" in told) == (of_use and not seen) and told.count("\n") == 1


@pytest.mark.parametrize("used", [True, False])
def test_a_record_names_the_gpu_only_if_something_ran_on_it(monkeypatch, used):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: used)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "H1")
    assert (device() == "H1") == used

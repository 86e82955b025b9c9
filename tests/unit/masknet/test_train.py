import numpy as np
import pytest
import torch
from torch.nn import functional

from hoi.masknet.train import Rows, Trainer, held_out_iou, objective

from ..observe.conftest import FLAT
from .conftest import made_rows


@pytest.fixture
def rows():
    return Rows([made_rows(3, FLAT, 0), made_rows(5, FLAT, 1)])


def test_rows_are_counted_through_shards(rows):
    assert len(rows) == 8
    np.testing.assert_array_equal(rows[4]["label"], rows.shards[1]["label"][1])
    np.testing.assert_array_equal(rows[2]["label"], rows.shards[0]["label"][2])


def test_a_step_draws_the_same_whenever_it_is_taken(rows, settings):
    following = rows.batches(3, settings, 0)
    next(following)
    for a, b in zip(next(following), rows.drawn(4, settings, 0), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(rows.drawn(4, settings, 0)[0], rows.drawn(4, settings, 1)[0])


def test_the_objective_is_least_for_the_truth_and_blind_beyond_the_frame():
    label = torch.zeros(2, 8, 8, dtype=torch.long)
    label[:, :4], label[:, 4:, :4], label[:, :, 7] = 1, 2, 255
    right = 20 * functional.one_hot(label.clamp(max=2), 3).permute(0, 3, 1, 2).float()
    assert objective(right, label, 0.3) < 1e-3
    other = right.clone()
    other[..., 7] = 5 * torch.randn(2, 3, 8)
    torch.testing.assert_close(objective(other, label, 0.3), objective(right, label, 0.3))
    assert objective(torch.zeros_like(right), label, 0.0) == pytest.approx(np.log(3), rel=1e-5)
    assert objective(-right, label, 0.3) > 10


def test_what_differs_in_colour_is_learned(rows, settings):
    trainer = Trainer(settings.model_copy(update={"steps": 60, "rate": 0.01}), 0)
    judged = rows.spread(8, settings)
    before = held_out_iou(trainer.average, judged)
    for step in range(60):
        trainer.step(rows.spread(8, settings) if step % 2 else rows.drawn(step, settings, 0))
    after = held_out_iou(trainer.average, judged)
    assert after["object"] > max(0.6, before["object"]) and after["hand"] > max(0.6, before["hand"])


def test_training_goes_on_exactly(rows, settings):
    whole, first, second = Trainer(settings, 0), Trainer(settings, 0), Trainer(settings, 1)
    for step in range(4):
        whole.step(rows.drawn(step, settings, 0))
        if step < 2:
            first.step(rows.drawn(step, settings, 0))
    second.restore(first.state())
    for step in range(2, 4):
        second.step(rows.drawn(step, settings, 0))
    for (name, a), b in zip(whole.net.named_parameters(), second.net.parameters(), strict=True):
        assert torch.equal(a, b), name
    for a, b in zip(whole.average.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b)

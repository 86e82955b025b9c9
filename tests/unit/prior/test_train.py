import numpy as np
import pytest
import torch
import yaml

from hoi.config import TrainPrior
from hoi.imports import PACKAGE
from hoi.prior.samples import Channels
from hoi.prior.train import Trainer, draw, held_out_losses, level_weight, v_target

from .scenes import NETWORK, denoiser, spec

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["train_prior"]
CPU = torch.device("cpu")


def settings(**changes):
    return TrainPrior.model_validate(CONFIG | {"batch": 4, "network": NETWORK.model_dump()} | changes)


def batch(count=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 5, 16, 16, generator=g) * 0.3
    return Channels(x, torch.randn(count, 7, 16, 16, generator=g), torch.arange(count) % 3)


def test_v_gives_back_noise_and_picture():
    d, b, t = denoiser(), batch(2), torch.tensor([100, 800])
    noise = torch.randn(b.x.shape)
    v, (signal, sigma) = v_target(d, b.x, noise, t), d.signal_and_noise(t)
    x_t = d.add_noise(b.x, noise, t)
    assert torch.allclose(signal * v + sigma * x_t, noise, atol=1e-5)
    assert torch.allclose(signal * x_t - sigma * v, b.x, atol=1e-5)


def test_level_weights_by_hand():
    # ᾱ 0.9: 1 / (1 - ᾱ) = 10, capped at 5, times 0.1; ᾱ 0.5: 2 times 0.5; ᾱ 0: 1
    weight = level_weight(torch.tensor([0.9, 0.5, 0.0]), 5.0)
    assert torch.allclose(weight, torch.tensor([0.5, 1.0, 1.0]))


def test_draws_depend_on_seed_and_step_alone_and_cover_all_levels():
    d, s = denoiser(), settings()
    a, b, other = (draw(batch(), d, s, 0, step) for step in (5, 5, 6))
    assert torch.equal(a.noise, b.noise) and torch.equal(a.t, b.t) and not torch.equal(a.noise, other.noise)
    assert sorted((a.t // 250).tolist()) == [0, 1, 2, 3], "one level in each quarter"


def test_shares_of_dropped_conditions():
    d, s = denoiser(), settings(category_dropout=0.2, hand_dropout=0.1, unnamed=0.5)
    big = Channels(torch.zeros(4000, 5, 16, 16), torch.zeros(4000, 7, 16, 16), torch.ones(4000, dtype=torch.long))
    drawn = draw(big, d, s, 0, 0)
    assert float((drawn.category == d.null_category).float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float((drawn.category == 0).float().mean()) == pytest.approx(0.8 * 0.5, abs=0.03)
    assert float((drawn.shown == 0).float().mean()) == pytest.approx(0.1, abs=0.03)


def test_training_learns_one_batch():
    trainer, b = Trainer(spec(), settings(rate=0.003, warm_steps=5), 0, CPU), batch()
    losses = [trainer.step(b) for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_a_restored_training_goes_on_exactly():
    data = [batch(seed=k) for k in range(8)]
    whole = Trainer(spec(), settings(), 0, CPU)
    losses = [whole.step(b) for b in data]
    half = Trainer(spec(), settings(), 0, CPU)
    for b in data[:4]:
        half.step(b)
    rest = Trainer(spec(), settings(), 0, CPU)
    rest.restore({k: v.clone() for k, v in half.state().items()})
    assert [rest.step(b) for b in data[4:]] == losses[4:]
    for key, value in whole.state().items():
        assert torch.equal(value, rest.state()[key]), key


def test_the_running_average_follows_the_weights():
    trainer = Trainer(spec(), settings(average_power=1.0), 0, CPU)
    name = next(iter(trainer.named))
    seen = []
    for k in range(3):
        trainer.step(batch(seed=k))
        seen.append(trainer.named[name].detach().clone())
    # power 1: β = 0, (1/2)², (2/3)²
    expected = seen[0]
    for n, w in ((2, seen[1]), (3, seen[2])):
        keep = (1 - 1 / n) ** 2
        expected = keep * expected + (1 - keep) * w
    assert torch.allclose(trainer.state()[f"average/{name}"], expected, atol=1e-6)


def test_held_out_losses_of_conditions():
    d, b = denoiser(), batch(6)
    losses = {c: held_out_losses(d, b, [100, 900], c, 0) for c in ("hand + category", "hand", "category", "neither")}
    assert all(v.shape == (2, 6) for v in losses.values())
    assert len({float(v.sum()) for v in losses.values()}) == 4
    again = held_out_losses(d, b, [100, 900], "hand", 0)
    assert np.array_equal(again, losses["hand"])


def test_a_perfect_denoiser_has_no_held_out_loss(monkeypatch):
    d, b = denoiser(), batch(6)

    def perfect(x_t, hand, category, t, guidance=1.0):
        signal, sigma = d.signal_and_noise(t)
        return (x_t - signal * b.x) / sigma

    monkeypatch.setattr(d, "predict_noise", perfect)
    assert held_out_losses(d, b, [500], "hand", 0).max() < 1e-8

import numpy as np
import pytest
import torch
import yaml

from hoi.config import TrainPrior
from hoi.imports import PACKAGE
from hoi.prior.samples import Channels
from hoi.prior.train import CONDITIONS, Draws, Trainer, draw, held_out_losses, interval, judged, shown, squared_error

from .scenes import NETWORK, denoiser, spec

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["train_prior"]
CPU = torch.device("cpu")


def settings(**changes):
    return TrainPrior.model_validate(CONFIG | {"batch": 4, "network": NETWORK.model_dump()} | changes)


def batch(count=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 5, 16, 16, generator=g) * 0.3
    return Channels(x, torch.randn(count, 12, 16, 16, generator=g), torch.arange(count) % 3)


def test_squared_error_by_hand(monkeypatch):
    """A network that says 0 errs by what the linear guess leaves open, in its units."""
    d, b = denoiser(), batch(1)
    x = torch.zeros_like(b.x) + d.mean + 0.2
    drawn = Draws(torch.zeros_like(x), torch.tensor([400]), torch.tensor([0]), torch.ones(1, 12, 1, 1))
    monkeypatch.setattr(d, "forward", lambda x_t, given, category, t: torch.zeros_like(x_t))
    a, v = float(d.alpha_bar[400]), np.array([0.39, 0.22, 0.22, 0.28, 0.28]) ** 2
    spread_sq = a * v + 1 - a
    off = 0.2 * (1 - a * v / spread_sq)  # x less its linear guess from x_t = a^(1/2) x
    error_sq = (1 - a) * v / spread_sq
    sample = Channels(x, 0 * b.given, b.category)
    assert float(squared_error(d, sample, drawn, 1e9)) == pytest.approx(float((off**2 / error_sq).mean()), rel=1e-4)
    assert float(squared_error(d, sample, drawn, 1e-3)) == pytest.approx(1e-3 * float((off**2).mean()), rel=1e-4)


def test_a_linear_guess_is_the_best_one():
    """Over pixels of the assumed means, deviations and correlation, its error is the one it tells, and depends neither on x_t
    nor on the rough body."""
    d, t, g = denoiser(), torch.full((4,), 500), torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 4, 5, 200, 200, generator=g)
    scale = d.variance.sqrt()
    x, rough = d.mean + scale * one, d.mean + scale * (d.follows * one + (1 - d.follows**2).sqrt() * other)
    x_t = d.add_noise(x, torch.randn(x.shape, generator=g), t)
    errors = []
    for known in (0, 1):
        guess, error = d.linear_guess(x_t, torch.cat([torch.zeros(4, 7, 200, 200), known * rough], 1), t)
        open_part = (x - guess) / error
        assert torch.allclose(open_part.std((0, 2, 3)), torch.ones(5), atol=0.02)
        for told in (x_t, known * rough):
            assert float((open_part * (told - told.mean())).mean((0, 2, 3)).abs().max()) < 0.02
        errors.append(error)
    assert (errors[1] < 0.95 * errors[0]).all(), "a known body leaves less open"


def test_draws_depend_on_seed_and_step_alone_and_cover_all_levels():
    d, s = denoiser(), settings()
    a, b, other = (draw(batch(), d, s, 0, step) for step in (5, 5, 6))
    assert torch.equal(a.noise, b.noise) and torch.equal(a.t, b.t) and not torch.equal(a.noise, other.noise)
    assert sorted((a.t // 250).tolist()) == [0, 1, 2, 3], "one level in each quarter"


def test_shown_channels_are_those_of_hand_and_rough_body():
    hand, rough = torch.tensor([True, True, False]), torch.tensor([True, False, True])
    channels = shown(hand, rough)[..., 0, 0].tolist()
    assert channels == [[1] * 12, [1] * 7 + [0] * 5, [0] * 7 + [1] * 5]


def test_shares_of_dropped_conditions():
    d, s = denoiser(), settings(category_dropout=0.2, hand_dropout=0.1, rough_dropout=0.3, unnamed=0.5)
    big = Channels(torch.zeros(4000, 5, 2, 2), torch.zeros(4000, 12, 2, 2), torch.ones(4000, dtype=torch.long))
    drawn = draw(big, d, s, 0, 0)
    assert float((drawn.category == d.null_category).float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float((drawn.category == 0).float().mean()) == pytest.approx(0.8 * 0.5, abs=0.03)
    no_hand, no_rough = (drawn.shown[:, part, 0, 0] == 0 for part in (slice(0, 7), slice(7, 12)))
    assert all(torch.equal(part.any(1), part.all(1)) for part in (no_hand, no_rough)), "a part is dropped as a whole"
    no_hand, no_rough = no_hand[:, 0], no_rough[:, 0]
    assert float(no_hand.float().mean()) == pytest.approx(0.1, abs=0.03)
    assert float(no_rough.float().mean()) == pytest.approx(0.3, abs=0.03)
    assert float((no_hand & no_rough).float().mean()) == pytest.approx(0.03, abs=0.015), "independently"


def test_what_is_not_shown_is_not_trained_on():
    d, b = denoiser(), batch()
    drawn = draw(b, d, settings(hand_dropout=1.0, rough_dropout=1.0), 0, 0)
    blind = Channels(b.x, torch.zeros_like(b.given), b.category)
    assert torch.equal(squared_error(d, b, drawn, 20.0), squared_error(d, blind, drawn, 20.0))


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
    losses = {c: held_out_losses(d, b, [100, 900], c, 0) for c in CONDITIONS}
    assert all(v.shape == (2, 6) for v in losses.values())
    assert len({float(v.sum()) for v in losses.values()}) == len(CONDITIONS) == 6
    again = held_out_losses(d, b, [100, 900], "hand", 0)
    assert np.array_equal(again, losses["hand"])


def test_intervals_by_hand():
    half = 1.96 / 3**0.5  # of 1, 2, 3, whose standard deviation is 1
    assert interval(np.array([1.0, 2.0, 3.0])) == pytest.approx({"mean": 2.0, "low": 2 - half, "high": 2 + half})


def test_what_more_is_told_is_judged_picture_by_picture(monkeypatch):
    """Pictures differ by far more than what is told does: paired, the difference is sure."""
    hard, gain = np.array([1.0, 5.0, 9.0]), {"hand + category": 0.3, "hand": 0.1}

    def losses(denoiser, samples, levels, told, seed):
        return np.stack([hard - gain.get(told, 0.0)] * len(levels))

    monkeypatch.setattr("hoi.prior.train.held_out_losses", losses)
    told, less = judged(denoiser(), batch(3), [100, 900], 0)
    assert set(told) == set(CONDITIONS) and told["hand"]["mean"] == pytest.approx(4.9)
    assert told["hand"]["low"] < 1 and told["hand"]["high"] > 9
    assert less["hand + category, beside hand"] == pytest.approx({"mean": 0.2, "low": 0.2, "high": 0.2})
    assert less["hand, beside neither"] == pytest.approx({"mean": 0.1, "low": 0.1, "high": 0.1})


@pytest.mark.parametrize(
    ("condition", "hidden"),
    [("hand + category", slice(7, 12)), ("body", slice(0, 7)), ("hand", slice(7, 12)), ("neither", slice(0, 12))],
)
def test_a_condition_hides_its_channels_alone(condition, hidden):
    """What is hidden may as well not be there; what is shown counts."""
    d, b = denoiser(), batch(6)
    without = b.given.clone()
    without[:, hidden] = 0
    told = held_out_losses(d, b, [900], condition, 0)
    assert np.array_equal(told, held_out_losses(d, Channels(b.x, without, b.category), [900], condition, 0))
    kept = torch.zeros_like(b.given)
    kept[:, hidden] = b.given[:, hidden]
    blind = held_out_losses(d, Channels(b.x, kept, b.category), [900], condition, 0)
    assert np.array_equal(told, blind) == (condition == "neither")


def test_the_named_category_is_told_where_the_condition_says_so():
    d, b = denoiser(), batch(6)
    null = Channels(b.x, b.given, torch.full_like(b.category, d.null_category))
    for condition, (_, _, named) in CONDITIONS.items():
        told, untold = (held_out_losses(d, c, [900], condition, 0) for c in (b, null))
        assert np.array_equal(told, untold) != named, condition


def test_a_perfect_denoiser_has_no_held_out_loss(monkeypatch):
    d, b = denoiser(), batch(6)

    def perfect(x_t, given, category, t, guidance=1.0):
        signal, sigma = d.signal_and_noise(t)
        return (x_t - signal * b.x) / sigma

    monkeypatch.setattr(d, "predict_noise", perfect)
    assert held_out_losses(d, b, [500], "hand", 0).max() < 1e-8

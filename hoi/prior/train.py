"""Training the denoiser: one function a part of a step; every random draw depends on the seed and the step alone."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hoi.config import TrainPrior
from hoi.prior.denoiser import FALLBACK, Denoiser, DenoiserSpec
from hoi.prior.encode import HAND_CHANNELS, OBJECT_CHANNELS
from hoi.prior.samples import Channels
from hoi.training import restore_training, stop_unless_finite, training_state

CONDITIONS = {  # what the denoiser is told: rough body, hand, category
    "body + hand + category": (True, True, True),
    "body": (True, False, False),
    "hand + category": (False, True, True),
    "hand": (False, True, False),
    "category": (False, False, True),
    "neither": (False, False, False),
}
TOLD_MORE = (
    ("body + hand + category", "body"),
    ("hand + category", "hand"),
    ("hand", "neither"),
)  # the former should err less
EVALUATED = 16  # samples at a time

Interval = dict[str, float]  # mean, low, high


@dataclass(frozen=True)
class Draws:
    """What a step draws: noise, noise levels, the categories as told, and which hands and bodies are shown."""

    noise: Float[Tensor, "b 5 r r"]
    t: Int[Tensor, "b"]
    category: Int[Tensor, "b"]
    shown: Float[Tensor, "b 12 1 1"]


def shown(hand: Bool[Tensor, "b"], rough: Bool[Tensor, "b"]) -> Float[Tensor, "b 12 1 1"]:
    """Ones for the channels of what is known, zeros for the others."""
    parts = [hand[:, None].expand(-1, len(HAND_CHANNELS)), rough[:, None].expand(-1, len(OBJECT_CHANNELS))]
    return torch.cat(parts, 1).float()[..., None, None]


def generator_of(*key: int) -> torch.Generator:
    """A generator for a place in the training."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint32)[0]))


def on(tensors: Any, device: torch.device) -> Any:
    """A dataclass of tensors, on a device."""
    return type(tensors)(*(getattr(tensors, f.name).to(device) for f in fields(tensors)))


def draw(batch: Channels, denoiser: Denoiser, settings: TrainPrior, seed: int, step: int) -> Draws:
    """The draws of a step. Levels are stratified over the batch: uniform on the whole, and evenly spread within it."""
    g, b = generator_of(seed, step), len(batch.x)
    noise = torch.randn(batch.x.shape, generator=g)
    level = (torch.arange(b) + torch.rand(b, generator=g)) / b * denoiser.spec.schedule.steps
    t = level.long().clamp_max(denoiser.spec.schedule.steps - 1)[torch.randperm(b, generator=g)]
    dropped, unnamed, no_hand, no_rough = torch.rand(4, b, generator=g)
    category = batch.category.where(unnamed >= settings.unnamed, torch.tensor(denoiser.category_index(FALLBACK)))
    category = category.where(dropped >= settings.category_dropout, torch.tensor(denoiser.null_category))
    known = shown(no_hand >= settings.hand_dropout, no_rough >= settings.rough_dropout)
    return Draws(noise, t, category, known)


def squared_error(denoiser: Denoiser, batch: Channels, drawn: Draws, weight_most: float) -> Float[Tensor, "b"]:
    """Each sample's squared error of x, weighted by noise level and channel: in units of the linear guess's error, but by no
    more than `weight_most` (1 / squared channel units). Unbounded, that is the weighting of Karras et al. 2022, and the
    squared error of ε weighted by 1 / ᾱ plus a constant over the signal-to-noise ratio; bounded in the manner of min-SNR
    (Hang et al. 2023), so that shapes are not given up for the last bit of noise."""
    x_t = denoiser.add_noise(batch.x, drawn.noise, drawn.t)
    given = batch.given * drawn.shown
    guess, error = denoiser.linear_guess(x_t, given, drawn.t)
    off = denoiser(x_t, given, drawn.category, drawn.t) - (batch.x - guess) / error
    return ((weight_most * error**2).clamp_max(1.0) * off**2).mean((1, 2, 3))


class Trainer:
    """The denoiser in training, the running average of its weights, and the optimiser."""

    def __init__(
        self, spec: DenoiserSpec, settings: TrainPrior, seed: int, device: torch.device,
        words: Float[Tensor, "k width"] | None = None,
    ) -> None:  # fmt: skip
        self.settings, self.seed, self.device, self.step_count = settings, seed, device, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.denoiser = Denoiser(spec, words)
        self.denoiser.to(device).train()
        self.average = copy.deepcopy(self.denoiser).eval().requires_grad_(False)
        self.named = dict(self.denoiser.net.named_parameters())
        self.optimiser = torch.optim.AdamW(
            self.named.values(), lr=settings.rate, weight_decay=settings.weight_decay, betas=(0.9, 0.99), fused=True
        )

    def step(self, batch: Channels) -> float:
        """One update; the loss."""
        drawn = draw(batch, self.denoiser, self.settings, self.seed, self.step_count)
        batch, drawn = on(batch, self.device), on(drawn, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bfloat16(self.device)):
            loss = squared_error(self.denoiser, batch, drawn, self.settings.weight_most).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        gradient = torch.nn.utils.clip_grad_norm_(self.named.values(), 1.0)
        stop_unless_finite("train_prior", self.step_count + 1, loss.detach(), gradient)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * min(1.0, (self.step_count + 1) / self.settings.warm_steps)
        self.optimiser.step()
        self.step_count += 1
        self._update_average()
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        """average += (weights - average) (1 - β), β = (1 - 1/n)^(power + 1) (Karras et al. 2024, eq. 127)."""
        keep = (1 - 1 / self.step_count) ** (self.settings.average_power + 1)
        averaged = list(self.average.net.parameters())
        torch._foreach_lerp_(averaged, [p.detach() for p in self.named.values()], 1 - keep)

    def state(self) -> dict[str, Tensor]:
        """All tensors that training goes on from."""
        return training_state(self.step_count, self.named, self.average.net.parameters(), self.optimiser)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self.step_count = restore_training(state, self.named, self.average.net.parameters(), self.optimiser)


def fast_bfloat16(device: torch.device) -> bool:
    """Does the device multiply bfloat16 in hardware: any CUDA device we know, a CPU with AVX-512 BF16 or AMX."""
    return device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()


@torch.no_grad()
def held_out_losses(
    denoiser: Denoiser, samples: Channels, levels: Sequence[int], condition: str, seed: int
) -> Float[np.ndarray, "levels n"]:
    """Mean squared error of ε of every held-out sample at every level, the noise being the same for all conditions."""
    device, out = denoiser.alpha_bar.device, []
    roughly, handed, named = CONDITIONS[condition]
    known = shown(torch.tensor([handed]), torch.tensor([roughly])).to(device)
    for number, level in enumerate(levels):
        noise = torch.randn(samples.x.shape, generator=generator_of(seed, number, 7)).to(device)
        errors = []
        for low in range(0, len(samples.x), EVALUATED):
            rows = slice(low, low + EVALUATED)
            x, given, category = (v[rows].to(device) for v in (samples.x, samples.given, samples.category))
            t = torch.full((len(x),), level, device=device)
            category = category if named else torch.full_like(category, denoiser.null_category)
            x_t = denoiser.add_noise(x, noise[rows], t)
            guess = denoiser.predict_noise(x_t, given * known, category, t)
            errors.append(((guess - noise[rows]) ** 2).mean((1, 2, 3)).cpu())
        out.append(torch.cat(errors).numpy())
    return np.stack(out)


def judged(
    denoiser: Denoiser, samples: Channels, levels: Sequence[int], seed: int
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Held-out error of ε under every condition, and how much less it is where more is told: means over levels, with 95 %
    intervals over pictures. The same pictures and noise serve all conditions, so differences are paired."""
    each = {told: held_out_losses(denoiser, samples, levels, told, seed).mean(0) for told in CONDITIONS}
    less = {f"{more}, beside {fewer}": interval(each[fewer] - each[more]) for more, fewer in TOLD_MORE}
    return {told: interval(errors) for told, errors in each.items()}, less


def interval(each: Float[np.ndarray, "n"]) -> Interval:
    """The mean and its normal 95 % interval."""
    mean, half = float(each.mean()), 1.96 * float(each.std(ddof=1)) / len(each) ** 0.5
    return {"mean": mean, "low": mean - half, "high": mean + half}

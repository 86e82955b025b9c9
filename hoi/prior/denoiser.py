"""The prior: a denoiser of object pictures given those of the hand and of a rough body, and the category; its noise schedule.

Diffusion after Ho et al., "Denoising diffusion probabilistic models" (2020): x_t = sqrt(ᾱ) x + sqrt(1 - ᾱ) ε. The network
tells what the best linear guess of x from x_t and the rough body leaves open, in units of what that guess errs (after
Karras et al., "Elucidating the design space of diffusion models", 2022, section 5); ε follows from x. ASSUME: this instead of
ε itself: the network need not copy noise, and where x_t is almost all noise, x is not an error divided by a small number.
Guidance after Ho & Salimans, "Classifier-free diffusion guidance" (2022).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from hoi.artefacts import read_json, whole, write_json
from hoi.config import PriorNetwork, PriorRender, PriorSchedule, PriorViews
from hoi.errors import InputError
from hoi.prior.encode import GIVEN_CHANNELS, HAND_CHANNELS, OBJECT_CHANNELS
from hoi.prior.text import Described, TextEncoder, TextSpec

if TYPE_CHECKING:
    from diffusers import DDPMScheduler  # else where it is used: importing it takes 5 s, and many fits need none of it

FALLBACK = "object"  # what a category that the prior was not trained on is taken for
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


PerChannel = tuple[float, float, float, float, float]


class ChannelStatistics(BaseModel):
    """Of the object's channels, about, over the training pictures: mask, normals, depth."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    range: PerChannel = (0.5, 1.0, 1.0, 1.0, 3.0)  # greatest |x|: depth of 30 cm off the hand
    mean: PerChannel = (-0.30, 0.0, 0.0, 0.12, -0.06)
    deviation: PerChannel = (0.39, 0.22, 0.22, 0.28, 0.28)  # standard
    follows: PerChannel = (0.70, 0.36, 0.36, 0.63, 0.72)  # correlation over pixels with the rough body's channel


class DenoiserSpec(BaseModel):
    """All that the weights depend on but the channels' encoding (`hoi/prior/encode.py`: another needs other weights); saved with
    them. `views` and `render` made the training pictures."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    categories: tuple[str, ...]
    network: PriorNetwork
    schedule: PriorSchedule
    views: PriorViews
    render: PriorRender
    statistics: ChannelStatistics = ChannelStatistics()
    text: TextSpec | None = None  # where categories are words to a text encoder, not a learned vector each

    @field_validator("categories")
    @classmethod
    def _has_a_fallback(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        if FALLBACK not in categories:
            raise ValueError(f"no category {FALLBACK!r}, which unknown ones fall to")
        return categories


def noise_schedule(settings: PriorSchedule) -> "DDPMScheduler":
    """The one noise schedule, for training and distillation alike: scaled-linear β (linear in its square root)."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(
        num_train_timesteps=settings.steps,
        beta_start=settings.beta_start,
        beta_end=settings.beta_end,
        beta_schedule="scaled_linear",
        clip_sample=False,
    )


class Denoiser(nn.Module):
    """A `diffusers` UNet on pictures folded `patch` times, so that it works at half the resolution and four times the width."""

    def __init__(self, spec: DenoiserSpec, words: Float[Tensor, "k width"] | None = None) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        self.spec, self.names = spec, [*spec.categories, None]
        n, fold = spec.network, spec.network.patch**2
        plain = len(n.channels) - n.attention_levels
        self.net = UNet2DModel(
            sample_size=spec.views.resolution // spec.views.pool // n.patch,
            in_channels=(len(OBJECT_CHANNELS) + len(GIVEN_CHANNELS)) * fold,
            out_channels=len(OBJECT_CHANNELS) * fold,
            block_out_channels=n.channels,
            layers_per_block=n.layers,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",) * n.attention_levels,
            up_block_types=("AttnUpBlock2D",) * n.attention_levels + ("UpBlock2D",) * plain,
            attention_head_dim=n.head_channels,
            norm_num_groups=n.groups,
            num_class_embeds=len(self.names),
        )
        if spec.text:
            out = self.net.class_embedding.embedding_dim
            self.net.class_embedding = Described(len(spec.categories), spec.text.width, out)
            if words is not None:
                self.net.class_embedding.set(words)
        alpha_bar = noise_schedule(spec.schedule).alphas_cumprod.float()
        self.register_buffer("alpha_bar", alpha_bar, persistent=False)
        s = spec.statistics
        for name, value in (
            ("range", s.range), ("mean", s.mean), ("variance", [d * d for d in s.deviation]), ("follows", s.follows),
        ):  # fmt: skip
            self.register_buffer(name, torch.tensor(value)[:, None, None], persistent=False)

    @property
    def null_category(self) -> int:
        """The index that says nothing of the category."""
        return len(self.spec.categories)

    def category_index(self, name: str | None) -> int:
        """Index of a category; None is the null category, an unknown name is an "object"."""
        return self.names.index(name if name in self.names else FALLBACK)

    def learn(self, name: str, folder: Path) -> None:
        """Know another category by its words; `folder` holds the text encoder of the training, another is refused."""
        text = self.spec.text
        if text is None:
            raise InputError("fit_clip.prior.text_encoder", str(folder), "null: this denoiser knows categories, no words",
                             "train with train_prior.conditioning: text")  # fmt: skip
        encoder = TextEncoder(folder)
        if encoder.digest != text.encoder:
            raise InputError(folder, f"weights {encoder.digest[:12]}", f"those of the training, {text.encoder[:12]}",
                             "use the text encoder that the denoiser was trained with")  # fmt: skip
        self.net.class_embedding.learn(encoder.features([text.sentence(name)])[0])
        self.names.append(name)

    def forward(
        self,
        x_t: Float[Tensor, "b 5 r r"],
        given: Float[Tensor, "b 12 r r"],
        category: Int[Tensor, "b"],
        t: Int[Tensor, "b"],
    ) -> Float[Tensor, "b 5 r r"]:
        """What is open of x, about standard normal (`linear_guess` says of what); zeros in place of hand or body: not known."""
        signal, sigma = self.signal_and_noise(t)
        seen = (x_t - signal * self.mean) / (signal**2 * self.variance + sigma**2).sqrt()
        patch = self.spec.network.patch
        out = self.net(functional.pixel_unshuffle(torch.cat([seen, given], 1), patch), t, class_labels=category).sample
        return functional.pixel_shuffle(out, patch).float()

    def linear_guess(
        self, x_t: Float[Tensor, "b 5 r r"], given: Float[Tensor, "b 12 r r"], t: Int[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b 5 r r"], Float[Tensor, "b 5 1 1"]]:
        """The best linear guess of x from a pixel of x_t and of the rough body, where that is known, and its standard error: x is
        the guess plus `forward` errors."""
        signal, sigma = self.signal_and_noise(t)
        rough = given[:, len(HAND_CHANNELS) :]
        follows = self.follows * (rough != 0).any((1, 2, 3), keepdim=True)
        mean = self.mean + follows * (rough - self.mean)
        variance = (1 - follows**2) * self.variance
        spread_sq = signal**2 * variance + sigma**2
        guess = mean + signal * variance / spread_sq * (x_t - signal * mean)
        return guess, sigma * (variance / spread_sq).sqrt()

    def signal_and_noise(self, t: Int[Tensor, "*b"]) -> tuple[Float[Tensor, "*b 1 1 1"], Float[Tensor, "*b 1 1 1"]]:
        """sqrt(ᾱ) and sqrt(1 - ᾱ) at noise levels t."""
        alpha_bar = self.alpha_bar[t][..., None, None, None]
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def add_noise(
        self, x: Float[Tensor, "b 5 r r"], noise: Float[Tensor, "b 5 r r"], t: Int[Tensor, "b"]
    ) -> Float[Tensor, "b 5 r r"]:
        """x_t."""
        signal, sigma = self.signal_and_noise(t)
        return signal * x + sigma * noise

    @torch.no_grad()
    def _guided(
        self,
        x_t: Float[Tensor, "b 5 r r"],
        given: Float[Tensor, "b 12 r r"],
        category: Int[Tensor, "b"],
        t: Int[Tensor, "b"],
        guidance: float = 1.0,
    ) -> Float[Tensor, "b 5 r r"]:
        """`forward`, `guidance` times as far from that of the null category (1: the category's own)."""
        if guidance == 1.0 or bool((category == self.null_category).all()):
            return self(x_t, given, category, t)
        null = torch.full_like(category, self.null_category)
        both = self(torch.cat([x_t, x_t]), torch.cat([given, given]), torch.cat([category, null]), torch.cat([t, t]))
        named, unnamed = both.chunk(2)
        return unnamed + guidance * (named - unnamed)

    def _unbounded(
        self, x_t: Tensor, given: Tensor, category: Tensor, t: Tensor, guidance: float
    ) -> Float[Tensor, "b 5 r r"]:
        """x̂ as guess and network have it."""
        guess, error = self.linear_guess(x_t, given, t)
        return guess + error * self._guided(x_t, given, category, t, guidance)

    def predict_noise(
        self,
        x_t: Float[Tensor, "b 5 r r"],
        given: Float[Tensor, "b 12 r r"],
        category: Int[Tensor, "b"],
        t: Int[Tensor, "b"],
        guidance: float = 1.0,
    ) -> Float[Tensor, "b 5 r r"]:
        """ε̂ = (x_t - sqrt(ᾱ) x̂) / sqrt(1 - ᾱ), x̂ without bounds."""
        signal, sigma = self.signal_and_noise(t)
        return (x_t - signal * self._unbounded(x_t, given, category, t, guidance)) / sigma

    def predict_clean(
        self,
        x_t: Float[Tensor, "b 5 r r"],
        given: Float[Tensor, "b 12 r r"],
        category: Int[Tensor, "b"],
        t: Int[Tensor, "b"],
        guidance: float = 1.0,
    ) -> Float[Tensor, "b 5 r r"]:
        """x̂, kept within the channels' ranges."""
        clean = self._unbounded(x_t, given, category, t, guidance)
        return torch.minimum(torch.maximum(clean, -self.range), self.range)

    def denoise(
        self,
        x_t: Float[Tensor, "b 5 r r"],
        given: Float[Tensor, "b 12 r r"],
        category: Int[Tensor, "b"],
        t_start: int,
        steps: int,
        guidance: float = 1.0,
    ) -> Float[Tensor, "b 5 r r"]:
        """x̂ after `steps` deterministic steps from noise level `t_start` (DDIM, Song et al. 2021, eq. 12 with σ = 0)."""
        x, levels = x_t, denoising_levels(t_start, steps)
        for level, following in zip(levels, [*levels[1:], None], strict=True):
            t = torch.full((len(x),), level, device=x.device)
            clean = self.predict_clean(x, given, category, t, guidance)
            if following is None:
                return clean
            signal, sigma = self.signal_and_noise(t)
            noise = (x - signal * clean) / sigma
            x = self.add_noise(clean, noise, torch.full_like(t, following))
        return x

    def sample(
        self,
        given: Float[Tensor, "b 12 r r"],
        category: Int[Tensor, "b"],
        steps: int,
        guidance: float,
        generator: torch.Generator,
    ) -> Float[Tensor, "b 5 r r"]:
        """New pictures from noise alone; the generator is the CPU's, so that devices agree."""
        shape = (len(given), len(OBJECT_CHANNELS), *given.shape[2:])
        noise = torch.randn(shape, generator=generator).to(given.device)
        return self.denoise(noise, given, category, self.spec.schedule.steps - 1, steps, guidance)

    def save(self, folder: Path, card: str) -> None:
        """Weights, what they depend on, and the model card, as a folder."""
        spec = self.spec.model_dump_json()
        tensors = {k: v.detach().float().cpu().contiguous() for k, v in self.net.state_dict().items()}
        with whole(folder) as scratch:
            scratch.mkdir()
            save_file(tensors, scratch / WEIGHTS, metadata={"spec": spec})
            write_json(scratch / CONFIG, self.spec.model_dump(mode="json"))
            (scratch / CARD).write_text(card)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "Denoiser":
        """The denoiser of a folder, ready to use; weights that do not belong to its config are refused."""
        content = read_json(folder / CONFIG)
        try:
            spec = DenoiserSpec.model_validate(content)
        except ValidationError as error:
            raise InputError(folder / CONFIG, str(error), "the config that was saved with the weights",
                             "restore it, or train again: snakemake train_prior") from error  # fmt: skip
        denoiser = cls(spec)
        denoiser.net.load_state_dict(_read_weights(folder / WEIGHTS, spec, denoiser.net.state_dict()))
        return denoiser.to(device).eval().requires_grad_(False)


def denoising_levels(t_start: int, steps: int) -> list[int]:
    """`steps` falling noise levels from t_start on, evenly spread over [0, t_start]; the last is above 0 unless it is alone."""
    steps = min(steps, t_start + 1)
    return [round(t_start * (1 - k / steps)) for k in range(steps)]


def _read_weights(path: Path, spec: DenoiserSpec, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a weights file; an InputError where file, schedule, views or architecture do not fit."""
    try:
        with safe_open(path, "pt") as file:
            saved = (file.metadata() or {}).get("spec", "")
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(path, str(error), "a whole safetensors file",
                         "restore it, or train again: snakemake train_prior") from error  # fmt: skip
    if not _is_of(saved, spec):
        raise InputError(
            path,
            f"weights made with {saved or 'no config'}",
            f"the config beside it: {CONFIG}",
            "keep weights and config together: schedule, views and network must be those of the training",
        )
    _compare({k: v.shape for k, v in tensors.items()}, {k: v.shape for k, v in expected.items()}, path)
    return tensors


def _is_of(saved: str, spec: DenoiserSpec) -> bool:
    """Is this text that spec; older ones lack what has a default."""
    try:
        return DenoiserSpec.model_validate_json(saved) == spec
    except ValidationError:
        return False


def _compare(found: dict[str, Sequence[int]], expected: dict[str, Sequence[int]], path: Path) -> None:
    names = sorted(k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k))
    if names:
        k = names[0]
        raise InputError(path, f"{k}: {found.get(k)} ({len(names)} tensors differ)", f"{expected.get(k)}",
                         "use weights of this architecture")  # fmt: skip

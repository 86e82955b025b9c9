"""What the prior tells of the object, and whether the evidence lets it be believed."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch

from hoi.config import FitPrior
from hoi.fit.agreement import agreement
from hoi.fit.distil import Distillation, Prior, Scene, fuse
from hoi.fit.grid import GridField
from hoi.fit.observations import Observations
from hoi.fit.recall import Seen, recall


class Teller:
    """One clip's prior, asked now and then."""

    def __init__(
        self, prior: Prior, observed: Observations, settings: FitPrior, is_right: bool, seed: int, device: torch.device
    ) -> None:
        self.prior, self.observed, self.settings, self.seed, self.device = prior, observed, settings, seed, device
        memory = prior.memory if settings.condition == "hand_and_category" else None
        self.held = memory.held(prior.category, is_right) if memory else []
        self.rng = np.random.default_rng([seed, 1])  # of its own: a body that is not believed leaves no trace

    @cached_property
    def distil(self) -> Distillation:
        """The denoiser at work; it is not opened where nobody asks it."""
        return Distillation(self.prior, self.settings, self.seed, self.device)

    @property
    def opened(self) -> bool:
        """Has anybody asked the denoiser?"""
        return "distil" in vars(self)

    def due(self, step: int, steps: int) -> bool:
        """Is it time to ask for a body: one of `renewals` times, evenly spread over a fit's steps from `start` on?"""
        s = self.settings
        times = {s.start + k * (steps - s.start) // s.renewals for k in range(s.renewals)}
        return s.method == "views" and step in times

    def recalled(self, seen: Seen) -> GridField | None:
        """The remembered object that is likeliest, if it is believed; none where hand or category are hidden from the prior."""
        s = self.settings.recall
        body = recall(self.held, seen, self.observed, s, self.seed)
        return body if body and self.believed(body, seen, s.agree) else None

    def imagined(self, seen: Seen, scene: Callable[[], Scene], progress: float) -> GridField | None:
        """What the denoiser's pictures of novel views show, if it is believed."""
        body = fuse(self.distil.imagine(scene(), progress), self.settings)
        return body if body and self.believed(body, seen, self.settings.agree) else None

    def believed(self, body: GridField, seen: Seen, agree: float) -> bool:
        """Does it explain the masks at least `agree` times as well as the rough body? Blades thinner than a picture's pixel do
        not, nor do remembered objects of another make than the one at hand."""
        now, before = (agreement(b, self.observed, seen.T_cam_obj, seen.K, self.rng) for b in (body, seen.rough))
        return now >= agree * before

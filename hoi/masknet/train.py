"""Training of the network: cross-entropy and the Dice loss (Milletari et al. 2016), AdamW, a running average of the weights."""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from hoi.config import TrainMasks
from hoi.geometry.sampling import evenly
from hoi.masknet.augment import Row, augmented, plain
from hoi.masknet.made import BEYOND
from hoi.masknet.network import MaskNet
from hoi.observe.labels import HAND, OBJECT
from hoi.training import restore_training, stop_unless_finite, training_state

WEIGHTS = (1.0, 1.2, 1.6)  # of background, hand and object in the cross-entropy
SMOOTH = 20.0  # pixels that a mask is taken to have more, in the Dice loss
LEAST_RATE = 0.01  # of the first, at the end

Batch = tuple[Float[Tensor, "n 7 r r"], Int[Tensor, "n r r"]]


class Rows:
    """Rows of shards, drawn at random by step: the same step draws the same, whenever it is taken."""

    def __init__(self, shards: list[Row]) -> None:
        self.shards = shards
        self.first = np.concatenate([[0], np.cumsum([len(s["label"]) for s in shards])])

    def __len__(self) -> int:
        return int(self.first[-1])

    def __getitem__(self, number: int) -> Row:
        shard = int(np.searchsorted(self.first, number, side="right")) - 1
        return {key: values[number - self.first[shard]] for key, values in self.shards[shard].items()}

    def drawn(self, step: int, settings: TrainMasks, seed: int) -> Batch:
        """A batch of augmented rows."""
        rng = np.random.default_rng([seed, step])
        picks = rng.integers(len(self), size=(settings.batch, 2))
        return _batch([augmented(self[a], self[b], settings.augment, settings.network, rng) for a, b in picks.tolist()])

    def spread(self, count: int, settings: TrainMasks) -> Batch:
        """Evenly spread rows as they are."""
        picks = evenly(np.arange(len(self)), count)
        return _batch([plain(self[int(i)], settings.network) for i in picks])

    def batches(self, step: int, settings: TrainMasks, seed: int) -> Iterator[Batch]:
        """From a step on, for ever; one is made while another is used."""
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.drawn, step, settings, seed)
            while True:
                step, batch = step + 1, following.result()
                following = pool.submit(self.drawn, step, settings, seed)
                yield batch


def _batch(seen: list) -> Batch:
    x = torch.from_numpy(np.stack([cutout.features() for cutout, _ in seen])).permute(0, 3, 1, 2)
    return x, torch.from_numpy(np.stack([label for _, label in seen])).long()


class Trainer:
    """Network, optimiser and running average."""

    def __init__(self, settings: TrainMasks, seed: int) -> None:
        self.settings, self.step_count = settings, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = MaskNet(settings.network).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.named = dict(self.net.named_parameters())
        self.optimiser = torch.optim.AdamW(self.named.values(), settings.rate, weight_decay=settings.weight_decay)

    def step(self, batch: Batch) -> float:
        """One update; the loss."""
        s, k = self.settings, self.step_count
        fall = LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + np.cos(np.pi * min(1.0, k / s.steps)))
        for group in self.optimiser.param_groups:
            group["lr"] = s.rate * min(1.0, (k + 1) / s.warm_steps) * fall
        x, label = batch
        loss = objective(self.net(x.contiguous(memory_format=torch.channels_last)), label, s.dice)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        gradient = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        stop_unless_finite("train_masks", self.step_count + 1, loss.detach(), gradient)
        self.optimiser.step()
        self.step_count += 1
        keep = min(s.average, self.step_count / (self.step_count + 10))
        with torch.no_grad():
            now = [p.detach() for p in self.net.parameters()]
            torch._foreach_lerp_(list(self.average.parameters()), now, 1 - keep)
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """All tensors that training goes on from."""
        return training_state(self.step_count, self.named, self.average.parameters(), self.optimiser)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self.step_count = restore_training(state, self.named, self.average.parameters(), self.optimiser)


def objective(logits: Float[Tensor, "n 3 r r"], label: Int[Tensor, "n r r"], dice: float) -> Float[Tensor, ""]:
    """Cross-entropy, and how far hand and object are from agreeing with the truth picture by picture; none beyond the frame."""
    cross = functional.cross_entropy(logits, label, torch.tensor(WEIGHTS), ignore_index=BEYOND)
    p, known = logits.softmax(1), label != BEYOND
    apart = torch.zeros(())
    for i in (HAND, OBJECT):
        there, found = ((label == i) & known).float(), p[:, i] * known
        both, sizes = (found * there).sum((1, 2)), found.sum((1, 2)) + there.sum((1, 2))
        apart = apart + (1 - (2 * both + SMOOTH) / (sizes + SMOOTH)).mean()
    return cross + dice * apart


@torch.no_grad()
def held_out_iou(net: MaskNet, batch: Batch) -> dict[str, float]:
    """Mean IoU of hand and object over pictures in which there is any."""
    x, label = batch
    best = torch.cat([net(part).argmax(1) for part in x.split(16)])
    out = {}
    for name, i in (("hand", HAND), ("object", OBJECT)):
        there, found = label == i, (best == i) & (label != BEYOND)
        union = (there | found).sum((1, 2))
        out[name] = float(((there & found).sum((1, 2))[union > 0] / union[union > 0]).mean())
    return out

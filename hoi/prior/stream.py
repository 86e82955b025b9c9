"""Training samples in an order that depends on the seed and the position alone, so that training resumes exactly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from hoi.errors import InputError
from hoi.geometry.sampling import evenly
from hoi.prior.encode import mirrored, pooled, quarter_turned
from hoi.prior.samples import Channels, channels

Shard = dict[str, np.ndarray]


@dataclass(frozen=True)
class Position:
    """The next batch: its epoch, and its number within."""

    epoch: int
    batch: int


class Stream:
    """Batches from shards: shards shuffled, `buffer` of them held and shuffled together, each sample turned and mirrored.

    Turning the picture by quarters and mirroring it give other views and left hands, exactly.
    """

    def __init__(
        self, read: Callable[[str], Shard], shards: Sequence[str], index: Callable[[str], int], pool: int, batch: int,
        buffer: int, seed: int,
    ) -> None:  # fmt: skip
        """`read` opens a shard by name, `index` numbers a category; pictures are averaged over `pool` x `pool` pixels."""
        self._read, self._shards, self._index, self._pool = read, shards, index, pool
        self._batch, self._buffer, self._seed = batch, buffer, seed
        self._held: tuple[tuple[str, ...], Shard] = ((), {})

    def batches(self, start: Position) -> Iterator[tuple[Position, Channels]]:
        """For ever from `start` on: batches, and where the one after each stands."""
        position = start
        while True:
            count = 0
            for count, batch in enumerate(self._epoch(position), 1):
                if count > position.batch:
                    yield replace(position, batch=count), batch()
            if count == 0:
                raise InputError("train_prior", f"{len(self._shards)} shards without a batch of {self._batch}",
                                 "more pictures", "more prior_data.shards, or a smaller train_prior.batch")  # fmt: skip
            position = Position(position.epoch + 1, 0)

    def _epoch(self, position: Position) -> Iterator[Callable[[], Channels]]:
        rng = np.random.default_rng([self._seed, position.epoch])
        order = rng.permutation(len(self._shards))
        number = 0
        for first in range(0, len(order), self._buffer):
            shard = self._joined(tuple(sorted(self._shards[i] for i in order[first : first + self._buffer])))
            rows = rng.permutation(len(shard["category"]))
            for low in range(0, len(rows) - self._batch + 1, self._batch):
                chosen, key = rows[low : low + self._batch], [self._seed, position.epoch, number]
                yield lambda shard=shard, chosen=chosen, key=key: self._make(shard, chosen, np.random.default_rng(key))
                number += 1

    def _joined(self, names: tuple[str, ...]) -> Shard:
        """Shards as one, kept until others are asked for."""
        if names != self._held[0]:
            self._held = ((), {})
            parts = [self._read(name) for name in names]
            self._held = (names, {key: np.concatenate([p[key] for p in parts]) for key in parts[0]})
        return self._held[1]

    def _make(self, shard: Shard, rows: np.ndarray, rng: np.random.Generator) -> Channels:
        made = []
        for row in rows:
            pictures = [pooled(p, self._pool) for p in channels(shard, int(row))]
            for _ in range(int(rng.integers(4))):
                pictures = [quarter_turned(p) for p in pictures]
            if rng.random() < 0.5:
                pictures = [mirrored(p) for p in pictures]
            made.append(pictures)
        index = torch.tensor([self._index(str(shard["category"][row])) for row in rows])
        return _as_channels(made, index)


def fixed_samples(shards: Sequence[Shard], index: Callable[[str], int], pool: int, count: int) -> Channels:
    """Evenly spread samples of the held-out shards, neither turned nor mirrored."""
    places = [(shard, row) for shard in shards for row in range(len(shard["category"]))]
    pick = evenly(np.arange(len(places)), count)
    made = [[pooled(p, pool) for p in channels(*places[i])] for i in pick]
    names = [str(places[i][0]["category"][places[i][1]]) for i in pick]
    return _as_channels(made, torch.tensor([index(n) for n in names]))


def _as_channels(made: list[list[Tensor]], category: Int[Tensor, "b"]) -> Channels:
    """Object, hand and rough body of every sample, as one batch."""
    x, hand, rough = (torch.stack(pictures) for pictures in zip(*made, strict=True))
    return Channels(x, torch.cat([hand, rough], 1), category)

from itertools import islice

import numpy as np
import torch

from hoi.prior.samples import channels
from hoi.prior.stream import Position, Stream, fixed_samples

from .scenes import shard

NAMES = ("a", "b", "c")


def stream(read=None, buffer=2):
    shards = {name: shard(10, seed=i) for i, name in enumerate(NAMES)}
    return Stream(read or shards.__getitem__, NAMES, ["mug", "bowl"].index, 1, 4, buffer, 0)


def first(count, start=None, buffer=2):
    batches = stream(buffer=buffer).batches(start or Position(0, 0))
    return list(islice(batches, count))


def test_every_sample_comes_once_an_epoch():
    seen = []

    class Counting(dict):
        def __getitem__(self, key):
            seen.append(key)
            return super().__getitem__(key)

    read = Counting({name: shard(8, seed=i) for i, name in enumerate(NAMES)})
    batches = [b for _, b in islice(stream(read.__getitem__).batches(Position(0, 0)), 6)]
    depth = torch.cat([b.given[:, 0].flatten(1).sum(1) for b in batches])  # neither a turn nor a mirror changes it
    stored = np.concatenate([[channels(shard(8, seed=i), k)[1][0].sum() for k in range(8)] for i in range(3)])
    assert np.allclose(np.sort(depth.numpy()), np.sort(stored), atol=1e-3)
    assert sorted(seen) == list(NAMES), "each shard is opened once an epoch"


def test_a_resumed_stream_goes_on_where_it_stood():
    whole = first(16)
    for k in (1, 3, 5, 7, 12):
        rest = first(16 - k, whole[k - 1][0])
        for (position, batch), (again, same) in zip(whole[k:], rest, strict=True):
            assert position == again
            assert torch.equal(batch.x, same.x) and torch.equal(batch.given, same.given)
            assert torch.equal(batch.category, same.category)


def test_epochs_differ():
    batches = first(8, buffer=3)
    assert batches[6][0].epoch == 0 and batches[7][0].epoch == 1
    assert not torch.equal(batches[0][1].x, batches[7][1].x)


def test_channels_keep_mask_and_depth_together():
    arrays = shard(2)
    x, hand, rough = channels(arrays, 1)
    on = arrays["object_mask"][1] == 255
    assert torch.equal(x[0] > 0, torch.from_numpy(on))
    metres = torch.from_numpy(arrays["object_depth"][1].astype(np.float32) / 10_000)
    assert torch.allclose(x[4][torch.from_numpy(on)], (10 * (metres - 0.5))[torch.from_numpy(on)], atol=1e-5)
    assert float(x[1:][:, ~torch.from_numpy(on)].abs().max()) == 0
    assert hand.shape == (7, 16, 16)
    assert torch.equal(rough[0] > 0, torch.from_numpy(arrays["rough_mask"][1] == 255))
    swapped = {k: arrays[k.replace("object", "rough")] if k.startswith("object") else v for k, v in arrays.items()}
    assert torch.equal(channels(swapped, 1)[0], rough), "encoded as the object is"


def test_object_hand_and_rough_body_turn_and_mirror_together():
    """Where all three are the same picture, they still are after the stream's turns and mirrors."""

    def read(name):
        arrays = shard(10, seed=NAMES.index(name))
        for part in ("rough", "hand"):
            arrays |= {f"{part}_{k}": arrays[f"object_{k}"] for k in ("mask", "normal", "depth")}
        return arrays

    batches = [b for _, b in islice(stream(read).batches(Position(0, 0)), 6)]
    assert all(torch.equal(b.x, b.given[:, 7:]) and torch.equal(b.x, b.given[:, :5]) for b in batches)
    plain = [channels(read(name), k)[0] for name in NAMES for k in range(10)]
    changed = [not any(torch.equal(x, p) for p in plain) for b in batches for x in b.x]
    assert 0.6 < np.mean(changed) < 1, "of eight ways one leaves a picture as it is"


def test_fixed_samples_are_spread_over_the_shards():
    chosen = fixed_samples([shard(10, seed=0), shard(10, seed=1)], ["mug", "bowl"].index, 1, 3)
    assert chosen.x.shape == (3, 5, 16, 16)
    assert torch.equal(chosen.x[0], channels(shard(10, seed=0), 0)[0])
    assert torch.equal(chosen.x[2], channels(shard(10, seed=1), 9)[0])


def test_pooled_samples_are_means_of_the_whole():
    whole, small = (fixed_samples([shard(4)], ["mug", "bowl"].index, pool, 4) for pool in (1, 2))
    assert small.x.shape[-2:] == (8, 8) and small.given.shape[-2:] == (8, 8)
    assert torch.allclose(small.x[0, 4, 3, 5], whole.x[0, 4, 6:8, 10:12].mean())
    assert torch.equal(small.category, whole.category)

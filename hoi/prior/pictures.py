"""Channels as pictures for people."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hoi.prior.denoiser import Denoiser
from hoi.prior.encode import HAND_CHANNELS
from hoi.prior.samples import Channels
from hoi.prior.train import generator_of, shown

SCALE = 2  # pixels of the grid per pixel of a picture


def normals_picture(channels: Float[Tensor, "c r r"]) -> UInt8[np.ndarray, "r r 3"]:
    """Normals in the usual colours (right red, up green, viewer blue), RGB, white where the mask is 0."""
    mask = (channels[0] + 0.5).clamp(0, 1)
    colour = (0.5 + 0.5 * channels[1:4]).clamp(0, 1) * mask + (1 - mask)
    return (255 * colour).round().byte().permute(1, 2, 0).cpu().numpy()


def depth_picture(channels: Float[Tensor, "c r r"]) -> UInt8[np.ndarray, "r r 3"]:
    """Depth from 15 cm before (light) to 15 cm behind (dark) the hand, white where the mask is 0."""
    mask = (channels[0] + 0.5).clamp(0, 1)
    gray = (0.45 - 0.3 * channels[4]).clamp(0, 0.9) * mask + (1 - mask)
    return (255 * gray).round().byte().expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()


def grid(rows: Sequence[Sequence[np.ndarray]]) -> UInt8[np.ndarray, "h w 3"]:
    """Pictures of one size in rows, enlarged."""
    whole = np.concatenate([np.concatenate(list(row), 1) for row in rows], 0)
    return cv2.resize(whole, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_NEAREST)


def sample_grid(
    denoiser: Denoiser, samples: Channels, steps: int, guidance: float, seed: int
) -> UInt8[np.ndarray, "h w 3"]:
    """A row a held-out sample: hand, rough body, true normals, two samples (normals, normals, depth), true depth, one without
    the body and one without the hand either."""
    device = denoiser.alpha_bar.device
    given, category = samples.given.to(device), samples.category.to(device)
    yes, no = torch.tensor([True]), torch.tensor([False])
    conditions = [given, given, given * shown(yes, no).to(device), torch.zeros_like(given)]
    made = [
        denoiser.sample(g, category, steps, guidance, generator_of(seed, k)).cpu() for k, g in enumerate(conditions)
    ]
    return grid(
        [
            [normals_picture(g[: len(HAND_CHANNELS)]), normals_picture(g[len(HAND_CHANNELS) :]), normals_picture(x),
             normals_picture(a), normals_picture(b), depth_picture(a), depth_picture(x), normals_picture(c),
             normals_picture(d)]
            for g, x, a, b, c, d in zip(samples.given, samples.x, *made, strict=True)
        ]
    )  # fmt: skip

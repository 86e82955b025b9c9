"""The network: a U-Net (Ronneberger et al. 2015) of residual blocks at a half of the square's resolution and below."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from hoi.artefacts import read_json, whole, write_json
from hoi.config import MaskNetwork
from hoi.errors import InputError
from hoi.masknet.cutout import CHANNELS, centred, cut, square
from hoi.observe.labels import OBJECT

LABELS = 3  # background, hand, object
LAST = 8  # channels at full resolution
AT_ONCE = 8  # frames
RIM_PX, AT_RIM = 4, 0.02  # a square's rim; the share of it, in the mean over frames, from which on an object is cut off
WIDER = 1.25  # the square in which a cut-off object is looked at again, at the same scale
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


class Block(nn.Module):
    """Two convolutions beside the way straight on."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.norms = nn.ModuleList(nn.GroupNorm(groups, width) for _ in range(2))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The same shape."""
        y = functional.silu(self.norms[0](self.convolutions[0](x)))
        return functional.silu(x + self.norms[1](self.convolutions[1](y)))


class MaskNet(nn.Module):
    """Logits of background, hand and object."""

    def __init__(self, network: MaskNetwork) -> None:
        super().__init__()
        self.network, widths = network, network.widths
        steps = list(itertools.pairwise(widths))
        self.stem = nn.Conv2d(CHANNELS, widths[0], 4, stride=2, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in steps)
        self.coding = nn.ModuleList(
            nn.Sequential(*(Block(w, network.groups) for _ in range(n)))
            for w, n in zip(widths, network.blocks, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in steps)
        self.decoding = nn.ModuleList(Block(w, network.groups) for w in widths[:-1])
        self.last = nn.Sequential(
            nn.Conv2d(CHANNELS + widths[0], LAST, 3, padding=1), nn.SiLU(), nn.Conv2d(LAST, LABELS, 3, padding=1)
        )

    def forward(self, x: Float[Tensor, "n 7 r r"]) -> Float[Tensor, "n 3 r r"]:
        """From features (hoi.masknet.cutout)."""
        y, skips = self.stem(x), []
        for code, down in zip(self.coding, (*self.down, nn.Identity()), strict=True):
            y = code(y)
            skips.append(y)
            y = down(y)
        for i in reversed(range(len(self.up))):
            y = self.decoding[i](skips[i] + _twice(self.up[i](y)))
        return self.last(torch.cat([x, _twice(y)], 1))

    @torch.no_grad()
    def probabilities(
        self,
        lab: UInt8[np.ndarray, "n h w 3"],
        moving: Float[np.ndarray, "n h w"],
        keypoints: Float[np.ndarray, "n 21 2"],
        sizes: Float[np.ndarray, "n"],
    ) -> Float[np.ndarray, "n h w 3"]:
        """Of the labels in every pixel of every frame at working resolution; thirds beyond the network's square, which is wider
        in a clip whose object would be cut off by it."""
        side, reach, halvings = self.network.resolution, self.network.reach, 2 ** len(self.network.widths)
        said, cut_off = self._within(lab, moving, keypoints, sizes, side, reach)
        if cut_off > AT_RIM:
            wider = round(WIDER * side / halvings) * halvings
            said, _ = self._within(lab, moving, keypoints, sizes, wider, reach * wider / side)
        return said

    def _within(
        self, lab: UInt8[np.ndarray, "n h w 3"], moving: Float[np.ndarray, "n h w"], keypoints: Float[np.ndarray, "n 21 2"],
        sizes: Float[np.ndarray, "n"], side: int, reach: float,
    ) -> tuple[Float[np.ndarray, "n h w 3"], float]:  # fmt: skip
        """The same in squares of so many pixels and hand sizes, and the share of their rims that shows object."""
        h, w = lab.shape[1:3]
        out, at_rim = np.empty((*lab.shape[:3], LABELS), np.float32), []
        rim = np.ones((side, side), bool)
        rim[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] = False
        maps = [square(k, float(s), side, reach) for k, s in zip(keypoints, sizes, strict=True)]
        for low in range(0, len(lab), AT_ONCE):
            rows = range(low, min(low + AT_ONCE, len(lab)))
            seen = [cut(lab[t], moving[t], keypoints[t], maps[t], float(sizes[t]), side) for t in rows]
            x = torch.from_numpy(np.stack([each.features() for each in seen]))
            q = self(x.permute(0, 3, 1, 2)).softmax(1).permute(0, 2, 3, 1).numpy()
            for t, each, there in zip(rows, q, seen, strict=True):
                at_rim.append(((each[..., OBJECT] > 0.5) & there.inside)[rim].mean())
                back = cv2.invertAffineTransform(centred(maps[t]))
                out[t] = cv2.warpAffine(
                    np.ascontiguousarray(each), back, (w, h), flags=cv2.INTER_LINEAR, borderValue=(1 / 3,) * 3
                )
        return out, float(np.mean(at_rim))

    def save(self, folder: Path, card: str) -> None:
        """Weights, the network's settings and a model card, as one folder."""
        with whole(folder) as scratch:
            scratch.mkdir()
            save_file({k: v.contiguous() for k, v in self.state_dict().items()}, scratch / WEIGHTS)
            write_json(scratch / CONFIG, self.network.model_dump(mode="json"))
            (scratch / CARD).write_text(card)

    @classmethod
    def load(cls, folder: Path) -> "MaskNet":
        """The network of a folder; weights that do not belong to its settings are refused."""
        hint = "restore it, or train again: snakemake train_masks"
        content = read_json(folder / CONFIG)
        try:
            net = cls(MaskNetwork.model_validate(content))
            net.load_state_dict(load_file(folder / WEIGHTS))
        except ValidationError as error:
            raise InputError(folder / CONFIG, str(error), "the settings saved with the weights", hint) from error
        except (OSError, SafetensorError, RuntimeError) as error:
            raise InputError(folder / WEIGHTS, str(error), f"weights of the network in {CONFIG}", hint) from error
        return net.eval().requires_grad_(False)


def _twice(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

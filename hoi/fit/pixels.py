"""Which pixels a step looks at, and what is known about them."""

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

POOLS = ("background", "background_near", "hand", "object", "object_near")


@dataclass(frozen=True)
class Rays:
    """Pixels drawn for one step: their frames (index into the clip, and into the frames of the step), rows and
    columns, labels."""

    frame: Int[Tensor, "rays"]
    slot: Int[Tensor, "rays"]
    pixel: Int[Tensor, "rays 2"]
    is_object: Bool[Tensor, "rays"]
    is_hand: Bool[Tensor, "rays"]
    is_forearm: Bool[Tensor, "rays"]
    trust: Float[Tensor, "rays"]

    def to(self, device: torch.device) -> "Rays":
        """On another device."""
        return Rays(*(getattr(self, field.name).to(device) for field in fields(self)))


def forearm(
    hand_mask: Bool[np.ndarray, "n h w"], wrist_px: Float[np.ndarray, "n 2"], knuckle_px: Float[np.ndarray, "n 2"]
) -> Bool[np.ndarray, "n h w"]:
    """Hand pixels on the arm's side of a line through the wrist, square to the line from the middle knuckle to the
    wrist."""
    y, x = np.mgrid[: hand_mask.shape[1], : hand_mask.shape[2]] + 0.5
    out = np.zeros_like(hand_mask)
    for mask, wrist, knuckle, arm in zip(hand_mask, wrist_px, knuckle_px, out, strict=True):
        along = wrist - knuckle
        arm[:] = mask & ((x - wrist[0]) * along[0] + (y - wrist[1]) * along[1] > 0)
    return out


def disc(size: tuple[int, int], centre_px: Float[np.ndarray, "2"], radius_px: float) -> Bool[np.ndarray, "h w"]:
    """The pixels of a (height, width) image within a circle (x, y, radius)."""
    y, x = np.ogrid[: size[0], : size[1]]
    return (x + 0.5 - centre_px[0]) ** 2 + (y + 0.5 - centre_px[1]) ** 2 < radius_px**2


class Pixels:
    """Pools of pixels per frame, to draw from: background in reach of the object, hand, object, and their
    near-outline parts."""

    def __init__(
        self,
        object_mask: Bool[np.ndarray, "n h w"],
        hand_mask: Bool[np.ndarray, "n h w"],
        forearm_mask: Bool[np.ndarray, "n h w"],
        centre_px: Float[np.ndarray, "n 2"],
        radius_px: Float[np.ndarray, " n"],
        trust: Float[np.ndarray, " n"],
        near_px: float,
    ) -> None:
        self.labels = object_mask * np.uint8(1) + hand_mask * np.uint8(2) + forearm_mask * np.uint8(4)
        self.trust, self.width = trust.astype(np.float32), object_mask.shape[2]
        lists = []
        for obj, hand, centre, radius in zip(object_mask, hand_mask, centre_px, radius_px, strict=True):
            reach = disc(obj.shape, centre, float(radius))
            free = ~obj & ~hand
            to_object = cv2.distanceTransform((~obj).astype(np.uint8), cv2.DIST_L2, 5)
            to_free = cv2.distanceTransform((~free).astype(np.uint8), cv2.DIST_L2, 5)
            pools = (free & reach, free & (to_object < near_px), hand & reach, obj, obj & (to_free < near_px))
            fallback = np.flatnonzero(free & reach) if (free & reach).any() else np.flatnonzero(reach | True)
            lists.append([(np.flatnonzero(p) if p.any() else fallback).astype(np.int32) for p in pools])
        self._count = np.array([[len(p) for p in frame] for frame in lists])
        self._first = np.concatenate([[0], np.cumsum(self._count.ravel())[:-1]]).reshape(self._count.shape)
        self._pixels = np.concatenate([p for frame in lists for p in frame])

    def draw(
        self, frames: Int[np.ndarray, " f"], rays: int, shares: dict[str, float], rng: np.random.Generator
    ) -> Rays:
        """`rays` pixels from each of the frames, split over the pools by their shares."""
        ends = np.round(np.cumsum([shares[p] for p in POOLS]) / sum(shares.values()) * rays).astype(int)
        pool = np.searchsorted(ends, np.arange(rays), side="right")
        count, first = self._count[frames][:, pool], self._first[frames][:, pool]
        flat = self._pixels[first + (rng.random(count.shape) * count).astype(int)].astype(int)
        frame = np.repeat(frames[:, None], rays, 1)
        pixel = np.stack([flat // self.width, flat % self.width], -1)
        label = self.labels[frame, pixel[..., 0], pixel[..., 1]].ravel()
        return Rays(
            frame=torch.from_numpy(frame.ravel()),
            slot=torch.arange(len(frames)).repeat_interleave(rays),
            pixel=torch.from_numpy(pixel.reshape(-1, 2)),
            is_object=torch.from_numpy(label & 1 > 0),
            is_hand=torch.from_numpy(label & 2 > 0),
            is_forearm=torch.from_numpy(label & 4 > 0),
            trust=torch.from_numpy(self.trust[frame.ravel()]),
        )

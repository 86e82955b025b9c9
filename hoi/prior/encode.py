"""What the denoiser sees: pictures as channels of about unit size, and back.

Mask ±0.5; normals right, up and towards the viewer (the camera's y and z flipped), background 0; depth in decimetres
relative to the hand's mean depth, background 0; UV in [-1, 1], background 0.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from hoi.prior.render import HandImage, ObjectImage

OBJECT_CHANNELS = ("mask", "right", "up", "viewer", "depth")
HAND_CHANNELS = ("mask", "right", "up", "viewer", "depth", "u", "v")
GIVEN_CHANNELS = (*HAND_CHANNELS, *OBJECT_CHANNELS)  # the hand, and the rough body that a clip's silhouettes give
PER_METRE = 10.0  # decimetres


def encode_object(image: ObjectImage, hand_depth_m: float) -> Float[Tensor, "5 *p"]:
    """The object's channels; `hand_depth_m` is the hand's mean depth in the same view."""
    depth = PER_METRE * (image.depth - hand_depth_m) * image.mask
    return torch.stack([image.mask - 0.5, *_flipped(image.normal).unbind(-1), depth])


def decode_object(x: Float[Tensor, "5 *p"], hand_depth_m: float) -> ObjectImage:
    """The picture that channels stand for; off the object (mask below a half) the depth is 0."""
    mask = x[0] + 0.5
    on = mask > 0.5
    depth = hand_depth_m + x[4] / (PER_METRE * torch.where(on, mask, torch.ones_like(mask)))
    return ObjectImage(
        mask, _flipped(torch.stack(x[1:4].unbind(0), -1)), torch.where(on, depth, torch.zeros_like(depth))
    )


def encode_hand(image: HandImage) -> Float[Tensor, "7 *p"]:
    """The hand's channels."""
    depth = PER_METRE * (image.depth - image.mean_depth) * image.mask
    uv = (2 * image.uv - 1) * image.mask[..., None]
    return torch.stack([image.mask - 0.5, *_flipped(image.normal).unbind(-1), depth, *uv.unbind(-1)])


def pooled(channels: Float[Tensor, "*b c h w"], pool: int) -> Float[Tensor, "*b c _h _w"]:
    """Means over squares of `pool` x `pool` pixels; all channels are 0 or -0.5 off their object, so that edges become soft."""
    return functional.avg_pool2d(channels, pool) if pool > 1 else channels


def mirrored(channels: Float[Tensor, "*b c h w"]) -> Float[Tensor, "*b c h w"]:
    """Object or hand channels of the scene seen in a mirror: a left hand for a right one, by left and right exchanged."""
    sign = torch.ones(channels.shape[-3], device=channels.device)
    sign[1] = -1
    return sign[:, None, None] * channels.flip(-1)


def quarter_turned(channels: Float[Tensor, "*b c h w"]) -> Float[Tensor, "*b c h w"]:
    """Object or hand channels after the camera was rolled so that the picture turns by 90 degrees counter-clockwise."""
    turned = channels.rot90(1, (-2, -1)).clone()
    right, up = turned[..., 1, :, :].clone(), turned[..., 2, :, :].clone()
    turned[..., 1, :, :], turned[..., 2, :, :] = -up, right
    return turned


def _flipped(normal: Float[Tensor, "*p 3"]) -> Float[Tensor, "*p 3"]:
    return normal * torch.tensor([1.0, -1.0, -1.0], device=normal.device)

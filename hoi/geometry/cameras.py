"""Pinhole cameras in OpenCV's convention: x right, y down, z forward; pixel centres at half-integers."""

import torch
from jaxtyping import Float
from torch import Tensor


def intrinsics(fx: float, fy: float, cx: float, cy: float) -> Float[Tensor, "3 3"]:
    """K in pixels."""
    return torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def project(K: Float[Tensor, "*#b 3 3"], X_cam: Float[Tensor, "*#b n 3"]) -> Float[Tensor, "*#b n 2"]:
    """Points in the camera (metres) to pixels. Depth is clamped at 1 mm, so points behind the camera stay finite."""
    x = X_cam @ K.transpose(-1, -2)
    return x[..., :2] / x[..., 2:].clamp_min(1e-3)


def ray_directions(K: Float[Tensor, "*#b 3 3"], uv_px: Float[Tensor, "*#b n 2"]) -> Float[Tensor, "*#b n 3"]:
    """Directions through pixel positions, scaled to z = 1: a point at distance s along one has depth z = s."""
    ones = torch.ones_like(uv_px[..., :1])
    return torch.cat([uv_px, ones], -1) @ torch.linalg.inv(K).transpose(-1, -2)

"""A sphere and a square hand before a camera, and a denoiser small enough for tests."""

import numpy as np
import torch

from hoi.config import PriorNetwork, PriorRender, PriorSchedule, PriorViews
from hoi.prior.denoiser import Denoiser, DenoiserSpec
from hoi.prior.views import View

RENDER = PriorRender(beta_m=0.0005, bins=48, samples=32, probe_m=0.001)
VIEWS = PriorViews(resolution=16, pool=1, distance_m=0.5, distance_jitter_m=0.1, margin=(1.05, 1.5), shift=0.12)
NETWORK = PriorNetwork(patch=2, channels=(16, 16), layers=1, attention_levels=1, head_channels=8, groups=4)
SCHEDULE = PriorSchedule(steps=1000, beta_start=0.0015, beta_end=0.0195)


def ahead(distance_m=0.5, focal_px=320.0, resolution=64):
    """Object and hand frames at a distance straight before the camera, axes alike."""
    T = torch.eye(4)
    T[2, 3] = distance_m
    return View(T, T.clone(), focal_px, (resolution / 2, resolution / 2), resolution)


def sphere(radius_m=0.04, centre=(0.0, 0.0, 0.0)):
    return lambda x: (x - torch.tensor(centre)).norm(dim=-1) - radius_m


def spec(**changes):
    base = {
        "categories": ("object", "mug", "bowl"),
        "network": NETWORK,
        "schedule": SCHEDULE,
        "views": VIEWS,
        "render": RENDER,
    }
    return DenoiserSpec(**(base | changes))


def denoiser(seed=0, **changes):
    torch.manual_seed(seed)
    return Denoiser(spec(**changes)).eval()


def shard(count=10, side=16, seed=0, category=None, instance=None):
    """Random arrays of schema `prior_renders`, of these categories and instances."""
    rng = np.random.default_rng(seed)
    on = rng.random((count, side, side)) < 0.4
    hand = rng.random((count, side, side)) < 0.3
    body = rng.random((count, side, side)) < 0.5

    def normals(mask):
        return (rng.integers(-127, 128, (count, side, side, 3)) * mask[..., None]).astype(np.int8)

    return {
        "object_mask": (255 * on).astype(np.uint8),
        "object_normal": normals(on),
        "object_depth": (rng.integers(4500, 5500, on.shape) * on).astype(np.uint16),
        "rough_mask": (255 * body).astype(np.uint8),
        "rough_normal": normals(body),
        "rough_depth": (rng.integers(4500, 5500, body.shape) * body).astype(np.uint16),
        "hand_mask": (255 * hand).astype(np.uint8),
        "hand_normal": normals(hand),
        "hand_depth": (rng.integers(4500, 5500, on.shape) * hand).astype(np.uint16),
        "hand_uv": (rng.integers(0, 256, (*on.shape, 2)) * hand[..., None]).astype(np.uint8),
        "hand_mean_depth": np.full(count, 0.5, np.float32),
        "category": np.array(category or np.array(["mug", "bowl"])[rng.integers(0, 2, count)]),
        "instance": np.array(instance or range(count), np.int32),
    }

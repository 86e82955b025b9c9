"""Frames of made clips with true labels, as rows of a shard: any camera, light, room and motion, but always a hand that holds."""

import cv2
import numpy as np
from jaxtyping import Float

from hoi.config import GraspSettings, MaskData, MaskNetwork, ProceduralSettings
from hoi.hand.model import HandModel, load_hand
from hoi.masknet.cutout import cut, placed, square
from hoi.observe.grasp import moving_with_hand
from hoi.observe.handzone import steady_sizes, zone
from hoi.sources.grasps import Grasp
from hoi.sources.held import HeldObject, held_object
from hoi.sources.procedural import direct, film, intrinsics
from hoi.sources.shapes import CATEGORIES
from hoi.sources.shifts import Shift
from hoi.sources.skin import make_body

MARGIN = 1.4  # rows reach so many times as far as the network sees, for training turns and shifts them
STEPS = 50.0  # a log ratio of motion is stored in fiftieths
BEYOND = 255  # the label outside of the frame
STREAM = 77  # of random numbers


def rows_of_instance(
    number: int, config: MaskData, network: MaskNetwork, grasp: GraspSettings, filmed: ProceduralSettings, working_px: int
) -> list[dict]:  # fmt: skip
    """Rows (schema `mask_frames`) of the training instance of a running number, categories in turn; none where no hand can
    hold it."""
    names, right = list(CATEGORIES), load_hand("right")
    rng = np.random.default_rng([STREAM, number])
    held = held_object(names[number % len(names)], config.first + number // len(names), right, grasp)
    settings = filmed.model_copy(
        update={"frames": config.frames, "fps": config.fps, "supersampling": config.supersampling}
    )
    rows = []
    for found in held.best(config.grasps_most):
        rows += _rows(held, right, found, config, network, settings, working_px, rng)
    return rows


def _rows(
    held: HeldObject, hand: HandModel, grasp: Grasp, config: MaskData, network: MaskNetwork, settings: ProceduralSettings,
    working_px: int, rng: np.random.Generator,
) -> list[dict]:  # fmt: skip
    """A clip of one grasp."""
    body, K = make_body(hand, held.betas, rng, None), intrinsics(settings)
    take = direct(held.thing, body, grasp, K, held.thing.category, settings, rng)
    clip = film(held.thing, body, take, grasp, K, settings, Shift(), rng, rng)
    scale = working_px / max(settings.width_px, settings.height_px)
    size = round(scale * settings.width_px), round(scale * settings.height_px)
    small = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in clip.frames])
    labels = (clip.hand_mask | clip.forearm_mask) + 2 * clip.object_mask.astype(np.uint8)
    labels = [cv2.resize(x, size, interpolation=cv2.INTER_NEAREST_EXACT) for x in labels]
    px = clip.joints_cam @ K.T
    keypoints = off_by(scale * px[..., :2] / px[..., 2:], config, rng)
    sizes = steady_sizes(keypoints)
    zones = [zone(k, float(s), size[::-1]) for k, s in zip(keypoints, sizes, strict=True)]
    lab, _, moving = moving_with_hand(small, keypoints, sizes, zones)
    side, reach = round(MARGIN * network.resolution), MARGIN * network.reach
    rows = []
    for t, label in enumerate(labels):
        A = square(keypoints[t], float(sizes[t]), side, reach)
        seen = cut(lab[t], moving[t], keypoints[t], A, float(sizes[t]), side)
        rows.append({
            "lab": seen.lab, "moving": np.clip(np.round(STEPS * seen.moving), -127, 127).astype(np.int8),
            "label": placed(label, A, side, BEYOND),
            "keypoints_px": seen.keypoints.astype(np.float32), "size_px": np.float32(seen.size),
            "category": np.array(held.thing.category), "instance": np.int32(held.seed),
        })  # fmt: skip
    return rows


def off_by(
    keypoints: Float[np.ndarray, "n 21 2"], config: MaskData, rng: np.random.Generator
) -> Float[np.ndarray, "n 21 2"]:
    """Keypoints as a tracker may have them."""
    n, size = len(keypoints), float(np.linalg.norm(keypoints[:, 9] - keypoints[:, 0], axis=-1).mean())
    e = config.keypoints
    shapes = (((1, 21, 2), e.joint), ((1, 1, 2), e.all), ((n, 21, 2), e.joint_anew), ((n, 1, 2), e.all_anew))
    return keypoints + size * sum(rng.normal(0, sigma, shape) for shape, sigma in shapes)

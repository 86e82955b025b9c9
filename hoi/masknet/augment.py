"""What training does to a row of made frames, so that the network does not learn our pictures by heart."""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoi.config import MaskAugment, MaskNetwork
from hoi.masknet.cutout import Cutout, placed, scale_of, shrunk
from hoi.masknet.made import BEYOND, STEPS
from hoi.observe.labels import BACKGROUND, OBJECT

Lab = UInt8[np.ndarray, "s s 3"]  # a row's square is larger than what the network sees of it
Seen = UInt8[np.ndarray, "r r"]
Row = dict[str, np.ndarray]


def plain(row: Row, network: MaskNetwork) -> tuple[Cutout, Seen]:
    """What the network sees of a row, as it is."""
    return _seen(row, row["lab"], _affine(row, np.eye(2), np.zeros(2), network), network)


def augmented(
    row: Row, other: Row, settings: MaskAugment, network: MaskNetwork, rng: np.random.Generator
) -> tuple[Cutout, Seen]:
    """What the network sees of a row: turned, mirrored, before another background, of other colours, blurred, noisy."""
    lab, label = row["lab"], row["label"]
    drawn = rng.random()
    if drawn < settings.elsewhere + settings.patterned:
        behind = _backdrop(other) if drawn < settings.elsewhere else pattern(lab.shape[0], rng)
        lab = _blend(lab, behind, label == BACKGROUND)
    if rng.random() < settings.recoloured:
        lab = _blend(lab, recoloured(lab, 30.0, 1.5, rng), label == OBJECT)
    if rng.random() < settings.relit:
        lab = recoloured(lab, 6.0, 1.5, rng)
    if rng.random() < settings.blurred:
        lab = cv2.GaussianBlur(lab, (0, 0), rng.uniform(*settings.blur_px) + 1e-3)
    if rng.random() < settings.noisy:
        grain = rng.normal(0, rng.uniform(0, settings.noise), lab.shape) * (1, 0.4, 0.4)
        lab = np.clip(lab + grain, 0, 255).astype(np.uint8)
    turn = rng.normal(0, settings.turn_rad) if rng.random() < settings.turned else 0.0
    R = np.exp(rng.normal(0, settings.zoom)) * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if rng.random() < 0.5:
        R = R @ np.diag([-1.0, 1.0])
    A = _affine(row, R, settings.shift * network.resolution * rng.normal(0, 1, 2), network)
    seen, there = _seen(row, lab, A, network)
    still = rng.random() < settings.motionless
    return (replace(seen, moving=np.zeros_like(seen.moving)) if still else seen), there


def _affine(row: Row, R: np.ndarray, shift: np.ndarray, network: MaskNetwork) -> Float[np.ndarray, "2 3"]:
    """A row's pixels to the network's: its middle to the middle but for the shift."""
    return np.column_stack([R, 0.5 * network.resolution + shift - 0.5 * row["lab"].shape[0] * R.sum(1)])


def _seen(row: Row, lab: Lab, A: Float[np.ndarray, "2 3"], network: MaskNetwork) -> tuple[Cutout, Seen]:
    r = network.resolution
    label = placed(row["label"], A, r, BEYOND)
    moving = shrunk(row["moving"].astype(np.float32) / STEPS, A, r)
    keypoints = row["keypoints_px"].astype(np.float64) @ A[:, :2].T + A[:, 2]
    size = float(row["size_px"]) * scale_of(A)
    return Cutout(shrunk(lab, A, r), moving, label != BEYOND, keypoints, size), label


def _blend(lab: Lab, other: Lab, where: np.ndarray) -> Lab:
    """`other` where it is wanted, with soft edges."""
    share = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 0.6)[..., None]
    return (lab * (1 - share) + other * share + 0.5).astype(np.uint8)


def _backdrop(row: Row) -> Lab:
    """The background of another row, its hand and object painted over from around, upside up but mirrored."""
    hidden = cv2.dilate((row["label"] != BACKGROUND).astype(np.uint8), np.ones((5, 5), np.uint8))
    small = [cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST) for x in (row["lab"], hidden)]
    filled = cv2.inpaint(small[0], small[1], 3, cv2.INPAINT_TELEA)
    return cv2.resize(filled, row["lab"].shape[1::-1], interpolation=cv2.INTER_LINEAR)[:, ::-1]


def pattern(side: int, rng: np.random.Generator) -> Lab:
    """A background of patches of all sizes, with soft or hard edges."""
    total = np.zeros((side, side, 3), np.float32) + rng.uniform((40, 108, 108), (220, 148, 148))
    for octave in range(2, 7):
        shape, strength = (2**octave, 2**octave, 3), rng.uniform(0, 28)
        cells = (rng.normal(0, 1, shape) * (1, 0.35, 0.35)).astype(np.float32)
        kind = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_NEAREST
        total += strength * cv2.resize(cells, (side, side), interpolation=kind)
    return np.clip(total, 0, 255).astype(np.uint8)


def recoloured(lab: Lab, tint: float, stretch: float, rng: np.random.Generator) -> Lab:
    """Another light or paint: lightness through a power and a gain, colour turned a little, stretched and shifted."""
    turn = rng.normal(0, 0.05 * tint)
    c, s = np.cos(turn), np.sin(turn)
    light = 255 * (lab[..., :1] / 255.0) ** np.exp(rng.normal(0, 0.3)) * np.exp(rng.normal(0, 0.15))
    colour = (lab[..., 1:] - 128.0) @ np.array([[c, -s], [s, c]]) * rng.uniform(0.2, stretch)
    return np.clip(np.dstack([light, colour + 128 + rng.normal(0, tint / 2, 2)]), 0, 255).astype(np.uint8)

"""Tracked hands brought under their masks: how far away they are, how turned, and where; first moved as one, then each.

A detector's keypoints are not quite the model's, by more or less as a hand is seen from one side or another, so that a tracked
hand is some per cent too far away, and what it holds as much too large; and as a clip's hands turn, they drift in depth.
Outlines tell that better. A single frame's hardly tells turns: from those its hand stays as the clip's do.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional

from hoi.config import FitOutline
from hoi.field.rasterise import visible_faces
from hoi.fit.observations import Observations
from hoi.fit.pixels import forearm
from hoi.fit.small import shrink, small_size
from hoi.geometry.cameras import project
from hoi.geometry.rotations import axis_angle_to_matrix, rigid, transform
from hoi.geometry.sampling import evenly
from hoi.hand.choice import hand_of

WRIST, KNUCKLE, PALM = 0, 9, [5, 17]  # of the 21 keypoints
ALONE = np.array([1.0, 0, 0, 0, 1, 1])  # of the six numbers those that a single frame tells: depth and shift
LEAST_LOOKS = 3  # frames that make a curve
REACH = 3.0  # palms' lengths from the hand's middle beyond which another hand's pixels are not this one's


def under_its_mask(observed: Observations, settings: FitOutline) -> Observations:
    """With hands whose amodal outline overlaps best with their mask, near where they were tracked; or as they are."""
    frames = np.flatnonzero(observed.hand_mask.any((1, 2)) & (observed.confidence > 0) & observed.hands["found"])
    if settings.frames == 0 or len(frames) == 0:
        return observed
    hands = TrackedHands.tracked(observed.hands)
    sigma = np.array([settings.log_depth] + [settings.turn_rad] * 3 + [settings.shift] * 2)
    as_one = best_covering(observed, hands, evenly(frames, settings.frames), sigma, settings.near, settings.tries)
    together = replace(hands, T_cam_hand=hands.moved(as_one))
    each = drift(observed, together, frames, sigma * ALONE, settings)
    return replace(observed, hands=observed.hands | {"T_cam_hand": hands.moved(as_one + each).numpy()})


def drift(
    observed: Observations,
    hands: "TrackedHands",
    frames: Int[np.ndarray, "f"],
    sigma: Float[np.ndarray, "6"],
    settings: FitOutline,
) -> Float[np.ndarray, "n 6"]:
    """Moves of each frame's hand by itself, smooth over time and none in their mean, which all hands told together."""
    looked = evenly(frames, min(settings.looks, (len(frames) + 1) // 2))
    if len(looked) < LEAST_LOOKS:
        return np.zeros((len(observed.confidence), 6))
    near, tries = settings.near, settings.tries_alone
    found = np.stack(
        [best_covering(observed, hands, looked[i : i + 1], sigma, near, tries) for i in range(len(looked))]
    )
    smooth = smoothed(found, looked, observed.confidence[looked], len(observed.confidence), settings.smooth_frames)
    return smooth - np.average(smooth[frames], axis=0, weights=observed.confidence[frames])


def smoothed(
    values: Float[np.ndarray, "k c"],
    at: Int[np.ndarray, "k"],
    weights: Float[np.ndarray, "k"],
    count: int,
    period: float,
) -> Float[np.ndarray, "count c"]:
    """A curve through all of `count` frames by those where it was measured, without what comes and goes within less than
    `period` frames (Whittaker, "On a new method of graduation", 1923: squared second differences have a price). Before the
    first and behind the last it stays as there."""
    bend = np.diff(np.eye(count), n=2, axis=0)
    measured = np.zeros(count)
    measured[at] = weights / weights.mean()
    price = len(at) / count * (period / (2 * np.pi)) ** 4
    known = np.zeros((count, values.shape[1]))
    known[at] = values
    curve = np.linalg.solve(np.diag(measured) + price * bend.T @ bend, measured[:, None] * known)
    return curve[np.arange(count).clip(at[0], at[-1])]


def best_covering(
    observed: Observations,
    hands: "TrackedHands",
    frames: Int[np.ndarray, "f"],
    sigma: Float[np.ndarray, "6"],
    near: float,
    tries: int,
) -> Float[np.ndarray, "6"]:
    """The move, of frames' hands as one, that makes them cover their masks best, by Nelder and Mead's method; of the six numbers
    those whose standard deviation is 0 stay."""
    free, chosen = np.flatnonzero(sigma), hands.of(frames)
    overlap = Overlap(observed, chosen, frames)

    def cost(x: Float[np.ndarray, "free"]) -> float:
        """Of a move in standard deviations."""
        return near * float(x @ x) - overlap.at(chosen.moved(move(x)))

    def move(x: Float[np.ndarray, "free"]) -> Float[np.ndarray, "6"]:
        """The same in its own units."""
        out = np.zeros(6)
        out[free] = x * sigma[free]
        return out

    start = np.zeros(len(free))
    simplex = np.vstack([start, 0.5 * np.eye(len(free))])
    options = {"initial_simplex": simplex, "maxfev": tries, "xatol": 0.01, "fatol": 1e-4}
    return move(minimize(cost, start, method="Nelder-Mead", options=options).x)


@dataclass(frozen=True)
class TrackedHands:
    """Hands of a clip, posed but not placed, and where they were tracked."""

    vertices_hand: Float[Tensor, "n v 3"]
    keypoints_hand: Float[Tensor, "n 21 3"]
    T_cam_hand: Float[Tensor, "n 4 4"]
    faces: Int[np.ndarray, "f 3"]

    @staticmethod
    def tracked(hands: dict[str, np.ndarray]) -> "TrackedHands":
        """From schema `hands`."""
        model, pose = hand_of(hands), torch.from_numpy(hands["pose"])
        with torch.no_grad():
            posed = model(pose, torch.from_numpy(hands["betas"]).expand(len(pose), -1))
        return TrackedHands(posed.vertices, posed.keypoints, torch.from_numpy(hands["T_cam_hand"]), model.faces.numpy())

    def of(self, frames: Int[np.ndarray, "f"]) -> "TrackedHands":
        """Those of some frames."""
        at = torch.from_numpy(frames)
        return TrackedHands(self.vertices_hand[at], self.keypoints_hand[at], self.T_cam_hand[at], self.faces)

    def moved(self, by: Float[np.ndarray, "*#n 6"]) -> Float[Tensor, "n 4 4"]:
        """T_cam_hand with every hand's middle by[0] farther away (logarithm), and shifted across the view by by[4:] of its depth,
        and the hand turned about it by by[1:4] (radians, in the hand frame). Depth and shift of two moves add up.
        """
        x = torch.from_numpy(by).float().expand(len(self.T_cam_hand), 6)
        middle_hand = self.keypoints_hand.mean(1, keepdim=True)
        middle_cam = transform(self.T_cam_hand, middle_hand)
        shift = middle_cam[..., 2:] * functional.pad(x[:, None, 4:], (0, 1))
        middle_cam = x[:, None, :1].exp() * (middle_cam + shift)
        R = self.T_cam_hand[:, :3, :3] @ axis_angle_to_matrix(x[:, 1:4])
        turned = rigid(R, torch.zeros(len(R), 3))
        return rigid(R, (middle_cam - transform(turned, middle_hand)).squeeze(1))


class Overlap:
    """How well the hands of a few frames cover their masks.

    Only where a hand would be seen: not behind the object, and not beyond the wrist, where the model ends and arms do not.
    """

    def __init__(self, observed: Observations, hands: TrackedHands, frames: Int[np.ndarray, "f"]) -> None:
        h, w = observed.hand_mask.shape[1:]
        (width, height), _ = small_size(h, w, longest_px=320)
        self.size = (height, width)
        self.K = torch.diag(torch.tensor([width / w, height / h, 1])) @ torch.from_numpy(observed.hands["K"])
        self.hands, self.trust = hands, observed.confidence[frames]
        px = project(self.K, transform(hands.T_cam_hand, hands.keypoints_hand)).numpy()
        everywhere = np.ones((len(frames), *self.size), bool)
        visible = within_reach(px, self.size) & ~forearm(everywhere, px[:, WRIST], px[:, KNUCKLE])
        visible &= ~np.stack([shrink(observed.object_mask[i], (width, height)) for i in frames])
        self.visible: Bool[np.ndarray, "f h w"] = visible
        self.mask = visible & np.stack([shrink(observed.hand_mask[i], (width, height)) for i in frames])

    def at(self, T_cam_hand: Float[Tensor, "f 4 4"]) -> float:
        """IoU of hands placed so, mean over the frames by their trust."""
        X_cam = transform(T_cam_hand, self.hands.vertices_hand)
        each = zip(project(self.K, X_cam).numpy(), X_cam[..., 2].numpy(), strict=True)
        drawn = self.visible & np.stack(
            [visible_faces(px, depth, self.hands.faces, self.size) >= 0 for px, depth in each]
        )
        both, either = (drawn & self.mask).sum((1, 2)), (drawn | self.mask).sum((1, 2))
        return float(np.average(both / np.maximum(either, 1), weights=self.trust))


def within_reach(px: Float[np.ndarray, "f 21 2"], size: tuple[int, int]) -> Bool[np.ndarray, "f h w"]:
    """Pixels in a square around hands with such keypoints: what lies farther off is another's."""
    palm_px = np.linalg.norm(px[:, PALM].mean(1) - px[:, WRIST], axis=-1)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    middle = px.mean(1)[..., None, None]
    return np.maximum(abs(x - middle[:, 0]), abs(y - middle[:, 1])) <= REACH * palm_px[:, None, None]

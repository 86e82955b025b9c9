"""Tracked hands brought under their masks, moved as one: how far away they are, how turned, and where.

A detector's keypoints are not quite the model's, by more or less as a hand is seen from one side or another, so that a tracked
hand is some per cent too far away, and what it holds as much too large. Outlines tell that better.
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
REACH = 3.0  # palms' lengths from the hand's middle beyond which another hand's pixels are not this one's


def under_its_mask(observed: Observations, settings: FitOutline) -> Observations:
    """With hands whose amodal outline overlaps best with their mask, near where they were tracked; or as they are."""
    frames = np.flatnonzero(observed.hand_mask.any((1, 2)) & (observed.confidence > 0) & observed.hands["found"])
    if settings.frames == 0 or len(frames) == 0:
        return observed
    hands = TrackedHands.of(observed.hands)
    overlap = Overlap(observed, hands, evenly(frames, settings.frames))
    sigma = np.array([settings.log_depth] + [settings.turn_rad] * 3 + [settings.shift] * 2)

    def placed(x: Float[np.ndarray, "6"]) -> Float[Tensor, "n 4 4"]:
        """The hands moved by x, in standard deviations."""
        return hands.moved(torch.from_numpy(x * sigma).float())

    found = minimize(
        lambda x: settings.near * float(x @ x) - overlap.at(placed(x)),
        np.zeros(len(sigma)),
        method="Nelder-Mead",
        options={
            "initial_simplex": np.vstack([np.zeros(len(sigma)), 0.5 * np.eye(len(sigma))]),
            "maxfev": settings.tries,
            "xatol": 0.01,
            "fatol": 1e-4,
        },
    )
    return replace(observed, hands=observed.hands | {"T_cam_hand": placed(found.x).numpy()})


@dataclass(frozen=True)
class TrackedHands:
    """Hands of a clip, posed but not placed, and where they were tracked."""

    vertices_hand: Float[Tensor, "n v 3"]
    keypoints_hand: Float[Tensor, "n 21 3"]
    T_cam_hand: Float[Tensor, "n 4 4"]
    faces: Int[np.ndarray, "f 3"]

    @staticmethod
    def of(hands: dict[str, np.ndarray]) -> "TrackedHands":
        """From schema `hands`."""
        model, pose = hand_of(hands), torch.from_numpy(hands["pose"])
        with torch.no_grad():
            posed = model(pose, torch.from_numpy(hands["betas"]).expand(len(pose), -1))
        return TrackedHands(posed.vertices, posed.keypoints, torch.from_numpy(hands["T_cam_hand"]), model.faces.numpy())

    def moved(self, x: Float[Tensor, "6"]) -> Float[Tensor, "n 4 4"]:
        """T_cam_hand with every hand's middle x[0] farther away (logarithm), and shifted across the view by x[4:] of its depth,
        and the hand turned about it by x[1:4] (radians, in the hand frame).
        """
        middle_hand = self.keypoints_hand.mean(1, keepdim=True)
        middle_cam = transform(self.T_cam_hand, middle_hand)
        middle_cam = x[0].exp() * (middle_cam + middle_cam[..., 2:] * functional.pad(x[4:], (0, 1)))
        R = self.T_cam_hand[:, :3, :3] @ axis_angle_to_matrix(x[1:4])
        turned = rigid(R, torch.zeros(len(R), 3))
        return rigid(R, (middle_cam - transform(turned, middle_hand)).squeeze(1))


class Overlap:
    """How well hands cover their masks in a few frames.

    Only where a hand would be seen: not behind the object, and not beyond the wrist, where the model ends and arms do not.
    """

    def __init__(self, observed: Observations, hands: TrackedHands, frames: Int[np.ndarray, "f"]) -> None:
        h, w = observed.hand_mask.shape[1:]
        (width, height), _ = small_size(h, w, longest_px=320)
        self.size = (height, width)
        self.K = torch.diag(torch.tensor([width / w, height / h, 1])) @ torch.from_numpy(observed.hands["K"])
        self.hands, self.frames, self.trust = hands, torch.from_numpy(frames), observed.confidence[frames]
        px = project(self.K, transform(hands.T_cam_hand, hands.keypoints_hand)[self.frames]).numpy()
        everywhere = np.ones((len(frames), *self.size), bool)
        visible = within_reach(px, self.size) & ~forearm(everywhere, px[:, WRIST], px[:, KNUCKLE])
        visible &= ~np.stack([shrink(observed.object_mask[i], (width, height)) for i in frames])
        self.visible: Bool[np.ndarray, "f h w"] = visible
        self.mask = visible & np.stack([shrink(observed.hand_mask[i], (width, height)) for i in frames])

    def at(self, T_cam_hand: Float[Tensor, "n 4 4"]) -> float:
        """IoU of hands placed so, mean over the frames by their trust."""
        X_cam = transform(T_cam_hand[self.frames], self.hands.vertices_hand[self.frames])
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

"""What a detector calls a keypoint is not the hand model's: it lies elsewhere, by more or less as the view goes."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hoi.config import HandFitting
from hoi.hand.model import Side

NONE = {"keypoint_offsets_mm": [(0.0, 0.0, 0.0)] * 21, "keypoint_offsets_by_view_mm": [((0.0, 0.0, 0.0),) * 3] * 21}


@dataclass(frozen=True)
class KeypointOffsets:
    """From the model's keypoints to the detector's, on the flat right hand, metres: still + by_view v.

    v is the unit vector from the hand to the camera, in the hand's frame. A detector has learned to put keypoints under the skin
    that it sees, so that a hand seen edge on looks shorter than it is: taken for true, it would be farther away.
    """

    still: Float[Tensor, "21 3"]
    by_view: Float[Tensor, "21 3 3"]  # columns: of v's x, y, z
    mirrored: Float[Tensor, "3"]  # x of a left hand is a right one's -x

    @staticmethod
    def of(settings: HandFitting, side: Side) -> "KeypointOffsets":
        """Those of the settings, for a hand of one side; float64."""
        still, rows = torch.tensor(settings.keypoint_offsets_mm), torch.tensor(settings.keypoint_offsets_by_view_mm)
        mirrored = torch.tensor([1.0 if side == "right" else -1.0, 1.0, 1.0], dtype=torch.float64)
        return KeypointOffsets(still.double() / 1000, rows.double().mT / 1000, mirrored)

    def unseen(self) -> Float[Tensor, "21 3"]:
        """Without the view."""
        return self.mirrored * self.still

    def seen(self, R_cam_hand: Float[Tensor, "N 3 3"], middle_cam: Float[Tensor, "N 3"]) -> Float[Tensor, "N 21 3"]:
        """As the camera sees hands turned so, whose middle is there."""
        towards = -middle_cam / middle_cam.norm(dim=-1, keepdim=True)
        v = self.mirrored * (R_cam_hand.mT @ towards[..., None]).squeeze(-1)
        return self.mirrored * (self.still + (self.by_view @ v[:, None, :, None]).squeeze(-1))

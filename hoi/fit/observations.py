"""What goes into a fit and what comes out of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import trimesh
from jaxtyping import Bool, Float

from hoi.errors import DataFailure, InputError

Report = Callable[[int, int, str], None]  # how a fit tells its progress: done, total, note


@dataclass(frozen=True)
class Observations:
    """Masks of visible pixels, trust in each frame (0 to 1), and the tracked hand (schema `hands`)."""

    object_mask: Bool[np.ndarray, "n h w"]
    hand_mask: Bool[np.ndarray, "n h w"]
    confidence: Float[np.ndarray, " n"]
    hands: dict[str, np.ndarray]

    @staticmethod
    def from_arrays(masks: dict[str, np.ndarray], hands: dict[str, np.ndarray]) -> "Observations":
        """From the artefacts `masks` and `hands`; a frame is trusted as far as both trust it."""
        if len(masks["object"]) != len(hands["pose"]):
            found = f"{len(masks['object'])} masks, {len(hands['pose'])} hands"
            raise InputError("masks and hands", found, "one of each per frame", "make both from the same clip")
        confidence = masks["confidence"] * np.where(hands["found"], 1, np.minimum(hands["confidence"], 0.5))
        return Observations(masks["object"], masks["hand"], confidence.astype(np.float32), hands)

    def share(self, of_frames: float) -> "Observations":
        """With evidence from this share of the frames alone, evenly spread, one at least; the others keep their tracked hands."""
        trusted = np.flatnonzero(self.object_mask.any((1, 2)) & (self.confidence > 0))
        count = max(1, round(of_frames * len(trusted)))
        middles = (np.arange(count) + 0.5) / count * len(trusted)
        chosen = np.zeros_like(self.confidence)
        chosen[trusted[middles.astype(int)]] = 1
        return replace(self, confidence=self.confidence * chosen)

    def check(self) -> None:
        """An InputError where nothing can be fitted: too few frames, a NaN hand, no object pixels in trusted frames."""
        for key in ("T_cam_hand", "pose", "betas", "K"):
            if not np.isfinite(self.hands[key]).all():
                raise InputError(f"hands: {key}", "NaN or infinity", "finite numbers", "repair or drop those frames")
        seen = self.object_mask.any((1, 2)) & (self.confidence > 0)
        if len(self.object_mask) < 2:
            raise InputError(
                "masks", f"{len(self.object_mask)} frames", "two or more", "take a longer range of the clip"
            )
        if seen.sum() < 2:
            found = f"an object mask and confidence above 0 in {int(seen.sum())} of {len(seen)} frames"
            raise DataFailure(
                "masks",
                found,
                "two frames or more",
                "narrow the clip to where the object is held (first, last), or give a hint",
            )


@dataclass(frozen=True)
class Fit:
    """Object mesh in the object frame (metres), poses (schema `poses`), and one row of loss terms per logged step."""

    mesh: trimesh.Trimesh
    poses: dict[str, np.ndarray]
    history: pd.DataFrame

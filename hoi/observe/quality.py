"""How well a hand was tracked through a clip: coverage, gaps, reprojection error, jitter."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from hoi.geometry.cameras import project
from hoi.geometry.rotations import axis_angle_to_matrix, transform
from hoi.hand.choice import hand_of
from hoi.hand.normal_equations import carried_offsets
from hoi.observe.detector import hand_size_px


def track_quality(
    hands: dict[str, np.ndarray], offsets_mm: list[tuple[float, float, float]] | None = None
) -> dict[str, Any]:
    """Of schema `hands`; JSON-ready. `offsets_mm`: what the tracker calls a keypoint, from the model's (right hand, flat)."""
    found, observed = hands["found"], hands["keypoints_px"].astype(np.float64)
    X_cam = keypoints_cam(hands, offsets_mm)
    px = project(torch.from_numpy(hands["K"]).double(), torch.from_numpy(X_cam)).numpy()
    error_px = np.linalg.norm(px - observed, axis=-1).mean(-1)
    seen = {} if not found.any() else {
        "reprojection_px": float(error_px[found].mean()),
        "reprojection_of_hand": float((error_px / hand_size_px(observed))[found].mean()),
        "confidence": float(hands["confidence"][found].mean()),
    }  # fmt: skip
    return {
        "frames": len(found),
        "coverage": float(found.mean()),
        "gaps": gaps(found),
        "side": "right" if hands["is_right"] else "left",
        "jitter_mm": jitter_mm(X_cam),
    } | seen


def keypoints_cam(
    hands: dict[str, np.ndarray], offsets_mm: list[tuple[float, float, float]] | None
) -> Float[np.ndarray, "n 21 3"]:
    """The hands' keypoints in the camera, metres, where the tracker calls them."""
    hand = hand_of(hands)
    betas = torch.from_numpy(hands["betas"]).expand(len(hands["pose"]), -1)
    R = axis_angle_to_matrix(torch.from_numpy(hands["pose"]).unflatten(1, (15, 3)))
    with torch.no_grad():
        X = hand.keypoints_of(R, betas)
        if offsets_mm is not None:
            mirrored = torch.tensor([1.0 if hands["is_right"] else -1.0, 1.0, 1.0])
            X = X + carried_offsets(hand.skinning_transforms(R, betas), mirrored * torch.tensor(offsets_mm) / 1000)
        return transform(torch.from_numpy(hands["T_cam_hand"]), X).double().numpy()


def gaps(found: Bool[np.ndarray, "n"]) -> list[list[int]]:
    """First and last frame of every stretch without a detection: bridged inside the clip, held at its ends."""
    lost = np.flatnonzero(~found)
    parts = np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1) if len(lost) else []
    return [[int(p[0]), int(p[-1])] for p in parts]


def jitter_mm(X_cam: Float[np.ndarray, "n 21 3"]) -> float | None:
    """Mean length of the keypoints' second difference over frames, millimetres; None for fewer than three frames."""
    if len(X_cam) < 3:
        return None
    return float(1000 * np.linalg.norm(np.diff(X_cam, n=2, axis=0), axis=-1).mean())

"""Hands that another tracker (HaMeR, WiLoR, ...) found, from a file: its keypoints, explained by our hand.

Such trackers give MANO's parameters, which need MANO's files, and the keypoints that follow from them, which do not: those
are taken where the file has them. They see each hand in a crop, through a camera of their own: so the keypoints are taken as
pixels of their camera and as directions of bones, and our hand is fitted to both in the clip's camera, as to our own tracker's.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float

from hoi.config import HandChoice, HandFitting
from hoi.errors import DataFailure, InputError
from hoi.hand.choice import chosen_hand
from hoi.hand.fitting import HandFit, fit_hand
from hoi.hand.mano import read_mano

Tracks = dict[str, np.ndarray]
MIRROR = np.array([-1, 1, 1], np.float32)
INSIDE = 0.3  # share of the keypoints that a camera which fits the frames puts into them
NO_OFFSET = [(0.0, 0.0, 0.0)] * 21  # MANO's keypoints are the model's own


def from_tracks(
    tracks: Tracks, frame_count: int, size: tuple[int, int], K: Float[np.ndarray, "3 3"], side: str | None,
    choice: HandChoice, settings: HandFitting,
) -> tuple[HandFit, Tracks]:  # fmt: skip
    """Our hand in every frame, and keypoints_px, confidence, found, is_right. `tracks` is of schema `tracks`; `size` is
    (height, width) of the frames. Side None: the one with more rows.
    """
    if "keypoints_cam" not in tracks:
        tracks = tracks | {"keypoints_cam": mano_keypoints(tracks, choice)}
    right = bool(np.mean(tracks["is_right"]) >= 0.5) if side is None else side == "right"
    px, rel, confidence = per_frame(tracks, right, frame_count, size)
    found: Bool[np.ndarray, n] = confidence > 0
    if not found.any():
        raise DataFailure(
            "tracks.npz",
            f"no {'right' if right else 'left'} hand",
            "that hand in some frame",
            "correct side or is_right",
        )
    exact = settings.model_copy(update={"keypoint_offsets_mm": NO_OFFSET})
    fitted = fit_hand(px, rel, confidence, K, chosen_hand("right" if right else "left", choice), exact)
    return fitted, {"keypoints_px": px, "confidence": confidence, "found": found, "is_right": np.array(right)}


def mano_keypoints(tracks: Tracks, choice: HandChoice) -> Float[np.ndarray, "m 21 3"]:
    """Keypoints of a tracker's MANO parameters in its camera, metres: HaMeR and WiLoR pose the right hand, in MANO's own frame,
    and mirror it for a left one. Needs MANO's files, whichever hand is fitted.
    """
    if choice.files is None:
        raise InputError(
            "tracks.npz", "MANO's parameters alone", "keypoints_cam, or MANO's files to make them with",
            "add keypoints_cam (docs/wild.md), or set hand.files (docs/stack.md)",
        )  # fmt: skip
    hand, file = chosen_hand("right", choice.model_copy(update={"model": "mano"})), read_mano(choice.files, "right")
    with torch.no_grad():
        X = hand(*(torch.from_numpy(tracks[key]) for key in ("hand_pose", "betas", "global_orient"))).keypoints.numpy()
    X = X + np.stack([file.wrist(betas) for betas in tracks["betas"]])[:, None]
    X = np.where(tracks["is_right"][:, None, None], X, X * MIRROR) + tracks["cam_t"][:, None]
    return X.astype(np.float32)


def per_frame(
    tracks: Tracks, right: bool, frame_count: int, size: tuple[int, int]
) -> tuple[Float[np.ndarray, "n 21 2"], Float[np.ndarray, "n 21 3"], Float[np.ndarray, "n"]]:
    """One side's keypoints in pixels of the frames, relative to the wrist in metres, and confidence (0 where there is none).

    Of several hands of that side in a frame the most confident one.
    """
    X, n = tracks["keypoints_cam"], len(tracks["keypoints_cam"])
    trust = tracks.get("confidence", np.ones(n, np.float32))
    px = np.zeros((frame_count, 21, 2), np.float32)
    rel, confidence = np.zeros((frame_count, 21, 3), np.float32), np.zeros(frame_count, np.float32)
    for row in np.argsort(trust, kind="stable"):
        t = int(tracks["frames"][row])
        if bool(tracks["is_right"][row]) != right or not 0 <= t < frame_count:
            continue
        if (X[row, :, 2] <= 0).any():
            raise DataFailure(
                "tracks.npz: keypoints_cam", f"keypoints behind the camera in frame {t}", "z > 0, metres", "add cam_t"
            )
        uv = X[row, :, :2] / X[row, :, 2:] * tracks["focal_px"] + (size[1] / 2, size[0] / 2)
        px[t], rel[t], confidence[t] = uv, X[row] - X[row, 0], trust[row]
    seen = confidence > 0
    if seen.any():
        inside = float(((px[seen] >= 0) & (px[seen] <= size[::-1])).all(-1).mean())
        if inside < INSIDE:
            expected = f"{INSIDE:.0%} or more; focal_px {float(tracks['focal_px']):g} in pixels of these frames"
            raise DataFailure(
                "tracks.npz", f"{inside:.0%} of the keypoints in the picture", expected, "correct focal_px, or cam_t"
            )
        nearest = np.flatnonzero(seen)[np.abs(np.arange(frame_count)[:, None] - np.flatnonzero(seen)).argmin(1)]
        px = px[nearest]
    return px, rel, confidence

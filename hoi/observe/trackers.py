"""The holding hand in every frame, by one of four trackers: `given`, `noisy` (given plus known noise), `mediapipe`, `file`."""

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from hoi.config import HandChoice, TrackHand
from hoi.errors import DataFailure, InputError
from hoi.geometry.cameras import project
from hoi.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle, transform
from hoi.hand.choice import chosen_hand, hand_keys
from hoi.hand.convert import converted
from hoi.hand.fitting import HandFit, fit_hand
from hoi.hand.model import Side
from hoi.observe.chains import bridge, follow, vote_right
from hoi.observe.detector import detector
from hoi.observe.from_file import from_tracks
from hoi.observe.holding import choose_holding

Hands = dict[str, np.ndarray]
DARK = 40  # of 255, mean over a clip: below it detectors see little
NO_HAND = (
    "film in better light, the hand larger in the picture, or crop it to the hand; or say which frames show it (first, last) "
    "and which hand it is (side); make clip: FIRST, LAST, SIDE"
)


def track(
    frames: UInt8[np.ndarray, "n h w 3"],
    K: Float[np.ndarray, "3 3"],
    side: str | None,
    given: Hands | None,
    settings: TrackHand,
    choice: HandChoice,
    seed: int,
) -> Hands:
    """Hands of schema `hands` (hoi.artefacts), of the chosen model. `given` is of schema `given_hands`, of `tracks` for
    tracker `file`. Side None: found from the pixels, or from the tracks.
    """
    if not np.isfinite(K).all():
        raise InputError("intrinsics", f"K = {K.tolist()}", "finite numbers", "correct intrinsics in clip.yaml")
    if settings.tracker == "mediapipe":
        return _seen_hands(frames, K, side, settings, choice)
    if given is None:
        where = "tracks.npz" if settings.tracker == "file" else "hands.npz"
        raise InputError(where, "no given hands", f"tracker {settings.tracker} needs them", "use tracker mediapipe")
    if settings.tracker == "file":
        wanted = None if side is None else _as_side(side)
        fitted, seen = from_tracks(given, len(frames), frames.shape[1:3], K, wanted, choice, settings.fitting)
        return _hands(fitted, K, "right" if seen["is_right"] else "left", choice) | seen
    if side is None:
        raise InputError("clip.yaml", "no side", "side: right or left, for the given hands", "add the side")
    if settings.tracker == "noisy":
        given = add_noise(given, settings, np.random.default_rng(seed))
    return _given_hands(given, K, _as_side(side), choice)


def add_noise(given: Hands, settings: TrackHand, rng: np.random.Generator) -> Hands:
    """Given hands with a tracker's errors: smooth drift plus jitter in rotation, translation, articulation.

    Standard deviations are `noise_scale` times the settings; translation errs four times as much in depth (z).
    """
    n, scale = len(given["pose"]), settings.noise_scale
    turn, shift, bend = (
        torch.from_numpy(drift(n, width, settings.noise_period_frames, settings.noise_jitter, rng) * scale).float()
        for width in (3, 3, 45)
    )
    T = torch.from_numpy(given["T_cam_hand"]).float().clone()
    T[:, :3, :3] = axis_angle_to_matrix(turn * np.deg2rad(settings.noise_rotation_deg)) @ T[:, :3, :3]
    T[:, :3, 3] += shift * 1e-3 * settings.noise_translation_mm * torch.tensor([1.0, 1.0, 4.0])
    T[:, 2, 3].clamp_(min=0.05)
    R = axis_angle_to_matrix(torch.from_numpy(given["pose"]).float().unflatten(1, (15, 3)))
    R = R @ axis_angle_to_matrix(bend.unflatten(1, (15, 3)) * settings.noise_articulation_rad)
    return given | {"T_cam_hand": T.numpy(), "pose": matrix_to_axis_angle(R).flatten(1).numpy()}


def drift(n: int, width: int, period: float, jitter: float, rng: np.random.Generator) -> Float[np.ndarray, "n width"]:
    """Noise of unit variance: `jitter` of its standard deviation is white, the rest correlated over `period` frames."""
    reach = int(np.ceil(2 * period))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (0.5 * period)) ** 2)
    kernel /= np.linalg.norm(kernel)
    white = rng.standard_normal((n + 2 * reach, width))
    smooth = np.stack([np.convolve(column, kernel, mode="valid") for column in white.T], 1)
    return np.sqrt(max(0.0, 1 - jitter**2)) * smooth + jitter * rng.standard_normal((n, width))


def _given_hands(given: Hands, K: Float[np.ndarray, "3 3"], side: Side, choice: HandChoice) -> Hands:
    """Given hands as they are, or as those of the chosen model whose keypoints are the same."""
    n, hand = len(given["pose"]), HandFit(given["T_cam_hand"], given["pose"], given["betas"])
    if (str(given["model"]) == "open") != (choice.model == "open"):
        source = chosen_hand(side, choice.model_copy(update={"model": str(given["model"])}))
        hand = converted(hand, source, chosen_hand(side, choice))
    found = given.get("found", np.ones(n, bool))
    return _hands(hand, K, side, choice) | {"confidence": found.astype(np.float32), "found": found}


def _hands(fit: HandFit, K: Float[np.ndarray, "3 3"], side: Side, choice: HandChoice) -> Hands:
    """The model's part of schema `hands`, its own keypoints projected."""
    hand = chosen_hand(side, choice)
    T, theta, beta = (torch.as_tensor(a, dtype=torch.float32) for a in fit)
    with torch.no_grad():
        keypoints = hand(theta, beta.expand(len(theta), -1)).keypoints
        pixels = project(torch.as_tensor(K, dtype=torch.float32), transform(T, keypoints))
    return {
        "T_cam_hand": np.asarray(fit.T_cam_hand, np.float32),
        "pose": np.asarray(fit.pose, np.float32),
        "betas": np.asarray(fit.betas, np.float32),
        "K": np.asarray(K, np.float32),
        "keypoints_px": pixels.numpy(),
        "is_right": np.array(side == "right"),
        **hand_keys(choice),
    }


def _seen_hands(
    frames: UInt8[np.ndarray, "n h w 3"], K: Float[np.ndarray, "3 3"], side: str | None, settings: TrackHand,
    choice: HandChoice,
) -> Hands:  # fmt: skip
    """Detector, then the hand model fitted to its keypoints over the whole clip."""
    wanted = None if side is None else _as_side(side) == "right"
    sightings = follow(frames, wanted, detector(), settings, choose_holding)
    found: Bool[np.ndarray, n] = np.array([s is not None for s in sightings])
    if not found.any():
        expected = "a hand, large enough and not wholly hidden, in some frame"
        light = float(frames.mean())
        dark = f", which are dark ({light:.0f} of 255 in the mean)" if light < DARK else ""
        raise DataFailure("the clip's frames", f"no hand in any of {len(frames)}{dark}", expected, NO_HAND)
    confidence = np.array([0.0 if s is None else s.presence for s in sightings], np.float32)
    zeros = np.zeros((21, 5), np.float32)
    rows = np.stack([zeros if s is None else np.hstack([s.keypoints_px, s.keypoints_rel_m]) for s in sightings])
    rows = bridge(rows, found)
    chosen = side or ("right" if vote_right(sightings) > 0.5 else "left")
    fitted = fit_hand(
        np.ascontiguousarray(rows[..., :2]),
        np.ascontiguousarray(rows[..., 2:]),
        confidence,
        K,
        chosen_hand(_as_side(chosen), choice),
        settings.fitting,
    )
    hands = _hands(fitted, K, _as_side(chosen), choice)
    return hands | {"keypoints_px": rows[..., :2].astype(np.float32), "confidence": confidence, "found": found}


def _as_side(side: str) -> Side:
    if side not in ("right", "left"):
        raise InputError("side", repr(side), "right or left", "correct side in clips.tsv or clip.yaml")
    return "right" if side == "right" else "left"

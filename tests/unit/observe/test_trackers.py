import numpy as np
import pytest

from hoi.artefacts import check
from hoi.config import HandChoice
from hoi.errors import InputError
from hoi.hand.model import load_hand
from hoi.observe import detector as detecting
from hoi.observe.trackers import add_noise, drift, track

OPEN = HandChoice(model="open", files=None)

K = np.array([[600, 0, 320], [0, 600, 240], [0, 0, 1]], np.float32)
BLANK = np.zeros((5, 48, 64, 3), np.uint8)


def still_hands(n):
    T = np.tile(np.eye(4, dtype=np.float32), (n, 1, 1))
    T[:, :3, 3] = (0.05, -0.02, 0.5)
    zeros = np.zeros
    return {
        "model": np.array("open"),
        "T_cam_hand": T,
        "pose": zeros((n, 45), np.float32),
        "betas": zeros(10, np.float32),
    }


def with_tracker(settings, name, **changes):
    return settings.model_copy(update={"tracker": name, **changes})


@pytest.mark.parametrize("side", ["right", "left"])
def test_given_passes_through(track_settings, side):
    hands = check(
        "hands", track(BLANK, K, side, still_hands(5), with_tracker(track_settings, "given"), OPEN, 0), "given"
    )
    assert hands["is_right"] == (side == "right")
    assert hands["found"].all() and (hands["confidence"] == 1).all()
    wrist = load_hand(side).rest_vertices.new_tensor([0.05, -0.02, 0.5])  # the wrist is the hand frame's origin
    expected = np.array([320, 240]) + (600 * wrist[:2] / wrist[2]).numpy()
    np.testing.assert_allclose(hands["keypoints_px"][:, 0], np.tile(expected, (5, 1)), atol=1e-2)


def test_noise_has_its_documented_size(track_settings):
    given = still_hands(2000)
    settings = with_tracker(track_settings, "noisy", noise_scale=2.0)
    noisy = add_noise(given, settings, np.random.default_rng(3))
    shift_mm = 1000 * (noisy["T_cam_hand"] - given["T_cam_hand"])[:, :3, 3]
    np.testing.assert_allclose(shift_mm.std(0), 2 * settings.noise_translation_mm * np.array([1, 1, 4]), rtol=0.15)
    cosine = (np.trace(noisy["T_cam_hand"][:, :3, :3], axis1=1, axis2=2) - 1) / 2
    angle = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
    np.testing.assert_allclose(np.sqrt((angle**2).mean()), 2 * settings.noise_rotation_deg * np.sqrt(3), rtol=0.1)
    np.testing.assert_allclose(noisy["pose"].std(), 2 * settings.noise_articulation_rad, rtol=0.05)
    assert (given["T_cam_hand"] == still_hands(2000)["T_cam_hand"]).all(), "the given hands are left alone"


def test_noise_of_scale_zero_is_none(track_settings):
    given = still_hands(6)
    given["pose"][:] = 0.1
    noisy = add_noise(given, with_tracker(track_settings, "noisy", noise_scale=0.0), np.random.default_rng(0))
    np.testing.assert_allclose(noisy["T_cam_hand"], given["T_cam_hand"], atol=1e-6)
    np.testing.assert_allclose(noisy["pose"], given["pose"], atol=1e-5)


def test_drift_is_smooth_but_for_its_jitter():
    noise = drift(40000, 2, period=10.0, jitter=0.3, rng=np.random.default_rng(0))
    np.testing.assert_allclose(noise.std(0), 1, rtol=0.04)
    white = np.diff(noise, n=6, axis=0).std() / np.sqrt(924)  # sixth differences: 924 = sum of squared binomials
    np.testing.assert_allclose(white, 0.3, rtol=0.1)
    lag = (noise[20:] * noise[:-20]).mean()
    assert abs(lag) < 0.1, "two correlation times apart nothing is left"


def test_the_same_seed_gives_the_same_hands(track_settings):
    settings = with_tracker(track_settings, "noisy")
    first, again, other = (track(BLANK, K, "left", still_hands(5), settings, OPEN, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first["pose"], again["pose"])
    assert np.abs(first["pose"] - other["pose"]).max() > 1e-3


@pytest.mark.parametrize(
    ("tracker", "side", "given", "K", "words"),
    [
        ("given", "right", None, K, "no given hands"),
        ("noisy", None, still_hands(5), K, "side"),
        ("given", "up", still_hands(5), K, "'up'"),
        ("mediapipe", None, None, K * np.float32(np.nan), "K = "),
        ("mediapipe", None, None, K, "no hand in any of 5"),
    ],
)
def test_bad_input_is_named(track_settings, tracker, side, given, K, words):
    with pytest.raises(InputError, match=words):
        track(BLANK, K, side, given, with_tracker(track_settings, tracker), OPEN, 0)


def test_missing_or_changed_networks_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(detecting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="make install"):
        detecting.model_bytes("palm_detection/palm_detection_full.tflite")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(detecting.importlib.util, "find_spec", lambda name: Spec)
    other = tmp_path / "modules/palm_detection/palm_detection_full.tflite"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"something else")
    with pytest.raises(InputError, match="SHA-256"):
        detecting.model_bytes("palm_detection/palm_detection_full.tflite")


def test_the_real_hand_is_found_right_and_upright(real_frames, track_settings):
    camera = np.array([[640, 0, 320], [0, 640, 240], [0, 0, 1]], np.float32)
    hands = check("hands", track(real_frames, camera, None, None, track_settings, OPEN, 0), "tracked")
    assert hands["found"].all()
    assert hands["is_right"]
    wrist, thumb_tip = hands["keypoints_px"][:, 0], hands["keypoints_px"][:, 4]
    assert (thumb_tip[:, 0] < wrist[:, 0] - 30).all(), "the hand reaches in from the right"
    assert (0.1 < hands["T_cam_hand"][:, 2, 3]).all() and (hands["T_cam_hand"][:, 2, 3] < 1.5).all()


def test_both_hands_of_a_mirrored_pair_are_found(real_frames):
    frame = real_frames[0]
    pair = np.concatenate([frame[:, 250:], frame[:, :249:-1]], axis=1)
    found = [s for s in detecting.detector().hands(pair, 0.2) if s.presence > 0.5]
    sides = sorted((s.keypoints_px[0, 0] > pair.shape[1] / 2, s.right > 0.5) for s in found)
    assert sides == [(False, True), (True, False)]

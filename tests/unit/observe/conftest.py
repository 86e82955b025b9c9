from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from hoi.config import MaskClip, TrackHand

ROOT = Path(__file__).parents[3]
# A flat right hand in hand sizes (wrist to middle knuckle = 1), seen from the back, fingers up; OpenPose order.
FLAT = np.array(
    [
        [0, 0],
        *[(-0.25, -0.2), (-0.5, -0.45), (-0.68, -0.7), (-0.8, -0.9)],
        *[(-0.28, -0.95), (-0.32, -1.35), (-0.34, -1.6), (-0.35, -1.8)],
        *[(0, -1.0), (0, -1.45), (0, -1.75), (0, -1.97)],
        *[(0.22, -0.93), (0.25, -1.35), (0.27, -1.62), (0.28, -1.84)],
        *[(0.42, -0.8), (0.5, -1.1), (0.54, -1.3), (0.57, -1.47)],
    ]
)


def section(name):
    return yaml.safe_load((ROOT / "config/config.yaml").read_text())[name]


@pytest.fixture
def track_settings():
    return TrackHand(**section("track_hand"))


@pytest.fixture
def mask_settings():
    nowhere = {"model": "no-such/weights", "revision": "main"}  # whatever this computer has in its caches
    return MaskClip(**section("mask_clip") | {"working_px": 160, "key_frames": 8, "rounds": 2, "sam2": nowhere})


@pytest.fixture
def flat_hand():
    return FLAT.copy()


@pytest.fixture(scope="session")
def real_film():
    """The bundled clip's frames."""
    video = cv2.VideoCapture(str(ROOT / "clips/bottle_cup/clip.mp4"))
    frames = []
    while len(frames) < 83:
        ok, frame = video.read()
        assert ok, "clips/bottle_cup/clip.mp4 cannot be read"
        frames.append(frame[..., ::-1])
    return np.stack(frames)


@pytest.fixture(scope="session")
def real_frames(real_film):
    """Frames 10, 13, ..., 37 of it."""
    return np.ascontiguousarray(real_film[10:38:3])

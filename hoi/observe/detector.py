"""Hands in one image: MediaPipe Hands' two networks run directly, so that any region can be tried.

Both networks are Google's (Apache-2.0) and lie in the mediapipe wheel; nothing else of the wheel is used.
"""

import hashlib
import importlib.util
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from jaxtyping import Float, UInt8

from hoi.errors import InputError
from hoi.observe import palm as palms
from hoi.observe.palm import Palm
from hoi.observe.regions import Region, region_of_landmarks, region_of_palm

MODELS = {
    "palm_detection/palm_detection_full.tflite": "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    "hand_landmark/hand_landmark_full.tflite": "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
}
INSTALL = "`bash environment.post-deploy.sh`"  # what to do where they lack
LANDMARK_PX = 224


@dataclass(frozen=True)
class Sighting:
    """One hand in one frame.

    keypoints_px (21, 2) in the image, OpenPose order; keypoints_rel_m (21, 3) about the hand's middle, metres, axes of
    the camera; presence in [0, 1]; right in [0, 1] how much it is a right hand (the true side).
    """

    keypoints_px: Float[np.ndarray, "21 2"]
    keypoints_rel_m: Float[np.ndarray, "21 3"]
    presence: float
    right: float

    def region(self) -> Region:
        """Where to look for the hand in a neighbouring frame."""
        return region_of_landmarks(self.keypoints_px)

    def size_px(self) -> float:
        """See `hand_size_px`."""
        return hand_size_px(self.keypoints_px)


def hand_size_px(keypoints_px: Float[np.ndarray, "*n 21 2"]) -> Float[np.ndarray, "*n"] | float:
    """Longest distance among wrist and knuckles, in pixels (about 9 cm on an adult)."""
    base = keypoints_px[..., [0, 1, 5, 9, 13, 17], :]
    distance = np.linalg.norm(base[..., :, None, :] - base[..., None, :, :], axis=-1).max((-1, -2))
    return float(distance) if distance.ndim == 0 else distance


def model_bytes(name: str) -> bytes:
    """One of MODELS out of the installed wheel, its SHA-256 checked."""
    spec = importlib.util.find_spec("mediapipe")
    path = Path(next(iter(spec.submodule_search_locations)), "modules", name) if spec else Path("mediapipe", name)
    if not path.is_file():
        raise InputError(
            path, "no such file", "the hand detector's network", f"run `make install`; with conda {INSTALL}"
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != MODELS[name]:
        raise InputError(path, f"SHA-256 {found}", MODELS[name], f"remove mediapipe, then {INSTALL}")
    return content


class Network:
    """A tflite network: float32 in, float32 out."""

    def __init__(self, name: str) -> None:
        self.runner = Interpreter(model_content=model_bytes(name), num_threads=1)
        self.runner.allocate_tensors()
        self.input = self.runner.get_input_details()[0]["index"]
        self.outputs = [d["index"] for d in sorted(self.runner.get_output_details(), key=lambda d: d["name"])]

    def __call__(self, image: UInt8[np.ndarray, "s s 3"]) -> list[np.ndarray]:
        """Outputs in the order of their names, batch axis dropped."""
        self.runner.set_tensor(self.input, image[None].astype(np.float32) / 255)
        self.runner.invoke()
        return [self.runner.get_tensor(i)[0] for i in self.outputs]


class Detector:
    """Both networks. `look` reads one region; `palms` finds regions; `hands` does both."""

    def __init__(self) -> None:
        self.palm_network, self.landmark_network = (Network(name) for name in MODELS)
        self.anchors = palms.anchors()

    def palms(self, frame: UInt8[np.ndarray, "h w 3"], threshold: float, where: Region | None = None) -> list[Palm]:
        """Palms in the frame, or in a region of it (zoomed, turned), best first; pixels of the frame."""
        h, w = frame.shape[:2]
        square = where or Region(w / 2, h / 2, float(max(w, h)), 0.0)
        raw, logits = self.palm_network(square.crop(frame, palms.INPUT_PX))
        scores = palms.sigmoid(logits[:, 0])
        keep = scores >= threshold
        boxes, keypoints = palms.decode(raw[keep], self.anchors[keep])
        return [_palm_to_image(p, square) for p in palms.weighted_nms(boxes, keypoints, scores[keep])]

    def look(self, frame: UInt8[np.ndarray, "h w 3"], region: Region) -> Sighting:
        """What the landmark network sees in a region, whether or not a hand is there (presence says)."""
        landmarks, presence, right, world = self.landmark_network(region.crop(frame, LANDMARK_PX))
        xy = landmarks.reshape(21, 3)[:, :2] / LANDMARK_PX
        rel = world.reshape(21, 3).astype(np.float64)
        rel[:, :2] = rel[:, :2] @ region.axes().T
        # The score is that of the label "Left", given for mirrored (selfie) images: of a right hand, seen as it is.
        return Sighting(
            region.to_image(xy).astype(np.float32), rel.astype(np.float32), float(presence[0]), float(right[0])
        )

    def hands(self, frame: UInt8[np.ndarray, "h w 3"], threshold: float, where: Region | None = None) -> list[Sighting]:
        """Every hand found, seen twice (the second look from the first one's landmarks), the better one kept."""
        return [self.settle(frame, region_of_palm(p)) for p in self.palms(frame, threshold, where)]

    def settle(self, frame: UInt8[np.ndarray, "h w 3"], region: Region) -> Sighting:
        """Look, then look again where the landmarks are; the mean of two good looks is steadier than one."""
        first = self.look(frame, region)
        second = self.look(frame, first.region())
        if min(first.presence, second.presence) < 0.5:
            return max(first, second, key=lambda s: s.presence)
        return replace(
            second,
            keypoints_px=(first.keypoints_px + second.keypoints_px) / 2,
            keypoints_rel_m=(first.keypoints_rel_m + second.keypoints_rel_m) / 2,
            right=(first.right + second.right) / 2,
        )


@lru_cache(maxsize=1)
def detector() -> Detector:
    """The detector, loaded once a process."""
    return Detector()


def _palm_to_image(p: Palm, square: Region) -> Palm:
    """A palm in a turned square: its box keeps centre and size, as the hand's region is read from its keypoints."""
    middle = square.to_image((p.box_px[:2] + p.box_px[2:]) / 2)
    half = (p.box_px[2:] - p.box_px[:2]) / 2 * square.side
    return Palm(np.concatenate([middle - half, middle + half]), square.to_image(p.keypoints_px), p.score)

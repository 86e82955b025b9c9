"""Which tracker and masker is taken: the one that the settings name; for `auto` what the clip brings, if whole, else our own."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from hoi.clip import Clip
from hoi.config import HandChoice, MaskClip
from hoi.errors import InputError
from hoi.observe.weights import sam2_folder

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Taken:
    """A tracker or masker, what the clip brings for it, and a note: that file, or why not what the clip brings."""

    name: str
    given: Arrays | None = None
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.note})" if self.note else self.name


def taken_tracker(setting: str, clip: Clip, hand: HandChoice) -> Taken:
    """Of `auto`: another tracker's file, given hands, or the embedded tracker."""
    if setting != "auto":
        brings: dict[str, Callable[[], Arrays | None]] = {"mediapipe": lambda: None, "file": clip.given_tracks}
        return Taken(setting, brings.get(setting, clip.given_hands)())
    tracks, hands, lacks = clip.given_tracks(), clip.given_hands(), []
    if tracks is not None:
        if "keypoints_cam" in tracks or hand.files is not None:
            return Taken("file", tracks, "tracks.npz")
        lacks.append("tracks.npz: MANO's parameters alone, and no hand.files")
    if hands is not None:
        if clip.info.side is not None:
            return Taken("given", hands, "hands.npz")
        lacks.append("hands.npz: the clip does not say their side")
    return Taken("mediapipe", note="; ".join(lacks))


def taken_masker(settings: MaskClip, clip: Clip) -> Taken:
    """Of `auto`: given masks of every frame, a segmenter whose package and weights are there, or the embedded masker."""
    if settings.masker != "auto":
        return Taken(settings.masker, clip.given_masks() if settings.masker == "given" else None)
    note = ""
    try:
        given = clip.given_masks()
    except InputError as error:
        given, note = None, f"given masks: {error.found}"
    if given is not None and all(masks.any() for masks in given.values()):
        return Taken("given", given)
    note = "given masks: all are empty" if given is not None else note
    if find_spec("transformers") and sam2_folder(settings.sam2):
        return Taken("sam2", note=note)
    detectron2 = find_spec("detectron2") and settings.detectron2.weights
    return Taken("detectron2" if detectron2 else "grasp", note=note)

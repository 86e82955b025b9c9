"""The holding hand in every frame."""

from pathlib import Path

import numpy as np

from hoi.artefacts import Output, raise_recorded, read_json, write_json, write_npz
from hoi.clip import read_clip
from hoi.config import RATE, HandChoice, TrackHand
from hoi.hand.fitting import at_rate
from hoi.observe.auto import taken_tracker
from hoi.observe.quality import track_quality
from hoi.observe.trackers import track


def track_hand(clip: Path, config: TrackHand, hand: HandChoice, seed: int, output: Output, quality: Output) -> None:
    """Track the hand through a prepared clip; write it, and how well it went."""
    raise_recorded(clip)
    source = read_clip(clip)
    taken = taken_tracker(config.tracker, source, hand)
    fitting = at_rate(config.fitting, source.info.fps or RATE)
    settings = config.model_copy(update={"tracker": taken.name, "fitting": fitting})
    hands = track(source.frames(), source.K(), source.info.side, taken.given, settings, hand, seed)
    write_npz("hands", output, **hands, tracker=np.array(str(taken)))
    offsets = config.fitting.keypoint_offsets_mm if taken.name == "mediapipe" else None
    focal = read_json(clip / "source.json")["intrinsics"]
    write_json(quality, {"tracker": str(taken), "focal_length": focal} | track_quality(hands, offsets))

"""The holding hand in every frame."""

from pathlib import Path

from hoi.artefacts import Output, raise_recorded, read_json, write_json, write_npz
from hoi.clip import FAILED, read_clip
from hoi.config import HandChoice, TrackHand
from hoi.observe.quality import track_quality
from hoi.observe.trackers import track


def track_hand(clip: Path, config: TrackHand, hand: HandChoice, seed: int, output: Output, quality: Output) -> None:
    """Track the hand through a prepared clip; write it, and how well it went."""
    raise_recorded(clip / FAILED)
    source = read_clip(clip)
    given = source.given_tracks() if config.tracker == "file" else source.given_hands()
    hands = track(source.frames(), source.K(), source.info.side, given, config, hand, seed)
    write_npz("hands", output, **hands)
    offsets = config.fitting.keypoint_offsets_mm if config.tracker == "mediapipe" else None
    focal = read_json(clip / "source.json")["intrinsics"]
    write_json(quality, {"tracker": config.tracker, "focal_length": focal} | track_quality(hands, offsets))

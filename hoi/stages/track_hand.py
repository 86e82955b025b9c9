"""The holding hand in every frame."""

from pathlib import Path

from hoi.artefacts import Output, raise_recorded, write_npz
from hoi.clip import FAILED, read_clip
from hoi.config import TrackHand
from hoi.observe.trackers import track


def track_hand(clip: Path, config: TrackHand, seed: int, output: Output) -> None:
    """Track the hand through a prepared clip."""
    raise_recorded(clip / FAILED)
    source = read_clip(clip)
    hands = track(source.frames(), source.K(), source.info.side, source.given_hands(), config, seed)
    write_npz("hands", output, **hands)

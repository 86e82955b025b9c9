"""The holding hand in every frame."""

from pathlib import Path

from hoi.artefacts import Output, write_npz
from hoi.clip import read_clip
from hoi.config import HandChoice, TrackHand
from hoi.observe.trackers import track


def track_hand(clip: Path, config: TrackHand, hand: HandChoice, seed: int, output: Output) -> None:
    """Track the hand through a prepared clip."""
    source = read_clip(clip)
    hands = track(source.frames(), source.K(), source.info.side, source.given_hands(), config, hand, seed)
    write_npz("hands", output, **hands)

"""Where in a long video a hand is to be seen: a quick look at a few frames a second, before the video is thinned out."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from hoi.observe.detector import detector
from hoi.observe.trust import held_part

PALM, PRESENCE = 0.2, 0.5  # ASSUME: least scores, as where the tracker looks hard: a hand that holds is half hidden


def hand_stretch(looks: Iterable[UInt8[np.ndarray, "h w 3"]]) -> tuple[int, int] | None:
    """First and last look of the longest stretch with a hand, in which it may be missed for a moment; None: no hand."""
    first, last = held_part(np.array([shows_hand(look) for look in looks], bool))
    return (first, last) if last >= 0 else None


def shows_hand(look: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether both networks see a hand."""
    return any(s.presence >= PRESENCE for s in detector().hands(look, PALM))

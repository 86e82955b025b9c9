"""One hand followed over a clip: sightings linked into chains, one chain chosen, its gaps searched again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from hoi.config import TrackHand
from hoi.observe.detector import Detector, Sighting
from hoi.observe.regions import Region

Frames = UInt8[np.ndarray, "n h w 3"]
Chooser = Callable[[Sequence["Chain"], bool | None, Frames], "Chain | None"]
QUARTER_TURNS = (0.0, np.pi / 2, -np.pi / 2, np.pi)


@dataclass
class Chain:
    """One hand's sightings by frame index."""

    seen: dict[int, Sighting] = field(default_factory=dict)

    def last(self) -> int:
        """Latest frame."""
        return max(self.seen)

    def weight(self, right: bool | None) -> float:
        """How persistent and confident the hand is, less where its side is not the wanted one."""
        return sum(s.presence * (1.0 if right is None else _side_share(s, right)) for s in self.seen.values())


def follow(
    frames: Frames, right: bool | None, detector: Detector, settings: TrackHand, choose: Chooser
) -> list[Sighting | None]:
    """The holding hand in every frame, None where it is not seen. All hands are followed until one is chosen."""
    chain = choose(find_chains(frames, detector, settings), right, frames)
    if chain is None:
        return [None] * len(frames)
    spread(chain, frames, detector, settings)
    search_gaps(chain, frames, detector, settings)
    for t in outliers(chain, settings.max_jump):
        del chain.seen[t]
    spread(chain, frames, detector, settings)
    for t in outliers(chain, settings.max_jump):
        del chain.seen[t]
    return [chain.seen.get(t) for t in range(len(frames))]


def find_chains(frames: Frames, detector: Detector, settings: TrackHand) -> list[Chain]:
    """All hands of the clip, from easy detections; where these are rare, from hard ones on every few frames too."""
    sightings = [_present(detector.hands(f, settings.palm_threshold), settings) for f in frames]
    if sum(map(bool, sightings)) < settings.min_easy * len(frames):
        for t in range(0, len(frames), settings.hard_stride):
            sightings[t] = sightings[t] or search(frames[t], None, detector, settings)
    return link(sightings, settings)


def search(frame: np.ndarray, near: Region | None, detector: Detector, settings: TrackHand) -> list[Sighting]:
    """A hard look for hands: the image (or a region) in four turns and two zooms, at a low threshold."""
    h, w = frame.shape[:2]
    whole = Region(w / 2, h / 2, float(max(w, h)), 0.0)
    found = []
    for base in (whole,) if near is None else (Region(near.x, near.y, near.side * 1.5, 0.0), whole):
        for turn in QUARTER_TURNS:
            where = Region(base.x, base.y, base.side, turn)
            found += _present(detector.hands(frame, settings.palm_threshold_hard, where), settings)
        if found:
            break
    return _distinct(found)


def link(sightings: Sequence[list[Sighting]], settings: TrackHand) -> list[Chain]:
    """Sightings of all frames joined to chains: each to the nearest chain that ended at most `max_gap` frames ago."""
    chains: list[Chain] = []
    for t, found in enumerate(sightings):
        taken: set[int] = set()
        for sighting in sorted(_distinct(found), key=lambda s: -s.presence):
            near = [
                (_jump(c.seen[c.last()], sighting), i)
                for i, c in enumerate(chains)
                if i not in taken and t - c.last() <= settings.max_gap
            ]
            best = min(near, default=(np.inf, -1))
            if best[0] > 2 * settings.max_jump:
                chains.append(Chain())
                best = (0.0, len(chains) - 1)
            chains[best[1]].seen[t] = sighting
            taken.add(best[1])
    return chains


def spread(chain: Chain, frames: Frames, detector: Detector, settings: TrackHand) -> None:
    """Fill gaps from their ends, forward and backward: look where the neighbouring frame's hand is."""
    for order, back in ((range(1, len(frames)), 1), (range(len(frames) - 2, -1, -1), -1)):
        for t in order:
            known = chain.seen.get(t - back)
            if t in chain.seen or known is None:
                continue
            sighting = detector.settle(frames[t], known.region())
            if sighting.presence >= settings.presence_threshold and _jump(known, sighting) < settings.max_jump:
                chain.seen[t] = sighting


def search_gaps(chain: Chain, frames: Frames, detector: Detector, settings: TrackHand) -> None:
    """Frames still missing: a hard search near the nearest sighting, accepted where it continues the chain."""
    for t in [t for t in range(len(frames)) if t not in chain.seen]:
        near = chain.seen[min(chain.seen, key=lambda s: abs(s - t))]
        found = search(frames[t], near.region(), detector, settings)
        best = min(found, key=lambda s: _jump(near, s), default=None)
        if best is not None and _jump(near, best) < 2 * settings.max_jump:
            chain.seen[t] = best


def outliers(chain: Chain, max_jump: float) -> list[int]:
    """Frames whose keypoints are far from both neighbours and from the line between them."""
    times, bad = sorted(chain.seen), []
    for before, t, after in zip(times[:-2], times[1:-1], times[2:], strict=True):
        a, s, b = chain.seen[before], chain.seen[t], chain.seen[after]
        u = (t - before) / (after - before)
        between = (1 - u) * a.keypoints_px + u * b.keypoints_px
        jumps = _jump(a, s), _jump(b, s), _distance(between, s.keypoints_px) / s.size_px()
        if min(jumps) > max_jump and _jump(a, b) < min(jumps):
            bad.append(t)
    return bad


def vote_right(sightings: Sequence[Sighting | None]) -> float:
    """Share of the evidence for a right hand over the clip, each frame weighted by presence and decidedness."""
    seen = [s for s in sightings if s is not None]
    weight = np.array([s.presence * abs(2 * s.right - 1) for s in seen]) + 1e-6
    return float(np.average([s.right for s in seen], weights=weight))


def bridge(values: Float[np.ndarray, "n *s"], found: np.ndarray) -> Float[np.ndarray, "n *s"]:
    """Rows not found are interpolated linearly between their neighbours, held constant at the ends."""
    times, flat = np.flatnonzero(found), values.reshape(len(values), -1)
    filled = [np.interp(np.arange(len(flat)), times, column[times]) for column in flat.T]
    return np.stack(filled, 1).reshape(values.shape).astype(values.dtype)


def _present(sightings: list[Sighting], settings: TrackHand) -> list[Sighting]:
    return [s for s in sightings if s.presence >= settings.presence_threshold]


def _side_share(s: Sighting, right: bool) -> float:
    return s.right if right else 1 - s.right


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())


def _jump(a: Sighting, b: Sighting) -> float:
    """Mean keypoint distance of two sightings in hand sizes."""
    return _distance(a.keypoints_px, b.keypoints_px) / max(min(a.size_px(), b.size_px()), 1.0)


def _distinct(found: list[Sighting]) -> list[Sighting]:
    """One sighting a hand: the most present among those that lie on each other."""
    kept: list[Sighting] = []
    for s in sorted(found, key=lambda s: -s.presence):
        if all(_jump(s, k) > 0.5 for k in kept):
            kept.append(s)
    return kept

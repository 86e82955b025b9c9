import numpy as np

from hoi.observe.chains import Chain, bridge, follow, link, outliers, search_gaps, spread, vote_right
from hoi.observe.detector import Detector, Sighting, hand_size_px
from hoi.observe.handzone import zone
from hoi.observe.holding import carried, choose_holding, shrunk

from .test_maskers import moving_scene


def sighting(keypoints, x=0.0, y=0.0, presence=0.9, right=0.9):
    px = (100 * keypoints + (x, y)).astype(np.float32)
    return Sighting(px, np.zeros((21, 3), np.float32), presence, right)


class Seer(Detector):
    """A detector that sees one hand at `path(t)` where `easy(t)`, and in any region near it where not `blind(t)`."""

    def __init__(self, keypoints, path, easy, blind):
        self.keypoints, self.path, self.easy, self.blind, self.looks = keypoints, path, easy, blind, 0

    def hands(self, frame, threshold, where=None):
        t = int(frame[0, 0, 0])
        hard = threshold < 0.5 and not self.blind(t)
        return [sighting(self.keypoints, *self.path(t))] if self.easy(t) or hard else []

    def settle(self, frame, region):
        t = int(frame[0, 0, 0])
        self.looks += 1
        here = sighting(self.keypoints, *self.path(t))
        near = np.hypot(here.region().x - region.x, here.region().y - region.y) < 80
        return here if near and not self.blind(t) else sighting(self.keypoints, *self.path(t), presence=0.1)


def numbered(n):
    return np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)


def test_hand_size_by_hand():
    keypoints = np.zeros((21, 2))
    keypoints[9], keypoints[12] = (30.0, 40.0), (300.0, 400.0)
    assert hand_size_px(keypoints) == 50.0, "wrist to knuckle; fingertips do not count"
    assert hand_size_px(np.stack([keypoints, 2 * keypoints])).tolist() == [50.0, 100.0]


def test_gaps_are_filled_from_both_sides(flat_hand, track_settings):
    seer = Seer(flat_hand, lambda t: (10.0 * t, 0.0), easy=lambda t: t in (5, 12), blind=lambda t: t == 9)
    seen = follow(numbered(20), None, seer, track_settings, choose_holding)
    assert [t for t, s in enumerate(seen) if s is None] == [9]
    np.testing.assert_allclose(seen[0].keypoints_px[0], [0, 0], atol=1e-4)


def test_no_hand_is_no_hand(flat_hand, track_settings):
    seer = Seer(flat_hand, lambda t: (0.0, 0.0), easy=lambda t: False, blind=lambda t: True)
    assert follow(numbered(7), None, seer, track_settings, choose_holding) == [None] * 7


def test_hard_detections_start_a_chain_where_easy_ones_are_missing(flat_hand, track_settings):
    seer = Seer(flat_hand, lambda t: (0.0, 0.0), easy=lambda t: False, blind=lambda t: t not in (3, 4))
    assert [s is not None for s in follow(numbered(7), None, seer, track_settings, choose_holding)] == [
        0,
        0,
        0,
        1,
        1,
        0,
        0,
    ]


def test_two_hands_make_two_chains_and_the_longer_one_holds(flat_hand, track_settings):
    left = [[sighting(flat_hand, 3.0 * t, right=0.1)] for t in range(10)]
    both = [[*s, sighting(flat_hand, 500 - 3.0 * t)] if t < 6 else s for t, s in enumerate(left)]
    chains = link(both, track_settings)
    assert sorted(len(c.seen) for c in chains) == [6, 10]
    frames = np.zeros((10, 60, 80, 3), np.uint8)
    assert len(choose_holding(chains, None, frames).seen) == 10, "nothing moves along with either"
    assert len(choose_holding(chains, True, frames).seen) == 6, "a wanted side outweighs persistence"
    assert choose_holding([], None, frames) is None


def two_hands(flat_hand, n=12):
    """A hand at rest, seen in every frame, and one that carries a box, lost now and then, before a textured wall."""
    frames, hands, _, _ = moving_scene(flat_hand, n)
    idle, busy = Chain(), Chain()
    for t in range(n):
        px = hands["keypoints_px"][t]
        still = (40 * flat_hand + (275, 200)).astype(np.float32)
        frames[t][zone(still.astype(float), 40.0, (240, 320)).silhouette] = (190, 140, 120)
        idle.seen[t] = Sighting(still, np.zeros((21, 3), np.float32), 0.95, 0.1)
        if t % 3:
            busy.seen[t] = Sighting(px.astype(np.float32), np.zeros((21, 3), np.float32), 0.8, 0.9)
    return frames, idle, busy


def test_the_hand_that_carries_something_is_chosen_over_an_idle_one(flat_hand):
    frames, idle, busy = two_hands(flat_hand)
    small = shrunk(frames)
    assert carried(small, busy, 0.5) > 0.3 > 0.1 > carried(small, idle, 0.5)
    assert idle.weight(None) > 1.5 * busy.weight(None)
    assert choose_holding([idle, busy], None, frames) is busy


def test_of_two_hands_on_one_object_the_one_seen_longer_is_followed(flat_hand):
    frames, _, busy = two_hands(flat_hand)
    other = Chain({t: sighting(flat_hand, *s.keypoints_px[0], right=0.1) for t, s in busy.seen.items() if t > 6})
    assert choose_holding([other, busy], None, frames) is busy


def test_a_hand_far_behind_is_not_chosen(flat_hand):
    still = np.zeros((10, 60, 80, 3), np.uint8)
    near = Chain({t: sighting(flat_hand) for t in range(8)})
    far = Chain({t: sighting(0.3 * flat_hand, 500.0) for t in range(10)})
    assert choose_holding([near, far], None, still) is near


def test_a_hand_that_leaves_is_lost_and_not_followed_elsewhere(flat_hand, track_settings):
    seer = Seer(flat_hand, lambda t: (8.0 * t, 0.0), easy=lambda t: t < 9, blind=lambda t: t >= 9)
    seen = follow(numbered(16), None, seer, track_settings, choose_holding)
    assert [s is not None for s in seen] == [t < 9 for t in range(16)]


def test_one_frame_far_off_is_an_outlier(flat_hand):
    chain = Chain({t: sighting(flat_hand, 5.0 * t) for t in range(9)})
    assert outliers(chain, 0.6) == []
    chain.seen[4] = sighting(flat_hand, 5.0 * 4, 200.0)
    assert outliers(chain, 0.6) == [4]


def test_spread_refuses_a_jump(flat_hand, track_settings):
    seer = Seer(flat_hand, lambda t: (0.0 if t < 3 else 79.0, 0.0), lambda t: False, lambda t: False)
    chain = Chain({0: sighting(flat_hand)})
    spread(chain, numbered(5), seer, track_settings)
    assert sorted(chain.seen) == [0, 1, 2]
    search_gaps(chain, numbered(5), seer, track_settings)
    assert sorted(chain.seen) == [0, 1, 2, 3, 4], "a hard search may go farther"


def test_side_is_voted_over_the_clip(flat_hand):
    clip = [sighting(flat_hand, right=0.45)] * 6 + [sighting(flat_hand, right=0.95)] * 2 + [None]
    assert vote_right(clip) > 0.5, "decided frames outvote undecided ones"
    assert vote_right([sighting(flat_hand, right=0.1)] * 3) < 0.2


def test_bridge_by_hand():
    rows = np.array([[9.0], [1.0], [9.0], [9.0], [4.0], [9.0]])
    found = np.array([False, True, False, False, True, False])
    np.testing.assert_allclose(bridge(rows, found)[:, 0], [1, 1, 2, 3, 4, 4])

"""The test clips' grasps are kept, and hold what they held when they were found."""

import numpy as np
import pytest

from hoi.imports import PACKAGE
from hoi.sources import procedural
from hoi.sources.contact import check_contact
from hoi.sources.frozen import frozen_grasp
from hoi.sources.grasps import pad_vertices
from hoi.sources.procedural import casting, make_clip
from hoi.sources.skin import articulate
from hoi.table import read_table

from .test_procedural import settings

TABLES = [read_table(PACKAGE.parent / f"config/{name}.tsv").values() for name in ("clips", "stress")]
ROWS = [row for table in TABLES for row in table if row.split == "test" and row.source == "procedural"]
FROZEN = sorted({(str(r.category), int(r.seed), r.shift == "left_hand") for r in ROWS})


def test_the_benchmarks_and_the_stress_sets_are_kept():
    assert len(FROZEN) == 12 + 8


@pytest.mark.parametrize(("category", "seed", "left"), FROZEN)
def test_a_kept_grasp_holds_the_object_that_its_seed_makes_today(category, seed, left):
    """By exact distances to the object and hand of now, not those that were kept with it."""
    s = settings()
    thing, hand, betas, _ = casting(category, seed, s, "test", left)
    grasp = frozen_grasp(category, seed, hand.side)
    assert grasp.accepted(s.contact_m, s.penetration_m)
    T_obj_hand = np.linalg.inv(grasp.T_hand_obj)
    skin = articulate(hand, grasp.pose, betas)[0] @ T_obj_hand[:3, :3].T + T_obj_hand[:3, 3]
    pads = pad_vertices(hand, betas)
    reach_m, depth_m, pierced = check_contact(skin, hand.faces.numpy(), pads, thing.vertices, thing.faces)
    np.testing.assert_allclose(reach_m, grasp.finger_distance_m, atol=2e-5)
    assert depth_m == pytest.approx(grasp.penetration_m, abs=2e-5) and pierced <= grasp.pierced


def test_a_test_clip_is_not_searched_for_and_others_are(monkeypatch):
    def searched(*_):
        raise LookupError

    monkeypatch.setattr(procedural, "find_grasp", searched)
    clip = make_clip("bottle", 0, settings(), split="test")
    np.testing.assert_allclose(
        np.linalg.inv(clip.T_cam_hand[0].astype(float)) @ clip.T_cam_obj[0],
        frozen_grasp("bottle", 0, clip.side).T_hand_obj,
        atol=1e-6,
    )
    for seed, split in ((0, "train"), (99, "test")):
        with pytest.raises(LookupError):
            make_clip("bottle", seed, settings(), split=split)


def test_no_grasp_is_kept_for_the_other_hand():
    hand = casting("bottle", 0, settings(), "test")[1]
    other = {"left": "right", "right": "left"}[hand.side]
    assert frozen_grasp("bottle", 0, other) is None

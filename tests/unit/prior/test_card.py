import pytest

from hoi.prior.card import model_card

MADE = ("MIT licence.", "nothing scanned, nothing personal", "made-up objects")
LICENCES = "the licences of their data sets apply"


def record(**changes):
    interval = {"hand": {"mean": 0.1, "low": 0.0, "high": 0.2}}
    facts = {"categories": ["object", "mug"], "text": False, "parameters": 1, "pictures": 30, "instances": 4, "clips": 0,
             "shards": 3, "data_seed": 0, "steps": 6, "batch": 4, "seed": 0, "device": "CPU", "hours": 1.0, "commit": "a",
             "held_out": interval, "held_out_less": interval}  # fmt: skip
    return facts | changes


def test_weights_of_made_objects_are_ours():
    card = model_card(record())
    assert "30 pictures of 4 procedural training instances, in 3 shards" in card
    assert all(claim in card for claim in MADE) and LICENCES not in card


@pytest.mark.parametrize("instances", [0, 4])
def test_weights_of_clips_are_under_the_licences_of_their_data(instances):
    card = model_card(record(instances=instances, clips=2))
    assert f"30 pictures of {instances} procedural training instances and 2 clips, in 3 shards" in card
    assert LICENCES in card and not any(claim in card for claim in MADE)

"""A row of the clips table says how its clip is made."""

from pathlib import Path

import pytest
import yaml

from hoi.config import PrepareClip
from hoi.sources import load_procedural
from hoi.table import ClipRow

SETTINGS = PrepareClip(**yaml.safe_load((Path(__file__).parents[3] / "config/config.yaml").read_text())["prepare_clip"])


@pytest.mark.parametrize(("person", "share"), [("first", 1.0), ("third", 0.0), (None, 0.5)])
def test_person_chooses_the_camera(monkeypatch, person, share):
    seen = []

    def stop(category, seed, settings, split, shift):
        seen.append((settings.first_person_share, shift))
        raise StopIteration

    monkeypatch.setattr(load_procedural, "make_clip", stop)
    row = ClipRow(clip="a", source="procedural", category="mug", split="test", seed=0, person=person, shift="dim")
    with pytest.raises(StopIteration):
        load_procedural.load_procedural(row, SETTINGS)
    assert seen == [(share, "dim")]

"""Find the grasps of the test clips once and keep them (hoi/sources/frozen.py). Run: python scripts/freeze_grasps.py

Only where objects or hand have changed: the clips, and every number measured on them, are others afterwards.
"""

from pathlib import Path

import torch
import yaml

from hoi.config import PrepareClip
from hoi.sources.frozen import freeze
from hoi.sources.grasps import find_grasp
from hoi.sources.procedural import casting
from hoi.table import read_table

CONFIG = Path(__file__).parents[1] / "config"


def main() -> None:
    """Search for every test instance of config/clips.tsv, as `prepare_clip` would."""
    torch.set_num_threads(1)
    settings = PrepareClip.model_validate(
        yaml.safe_load((CONFIG / "config.yaml").read_text())["prepare_clip"]
    ).procedural
    found = {}
    for row in read_table(CONFIG / "clips.tsv").values():
        if row.source == "procedural" and row.split == "test":
            thing, hand, betas, _ = casting(str(row.category), int(row.seed or 0), settings, "test")
            found[thing.category, thing.seed, hand.side] = find_grasp(thing, hand, betas, settings, thing.seed)
    freeze(found)


if __name__ == "__main__":
    main()

"""Find the grasps of the test clips once and keep them (hoi/sources/frozen.py). Run: python scripts/freeze_grasps.py

Those that are kept stay as they are. Where objects or hand have changed, delete hoi/sources/frozen_grasps.npz first: the
clips, and every number measured on them, are others afterwards.
"""

from pathlib import Path

import torch
import yaml

from hoi.config import PrepareClip
from hoi.sources.frozen import freeze, frozen_grasp
from hoi.sources.grasps import find_grasp
from hoi.sources.procedural import casting
from hoi.sources.shifts import SHIFTS
from hoi.table import ClipRow, read_table

CONFIG = Path(__file__).parents[1] / "config"
TABLES = ("clips.tsv", "stress.tsv")


def main() -> None:
    """Search for every test instance of the tables, as `prepare_clip` would."""
    torch.set_num_threads(1)
    settings = PrepareClip.model_validate(
        yaml.safe_load((CONFIG / "config.yaml").read_text())["prepare_clip"]
    ).procedural
    found = {}
    for row in (row for table in TABLES for row in read_table(CONFIG / table).values() if of_test(row)):
        left = bool(row.shift) and SHIFTS[str(row.shift)].left
        thing, hand, betas, _ = casting(str(row.category), int(row.seed or 0), settings, "test", left)
        key = thing.category, thing.seed, hand.side
        if key not in found:
            found[key] = frozen_grasp(*key) or find_grasp(thing, hand, betas, settings, thing.seed)
            print(*key, flush=True)
    freeze(found)


def of_test(row: ClipRow) -> bool:
    """Whether the row's clip is made, and its grasp kept."""
    return row.source == "procedural" and row.split == "test"


if __name__ == "__main__":
    main()

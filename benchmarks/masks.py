"""Hands and masks of made clips against the truth, before any fit, as means by a column of the clips table.

snakemake -c2 --until mask_clip --configfile config/config.yaml config/stress.yaml -- results/tables/stress.md
python benchmarks/masks.py config/stress.tsv shift

found: share of the frames in which the hand is found. Object, hand: IoU of the masks, as score_clip has it; worst: of the object
in the worst frame. Depth: by how much the wrist is too far away, median over frames; turn: error of the hand's rotation, mean.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from hoi.artefacts import read_npz
from hoi.clip import read_clip, read_truth
from hoi.errors import DataFailure
from hoi.evaluate.masks import iou
from hoi.evaluate.score import score_masks
from hoi.table import ClipRow, read_table

LOST = {"found": 0.0, "object": 0.0, "worst": 0.0, "hand": 0.0}


def measured(row: ClipRow, results: Path, variant: str) -> dict[str, float]:
    """A clip's row; a clip that a stage refused counts as lost."""
    folder = results / "clips" / row.clip
    clip, truth = read_clip(folder), read_truth(folder)
    try:
        hands = read_npz("hands", results / f"hands/{variant}/{row.clip}.npz")
        masks = read_npz("masks", results / f"masks/{variant}/{row.clip}.npz")
    except DataFailure:
        return LOST
    given, K = clip.given_hands()["T_cam_hand"], clip.K()
    px = truth.poses["joints_cam"] @ K.T
    scores = score_masks(masks, truth.masks, masks["object"], px[..., :2] / px[..., 2:])
    each = [iou(masks["object"][i], m) for i, m in sorted(truth.masks["object"].items())]
    turn = Rotation.from_matrix(hands["T_cam_hand"][:, :3, :3] @ given[:, :3, :3].mT).magnitude()
    return {
        "found": float(hands["found"].mean()),
        "object": scores["mask_iou_object"],
        "worst": min(x for x in each if x is not None),
        "hand": scores["mask_iou_hand"],
        "depth %": 100 * (float(np.median(hands["T_cam_hand"][:, 2, 3] / given[:, 2, 3])) - 1),
        "turn °": float(np.degrees(turn).mean()),
    }


def main() -> None:
    """Print the means by group, then every clip."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("by", help="column of the table: shift, category, ...")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--variant", default="diffhoi")
    args = parser.parse_args()
    clips = [
        {"clip": name, args.by: getattr(row, args.by) or "none"} | measured(row, args.results, args.variant)
        for name, row in read_table(args.table).items()
    ]
    table = pd.DataFrame(clips)
    groups = table.drop(columns="clip").groupby(args.by, sort=False)
    means = groups.mean().assign(worst=groups["worst"].min())
    for shown in (means.reset_index(), table):
        print(shown.to_markdown(index=False, floatfmt=".3f", missingval="–"))


if __name__ == "__main__":
    main()

"""Frames of made clips with true labels, to train the masker's network on."""

import numpy as np
import torch

from hoi.artefacts import Product, write_npz
from hoi.config import GraspSettings, MaskData, MaskNetwork, ProceduralSettings
from hoi.errors import InputError
from hoi.masknet.made import rows_of_instance
from hoi.progress import Progress


def mask_data(
    shard: int, config: MaskData, network: MaskNetwork, grasp: GraspSettings, film: ProceduralSettings, working_px: int,
    output: Product,
) -> None:  # fmt: skip
    """Film one shard: some training instances of every category, each in its best grasps."""
    torch.set_num_threads(1)
    rows: list[dict] = []
    with Progress("mask_data") as progress:
        for k in range(config.instances):
            rows += rows_of_instance(shard * config.instances + k, config, network, grasp, film, working_px)
            progress(k + 1, config.instances, f"{len(rows)} frames")
    if not rows:
        raise InputError(f"mask_data, shard {shard}", "no accepted grasp of any instance", "some",
                         "more mask_data.instances, or prior_data.grasp.grasp_starts")  # fmt: skip
    write_npz("mask_frames", output, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})

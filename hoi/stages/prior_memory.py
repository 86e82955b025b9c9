"""Training objects, and how hands held them: what the prior remembers beside its denoiser's weights."""

import numpy as np
import torch

from hoi.artefacts import Product
from hoi.config import GraspSettings, PriorMemory
from hoi.errors import InputError
from hoi.geometry.sampling import sample_surface
from hoi.hand.model import load_hand
from hoi.prior.memory import Kept, save
from hoi.progress import Progress
from hoi.sources.held import held_object
from hoi.sources.shapes import CATEGORIES, FURTHER, FURTHER_FROM


def prior_memory(config: PriorMemory, grasp: GraspSettings, output: Product) -> None:
    """Some training instances of every category in their best grasps; those that no hand can hold are left out."""
    torch.set_num_threads(1)
    wanted = [(category, config.first + i) for i in range(config.instances) for category in CATEGORIES]
    wanted += [(category, FURTHER_FROM + i) for i in range(config.further) for category in FURTHER]
    right, kept = load_hand("right"), []
    with Progress("prior_memory") as progress:
        for number, (category, seed) in enumerate(wanted):
            held = held_object(category, seed, right, grasp)
            best = held.best(config.grasps_most)
            if best:
                vertices, faces = np.asarray(held.thing.vertices), np.asarray(held.thing.faces)
                points = sample_surface(vertices, faces, config.points, 0)
                kept.append(Kept(category, seed, points, np.stack([g.T_hand_obj for g in best])))
            progress(number + 1, len(wanted), f"{len(kept)} objects")
    if not kept:
        raise InputError("prior_memory", "no accepted grasp of any instance", "some",
                         "more prior_memory.instances, prior_data.grasp.grasp_starts or grasp_steps")  # fmt: skip
    save(kept, output)

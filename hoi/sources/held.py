"""Procedural objects in hands, without a film of them: what the prior's training looks at."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoi.config import GraspSettings
from hoi.hand.model import HandModel
from hoi.sources.grasps import Anatomy, Grasp, hint_order, search_hint
from hoi.sources.shapes import ProceduralObject, make_object


@dataclass(frozen=True)
class HeldObject:
    """A training instance and the ways in which one right hand holds it."""

    thing: ProceduralObject
    seed: int
    betas: Float[np.ndarray, "10"]
    grasps: list[Grasp]

    def best(self, count: int) -> list[Grasp]:
        """Those of least energy, at most so many."""
        return sorted(self.grasps, key=lambda g: g.energy)[:count]


def held_object(category: str, seed: int, hand: HandModel, settings: GraspSettings) -> HeldObject:
    """The training instance of a category and seed, with every accepted grasp at the first of its hints that has any.

    There may be none at `grasp_hints` hints. Always of split "train": no test instance is ever made here. The draws are its
    own, apart from those of the made clips.
    """
    rng = np.random.default_rng([seed, 3, *category.encode()])
    thing = make_object(category, seed, "train")
    betas = np.clip(rng.normal(0, 0.7, 10), -1.5, 1.5).astype(np.float32)
    anatomy = Anatomy(hand, betas)
    grasps: list[Grasp] = []
    for hint in hint_order(thing, hand.side, rng)[: settings.grasp_hints]:
        found = search_hint(thing, anatomy, hint, settings, rng)
        grasps = [g for g in found if g.accepted(settings.contact_m, settings.penetration_m)]
        if grasps:
            break
    return HeldObject(thing, seed, betas, grasps)

"""Procedural objects of the six categories: watertight meshes in metres with parts, materials and grasp hints."""

import zlib

import numpy as np

from hoi.errors import InputError
from hoi.sources.shapes import bottle, bowl, kettle, knife, mug, toycar
from hoi.sources.shapes.model import (
    GraspHint,
    Material,
    ProceduralObject,
    Split,
    albedo,
    finish,
    surface_albedo,
    surface_shine,
)

CATEGORIES = {
    "mug": mug.draft,
    "bottle": bottle.draft,
    "kettle": kettle.draft,
    "bowl": bowl.draft,
    "knife": knife.draft,
    "toycar": toycar.draft,
}
FURTHER_FROM = 200_000  # seeds from here on are of makes that came later: those below stay what they were
FURTHER = {"bottle": bottle.draft_wide}


def make_object(category: str, seed: int, split: Split) -> ProceduralObject:
    """The object of a category that belongs to a split and seed; no two splits share an instance."""
    if category not in CATEGORIES:
        raise InputError(
            "make_object", f"category {category!r}", f"one of {sorted(CATEGORIES)}", "correct the category"
        )
    if split not in ("train", "test"):
        raise InputError("make_object", f"split {split!r}", "'train' or 'test'", "correct the split")
    stream = zlib.crc32(f"{split}/{category}".encode())
    rng = np.random.default_rng(np.random.SeedSequence([stream, seed]))
    draft = FURTHER[category] if seed >= FURTHER_FROM and category in FURTHER else CATEGORIES[category]
    return finish(draft(rng), category, seed, split)


__all__ = [
    "CATEGORIES",
    "FURTHER",
    "FURTHER_FROM",
    "GraspHint",
    "Material",
    "ProceduralObject",
    "albedo",
    "make_object",
    "surface_albedo",
    "surface_shine",
]

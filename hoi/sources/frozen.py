"""Grasps of the test clips (of benchmark and stress set), found once and kept: a search ends elsewhere on another processor,
and so would the clip."""

from functools import cache
from pathlib import Path

import numpy as np

from hoi.hand.model import Side
from hoi.sources.grasps import Grasp

FROZEN = Path(__file__).parent / "frozen_grasps.npz"  # written by scripts/freeze_grasps.py


def frozen_grasp(category: str, seed: int, side: Side) -> Grasp | None:
    """The kept grasp of a test instance by this hand; None where there is none."""
    kept = _kept()
    row = np.flatnonzero(kept["clip"] == _name(category, seed, side))
    return Grasp(**{key: _plain(kept[key][row[0]]) for key in kept if key != "clip"}) if len(row) else None


def freeze(grasps: dict[tuple[str, int, Side], Grasp]) -> None:
    """Keep these grasps, and none but these."""
    arrays = {key: np.array([getattr(g, key) for g in grasps.values()]) for key in Grasp.__dataclass_fields__}
    np.savez_compressed(FROZEN, clip=np.array([_name(*key) for key in grasps]), **arrays)


@cache
def _kept() -> dict[str, np.ndarray]:
    with np.load(FROZEN, allow_pickle=False) as arrays:
        return dict(arrays)


def _name(category: str, seed: int, side: Side) -> str:
    return f"{category} {seed} {side}"


def _plain(value: np.ndarray | np.generic) -> object:
    """A number or word as Python has it; an array as it is."""
    return value.item() if value.ndim == 0 else value

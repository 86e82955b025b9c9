"""What the prior remembers: training objects of every category, and how hands held them.

A denoiser's pictures of what no view tells are blurs of all that is possible; an object that was once seen is sharp. The nearest
one is recalled by the evidence (`hoi/fit/recall.py`), as in retrieval-augmented diffusion (Blattmann et al., NeurIPS 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from hoi.artefacts import Product, read_npz, write_npz
from hoi.geometry.rotations import transform

PER_METRE = 50_000  # points are stored in fiftieths of a millimetre
MIRROR = torch.tensor([-1.0, 1.0, 1.0])  # a left hand is the right one mirrored, and so is what it holds

HALF_TURNS = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))  # diagonals of rotations: none, and about x, y and z

Shape = tuple[Float[np.ndarray, "v 3"], Integer[np.ndarray, "f 3"]]


@dataclass(frozen=True)
class Kept:
    """A training object: its category, the seed that makes it, points on its surface (object frame, metres), and the poses at
    which right hands held it."""

    category: str
    seed: int
    points: Float[np.ndarray, "p 3"]
    T_hand_obj: Float[np.ndarray, "g 4 4"]


@dataclass(frozen=True)
class Memory:
    """All that is remembered, and how the shape of one is made from its category and seed."""

    kept: list[Kept]
    shape: Callable[[str, int], Shape]

    @staticmethod
    def load(path: Path, shape: Callable[[str, int], Shape]) -> "Memory":
        """From a file of schema `prior_memory`."""
        a = read_npz("prior_memory", path)
        points = a["points"].astype(np.float32) / PER_METRE
        return Memory(
            [
                Kept(str(category), int(seed), points[i], a["T_hand_obj"][a["held"] == i])
                for i, (category, seed) in enumerate(zip(a["category"], a["seed"], strict=True))
            ],
            shape,
        )

    def held(self, category: str | None, is_right: bool) -> "list[Held]":
        """Every grasp of every object of a category, and the object half turned about its middle in it (a bottle may be held
        upside down); none of an unknown category."""
        return [
            Held(self, kept, torch.from_numpy(T @ _about(kept.points.mean(0), turn)).float(), is_right)
            for kept in self.kept
            if kept.category == category
            for T in kept.T_hand_obj
            for turn in HALF_TURNS
        ]


@dataclass(frozen=True)
class Held:
    """A remembered object in a hand."""

    memory: Memory
    kept: Kept
    T_hand_obj: Float[Tensor, "4 4"]
    is_right: bool

    def in_hand(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Points of the object, in the hand's frame."""
        points = transform(self.T_hand_obj, points)
        return points if self.is_right else points * MIRROR

    def cloud(self) -> Float[Tensor, "p 3"]:
        """Points on its surface, hand frame, metres."""
        return self.in_hand(torch.from_numpy(self.kept.points).float())

    def mesh(self) -> Shape:
        """Its surface, hand frame, metres."""
        vertices, faces = self.memory.shape(self.kept.category, self.kept.seed)
        placed = self.in_hand(torch.from_numpy(np.asarray(vertices, np.float32))).numpy()
        return placed, np.asarray(faces) if self.is_right else np.asarray(faces)[:, ::-1].copy()


def save(kept: list[Kept], path: Product) -> None:
    """Write a memory (schema `prior_memory`)."""
    write_npz(
        "prior_memory",
        path,
        category=np.array([k.category for k in kept]),
        seed=np.array([k.seed for k in kept], np.int64),
        points=np.stack([np.round(k.points * PER_METRE).astype(np.int16) for k in kept]),
        held=np.concatenate([np.full(len(k.T_hand_obj), i) for i, k in enumerate(kept)]).astype(np.int64),
        T_hand_obj=np.concatenate([k.T_hand_obj for k in kept]).astype(np.float32),
    )


def _about(middle: Float[np.ndarray, "3"], diagonal: tuple[int, int, int]) -> Float[np.ndarray, "4 4"]:
    """A half turn about a point."""
    T = np.diag([*diagonal, 1]).astype(np.float32)
    T[:3, 3] = middle - T[:3, :3] @ middle
    return T

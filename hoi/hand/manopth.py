"""MANO through manopth's `ManoLayer` (Hasson et al. 2019), for those who want that code path: an optional package, GPL-3."""

import importlib
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csc_matrix
from torch import Tensor

from hoi.errors import InputError
from hoi.hand.mano import ManoFile, mano_arrays, read_mano
from hoi.hand.model import KEYPOINTS, HandModel, HandOutput, Side


class ManopthHand(HandModel):
    """A MANO hand whose `forward` manopth computes; the rest is ours, `keypoints_of` too, which a test holds to manopth's."""

    def __init__(self, file: ManoFile, side: Side) -> None:
        super().__init__(mano_arrays(file, side), side)
        self.layer = mano_layer(file, side)

    def forward(
        self,
        pose: Float[Tensor, "B 45"],
        betas: Float[Tensor, "B n"],
        global_rot: Float[Tensor, "B 3"] | None = None,
        transl: Float[Tensor, "B 3"] | None = None,
    ) -> HandOutput:
        """As `HandModel`'s; manopth counts in millimetres from the template's origin."""
        theta = torch.cat([torch.zeros_like(pose[:, :3]), pose], 1)
        vertices, keypoints = (x / 1000 for x in self.layer(theta, betas))
        vertices, keypoints = vertices - keypoints[:, :1], keypoints - keypoints[:, :1]
        joints = keypoints[:, [KEYPOINTS.index(k) for k in range(16)]]
        return self._finish(vertices, joints, keypoints[:, 4::4], global_rot, transl)


def mano_layer(file: ManoFile, side: Side) -> torch.nn.Module:
    """manopth's layer for full axis-angle poses from the flat hand, fed by our reader: manopth's own needs chumpy."""
    try:
        module: Any = importlib.import_module("manopth.manolayer")
    except ImportError as error:
        raise InputError(
            "hand.model: manopth", f"{error}", "the package manopth, which is not on PyPI",
            "pip install git+https://github.com/hassony2/manopth, or hand.model: mano (docs/stack.md)",
        ) from error  # fmt: skip
    theirs = module.ready_arguments
    module.ready_arguments = lambda _path: as_manopth_reads(file)
    try:
        return module.ManoLayer(flat_hand_mean=True, ncomps=45, side=side, use_pca=False)
    finally:
        module.ready_arguments = theirs


def as_manopth_reads(file: ManoFile) -> dict[str, Any]:
    """What its reader would return."""
    arrays = {
        "betas": np.zeros(10), "shapedirs": file.shape_basis, "posedirs": file.pose_basis,
        "v_template": file.template, "weights": file.skin_weights,
    }  # fmt: skip
    parents = np.array([2**32 - 1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14])
    return {name: SimpleNamespace(r=array) for name, array in arrays.items()} | {
        "J_regressor": csc_matrix(file.joint_regressor), "f": file.faces, "hands_components": file.components,
        "hands_mean": file.mean, "kintree_table": np.stack([parents, np.arange(16)]),
    }  # fmt: skip


@lru_cache(maxsize=2)
def load_manopth(folder: str, side: Side) -> ManopthHand:
    """The hand of a side."""
    return ManopthHand(read_mano(folder, side), side)

"""A surface that bends a little and moves much, in few numbers: a base, some shapes to be added to it, and a pose a frame.

The vertices of frame t are T_t (base + sum_k share_tk shape_k): morph targets, as glTF has them. Shapes are small beside the
base, so that a byte a number is enough. A tracked hand's thirty frames need some ten of them for a third of a millimetre.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from hoi.geometry.registration import umeyama
from hoi.present.site.packing import packed, packed_in_steps


def blended(vertices: Float[np.ndarray, "N V 3"], error_m: float) -> dict[str, Any]:
    """As JSON: `base` (V 3), `shapes` (K V 3), `shares` (N K), `poses` (N 4 4); no vertex is off by more than `error_m`, but for
    the rounding of packed numbers."""
    vertices = np.asarray(vertices, np.float64)
    first = np.broadcast_to(vertices[0], vertices.shape)
    R, t, _ = umeyama(first, vertices, np.ones(vertices.shape[:2]), False)
    local = (vertices - t[:, None]) @ R
    base = local.mean(0)
    bent = (local - base).reshape(len(local), -1)
    U, S, Vt = np.linalg.svd(bent, full_matrices=False)
    left, needed = bent, 0
    while needed < len(S) and _off(left) > error_m:
        left, needed = left - np.outer(U[:, needed] * S[needed], Vt[needed]), needed + 1
    poses = np.tile(np.eye(4), (len(vertices), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = R, t
    return {
        "base": packed_in_steps(base),
        "shapes": packed_in_steps(Vt[:needed].reshape(needed, *base.shape), 255),
        "shares": packed((U * S)[:, :needed]),
        "poses": packed(poses),
    }


def _off(error: Float[np.ndarray, "N V3"]) -> float:
    """The greatest distance of a vertex."""
    return float(np.linalg.norm(error.reshape(len(error), -1, 3), axis=-1).max())

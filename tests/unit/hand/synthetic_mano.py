"""Files of MANO's format without MANO: its sizes, its tree, its objects, a hand subsampled from the open one.

`shapedirs` is written as the released files have it, a chumpy Select over a Ch; `J_regressor` as scipy's csc; names of
modules as Python 2 wrote them.
"""

import io
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse

from hoi.hand.mano import NAMES, TIPS
from hoi.hand.model import OPEN_HAND, mirror, read_arrays

WRIST = np.array([0.09566994, 0.00638343, 0.0061863])  # of the mean right hand's template, as published
PARENTS = (2**32 - 1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)


def sock() -> np.ndarray:
    """1538 faces over 778 vertices with one hole of 16 edges: 48 rings of 16, a tip, 9 vertices put into faces."""
    ring = np.arange(16)
    after = (ring + 1) % 16
    faces = [f for k in range(47) for f in _band(16 * k + ring, 16 * k + after)]
    faces += [[16 * 47 + a, 16 * 47 + b, 768] for a, b in zip(ring, after, strict=True)]
    for new in range(769, 778):
        a, b, c = faces.pop(0)
        faces += [[a, b, new], [b, c, new], [c, a, new]]
    return np.array(faces, np.uint32)


def _band(a: np.ndarray, b: np.ndarray) -> list[list[int]]:
    return [f for i, j in zip(a, b, strict=True) for f in ([i, j, i + 16], [j, j + 16, i + 16])]


def mano_content(side: str = "right", seed: int = 0, stranger: bool = False) -> dict[str, Any]:
    """The dict of a MANO file, in plain arrays (J_regressor: csc); a stranger's bones and shapes are not the open hand's."""
    rng = np.random.default_rng(seed)
    hand = read_arrays(OPEN_HAND)
    hand, sign = (hand, 1) if side == "right" else (mirror(hand), -1)
    chosen = rng.choice(np.setdiff1d(np.arange(len(hand.template)), hand.tips), 778, replace=False)
    chosen[list(TIPS[side])] = hand.tips
    rest, shapes = hand.joint_regressor @ hand.template, hand.shape_basis[chosen].astype(np.float64)
    template = hand.template[chosen].astype(np.float64)
    if stranger:
        template, rest = stretched(template, rest, hand.skin_weights[chosen])
        shapes = shapes @ np.linalg.qr(np.random.default_rng(1).normal(size=(10, 10)))[0]
    regressor = np.zeros((16, 778))
    for j, joint in enumerate(rest):
        near = np.argsort(np.linalg.norm(template - joint, axis=1))[:24]
        regressor[j, near] = _convex(template[near], joint)
    components, _ = np.linalg.qr(rng.normal(size=(45, 45)))
    shift = WRIST * [sign, 1, 1] - regressor[0] @ template
    return {
        "v_template": template + shift,
        "shapedirs": shapes,
        "posedirs": rng.normal(0, 1e-4, (778, 3, 135)),
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "J": regressor @ (template + shift),
        "weights": hand.skin_weights[chosen].astype(np.float64),
        "f": sock(),
        "kintree_table": np.array([PARENTS, range(16)], np.int64),
        "hands_components": components,
        "hands_mean": rng.normal(0, 0.2, 45),
        "hands_coeffs": rng.normal(size=(1554, 45)),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def stretched(template: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A hand whose palm is 8 % longer and whose fingers' bones are 12 % shorter to 12 % longer, each by its own share."""
    scale = np.concatenate([[1.08], np.random.default_rng(2).uniform(0.88, 1.12, 15)])
    moved = joints.copy()
    for j, parent in enumerate(PARENTS[1:], 1):
        moved[j] = moved[parent] + scale[parent] * (joints[j] - joints[parent])
    grown = moved + scale[:, None] * (template[:, None] - joints)
    return (weights[..., None] * grown).sum(1), moved


def _convex(points: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Positive weights of sum 1 that bring the mean of points near the goal."""
    weights = scipy.optimize.nnls(np.vstack([100 * points.T, np.ones(len(points))]), np.append(100 * goal, 1))[0]
    return weights / weights.sum()


def chumpy_modules() -> dict[str, ModuleType]:
    """Modules whose classes pickle under chumpy's names."""
    modules = {}
    for module, kind in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        modules[module] = ModuleType(module)
        setattr(modules[module], kind, type(kind, (), {"__module__": module}))
    return {"chumpy": ModuleType("chumpy"), **modules}


def with_chumpy(content: dict[str, Any], modules: dict[str, ModuleType]) -> dict[str, Any]:
    """`shapedirs` as the released files hold it: the first 10 of 20 directions, selected from a flat list."""
    shapes = np.concatenate([content["shapedirs"], np.full((778, 3, 10), np.nan)], -1)
    ch, select = modules["chumpy.ch"].Ch(), modules["chumpy.reordering"].Select()
    ch.__dict__.update(x=shapes, _dirty_vars=set(), _itr=None)
    chosen = np.arange(shapes.size).reshape(shapes.shape)[..., :10]
    select.__dict__.update(a=ch, idxs=chosen.ravel(), preferred_shape=(778, 3, 10), _dirty_vars={"a"})
    return content | {"shapedirs": select}


def as_python_2(data: bytes) -> bytes:
    """Module names as they were when the files were made."""
    names = {"numpy._core.multiarray": "numpy.core.multiarray", "scipy.sparse._csc": "scipy.sparse.csc"}
    for new, old in names.items():
        data = data.replace(f"c{new}\n".encode(), f"c{old}\n".encode())
    return data


def write_mano(folder: Path, side: str, protocol: int = 2, **changes: Any) -> dict[str, Any]:
    """A file of MANO's name and format in a folder; returns its plain content."""
    folder.mkdir(parents=True, exist_ok=True)
    content = mano_content(side) | changes
    modules = chumpy_modules()
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        buffer = io.BytesIO()
        pickle.dump(with_chumpy(content, modules), buffer, protocol)
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})
    (folder / NAMES[side]).write_bytes(as_python_2(buffer.getvalue()))
    return content

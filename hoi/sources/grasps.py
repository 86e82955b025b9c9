"""Grasps found by optimising a hand on an object: contact without penetration, within anatomical limits.

Many jittered starts around the object's hints descend together on a signed-distance grid; what comes out is accepted
only on exact distances (`check_contact`). In the spirit of GraspIt!'s contact energy (Miller & Allen 2004) and of
ContactOpt (Grady et al. 2021); the terms and weights are our own.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoi.config import GraspSettings
from hoi.errors import InputError
from hoi.geometry.rotations import axis_angle_to_matrix
from hoi.hand.model import HandModel, Side, blend
from hoi.sources.contact import Obstacle, check_contact, make_obstacle
from hoi.sources.shapes import GraspHint, ProceduralObject
from hoi.sources.skin import articulate, dorsal_directions

FINGERS = ("thumb", "index", "middle", "ring", "little")
JOINTS_OF = {"index": (0, 1, 2), "middle": (3, 4, 5), "little": (6, 7, 8), "ring": (9, 10, 11), "thumb": (12, 13, 14)}


@dataclass(frozen=True)
class Grasp:
    """A hand on an object. T_hand_obj (4,4), pose (45,) axis-angle; distances in metres (positive: outside)."""

    name: str
    T_hand_obj: Float[np.ndarray, "4 4"]
    pose: Float[np.ndarray, " 45"]
    finger_distance_m: Float[np.ndarray, " 5"]
    penetration_m: float
    pierced: int
    energy: float

    def accepted(self, contact_m: float, penetration_m: float) -> bool:
        """>= 3 fingers, the thumb one of them, within contact_m of the surface; nothing deeper than penetration_m.

        Nor may a finger go through a wall. Joint limits need no check: the search moves inside them only.
        """
        touching = self.finger_distance_m <= contact_m
        held = touching[0] and touching.sum() >= 3
        return bool(held and self.penetration_m <= penetration_m and self.pierced <= PIERCED_EDGES)


class Anatomy:
    """What the grasp search knows of a hand: pads, palm, a thinned skin, and articulation by angles within limits."""

    def __init__(self, hand: HandModel, betas: Float[np.ndarray, " 10"]) -> None:
        self.hand, self.betas = hand, torch.as_tensor(betas, dtype=torch.float32)
        self.lower, self.upper = hand.angle_lower, hand.angle_upper
        rest, k = articulate(hand, np.zeros(45), betas)
        self.pad_rows, palm = pad_vertices(hand, betas), palm_vertices(rest, k)
        keep = np.unique(np.concatenate([*self.pad_rows, palm[::2], np.arange(0, len(rest), 3)]))
        self.rows = torch.from_numpy(keep)
        self.pads = [torch.from_numpy(np.searchsorted(keep, p)) for p in self.pad_rows]
        self.palm = torch.from_numpy(np.searchsorted(keep, palm[::2]))
        self.skin = torch.from_numpy(rest[keep])
        self.thumb = torch.from_numpy(hand.skin_weights[keep, 13:].sum(1).numpy() > 0.5)
        self.back = torch.tensor([1.0 if hand.side == "right" else -1.0, 0, 0])
        k = torch.from_numpy(k)
        self.palm_centre = (k[9] * 0.62 + k[0] * 0.38) + torch.tensor([0.0, -0.016, 0.0])
        self.knuckle = k[9] + 0.004 * self.back + torch.tensor([0.0, -0.012, 0.0])

    def forward(self, angles: Float[Tensor, "b 15 3"]) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b 21 3"]]:
        """The thinned skin and the keypoints in the hand frame."""
        R = self.hand.rotations(angles)
        betas = self.betas[None].expand(len(angles), -1)
        A = self.hand.skinning_transforms(R, betas)
        skin = blend(self.hand.skin_weights[self.rows], A, self.skin.expand(len(angles), -1, -1))
        return skin, self.hand.keypoints_of(R, betas)


def pad_vertices(hand: HandModel, betas: Float[np.ndarray, " 10"]) -> list[np.ndarray]:
    """Vertices of the five pads (thumb to little finger): the palm side from the last joint on."""
    weights, (rest, keypoints) = hand.skin_weights.numpy(), articulate(hand, np.zeros(45), betas)
    out = []
    for finger, up in enumerate(dorsal_directions(hand, betas)):
        middle, last = JOINTS_OF[FINGERS[finger]][1] + 1, JOINTS_OF[FINGERS[finger]][2] + 1
        root, tip = keypoints[3 + 4 * finger], keypoints[4 + 4 * finger]
        along = (rest - root) @ (tip - root) / np.sum((tip - root) ** 2)
        below = (rest - root - along[:, None] * (tip - root)) @ up < -0.002
        mine = weights[:, last] + weights[:, middle] > 0.6
        out.append(np.flatnonzero(mine & below & (along > -0.35)))
    return out


def palm_vertices(rest: Float[np.ndarray, "v 3"], keypoints: Float[np.ndarray, "21 3"]) -> np.ndarray:
    """Vertices of the palm's skin between wrist and knuckles."""
    wrist, knuckle = keypoints[0], keypoints[9]
    along = (rest - wrist) @ (knuckle - wrist) / np.sum((knuckle - wrist) ** 2)
    across = np.abs(rest[:, 2] - (wrist + along[:, None] * (knuckle - wrist))[:, 2])
    return np.flatnonzero((along > 0.35) & (along < 1.1) & (across < 0.035) & (rest[:, 1] < wrist[1] - 0.006))


PRESET_FLEXION = {  # ASSUME: share of each joint's range from straight to its flexion limit, knuckle to fingertip
    "power": (0.45, 0.50, 0.35), "handle": (0.55, 0.65, 0.45), "top": (0.35, 0.35, 0.30),
    "rim": (0.55, 0.25, 0.20), "pinch": (0.50, 0.35, 0.25),
}  # fmt: skip
NATURAL_ENERGY = 24.0  # ASSUME: a grasp below this looks natural; above it another place is tried
BURIED_M = 0.006  # ASSUME: a vertex this deep in an object or its hollow has gone through a wall
PIERCED_EDGES = 3  # ASSUME: an edge may cut across a rim or corner
HINT_WEIGHT = {
    ("mug", "handle"): 4.0,
    ("kettle", "handle"): 8.0,
    ("bowl", "rim"): 3.0,
    ("mug", "top"): 0.3,
    ("bowl", "power"): 0.2,
}  # ASSUME: everyday habits; others 1
PALM_KINDS = ("power", "handle")
FINGER_WEIGHT = (2.0, 1.5, 1.5, 1.0, 0.7)


@dataclass(frozen=True)
class Starts:
    """A batch of starts: wrist rotation and position in the object frame, unconstrained angles, preset and target."""

    R_obj_hand: Float[Tensor, "b 3 3"]
    t_obj_hand: Float[Tensor, "b 3"]
    latent: Float[Tensor, "b 15 3"]
    preset: Float[Tensor, "b 15 3"]
    grip: Float[Tensor, "b 3"]
    target: Float[Tensor, "b 3"]
    palm: Bool[Tensor, " b"]

    def take(self, rows: Tensor) -> "Starts":
        """Some of the starts."""
        return Starts(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def preset_angles(kind: str, anatomy: Anatomy) -> Float[Tensor, "15 3"]:
    """The hand shaped for a kind of grasp, before it touches anything."""
    angles = torch.zeros(15, 3)
    for name, joints in JOINTS_OF.items():
        for share, joint in zip(PRESET_FLEXION[kind], joints, strict=True):
            angles[joint, 0] = share * anatomy.upper[joint, 0] * (0.7 if name == "thumb" else 1.0)
    return angles.clamp(anatomy.lower, anatomy.upper)


def make_starts(anatomy: Anatomy, hint: GraspHint, count: int, rng: np.random.Generator) -> Starts:
    """`count` starts around a hint, the first as the hint says, the others jittered."""
    span, preset = anatomy.upper - anatomy.lower, preset_angles(hint.kind, anatomy)
    spread = torch.ones(count, 1)
    spread[0] = 0
    noise = torch.from_numpy(rng.standard_normal((count, 51)).astype(np.float32)) * spread
    angles = preset + 0.12 * noise[:, 6:].reshape(-1, 15, 3) * span
    angles = torch.maximum(torch.minimum(angles, anatomy.upper - 0.04 * span), anatomy.lower + 0.04 * span)
    grip = _grip_centre(anatomy, hint, angles)
    facing, thumb = (torch.as_tensor(v, dtype=torch.float32) for v in (hint.facing, hint.thumb_axis))
    base = torch.stack([torch.linalg.cross(-facing, thumb), -facing, thumb], 1)
    R = base @ axis_angle_to_matrix(noise[:, :3] * torch.tensor([0.25, 0.35, 0.25]))
    target = torch.as_tensor(hint.target, dtype=torch.float32).expand(count, 3)
    t = target - (R @ grip[..., None])[..., 0] + 0.006 * noise[:, 3:6]
    latent = torch.logit((angles - anatomy.lower) / span)
    return Starts(
        R, t, latent, preset.expand(count, 15, 3), grip, target, torch.full((count,), hint.kind in PALM_KINDS)
    )


def _grip_centre(anatomy: Anatomy, hint: GraspHint, angles: Float[Tensor, "b 15 3"]) -> Float[Tensor, "b 3"]:
    """Where in the hand frame the gripped thing's centre belongs: under the palm, or between thumb and fingertips."""
    if hint.kind in PALM_KINDS:
        share = float(np.clip((hint.radius - 0.008) / 0.025, 0, 1))
        centre = (1 - share) * anatomy.knuckle + share * anatomy.palm_centre + torch.tensor([0, -float(hint.radius), 0])
        return centre.expand(len(angles), 3)
    with torch.no_grad():
        k = anatomy.forward(angles)[1]
    return 0.5 * k[:, 4] + 0.25 * (k[:, 8] + k[:, 12])


class Search:
    """The energy of a batch of hands on one object, and its descent."""

    def __init__(self, anatomy: Anatomy, obstacle: Obstacle, starts: Starts) -> None:
        self.anatomy, self.obstacle, self.starts = anatomy, obstacle, starts
        self.turn = torch.zeros_like(starts.t_obj_hand, requires_grad=True)
        self.move = torch.zeros_like(starts.t_obj_hand, requires_grad=True)
        self.latent = starts.latent.clone().requires_grad_(True)

    def angles(self) -> Float[Tensor, "b 15 3"]:
        """Angles, always within limits."""
        a = self.anatomy
        return a.lower + (a.upper - a.lower) * torch.sigmoid(self.latent)

    def pose(self) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, "b 3"]]:
        """R_obj_hand and t_obj_hand; rotations are about the grip, so that turning does not throw the hand away."""
        s = self.starts
        R = s.R_obj_hand @ axis_angle_to_matrix(self.turn)
        held = (s.R_obj_hand @ s.grip[..., None])[..., 0] + s.t_obj_hand + self.move
        return R, held - (R @ s.grip[..., None])[..., 0]

    def energy(self, firm: float) -> Float[Tensor, " b"]:
        """Sum of the terms, lengths in millimetres; `firm` weighs penetration."""
        a, s, angles = self.anatomy, self.starts, self.angles()
        skin, keypoints = a.forward(angles)
        R, t = self.pose()
        points = skin @ R.transpose(1, 2) + t[:, None]
        arm = torch.tensor([[0.03], [0.07], [0.12]]) * a.back @ R.transpose(1, 2) + t[:, None]
        d = 1000 * self.obstacle.distance(points, a.thumb)
        pads = torch.stack([_soft_nearest(d[:, p]) for p in a.pads], 1)
        weight = torch.tensor(FINGER_WEIGHT)
        contact = (weight * (pads / (1 + pads / 25))).sum(1)
        palm = torch.where(s.palm, 0.25 * (_soft_nearest(d[:, a.palm]) - 1).clamp_min(0), 0.0)
        depth = (-d).clamp_min(0)
        penetration = firm * ((depth**2).mean(1) * 3 + 0.5 * (depth - 1.0).clamp_min(0).amax(1))
        penetration = penetration + 0.5 * (30 - 1000 * self.obstacle.surface(arm)).clamp_min(0).sum(1)
        span = a.upper - a.lower
        prior = 3.0 * (((angles - s.preset) / span.clamp_min(0.2)) ** 2).sum((1, 2)) + 4.0 * _uneven(angles)
        stray = 1000 * ((R @ s.grip[..., None])[..., 0] + t - s.target).norm(dim=-1)
        stray = 0.15 * (stray - 12).clamp_min(0) + 2.0 * (1 - torch.cos(self.turn.norm(dim=-1).clamp_min(1e-4)))
        return contact + palm + penetration + prior + stray + 3.0 * self._opposition(points, d) + _crossing(keypoints)

    def _opposition(self, points: Tensor, d: Tensor) -> Float[Tensor, " b"]:
        """1 + cosine between the surface normals under the thumb and under index and middle finger; 0: a firm pinch."""
        b, surface = torch.arange(len(points)), self.obstacle.surface
        at = torch.stack([points[b, p[d[:, p].abs().argmin(1)]] for p in self.anatomy.pads[:3]], 1)
        step = 0.003 * torch.eye(3)
        n = torch.stack([surface(at + step[i]) - surface(at - step[i]) for i in range(3)], -1)
        n = n / n.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        return 1 + (n[:, 0] * n[:, 1:].mean(1)).sum(-1)

    def descend(self, steps: int, rate: float, firm: tuple[float, float]) -> Float[Tensor, " b"]:
        """Adam from the present state, penetration weighing more and more. Returns the last energies."""
        groups = [
            {"params": [self.turn], "lr": rate},
            {"params": [self.move], "lr": 0.08 * rate},
            {"params": [self.latent], "lr": 3 * rate},
        ]
        optimiser = torch.optim.Adam(groups, betas=(0.9, 0.95))
        for i in range(steps):
            progress = i / max(steps - 1, 1)
            for group, first in zip(optimiser.param_groups, (rate, 0.08 * rate, 3 * rate), strict=True):
                group["lr"] = first * (1 - 0.9 * progress)
            optimiser.zero_grad()
            energy = self.energy(firm[0] + (firm[1] - firm[0]) * progress)
            energy.sum().backward()
            optimiser.step()
        return energy.detach()

    def refined(self, rows: Tensor) -> "Search":
        """The chosen rows as the starts of a new search, states kept."""
        new = Search(self.anatomy, self.obstacle, self.starts.take(rows))
        for name in ("turn", "move", "latent"):
            getattr(new, name).data.copy_(getattr(self, name).data[rows])
        return new


def _soft_nearest(d_mm: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Smooth minimum of |d|, temperature 2 mm, of a pad."""
    size = d_mm.abs()
    return (size * torch.softmax(-size / 2, 1)).sum(1)


def _uneven(angles: Float[Tensor, "b 15 3"]) -> Float[Tensor, " b"]:
    """Neighbouring fingers bend alike, and fingertip joints follow the middle ones (about two thirds)."""
    flex = angles[:, [0, 1, 2, 3, 4, 5, 9, 10, 11, 6, 7, 8], 0].reshape(-1, 4, 3)
    alike = ((flex[:, 1:] - flex[:, :-1]) ** 2).sum((1, 2))
    return alike + ((flex[:, :, 2] - 0.66 * flex[:, :, 1]) ** 2).sum(1)


def _crossing(keypoints: Float[Tensor, "b 21 3"]) -> Float[Tensor, " b"]:
    """Fingers as chains of points: different fingers' points nearer than a finger's width push apart (mm^2 / 4)."""
    k = keypoints.reshape(-1, 21, 3)[:, 1:].reshape(-1, 5, 4, 3)
    middle = 0.5 * (k[:, :, 1:] + k[:, :, :-1])
    chain = torch.cat([k[:, :, 1:], middle], 2)
    total = torch.zeros(len(k))
    for i in range(5):
        for j in range(i + 1, 5):
            gap = 1000 * (chain[:, i, :, None] - chain[:, j, None]).norm(dim=-1)
            total = total + 0.25 * ((13.0 - gap).clamp_min(0) ** 2).sum((1, 2))
    return total


def find_grasp(
    thing: ProceduralObject, hand: HandModel, betas: Float[np.ndarray, " 10"], settings: GraspSettings, seed: int
) -> Grasp:
    """The best accepted grasp of an object by this hand, at one of its hints; an InputError if no hint leads to one."""
    rng = np.random.default_rng([seed, 2])
    anatomy, good, tried = Anatomy(hand, betas), [], []
    for hint in hint_order(thing, hand.side, rng)[: settings.grasp_hints]:
        found = search_hint(thing, anatomy, hint, settings, rng)
        tried.append(min(found, key=lambda g: g.energy))
        good += [g for g in found if g.accepted(settings.contact_m, settings.penetration_m)]
        if good and min(g.energy for g in good) < NATURAL_ENERGY:
            break
    if good:
        return min(good, key=lambda g: g.energy)
    said = "; ".join(f"{g.name}: {g.finger_distance_m.max():.4f}, {g.penetration_m:.4f} m, {g.pierced}" for g in tried)
    raise InputError(
        f"grasp of {thing.category} {thing.seed}",
        f"farthest pad, depth, edges through a wall: {said}",
        "a grasp that holds",
        "take another seed, or more grasp_starts",
    )


def hint_order(thing: ProceduralObject, side: Side, rng: np.random.Generator) -> list[GraspHint]:
    """The object's hints for a hand, shuffled, those that suit the category better more likely to come first."""
    hints = [h for h in thing.grasps if h.hand in (side, "either")]
    weight = np.array([HINT_WEIGHT.get((thing.category, h.kind), 1.0) for h in hints])
    return [hints[i] for i in np.argsort(-np.log(rng.random(len(weight))) / weight)]


def search_hint(
    thing: ProceduralObject, anatomy: Anatomy, hint: GraspHint, settings: GraspSettings, rng: np.random.Generator
) -> list[Grasp]:
    """The refined starts around one hint, checked exactly."""
    voxel = max(settings.grid_voxel_m, float((np.prod(thing.extents + 0.04) / 4e5) ** (1 / 3)))
    starts = make_starts(anatomy, hint, settings.grasp_starts, rng)
    rim = "thumb" if hint.kind == "rim" else "none"
    search = Search(anatomy, make_obstacle(thing.vertices, thing.faces, voxel, rim), starts)
    first = search.descend(settings.grasp_steps, 0.03, (0.5, 3.0))
    search = search.refined(torch.argsort(first, stable=True)[: settings.grasp_refined])
    energy = search.descend(settings.grasp_steps, 0.012, (3.0, 12.0))
    return [_as_grasp(search, i, hint.name, float(energy[i]), thing) for i in range(len(energy))]


def _as_grasp(search: Search, row: int, name: str, energy: float, thing: ProceduralObject) -> Grasp:
    with torch.no_grad():
        R, t = (x[row].double().numpy() for x in search.pose())
        pose = search.anatomy.hand.pose_from_angles(search.angles()[row : row + 1])[0].numpy()
    T_hand_obj = np.eye(4)
    T_hand_obj[:3, :3], T_hand_obj[:3, 3] = R.T, -R.T @ t
    a = search.anatomy
    skin = articulate(a.hand, pose, a.betas.numpy())[0] @ R.T + t
    reach, depth, pierced = check_contact(skin, a.hand.faces.numpy(), a.pad_rows, thing.vertices, thing.faces)
    thumb = a.hand.skin_weights[:, 13:].sum(1) > 0.5
    d = search.obstacle.distance(torch.as_tensor(skin, dtype=torch.float32)[None], thumb)
    pierced += int((d < -BURIED_M).sum())
    return Grasp(name, T_hand_obj, pose, reach, depth, pierced, energy)

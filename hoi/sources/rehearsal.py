"""A made clip without pictures: masks as a masker would find them, exact hands, and the truth.

The prior's training rehearses fits on these: what does a clip's evidence tell of an object, and what not?
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from hoi.config import ProceduralSettings, Rehearsals
from hoi.geometry.raycast import Posed, build_scene, cast_posed
from hoi.hand.model import HandModel
from hoi.sources.grasps import Grasp
from hoi.sources.procedural import direct
from hoi.sources.shapes import ProceduralObject
from hoi.sources.skin import make_body

FILLED = 0.9  # of the frame by hand and object, where the camera is ours to choose
NEAREST_M = 0.05


@dataclass(frozen=True)
class Rehearsal:
    """Masks of visible pixels (the hand's with its forearm), hands of schema `given_hands` with K (pixels), and T_cam_obj."""

    object_mask: Bool[np.ndarray, "n h w"]
    hand_mask: Bool[np.ndarray, "n h w"]
    hands: dict[str, np.ndarray]
    T_cam_obj: Float[np.ndarray, "n 4 4"]


@dataclass(frozen=True)
class Film:
    """A moving limb and object before a camera: vertices in the camera and poses of every frame, metres; K in pixels."""

    limb: Sequence[Float[np.ndarray, "v 3"]]
    limb_faces: Integer[np.ndarray, "f 3"]
    vertices: Float[np.ndarray, "u 3"]
    faces: Integer[np.ndarray, "g 3"]
    T_cam_obj: Float[np.ndarray, "n 4 4"]
    K: Float[np.ndarray, "3 3"]

    def masks(
        self, settings: Rehearsals, rng: np.random.Generator
    ) -> tuple[Bool[np.ndarray, "n h w"], Bool[np.ndarray, "n h w"]]:
        """Object and limb where they are seen; now and then a part of the object is not told from the background."""
        held, seen = build_scene(self.vertices, self.faces), []
        for T, skin in zip(self.T_cam_obj, self.limb, strict=True):
            limb = Posed(build_scene(skin, self.limb_faces), np.eye(4))
            seen.append(cast_posed([limb, Posed(held, T)], self.K, settings.width_px, settings.height_px).instance)
        labels = np.stack(seen)
        thing = labels == 1
        if rng.random() < settings.lost_share:
            point, radius_m = self.vertices[rng.integers(len(self.vertices))], float(rng.uniform(*settings.lost_m))
            left = thing & ~self._around(point, radius_m, settings)
            thing = left if left.any() else thing  # never the whole of it
        return thing, labels == 0

    def _around(
        self, point: Float[np.ndarray, "3"], radius_m: float, settings: Rehearsals
    ) -> Bool[np.ndarray, "n h w"]:
        """Pixels within a ball about a point of the object."""
        X = self.T_cam_obj[:, :3, :3] @ point + self.T_cam_obj[:, :3, 3]
        uv = X @ self.K.T
        column, row = np.meshgrid(np.arange(settings.width_px) + 0.5, np.arange(settings.height_px) + 0.5)
        off = np.hypot(column - (uv[:, 0] / uv[:, 2])[:, None, None], row - (uv[:, 1] / uv[:, 2])[:, None, None])
        return off < (radius_m * self.K[0, 0] / X[:, 2])[:, None, None]


def rehearse(
    thing: ProceduralObject,
    hand: HandModel,
    betas: Float[np.ndarray, "10"],
    grasp: Grasp,
    film: ProceduralSettings,
    settings: Rehearsals,
    rng: np.random.Generator,
) -> Rehearsal:
    """A made clip of a grasp: motions and cameras of the procedural source, its range of views drawn."""
    h, w = settings.height_px, settings.width_px
    small = {"frames": settings.frames, "height_px": h, "width_px": w,
             "view_range_deg": float(rng.uniform(*settings.view_range_deg))}  # fmt: skip
    focal = film.focal_over_width * w
    K = np.array([[focal, 0, w / 2], [0, focal, h / 2], [0, 0, 1]], np.float32)
    body = make_body(hand, betas, rng)
    take = direct(thing, body, grasp, K, thing.category, film.model_copy(update=small), rng)
    limb = [
        (body.vertices(pose, elbow) @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
        for T, pose, elbow in zip(take.T_cam_hand, take.pose, take.elbow, strict=True)
    ]
    masks = Film(limb, body.faces, thing.vertices, thing.faces, take.T_cam_obj, K).masks(settings, rng)
    return Rehearsal(*masks, {"T_cam_hand": take.T_cam_hand, "pose": take.pose, "betas": betas, "K": K}, take.T_cam_obj)


def rehearse_truth(
    limb: Float[np.ndarray, "n v 3"],
    limb_faces: Integer[np.ndarray, "f 3"],
    hands: dict[str, np.ndarray],
    vertices: Float[np.ndarray, "u 3"],
    faces: Integer[np.ndarray, "g 3"],
    T_cam_obj: Float[np.ndarray, "n 4 4"],
    settings: Rehearsals,
    rng: np.random.Generator,
) -> Rehearsal:
    """A clip with truth, as its own camera sees it through a crop about hand and object; the hand has no forearm."""
    moving = np.einsum("nij,pj->npi", T_cam_obj[:, :3, :3], vertices) + T_cam_obj[:, None, :3, 3]
    X = np.concatenate([limb.reshape(-1, 3), moving.reshape(-1, 3)])
    xy = X[:, :2] / np.maximum(X[:, 2:], NEAREST_M)
    low, high, size = xy.min(0), xy.max(0), np.array([settings.width_px, settings.height_px])
    focal = FILLED * float((size / (high - low)).min())
    x, y = size / 2 - focal * (low + high) / 2
    K = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]], np.float32)
    masks = Film(list(limb), limb_faces, vertices, faces, T_cam_obj, K).masks(settings, rng)
    return Rehearsal(*masks, hands | {"K": K}, T_cam_obj)

"""The columns of a clip's page, from what stages wrote and what is known of the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import trimesh
from jaxtyping import Float

from hoi.config import ReportClip
from hoi.geometry.registration import Search
from hoi.hand.choice import hand_of
from hoi.present.hands import hand_vertices_cam
from hoi.present.site.shown import Column, Hand, error_layer, surface_of, with_looks

TRUTH = "truth"


@dataclass(frozen=True)
class Found:
    """What one variant's stages found in a clip; None where one of them failed."""

    variant: str
    mesh: trimesh.Trimesh | None  # object frame, metres
    coloured: trimesh.Trimesh | None  # the same in its colours, with `seen` a vertex
    poses: Mapping[str, np.ndarray] | None  # schema `poses`
    hands: Mapping[str, np.ndarray] | None  # schema `hands`
    masks: Mapping[str, np.ndarray] | None  # schema `masks`


def found_column(
    found: Found, truth: trimesh.Trimesh | None, K: Float[np.ndarray, "N 3 3"], config: ReportClip, seed: int
) -> Column:
    """A variant's column; with the error on its object where the true shape is known. `K` of the frames, if no fit has one."""
    surface = hand = None
    if found.poses is not None:
        K, hand = found.poses["K"], _hand(found.poses)
    if found.poses is not None and found.mesh is not None:
        surface = surface_of(found.mesh, found.poses["T_cam_obj"], config.faces)
        if found.coloured is not None:
            surface = with_looks(surface, found.coloured)
        if truth is not None:
            search = Search(**config.registration.model_dump())
            layer = error_layer(surface.vertices, found.mesh, truth, search, config.samples, config.error_mm, seed)
            surface = replace(surface, layers=(*surface.layers, layer))
    tracked, masks = found.hands or {}, found.masks or {}
    return Column(
        found.variant,
        K,
        surface,
        hand,
        keypoints_px=tracked.get("keypoints_px"),
        found=tracked.get("found"),
        masks={kind: dict(enumerate(masks[kind])) for kind in ("object", "hand") if kind in masks},
    )


def held_frames(found: Found) -> dict[str, list[list[int]]]:
    """First and last frame that a variant's fit heeds, those in which the object is held, for its facts; {} without masks."""
    if found.masks is None:
        return {}
    heeded = np.flatnonzero(found.masks["confidence"] > 0)
    return {"held": [[int(heeded[0]), int(heeded[-1])]] if len(heeded) else []}


def _hand(poses: Mapping[str, np.ndarray]) -> Hand:
    hand = hand_of(poses)
    vertices = hand_vertices_cam(hand, poses["pose"], poses["betas"], poses["T_cam_hand"])
    return Hand(vertices, hand.faces.numpy())


def true_column(
    mesh: trimesh.Trimesh | None,
    hand: Hand | None,
    poses: Mapping[str, np.ndarray] | None,
    masks: Mapping[str, Mapping[int, np.ndarray]],
    K: Float[np.ndarray, "N 3 3"],
    faces: int,
) -> Column | None:
    """The truth's column, as far as it is known; None where nothing is. `poses`: schema `true_poses`."""
    if poses is None and not masks:
        return None
    surface = surface_of(mesh, poses["T_cam_obj"], faces) if mesh is not None and poses is not None else None
    joints = poses.get("joints_cam") if poses is not None else None
    return Column(TRUTH, K, surface, hand, joints_cam=joints, masks=masks)

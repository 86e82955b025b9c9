"""The columns of a clip's page, from what stages wrote and what is known of the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import trimesh
from jaxtyping import Float

from hoi.config import ReportClip
from hoi.geometry.registration import Search
from hoi.hand.model import HandModel, load_hand
from hoi.present.hands import hand_vertices_cam
from hoi.present.site.shown import Column, Hand, error_layer, surface_of

TRUTH = "truth"


@dataclass(frozen=True)
class Found:
    """What one variant's stages found in a clip; no mesh where the fit failed."""

    variant: str
    mesh: trimesh.Trimesh | None  # object frame, metres
    poses: Mapping[str, np.ndarray]  # schema `poses`
    hands: Mapping[str, np.ndarray]  # schema `hands`
    masks: Mapping[str, np.ndarray]  # schema `masks`

    @cached_property
    def hand(self) -> HandModel:
        """The hand of the found side."""
        return load_hand("right" if self.poses["is_right"] else "left")

    @cached_property
    def hand_vertices(self) -> Float[np.ndarray, "N V 3"]:
        """Vertices of every frame's hand in the camera, metres."""
        p = self.poses
        return hand_vertices_cam(self.hand, p["pose"], p["betas"], p["T_cam_hand"])


def found_column(found: Found, truth: trimesh.Trimesh | None, config: ReportClip, seed: int) -> Column:
    """A variant's column; with the error on its object where the true shape is known."""
    surface = None
    if found.mesh is not None:
        surface = surface_of(found.mesh, found.poses["T_cam_obj"], config.faces)
        if truth is not None:
            search = Search(**config.registration.model_dump())
            layer = error_layer(surface.vertices, found.mesh, truth, search, config.samples, config.error_mm, seed)
            surface = replace(surface, layers=(layer,))
    return Column(
        found.variant,
        found.poses["K"],
        surface,
        Hand(found.hand_vertices, found.hand.faces.numpy()),
        keypoints_px=found.hands["keypoints_px"],
        found=found.hands["found"],
        masks={kind: dict(enumerate(found.masks[kind])) for kind in ("object", "hand")},
    )


def true_column(
    mesh: trimesh.Trimesh | None,
    poses: Mapping[str, np.ndarray] | None,
    masks: Mapping[str, Mapping[int, np.ndarray]],
    K: Float[np.ndarray, "3 3"],
    frames: int,
    faces: int,
) -> Column | None:
    """The truth's column, as far as it is known; None where nothing is. `poses`: schema `true_poses`."""
    if poses is None and not masks:
        return None
    surface = surface_of(mesh, poses["T_cam_obj"], faces) if mesh is not None and poses is not None else None
    joints = poses["joints_cam"] if poses is not None else None
    return Column(TRUTH, np.tile(K, (frames, 1, 1)), surface, joints_cam=joints, masks=masks)

"""What a clip's page shows: the frames' masks and tracks, the fits and the truth in 3D, and values on their surfaces.

Coordinates as everywhere: OpenCV's camera, metres, pixels of the clip's frames with centres at half-integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import trimesh
from jaxtyping import Bool, Float, Integer
from scipy.spatial import cKDTree

from hoi.geometry.raycast import distance_to_surface
from hoi.geometry.registration import Search, register
from hoi.geometry.sampling import sample_surface
from hoi.geometry.simplify import simplified
from hoi.present.overlay import Fitted, MovingObject
from hoi.present.site.blending import blended
from hoi.present.site.packing import packed, packed_in_steps

HAND_M = 3e-4  # how far a vertex of a hand may be off: a third of a page's pixel
OUTLINE_PX = 0.7  # how far a mask's outline may be off: below a pixel nobody sees it, and it halves the page


@dataclass(frozen=True)
class Layer:
    """A value at every vertex of a surface, shown as its colour. Layers of one name are switched together."""

    name: str
    title: str
    unit: str
    low: float  # where the colours begin
    high: float  # and end; values beyond have the last colour
    values: Float[np.ndarray, " V"]
    ends: tuple[str, str] | None = None  # what the legend says of low and high, instead of the numbers

    def data(self) -> dict[str, Any]:
        """As JSON."""
        ends = self.ends or (f"{self.low:g} {self.unit}", f"≥ {self.high:g} {self.unit}")
        scale = {"name": self.name, "title": self.title, "ends": ends, "low": self.low, "high": self.high}
        return scale | {"values": packed_in_steps(np.asarray(self.values, np.float64))}


@dataclass(frozen=True)
class Surface:
    """An object's surface in its own frame (metres), where it is in every frame, and values on it."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Integer[np.ndarray, "F 3"]
    T_cam_obj: Float[np.ndarray, "N 4 4"]
    layers: Sequence[Layer] = ()
    rgb: Float[np.ndarray, "V 3"] | None = None  # the object's own colours, sRGB, 0 to 1

    def data(self) -> dict[str, Any]:
        """As JSON."""
        bytes_ = None if self.rgb is None else np.round(255 * self.rgb).astype(np.uint8)
        filmed = [] if bytes_ is None else [{"name": "filmed", "title": "as filmed", "rgb": packed(bytes_)}]
        return {
            "vertices": packed_in_steps(np.asarray(self.vertices)),
            "faces": packed(np.asarray(self.faces)),
            "poses": packed(self.T_cam_obj),
            "layers": filmed + [layer.data() for layer in self.layers],
        }


@dataclass(frozen=True)
class Hand:
    """A hand's surface in the camera, metres, in every frame."""

    vertices: Float[np.ndarray, "N V 3"]
    faces: Integer[np.ndarray, "F 3"]

    def data(self) -> dict[str, Any]:
        """As JSON."""
        return {"faces": packed(self.faces)} | blended(self.vertices, HAND_M)


@dataclass(frozen=True)
class Column:
    """One method, or the truth, side by side with others; what is not known of it is None or empty."""

    name: str
    K: Float[np.ndarray, "N 3 3"]
    object: Surface | None = None
    hand: Hand | None = None
    joints_cam: Float[np.ndarray, "N 21 3"] | None = None  # drawn as a skeleton where there is no hand
    keypoints_px: Float[np.ndarray, "N 21 2"] | None = None
    found: Bool[np.ndarray, " N"] | None = None  # was the hand detected, or its keypoints bridged
    masks: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)  # by `object` and `hand`, then frame

    def data(self) -> dict[str, Any]:
        """As JSON."""
        arrays = {"K": self.K, "joints": self.joints_cam, "keypoints": self.keypoints_px, "found": self.found}
        return {
            "name": self.name,
            "object": self.object.data() if self.object else None,
            "hand": self.hand.data() if self.hand else None,
            "masks": {
                kind: {str(frame): outlines(mask) for frame, mask in masks.items()}
                for kind, masks in self.masks.items()
            },
        } | {key: None if array is None else packed(array) for key, array in arrays.items()}

    def contents(self) -> str:
        """What there is of object, hand, joints and masks, in words."""
        masked = len({frame for masks in self.masks.values() for frame in masks})
        there = {
            "object": self.object is not None,
            "hand": self.hand is not None,
            "joints": self.joints_cam is not None,
            f"masks of {masked} frames": masked > 0,
        }
        return ", ".join(word for word, known in there.items() if known)

    def fitted(self) -> Fitted | None:
        """Object and hand, to be drawn; None unless both are known."""
        if self.object is None or self.hand is None:
            return None
        mesh = trimesh.Trimesh(self.object.vertices, self.object.faces, process=False)
        return Fitted(MovingObject(mesh, self.object.T_cam_obj), self.hand.vertices, self.hand.faces, self.K)


def outlines(mask: Bool[np.ndarray, "H W"]) -> list[list[float]]:
    """A mask's outlines, outer ones and holes alike (to be filled by the even-odd rule): x, y, x, y, ... in pixels."""
    lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    near = (cv2.approxPolyDP(line, OUTLINE_PX, True) for line in lines)
    return [(line.reshape(-1) + 0.5).tolist() for line in near if len(line) > 2]


def error_layer(
    vertices: Float[np.ndarray, "V 3"],
    mesh: trimesh.Trimesh,
    truth: trimesh.Trimesh,
    search: Search,
    samples: int,
    high_mm: float,
    seed: int,
) -> Layer:
    """Distance from a fit's vertices to the true surface in millimetres, after rigid registration of the fit onto the truth.

    Registration as in protocol `diffhoi` (symmetric Chamfer distance of surface samples), without scale. `vertices` are those
    shown, of a simplified `mesh`; both in the fit's object frame, metres.
    """
    p = sample_surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), samples, seed)
    t = sample_surface(np.asarray(truth.vertices), np.asarray(truth.faces), samples, seed + 1)
    moved = register(p, t, with_scale=False, search=search).apply(np.asarray(vertices, np.float64))
    error_mm = 1000 * distance_to_surface(moved, np.asarray(truth.vertices), np.asarray(truth.faces))
    return Layer("error", "distance to the truth", "mm", 0.0, high_mm, error_mm.astype(np.float64))


def with_looks(surface: Surface, coloured: trimesh.Trimesh) -> Surface:
    """The surface with the colours of the nearest vertices of a mesh, and how well they were seen as a layer."""
    nearest = cKDTree(coloured.vertices).query(surface.vertices)[1]
    rgb = np.asarray(coloured.visual.vertex_colors)[nearest, :3] / 255.0
    seen = np.asarray(coloured.vertex_attributes["seen"], np.float64)[nearest]
    layer = Layer("seen", "seen or inferred", "", 0.0, 1.0, seen, ("inferred", "seen"))
    return replace(surface, rgb=rgb, layers=(*surface.layers, layer))


def surface_of(
    mesh: trimesh.Trimesh, T_cam_obj: Float[np.ndarray, "N 4 4"], faces: int, layers: Sequence[Layer] = ()
) -> Surface:
    """A mesh in about `faces` triangles."""
    vertices, small = simplified(np.asarray(mesh.vertices), np.asarray(mesh.faces), faces)
    return Surface(vertices, small, T_cam_obj, layers)

"""What a procedural object is: a watertight mesh whose faces carry parts, a material a part, and grasp hints."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import trimesh
from jaxtyping import Float, Int

from hoi.sources.shapes.solids import Piece
from hoi.sources.shapes.textures import Layer, albedo_layers

Split = Literal["train", "test"]
GraspKind = Literal["power", "handle", "rim", "pinch", "top"]
Hand = Literal["right", "left", "either"]
Vector = Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Material:
    """A part's look: linear RGB base colour, shine, and layers of texture painted over it in order.

    roughness 0 (mirror) to 1 (chalk); metallic 0 or 1 (tints the highlight); specular: reflectance at normal incidence
    of a dielectric (0.04 = glass, plastic, glaze). `origin`: where the texture's coordinates start, object frame.
    """

    base: tuple[float, float, float]
    roughness: float = 0.5
    metallic: float = 0.0
    specular: float = 0.04
    layers: tuple[Layer, ...] = ()
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class GraspHint:
    """One way of taking the object, in the object frame, metres.

    target: centre of the gripped cylinder (rim and pinch: middle of the gripped wall).
    palm: where the palm's centre lies on the surface. facing: unit, the palm looks this way (from palm to target).
    thumb_axis: unit, the axis that the fingers wrap around, pointing to the thumb's side of the hand.
    The fingers of a right hand then point along cross(facing, thumb_axis), of a left hand along its opposite, and from
    there curl around the axis. radius: of the gripped cylinder (rim and pinch: half of the wall's thickness).
    hand: the hand for which the pose is natural.
    """

    name: str
    kind: GraspKind
    target: Vector
    palm: Vector
    facing: Vector
    thumb_axis: Vector
    radius: float
    hand: Hand = "either"


@dataclass(frozen=True)
class Draft:
    """What a category module builds: a solid in its own frame (z = 0 on the table), materials by part, and hints.

    `relabel` may move faces of one part to another by rule: (face centroids, normals, part name a face) -> part names.
    """

    style: str
    piece: Piece
    materials: dict[str, Material]
    grasps: tuple[GraspHint, ...]
    relabel: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class ProceduralObject:
    """An object in its canonical frame: metres, origin at the centre of its bounding box, +z up as it stands.

    +x points to the handle (mug, kettle), the tip (knife, edge towards -z), the front (car), the label (bottle).
    """

    category: str
    seed: int
    split: Split
    style: str
    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    face_part: Int[np.ndarray, "F"]
    parts: tuple[str, ...]
    materials: tuple[Material, ...]
    grasps: tuple[GraspHint, ...] = field(default=())

    @property
    def mesh(self) -> trimesh.Trimesh:
        """The surface as a trimesh, vertices and faces in the same order."""
        return trimesh.Trimesh(self.vertices, self.faces, process=False)

    @property
    def extents(self) -> Vector:
        """Size of the bounding box, metres."""
        return np.ptp(self.vertices, axis=0)


def albedo(
    material: Material, points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Linear RGB in [0, 1] of a material at points (metres) with unit normals, both in the object frame."""
    return albedo_layers(material.base, material.layers, points - np.asarray(material.origin), normals)


def surface_albedo(
    thing: ProceduralObject,
    face_index: Int[np.ndarray, "n"],
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, "n 3"]:
    """Linear RGB at points on the given faces, each by the material of its face's part."""
    colour = np.zeros((len(points), 3))
    part = thing.face_part[face_index]
    for index, material in enumerate(thing.materials):
        here = part == index
        if here.any():
            colour[here] = albedo(material, points[here], normals[here])
    return colour


def surface_shine(thing: ProceduralObject, face_index: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n 3"]:
    """Roughness, metallic and specular at the given faces."""
    table = np.array([(m.roughness, m.metallic, m.specular) for m in thing.materials])
    return table[thing.face_part[face_index]]


def finish(draft: Draft, category: str, seed: int, split: Split) -> ProceduralObject:
    """The draft moved into the canonical frame: parts numbered, origin at the centre of the bounding box."""
    vertices, faces, names = draft.piece.largest().triangles()
    if draft.relabel is not None:
        corners = vertices[faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
        names = draft.relabel(corners.mean(axis=1), normals, names)
    parts, face_part = np.unique(names, return_inverse=True)
    centre = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    origin = tuple(float(-c) for c in centre)
    return ProceduralObject(
        category=category,
        seed=seed,
        split=split,
        style=draft.style,
        vertices=vertices - centre,
        faces=faces,
        face_part=face_part.astype(np.int64),
        parts=tuple(str(part) for part in parts),
        materials=tuple(replace(draft.materials[str(part)], origin=origin) for part in parts),
        grasps=tuple(replace(hint, target=hint.target - centre, palm=hint.palm - centre) for hint in draft.grasps),
    )


def hint(
    name: str,
    kind: GraspKind,
    target: np.ndarray,
    facing: np.ndarray,
    thumb_axis: np.ndarray,
    radius: float,
    hand: Hand = "either",
    reach: float | None = None,
) -> GraspHint:
    """A grasp of a cylinder of the given radius around `target`; facing is made unit and perpendicular to the axis.

    reach: from the target back to the palm, where it differs from the radius.
    """
    target, facing, axis = (np.asarray(v, dtype=float) for v in (target, facing, thumb_axis))
    axis = axis / np.linalg.norm(axis)
    facing = facing - axis * (facing @ axis)
    facing = facing / np.linalg.norm(facing)
    palm = target - (radius if reach is None else reach) * facing
    return GraspHint(name, kind, target, palm, facing, axis, float(radius), hand)

"""An animated scene of object and hand as one glTF 2.0 binary file, which Blender and any glTF viewer open.

glTF's world is y up, z towards the viewer: everything hangs below one node that turns OpenCV's camera frame by 180
degrees about x. The object is a rigid node; the hand is a skin of 16 joints, exact for linear blend skinning.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Integer
from scipy.spatial.transform import Rotation

from hoi.artefacts import whole

SKIN = (0.80, 0.52, 0.40)  # linear RGB
OBJECT = (0.16, 0.34, 0.62)
FLOAT, UNSIGNED_BYTE, UNSIGNED_INT = 5126, 5121, 5125
WIDTHS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
COMPONENTS = {np.dtype("float32"): FLOAT, np.dtype("uint8"): UNSIGNED_BYTE, np.dtype("uint32"): UNSIGNED_INT}


@dataclass(frozen=True)
class SkinnedHand:
    """A hand as triangles moved by joints, in the camera, metres."""

    rest_vertices: Float[np.ndarray, "V 3"]  # flat hand, hand frame
    rest_joints: Float[np.ndarray, "J 3"]
    faces: Integer[np.ndarray, "F 3"]
    skin_weights: Float[np.ndarray, "V J"]
    parents: tuple[int, ...]  # -1 for the root, which comes first
    T_cam_joint: Float[np.ndarray, "N J 4 4"]  # frame at the joint, axes of the flat hand


class _Buffer:
    """The binary part of a glb file, and the views and accessors that describe it."""

    def __init__(self) -> None:
        self.data, self.views, self.accessors = bytearray(), [], []

    def add(self, array: np.ndarray, target: int | None = None, bounds: bool = False, unit: bool = False) -> int:
        """Append an array (rows are elements); the accessor's index. `unit`: bytes that stand for 0 to 1."""
        flat = np.ascontiguousarray(array).reshape(len(array), -1)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": flat.nbytes} | (
            {"target": target} if target else {}
        )
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": COMPONENTS[flat.dtype],
            "count": len(flat),
            "type": WIDTHS[flat.shape[1]],
        }
        if bounds:
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        if unit:
            accessor["normalized"] = True
        self.data += flat.tobytes() + b"\0" * (-flat.nbytes % 4)
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _primitive(
    buffer: _Buffer, vertices: np.ndarray, faces: np.ndarray, material: int, extra: dict[str, int]
) -> dict[str, Any]:
    """One mesh primitive with smooth normals."""
    normals = trimesh.Trimesh(vertices, faces, process=False).vertex_normals
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 0.5, normals, [0.0, 0.0, 1.0])  # a vertex without a face has no normal
    attributes = {
        "POSITION": buffer.add(np.float32(vertices), 34962, bounds=True),
        "NORMAL": buffer.add(np.float32(normals), 34962),
    }
    indices = buffer.add(np.uint32(faces).reshape(-1, 1), 34963)
    return {"attributes": attributes | extra, "indices": indices, "material": material}


def _skin_attributes(buffer: _Buffer, weights: Float[np.ndarray, "V J"]) -> dict[str, int]:
    """JOINTS_k and WEIGHTS_k, four influences a set, as many sets as the weights need; sums made 1."""
    sets = max(1, -(-int((weights > 0).sum(1).max()) // 4))
    order = np.argsort(-weights, axis=1, kind="stable")[:, : 4 * sets]
    kept = np.take_along_axis(weights, order, 1).astype(np.float32)
    kept /= kept.sum(1, keepdims=True)
    out = {}
    for k in range(sets):
        part = slice(4 * k, 4 * k + 4)
        joints = np.where(kept[:, part] > 0, order[:, part], 0).astype(np.uint8)
        out[f"JOINTS_{k}"] = buffer.add(joints, 34962)
        out[f"WEIGHTS_{k}"] = buffer.add(kept[:, part], 34962)
    return out


def quaternions(R: Float[np.ndarray, "N 3 3"]) -> Float[np.ndarray, "N 4"]:
    """Unit quaternions (x, y, z, w), each in the hemisphere of the one before: interpolation takes the short way."""
    q = Rotation.from_matrix(R).as_quat()
    flips = np.where((q[1:] * q[:-1]).sum(-1) < 0, -1.0, 1.0)
    q[1:] *= np.cumprod(flips)[:, None]
    return q


class _Animation:
    """Keyframes at the frames' times, for one node after another."""

    def __init__(self, buffer: _Buffer, n: int, fps: float) -> None:
        self.buffer, self.samplers, self.channels = buffer, [], []
        self.times = buffer.add(np.float32(np.arange(n) / fps), bounds=True)

    def move(self, node: int, T: Float[np.ndarray, "N 4 4"]) -> dict[str, Any]:
        """Keyframes of a node's local transform; its translation and rotation at rest are those of the first frame."""
        tracks = {"translation": np.float32(T[:, :3, 3]), "rotation": np.float32(quaternions(T[:, :3, :3]))}
        for path, values in tracks.items():
            if path == "translation" and np.ptp(values, axis=0).max() < 1e-6:
                continue  # a bone keeps its length: the node's own translation says it
            sampler = {"input": self.times, "output": self.buffer.add(values), "interpolation": "LINEAR"}
            self.channels.append({"sampler": len(self.samplers), "target": {"node": node, "path": path}})
            self.samplers.append(sampler)
        return {path: values[0].astype(float).tolist() for path, values in tracks.items()}


def _material(name: str, colour: tuple[float, float, float], roughness: float) -> dict[str, Any]:
    surface = {"baseColorFactor": [*colour, 1.0], "metallicFactor": 0.0, "roughnessFactor": roughness}
    return {"name": name, "pbrMetallicRoughness": surface, "doubleSided": False}


def _object_parts(buffer: _Buffer, mesh: trimesh.Trimesh) -> tuple[dict[str, Any], dict[str, Any]]:
    """The object's primitive and material; vertex colours (sRGB) are kept where the mesh has them."""
    colour, extra = OBJECT, {}
    if mesh.visual.kind == "vertex":
        rgba = mesh.visual.vertex_colors / 255.0
        rgba[:, :3] = rgba[:, :3] ** 2.2  # glTF's vertex colours are linear
        extra = {"COLOR_0": buffer.add(np.round(255 * rgba).astype(np.uint8), 34962, unit=True)}
        colour = (1.0, 1.0, 1.0)
    return _primitive(buffer, mesh.vertices, mesh.faces, 0, extra), _material("object", colour, 0.5)


def _joint_nodes(hand: SkinnedHand, animation: _Animation, first: int) -> list[dict[str, Any]]:
    """One node a joint, below its parent, animated by its transform relative to the parent."""
    nodes = []
    for j, parent in enumerate(hand.parents):
        T = hand.T_cam_joint[:, j]
        local = T if parent < 0 else np.linalg.inv(hand.T_cam_joint[:, parent]) @ T
        children = [first + i for i, p in enumerate(hand.parents) if p == j]
        nodes.append(
            {"name": f"joint{j}"} | animation.move(first + j, local) | ({"children": children} if children else {})
        )
    return nodes


def scene_gltf(
    object_mesh: trimesh.Trimesh,
    T_cam_obj: Float[np.ndarray, "N 4 4"],
    hand: SkinnedHand,
    K: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    fps: float,
) -> tuple[dict[str, Any], bytes]:
    """JSON and binary part of the scene: object, hand and the camera that filmed them (width, height = size)."""
    buffer = _Buffer()
    animation = _Animation(buffer, len(T_cam_obj), fps)
    object_primitive, object_material = _object_parts(buffer, object_mesh)
    hand_primitive = _primitive(buffer, hand.rest_vertices, hand.faces, 1, _skin_attributes(buffer, hand.skin_weights))
    bind = np.tile(np.eye(4, dtype=np.float32), (len(hand.rest_joints), 1, 1))
    bind[:, :3, 3] = -hand.rest_joints
    nodes = [
        {"name": "camera_frame", "rotation": [1.0, 0.0, 0.0, 0.0], "children": [1, 4]},
        {"name": "object", "mesh": 0} | animation.move(1, T_cam_obj),
        {"name": "hand", "mesh": 1, "skin": 0},
        {"name": "camera", "camera": 0},
    ]
    nodes += _joint_nodes(hand, animation, len(nodes))
    joints = list(range(4, len(nodes)))
    lens = {"yfov": float(2 * np.arctan(size[1] / 2 / K[1, 1])), "aspectRatio": size[0] / size[1], "znear": 0.01}
    gltf = {
        "asset": {"version": "2.0", "generator": "hoi"},
        "scene": 0,
        "scenes": [{"nodes": [0, 2, 3]}],
        "nodes": nodes,
        "meshes": [
            {"name": "object", "primitives": [object_primitive]},
            {"name": "hand", "primitives": [hand_primitive]},
        ],
        "materials": [object_material, _material("skin", SKIN, 0.6)],
        "skins": [{"joints": joints, "skeleton": 4, "inverseBindMatrices": buffer.add(bind.transpose(0, 2, 1))}],
        "cameras": [{"type": "perspective", "perspective": lens}],
        "animations": [{"name": "clip", "channels": animation.channels, "samplers": animation.samplers}],
        "buffers": [{"byteLength": len(buffer.data)}],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
    }
    return gltf, bytes(buffer.data)


def write_scene_glb(
    path: Path | str,
    object_mesh: trimesh.Trimesh,
    T_cam_obj: Float[np.ndarray, "N 4 4"],
    hand: SkinnedHand,
    K: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    fps: float,
) -> None:
    """Write the animated scene (metres, seconds). `size` is (width, height) of the frames in pixels."""
    gltf, data = scene_gltf(object_mesh, T_cam_obj, hand, K, size, fps)
    text = json.dumps(gltf, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    parts = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
    with whole(path) as scratch:
        scratch.write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(parts)) + parts)

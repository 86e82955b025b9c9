"""The glb file read back by other readers, and its skin evaluated by hand."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoi.hand.model import load_hand
from hoi.present.hands import hand_vertices_cam, skinned_hand
from hoi.present.scene import quaternions, write_scene_glb

N = 5
K = np.array([[500.0, 0, 320], [0, 500.0, 240], [0, 0, 1]], np.float32)
FLIP = np.diag([1.0, -1, -1, 1])


def rigid(rng, depth):
    T = np.tile(np.eye(4, dtype=np.float32), (N, 1, 1))
    T[:, :3, :3] = Rotation.random(N, rng=rng).as_matrix()
    T[:, :3, 3] = rng.normal(size=(N, 3)) * 0.05 + [0, 0, depth]
    return T


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    rng = np.random.default_rng(0)
    hand = load_hand("left")
    pose, betas = np.float32(rng.normal(size=(N, 45)) * 0.3), np.float32(rng.normal(size=10))
    T_cam_hand, T_cam_obj, mesh = rigid(rng, 0.6), rigid(rng, 0.5), trimesh.creation.box([0.1, 0.05, 0.02])
    path = tmp_path_factory.mktemp("glb") / "scene.glb"
    write_scene_glb(path, mesh, T_cam_obj, skinned_hand(hand, pose, betas, T_cam_hand), K, (640, 480), 15.0)
    return path, mesh, T_cam_obj, hand_vertices_cam(hand, pose, betas, T_cam_hand)


class Reader:
    """glTF evaluated literally, from its specification."""

    def __init__(self, path):
        self.gltf = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()

    def array(self, index):
        accessor = self.gltf.accessors[index]
        view = self.gltf.bufferViews[accessor.bufferView]
        dtype = {5126: np.float32, 5121: np.uint8, 5125: np.uint32}[accessor.componentType]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor.type]
        flat = np.frombuffer(self.blob, dtype, accessor.count * width, view.byteOffset)
        return flat.reshape(accessor.count, width)

    def global_transforms(self, frame):
        local = []
        for node in self.gltf.nodes:
            T = np.eye(4)
            T[:3, :3] = Rotation.from_quat(node.rotation or [0, 0, 0, 1]).as_matrix()
            T[:3, 3] = node.translation or [0, 0, 0]
            local.append(T)
        animation = self.gltf.animations[0]
        for channel in animation.channels:
            value = self.array(animation.samplers[channel.sampler].output)[frame]
            T = local[channel.target.node]
            if channel.target.path == "rotation":
                T[:3, :3] = Rotation.from_quat(value).as_matrix()
            else:
                T[:3, 3] = value
        out = [None] * len(local)

        def visit(i, parent):
            out[i] = parent @ local[i]
            for child in self.gltf.nodes[i].children or []:
                visit(child, out[i])

        for root in self.gltf.scenes[0].nodes:
            visit(root, np.eye(4))
        return out


@pytest.mark.parametrize("frame", [0, N - 1])
def test_skin_reproduces_the_hand(made, frame):
    path, _, _, vertices_cam = made
    read = Reader(path)
    attributes, skin = read.gltf.meshes[1].primitives[0].attributes, read.gltf.skins[0]
    world = read.global_transforms(frame)
    bind = read.array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    M = np.stack([world[j] @ b for j, b in zip(skin.joints, bind, strict=True)])
    joints, weights = read.array(attributes.JOINTS_0), read.array(attributes.WEIGHTS_0)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    rest = np.c_[read.array(attributes.POSITION), np.ones(len(weights))]
    posed = np.einsum("vk,vkij,vj->vi", weights, M[joints], rest)[:, :3]
    np.testing.assert_allclose(posed, vertices_cam[frame] * [1, -1, -1], atol=1e-5)


@pytest.mark.parametrize("frame", [0, N - 1])
def test_object_moves_as_its_poses(made, frame):
    path, _, T_cam_obj, _ = made
    read = Reader(path)
    node = next(i for i, n in enumerate(read.gltf.nodes) if n.name == "object")
    np.testing.assert_allclose(read.global_transforms(frame)[node], FLIP @ T_cam_obj[frame], atol=1e-5)


def test_times_bounds_and_sizes(made):
    read = Reader(made[0])
    times = read.array(read.gltf.animations[0].samplers[0].input)[:, 0]
    np.testing.assert_allclose(times, np.arange(N) / 15)
    position = read.gltf.accessors[read.gltf.meshes[0].primitives[0].attributes.POSITION]
    np.testing.assert_allclose(position.max, [0.05, 0.025, 0.01])
    assert all(view.byteOffset % 4 == 0 for view in read.gltf.bufferViews)
    assert read.gltf.buffers[0].byteLength == len(read.blob)
    moved = {c.target.node for c in read.gltf.animations[0].channels if c.target.path == "translation"}
    assert len(moved) == 2  # object and wrist; the other joints only turn
    assert not list(made[0].parent.glob(".*"))


def test_trimesh_reads_it(made):
    path, mesh, T_cam_obj, _ = made
    scene = trimesh.load_scene(path)
    read = scene.geometry["object"]
    assert read.is_watertight or len(read.faces) == len(mesh.faces)
    T, name = scene.graph.get("object")
    np.testing.assert_allclose(T, FLIP @ T_cam_obj[0], atol=1e-5)
    assert name == "object" and len(scene.geometry["hand"].faces) == len(load_hand("left").faces)


def test_quaternions_take_the_short_way():
    angles = np.linspace(0, 4 * np.pi, 40)
    q = quaternions(Rotation.from_rotvec(angles[:, None] * [0, 0, 1.0]).as_matrix())
    assert ((q[1:] * q[:-1]).sum(-1) > 0.98).all()
    np.testing.assert_allclose(
        Rotation.from_quat(q).as_matrix()[7], Rotation.from_rotvec([0, 0, angles[7]]).as_matrix(), atol=1e-9
    )


TOOLS = Path(__file__).parents[3] / "scripts/node"


def validated(path):
    """The report of Khronos' glTF validator."""
    if shutil.which("node") is None or not (TOOLS / "node_modules/gltf-validator").is_dir():
        pytest.skip("no glTF validator: needs node, and `npm ci --omit=dev` in scripts/node (`make test` does it)")
    command = ["node", str(TOOLS / "validate.js"), str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def coloured(mesh):
    """The mesh with a colour a vertex."""
    colours = np.linspace(0, 255, 4 * len(mesh.vertices)).reshape(-1, 4).astype(np.uint8)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False)


@pytest.mark.parametrize(("side", "paint"), [("right", lambda mesh: mesh), ("left", coloured)])
def test_khronos_validator_finds_nothing_to_say(tmp_path, side, paint):
    rng = np.random.default_rng(1)
    pose, betas = np.float32(rng.normal(size=(N, 45)) * 0.3), np.float32(rng.normal(size=10))
    hand = skinned_hand(load_hand(side), pose, betas, rigid(rng, 0.6))
    path = tmp_path / "scene.glb"
    write_scene_glb(path, paint(trimesh.creation.icosphere(2, 0.04)), rigid(rng, 0.5), hand, K, (640, 480), 15.0)
    report = validated(path)
    assert report["issues"]["messages"] == []
    assert report["info"]["animationCount"] == 1 and report["info"]["hasSkins"]


def test_khronos_validator_is_awake(made, tmp_path):
    blob = bytearray(made[0].read_bytes())
    at = blob.index(b'"SCALAR"')
    blob[at : at + 8] = b'"VEC3"  '
    (tmp_path / "broken.glb").write_bytes(blob)
    assert validated(tmp_path / "broken.glb")["issues"]["numErrors"] > 0

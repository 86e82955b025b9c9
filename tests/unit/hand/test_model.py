"""The hand model: structure, rest pose, derivatives, anatomy of its motions, the mirrored side, its file."""

import copy
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from hoi.geometry.rotations import axis_angle_to_matrix
from hoi.hand.model import JOINT_NAMES, OPEN_HAND, HandArrays, HandModel, load_hand, mirror, read_arrays

SIDES = ("right", "left")
FINGERS = ("index", "middle", "little", "ring", "thumb")
TIP = {"thumb": 4, "index": 8, "middle": 12, "ring": 16, "little": 20}
REPOSITORY = Path(__file__).parents[3]


def random_angles(hand: HandModel, n: int, seed: int = 0) -> torch.Tensor:
    u = torch.rand(n, 15, 3, generator=torch.Generator().manual_seed(seed))
    return hand.angle_lower + u * (hand.angle_upper - hand.angle_lower)


def random_betas(n: int) -> torch.Tensor:
    return torch.randn(n, 10, generator=torch.Generator().manual_seed(1))


def bend(hand: HandModel, finger: str, degrees: tuple[float, float, float]) -> torch.Tensor:
    """Keypoints with one finger flexed."""
    angles = torch.zeros(1, 15, 3)
    first = 3 * FINGERS.index(finger)
    angles[0, first : first + 3, 0] = torch.deg2rad(torch.tensor(degrees))
    return hand(hand.pose_from_angles(angles), torch.zeros(1, 10)).keypoints[0]


@pytest.mark.parametrize("side", SIDES)
def test_flat_hand_at_zero(side):
    hand = load_hand(side)
    out = hand(torch.zeros(1, 45), torch.zeros(1, 10))
    torch.testing.assert_close(out.vertices[0], hand.rest_vertices)
    torch.testing.assert_close(out.joints[0], hand.rest_joints)
    forward = -1 if side == "right" else 1
    wrist, tips = out.keypoints[0, 0], out.keypoints[0, [8, 12, 16, 20]]
    assert wrist.abs().max() < 1e-6
    assert (forward * tips[:, 0] > 0.13).all() and (tips[:, 1].abs() < 0.01).all()
    assert 0.17 < tips[1].norm() < 0.19
    assert out.keypoints[0, 4, 2] > 0.06  # thumb towards +z
    assert list(tips[:, 2]) == sorted(tips[:, 2], reverse=True)  # index nearest to the thumb


@pytest.mark.parametrize("side", SIDES)
def test_mesh_is_watertight_and_faces_outwards(side):
    hand = load_hand(side)
    mesh = trimesh.Trimesh(hand.rest_vertices.numpy(), hand.faces.numpy(), process=False)
    assert mesh.is_watertight and mesh.body_count == 1
    assert 2.0e-4 < mesh.volume < 4.5e-4  # 200 to 450 ml


def test_arrays_are_a_hand():
    hand = load_hand("right")
    assert hand.uv.min() >= 0 and hand.uv.max() <= 1 and len(np.unique(hand.face_uv.reshape(-1, 2), axis=0)) > 1700
    torch.testing.assert_close(hand.skin_weights.sum(1), torch.ones(len(hand.rest_vertices)))
    axes = hand.joint_axes
    torch.testing.assert_close(axes @ axes.transpose(-1, -2), torch.eye(3).expand_as(axes), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(axes), torch.ones(15), atol=1e-5, rtol=0)
    assert (hand.angle_lower < hand.angle_upper).all()


def test_wrist_ring_is_the_cap_border_in_order():
    hand = load_hand("right")
    ring = hand.wrist_ring.tolist()
    edges = {tuple(sorted(e)) for f in hand.faces.tolist() for e in zip(f, f[1:] + f[:1], strict=True)}
    assert all(tuple(sorted(e)) in edges for e in zip(ring, ring[1:] + ring[:1], strict=True))
    assert hand.rest_vertices[ring].norm(dim=-1).max() < 0.04


@pytest.mark.parametrize("finger", FINGERS)
def test_uv_tells_fingers_apart(finger):
    """Charts of different fingers keep a distance from each other."""
    hand = load_hand("right")
    owner = hand.skin_weights[:, 1:].unflatten(1, (5, 3)).sum(-1)
    index = FINGERS.index(finger)
    own, other = owner[:, index] > 0.9, (owner > 0.9).any(1) & (owner[:, index] < 0.1)
    assert torch.cdist(hand.uv[own], hand.uv[other]).min() > 0.004


def test_wrist_stays_at_the_origin_for_every_shape():
    hand = load_hand("right")
    out = hand(hand.pose_from_angles(random_angles(hand, 20)), 3 * random_betas(20))
    assert out.joints[:, 0].abs().max() < 1e-6


def test_first_beta_is_size():
    hand = load_hand("right")
    betas = torch.zeros(2, 10)
    betas[:, 0] = torch.tensor([-1.0, 1.0])
    small, large = hand(torch.zeros(2, 45), betas).keypoints[:, 12].norm(dim=-1)
    assert 0.08 < (large - small) / (large + small) * 2 < 0.15  # two standard deviations: 4 to 7.5 % each


@pytest.mark.parametrize("side", SIDES)
def test_batch_equals_loop(side):
    hand = load_hand(side)
    pose, betas = hand.pose_from_angles(random_angles(hand, 3)), random_betas(3)
    together = hand(pose, betas)
    for i in range(3):
        alone = hand(pose[i : i + 1], betas[i : i + 1])
        torch.testing.assert_close(alone.vertices[0], together.vertices[i])
        torch.testing.assert_close(alone.keypoints[0], together.keypoints[i])


def test_skinning_equals_a_walk_down_each_chain():
    """The plain reference: 4x4 matrices multiplied from the wrist outwards, one joint after the other."""
    hand = load_hand("right")
    pose, betas = hand.pose_from_angles(random_angles(hand, 1)), random_betas(1)
    R = axis_angle_to_matrix(pose.reshape(15, 3))
    J = hand.rest_joints + hand.joint_basis @ betas[0]
    G = [torch.eye(4)]
    for j in range(1, 16):
        local = torch.eye(4)
        local[:3, :3], local[:3, 3] = R[j - 1], J[j] - J[hand.parents[j]]
        G.append(G[hand.parents[j]] @ local)
    rest = hand.rest_vertices + hand.shape_basis @ betas[0]
    moved = torch.stack([(rest - J[j]) @ G[j][:3, :3].T + G[j][:3, 3] for j in range(16)], 1)
    out = hand(pose, betas)
    torch.testing.assert_close(out.vertices[0], (hand.skin_weights[..., None] * moved).sum(1), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(out.joints[0], torch.stack([g[:3, 3] for g in G]), atol=1e-6, rtol=1e-5)


def test_keypoints_alone_equal_the_full_forward():
    hand = load_hand("left")
    angles, betas = random_angles(hand, 4), random_betas(4)
    full = hand(hand.pose_from_angles(angles), betas).keypoints
    torch.testing.assert_close(hand.keypoints_of(hand.rotations(angles), betas), full, atol=1e-6, rtol=1e-5)


def test_global_motion_is_rigid_about_the_wrist():
    hand = load_hand("right")
    pose, betas = hand.pose_from_angles(random_angles(hand, 2)), random_betas(2)
    turn, shift = torch.tensor([[0.3, -0.2, 2.0], [1.0, 0.0, 0.0]]), torch.tensor([[0.1, 0.2, 0.5], [0.0, 0.0, 0.4]])
    still, moved = hand(pose, betas), hand(pose, betas, turn, shift)
    expected = still.vertices @ axis_angle_to_matrix(turn).transpose(-1, -2) + shift[:, None]
    torch.testing.assert_close(moved.vertices, expected)
    torch.testing.assert_close(moved.joints[:, 0], shift, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_derivatives_of_every_input(scale):
    hand = copy.deepcopy(load_hand("right")).double()
    g = torch.Generator().manual_seed(2)
    inputs = [scale * torch.randn(1, n, generator=g, dtype=torch.float64) for n in (45, 10, 3, 3)]
    some = torch.randperm(len(hand.rest_vertices), generator=g)[:5]

    def points(*x: torch.Tensor) -> torch.Tensor:
        out = hand(*x)
        return torch.cat([out.vertices[:, some], out.keypoints], 1)

    assert torch.autograd.gradcheck(points, [x.requires_grad_() for x in inputs], atol=1e-6, fast_mode=True)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("finger", ["index", "middle", "ring", "little"])
def test_flexion_curls_the_finger_into_the_palm(side, finger):
    hand = load_hand(side)
    flat, half, full = bend(hand, finger, (0, 0, 0)), bend(hand, finger, (45, 0, 0)), bend(hand, finger, (85, 95, 60))
    tip, root = TIP[finger], TIP[finger] - 3
    assert half[tip, 1] < flat[tip, 1] - 0.03  # towards -y
    assert (full[tip] - full[root]).norm() < 0.5 * (flat[tip] - flat[root]).norm()
    assert (
        -0.035 < full[tip, 1] < -0.005 and full[tip, 0].abs() < full[root, 0].abs()
    )  # near the palm, wrist-wards of the knuckle
    torch.testing.assert_close(full[0:5], flat[0:5])  # the thumb does not move


def test_flexed_fingers_converge():
    hand = load_hand("right")
    flat = {f: bend(hand, f, (0, 0, 0))[TIP[f], 2] for f in ("index", "little")}
    curled = {f: bend(hand, f, (60, 60, 30))[TIP[f], 2] for f in ("index", "little")}
    assert curled["index"] - curled["little"] < 0.75 * (flat["index"] - flat["little"])


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "little"])
def test_abduction_turns_towards_the_thumb(finger):
    for side in SIDES:
        hand = load_hand(side)
        angles = torch.zeros(1, 15, 3)
        angles[0, 3 * FINGERS.index(finger), 1] = 0.2
        moved = hand(hand.pose_from_angles(angles), torch.zeros(1, 10)).keypoints[0, TIP[finger]]
        assert moved[2] > bend(hand, finger, (0, 0, 0))[TIP[finger], 2] + 0.008


def test_thumb_opposes_every_finger():
    """Within its limits the thumb's tip comes within 15 mm of the tip of each curled finger."""
    hand = load_hand("right")
    thumb = random_angles(hand, 1500, seed=3)
    for finger in ("index", "middle", "ring", "little"):
        first = 3 * FINGERS.index(finger)
        angles = torch.zeros_like(thumb)
        angles[:, 12:] = thumb[:, 12:]
        angles[:, first : first + 3, 0] = thumb[:, first : first + 3, 0]
        keypoints = hand.keypoints_of(hand.rotations(angles), torch.zeros(1500, 10))
        assert (keypoints[:, 4] - keypoints[:, TIP[finger]]).norm(dim=-1).min() < 0.015, finger


def test_left_mirrors_right():
    right, left = load_hand("right"), load_hand("left")
    angles, betas = random_angles(right, 3), random_betas(3)
    x = torch.tensor([-1.0, 1.0, 1.0])
    pose = right.pose_from_angles(angles)
    a, b = right(pose, betas), left(left.pose_from_angles(angles), betas)
    torch.testing.assert_close(b.vertices, a.vertices * x)
    torch.testing.assert_close(b.keypoints, a.keypoints * x)
    mirrored_pose = (pose.reshape(3, 15, 3) * torch.tensor([1.0, -1.0, -1.0])).reshape(3, 45)
    torch.testing.assert_close(left.pose_from_angles(angles), mirrored_pose, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", SIDES)
def test_angles_and_pose_are_inverse(side):
    hand = load_hand(side)
    angles = random_angles(hand, 50)
    torch.testing.assert_close(hand.angles_from_pose(hand.pose_from_angles(angles)), angles, atol=1e-4, rtol=0)


def test_limit_violation():
    hand = load_hand("right")
    inside = random_angles(hand, 10)
    assert hand.limit_violation(hand.pose_from_angles(inside)).max() < 1e-6
    beyond = torch.zeros(1, 15, 3)
    beyond[0, 1, 0] = hand.angle_upper[1, 0] + 0.1
    beyond[0, 4, 1] = hand.angle_lower[4, 1] - 0.2
    torch.testing.assert_close(
        hand.limit_violation(hand.pose_from_angles(beyond)), torch.tensor([0.05]), atol=1e-4, rtol=0
    )


def test_a_hand_with_pose_basis_fits_the_same_class():
    """MANO's structure: a pose basis moves the template by the rotations less identity; mirroring carries it over."""
    base = read_arrays(OPEN_HAND)
    rng = np.random.default_rng(0)
    basis = rng.normal(0, 1e-3, (*base.template.shape, 135)).astype(np.float32)
    arrays = HandArrays(**{**base.__dict__, "pose_basis": basis})
    right, left = HandModel(arrays, "right"), HandModel(mirror(arrays), "left")
    flat = right(torch.zeros(1, 45), torch.zeros(1, 10))
    torch.testing.assert_close(flat.vertices[0], right.rest_vertices)
    angles, betas = random_angles(right, 2), random_betas(2)
    a, b = right(right.pose_from_angles(angles), betas), left(left.pose_from_angles(angles), betas)
    plain = load_hand("right")
    assert (a.vertices - plain(plain.pose_from_angles(angles), betas).vertices).abs().max() > 1e-3
    torch.testing.assert_close(b.vertices, a.vertices * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(right.keypoints_of(right.rotations(angles), betas), a.keypoints, atol=1e-6, rtol=1e-5)


def test_joint_names_follow_mano():
    assert (
        JOINT_NAMES[0] == "wrist"
        and JOINT_NAMES[7] == "little1"
        and JOINT_NAMES[13] == "thumb1"
        and len(JOINT_NAMES) == 16
    )


@pytest.mark.slow
def test_the_file_is_what_the_script_builds():
    pytest.importorskip("anny")
    spec = importlib.util.spec_from_file_location("build_hand", REPOSITORY / "scripts" / "build_hand.py")
    script = importlib.util.module_from_spec(spec)
    sys.modules["build_hand"] = script
    spec.loader.exec_module(script)
    built = script.build(script.sample_anny())
    with np.load(OPEN_HAND, allow_pickle=False) as stored:
        assert set(stored.files) == set(built)
        for name in stored.files:
            np.testing.assert_allclose(stored[name], built[name], atol=2e-5, err_msg=name)

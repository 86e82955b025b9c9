"""What the stages before would have written of one small clip, made by hand."""

import numpy as np
import trimesh

from hoi.artefacts import write_failure, write_json, write_npz
from hoi.clip import ClipInfo, Intrinsics, Prepared, write_clip
from hoi.errors import DataFailure
from hoi.hand.model import load_hand
from hoi.present.appearance import Appearance
from hoi.present.hands import hand_vertices_cam
from hoi.present.overlay import write_video

N, WIDTH, HEIGHT = 4, 160, 120
K = np.array([[200.0, 0, 80], [0, 200, 60], [0, 0, 1]], np.float32)
EVIL = "</script><script>globalThis.EVIL = 1</script><img src=x onerror='globalThis.EVIL = 1'>"
NAME = "<script>globalThis.EVIL = 1"  # no clips table takes it; the stages must not care


def moving(depth):
    T = np.tile(np.eye(4, dtype=np.float32), (N, 1, 1))
    T[:, 0, 3], T[:, 2, 3] = np.linspace(-0.03, 0.03, N), depth
    return T


def write_source(path):
    """A clip with truth, whose category is not what it should be."""
    frames = np.tile(np.linspace(40, 200, WIDTH).astype(np.uint8)[None, None, :, None], (N, HEIGHT, 1, 3))
    lens = Intrinsics(fx=200, fy=200, cx=80, cy=60)
    origin = {"source": "folder", "path": EVIL, "truth": "gt", "frames": list(range(N)), "intrinsics": "given"}
    path.mkdir(parents=True)
    write_clip(path, Prepared(frames, ClipInfo(category=EVIL, side="right", fps=10, intrinsics=lens), origin))
    (path / "gt").mkdir()
    trimesh.creation.box([0.05, 0.08, 0.05]).export(path / "gt/object.ply")
    joints = np.random.default_rng(0).normal([0, 0, 0.5], 0.03, (N, 21, 3))
    write_npz("true_poses", path / "gt/poses.npz", T_cam_obj=moving(0.5), joints_cam=joints.astype(np.float32))


def write_fit(folder, variant, mesh, poses, hands, masks):
    """A fit that went well."""
    folder.mkdir(parents=True)
    mesh.export(folder / "object.ply")
    x = np.asarray(mesh.vertices)[:, 0]
    looks = Appearance(np.where(x[:, None] < 0, [0.9, 0.1, 0.1], [0.1, 0.8, 0.1]), (x < 0).astype(float))
    looks.painted(mesh).export(folder / "coloured.ply")
    write_npz("poses", folder / "poses.npz", **poses)
    write_json(
        folder / "run.json", {"commit": "c0ffee", "dirty": False, "settings": {EVIL: {"a": EVIL}}, "machine": EVIL}
    )
    write_others(folder, {"variant": variant, "f5": 0.5, "failed": False}, hands, masks)


def write_failed_fit(folder, variant, hands, masks):
    """A fit that its data did not allow."""
    folder.mkdir(parents=True)
    failure = DataFailure(EVIL, EVIL, EVIL, EVIL, stage="fit_clip", log=EVIL)
    for name in ("object.ply", "coloured.ply", "poses.npz", "run.json"):
        write_failure(folder / name, failure)
    write_others(folder, {"variant": variant, "f5": 0.0, "failed": True, "failure": failure.record()}, hands, masks)


def write_others(folder, score, hands, masks):
    """What stages before and after the fit write."""
    write_npz("hands", folder / "hands.npz", **hands)
    write_npz("masks", folder / "masks.npz", **masks)
    write_json(folder / "track.json", {"tracker": EVIL, "coverage": 0.75, "gaps": [[2, 2]], "jitter_mm": None})
    about = {"clip": NAME, "category": EVIL, "source": EVIL, "made_by": {"fit": {EVIL: EVIL}}}
    write_json(folder / "score.json", about | score)
    write_video(folder / "overlay.mp4", (np.full((64, 96, 3), 60 * i, np.uint8) for i in range(N)), 10.0)


def write_fits(fits, clip):
    """One fit of a box that is too large, and one that failed, below `fits`/VARIANT/`clip`."""
    hand = load_hand("right")
    pose, betas = np.zeros((N, 45), np.float32), np.zeros(10, np.float32)
    T_hand = moving(0.55)
    joints = hand_vertices_cam(hand, pose, betas, T_hand)[:, :21]
    poses = {
        "T_cam_obj": moving(0.5), "T_cam_hand": T_hand, "T_hand_obj": moving(0), "pose": pose, "betas": betas,
        "joints_cam": joints, "K": np.tile(K, (N, 1, 1)), "is_right": np.array(True),
    }  # fmt: skip
    keypoints = np.random.default_rng(1).uniform(30, 90, (N, 21, 2)).astype(np.float32)
    hands = {
        "T_cam_hand": T_hand, "pose": pose, "betas": betas, "K": K, "keypoints_px": keypoints,
        "confidence": np.ones(N, np.float32), "found": np.array([True, True, False, True]), "is_right": np.array(True),
    }  # fmt: skip
    masks = {name: np.zeros((N, HEIGHT, WIDTH), bool) for name in ("object", "hand")}
    masks["object"][:, 30:80, 60:110] = True
    masks |= {"confidence": np.ones(N, np.float32)}
    masks["confidence"][0] = 0
    box = trimesh.creation.box([0.06, 0.09, 0.06]).subdivide().subdivide()
    write_fit(fits / "box" / clip, "box", box, poses, hands, masks)
    write_failed_fit(fits / "broken" / clip, "broken", hands, masks)

"""Tiny trees in the layouts of published data sets, with truth known: names, shapes, units and axes as released.

The hand is a synthetic MANO's, computed by smplx; the object a box off its origin. Everything is made in one OpenCV
camera, metres, and written in each set's own conventions.
"""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import smplx
import torch
import trimesh
import yaml
from scipy.spatial.transform import Rotation

from hoi.hand.mano import TIPS
from hoi.hand.model import KEYPOINTS
from tests.unit.hand.synthetic_mano import mano_content

SIZE = (270, 480)  # height, width
K = np.array([[420.0, 0, 236], [0, 424.0, 130], [0, 0, 1]])
FLIP = np.diag([1.0, -1, -1])  # OpenGL's camera
VIDEO = "ZY20210800001/H1/C2/N31/S92/s05/T2"


@dataclass
class Scene:
    """What was put in."""

    turn: np.ndarray  # (N, 3) MANO's global rotation, axis-angle
    trans: np.ndarray  # (N, 3) MANO's translation
    pose: np.ndarray  # (N, 45) from the flat hand
    betas: np.ndarray
    T_cam_obj: np.ndarray
    box: trimesh.Trimesh
    keypoints_cam: np.ndarray
    side: str = "right"


def mano(side="right"):
    data = SimpleNamespace(**{k: v for k, v in mano_content(side).items() if k != "J"})
    return smplx.MANO("", data_struct=data, is_rhand=side == "right", use_pca=False, flat_hand_mean=True)


def keypoints(turn, trans, pose, betas, side="right"):
    """smplx's joints and manopth's tips, OpenPose's order."""
    words = {"global_orient": turn, "transl": trans, "hand_pose": pose, "betas": np.tile(betas, (len(pose), 1))}
    out = mano(side)(**{k: torch.tensor(v, dtype=torch.float32) for k, v in words.items()})
    both = torch.cat([out.joints[:, :16], out.vertices[:, list(TIPS[side])]], 1)
    return both[:, list(KEYPOINTS)].detach().numpy()


def make_scene(n=4, side="right", seed=0) -> Scene:
    rng = np.random.default_rng(seed)
    turn = np.array([0.4, -1.9, 0.3]) + 0.1 * rng.normal(size=(n, 3))
    pose, betas = 0.3 * rng.normal(size=(n, 45)), rng.normal(size=10)
    trans = np.array([-0.08, 0.01, 0.62]) + 0.01 * rng.normal(size=(n, 3))
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, :3] = Rotation.from_rotvec(np.array([0.5, 0.2, -1.1]) + 0.2 * rng.normal(size=(n, 3))).as_matrix()
    points = keypoints(turn, trans, pose, betas, side)
    T[:, :3, 3] = points.mean(1) + np.array([0.03, 0.02, 0.0])
    box = trimesh.creation.box((0.05, 0.07, 0.11))
    box.apply_translation([0.02, 0.0, -0.03])
    return Scene(turn, trans, pose, betas, T, box, points, side)


def pixels(K_, X):
    x = X @ np.asarray(K_).T
    return x[..., :2] / x[..., 2:]


def silhouette(points_px, size=SIZE):
    mask = np.zeros(size, np.uint8)
    hull = cv2.convexHull((points_px - 0.5).round().astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255)
    return mask > 0


def object_points(scene, i):
    return scene.box.vertices @ scene.T_cam_obj[i, :3, :3].T + scene.T_cam_obj[i, :3, 3]


def masks_of(scene, i, K_=K, size=SIZE):
    thing = silhouette(pixels(K_, object_points(scene, i)), size)
    return thing, silhouette(pixels(K_, scene.keypoints_cam[i]), size) & ~thing


def picture(i, size=SIZE):
    rng = np.random.default_rng(i)
    return cv2.resize(rng.integers(0, 255, (9, 16, 3), np.uint8), size[::-1])


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, 2))


def wrist(scene):
    content = mano_content(scene.side)
    return content["J_regressor"].toarray()[0] @ (content["v_template"] + content["shapedirs"] @ scene.betas)


def template_poses(scene):
    """Camera from the template's frame, about whose origin it turns."""
    j, T = wrist(scene), np.tile(np.eye(4), (len(scene.pose), 1, 1))
    T[:, :3, :3] = Rotation.from_rotvec(scene.turn).as_matrix()
    T[:, :3, 3] = scene.trans + j - T[:, :3, :3] @ j
    return T


def diffhoi_tree(root: Path, scene: Scene, suffixes=("", "_smooth_100")) -> Path:
    """ROOT/HOI4D/Mug_1: square crops, another window in every frame; cTw of the template's frame."""
    folder, n, side = root / "HOI4D/Mug_1", len(scene.pose), 128
    K_pix = np.zeros((n, 3, 3))
    for i in range(n):
        middle = pixels(K, object_points(scene, i)).mean(0).round()
        window = (*(middle - 130 - 5 * i), 240 + 8 * i)  # x0, y0, width
        scale = side / window[2]
        K_pix[i] = np.diag([scale, scale, 1]) @ np.array([[1, 0, -window[0]], [0, 1, -window[1]], [0, 0, 1]]) @ K
        thing, hand = masks_of(scene, i, K_pix[i], (side, side))
        save(folder / f"image/{i:05d}.png", picture(i, (side, side)))
        save(folder / f"obj_mask/{i:05d}.png", thing.astype(np.uint8) * 255)
        save(folder / f"hand_mask/{i:05d}.png", hand.astype(np.uint8) * 255)
    T = template_poses(scene)
    for suffix in suffixes:
        np.savez_compressed(
            folder / f"cameras_hoi{suffix}.npz", cTw=T.astype(np.float32), K_pix=K_pix.astype(np.float32)
        )
        hA, beta = scene.pose.astype(np.float32), np.tile(scene.betas, (n, 1)).astype(np.float32)
        np.savez_compressed(folder / f"hands{suffix}.npz", hA=hA if suffix else hA[:, None], beta=beta)
    (folder / "text.txt").write_text("Mug")
    scene.box.export(folder / "oObj.obj")
    scale = np.tile(np.diag([10.0, 10, 10, 1]), (n, 1, 1))
    np.savez_compressed(
        folder / "eval_poses.npz", hTo=np.linalg.inv(T) @ scene.T_cam_obj, cTh=T, cTo=scene.T_cam_obj, jTh=scale
    )
    return folder


def wild_tree(root: Path, scene: Scene) -> Path:
    """ROOT/wild/mug_2, as inspect_custom.py leaves it: names and numbers of the source, one window, grey edges, jpg masks, K_pix
    (N,4,4), a world that is not the hand's, predicted hands alone, a placeholder for the object."""
    folder, n, side = root / "wild/mug_2", len(scene.pose), 192
    K_pix = np.tile(np.eye(4), (n, 1, 1))
    middle = pixels(K, object_points(scene, 0)).mean(0).round()
    K_pix[:, :3, :3] = (
        np.diag([0.5, 0.5, 1]) @ np.array([[1, 0, side - middle[0]], [0, 1, side - middle[1]], [0, 0, 1]]) @ K
    )
    for i in range(n):
        save(folder / f"image/frame{7 + 2 * i:04d}.png", picture(i, (side, side)))
        masks = masks_of(scene, i, K_pix[i, :3, :3], (side, side))
        for name, mask in zip(("obj_mask/{:04d}.jpg", "hand_mask/{:04d}.png"), masks, strict=True):
            save(folder / name.format(7 + 2 * i), cv2.blur(mask.astype(np.uint8) * 255, (3, 3)))
    wTh = np.tile(np.eye(4), (n, 1, 1))
    wTh[:, :3, 3] = [0.1, 0.2, 0.3]
    suffix, T = "_smooth_100_pred_pred", template_poses(scene)
    np.savez_compressed(folder / f"cameras_hoi{suffix}.npz", cTw=T @ np.linalg.inv(wTh), K_pix=K_pix, wTh=wTh)
    np.savez_compressed(folder / f"hands{suffix}.npz", hA=scene.pose, beta=np.tile(scene.betas, (n, 1, 1)))
    np.savez_compressed(folder / "cameras_hoi.npz", K_pix=K_pix)
    (folder / "text.txt").write_text("mug")
    trimesh.creation.axis(0.1).export(folder / "oObj.obj")
    return folder


def film(path, pictures, fps=15.0):
    """An mp4 of pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, pictures[0].shape[1::-1])
    for image in pictures:
        writer.write(np.ascontiguousarray(image[..., ::-1]))
    writer.release()


EVENTS = [("rest", 0, 0.2), ("Grasp", 0.2, 0.5), ("Carry", 0.5, 0.8), ("Stop", 0.8, 1.0)]  # seconds


def hoi4d_events(form="events", clock=1.0, declared=True, events=EVENTS):
    """action/color.json in one of its two forms, its seconds `clock` times as long as the video's, its length declared or not."""
    if form == "events":
        rows = [{"event": e, "startTime": a / clock, "endTime": b / clock} for e, a, b in events]
        return {"events": rows} | ({"info": {"duration": 1 / clock}} if declared else {})
    rows = [{"event": e, "hdTimeStart": a / clock, "hdTimeEnd": b / clock} for e, a, b in events]
    return {"markResult": {"marks": rows}} | ({"info": {"Duration": 1 / clock}} if declared else {})


def hoi4d_tree(root: Path, scene: Scene, first=0, name=VIDEO, as_film=False, masks="mask", pose_name="{:05d}", key="dataList",
               events=None) -> Path:  # fmt: skip
    """The raw release; hands and poses of frames `first` on, masks in Pascal VOC's colours with an arm beyond the hand."""
    notes, category = root / "HOI4D_annotations" / name, {"C2": "Mug"}[name.split("/")[2]]
    pictures, folder = [picture(i) for i in range(first + len(scene.pose))], root / f"HOI4D_release/{name}/align_rgb"
    if as_film:
        film(folder / "image.mp4", pictures)
    for i, image in enumerate([] if as_film else pictures):
        save(folder / f"{i:05d}.jpg", image)
    for k in range(len(scene.pose)):
        i, (thing, hand) = first + k, masks_of(scene, k)
        colours = np.zeros((*SIZE, 3), np.uint8)
        colours[hand] = (0, 128, 0)
        colours[:, -20:][~thing[:, -20:]] = (0, 128, 0)  # an arm, far from the hand
        colours[thing] = (128, 0, 0)
        colours[:5, :5] = (128, 128, 0)  # another object, label 3
        save(notes / f"2Dseg/{masks}/{i:05d}.png", colours)
        angles = Rotation.from_matrix(scene.T_cam_obj[k, :3, :3]).as_euler("XYZ")
        pose = {
            "center": dict(zip("xyz", scene.T_cam_obj[k, :3, 3].tolist(), strict=True)),
            "rotation": dict(zip("xyz", angles.tolist(), strict=True)),
            "dimensions": {"length": 0.05, "width": 0.07, "height": 0.11},
        }
        path = notes / f"objpose/{pose_name.format(i)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({key: [pose]}))
        hand = {
            "poseCoeff": np.concatenate([scene.turn[k], scene.pose[k]]).astype(np.float32),
            "beta": scene.betas.astype(np.float32),
            "trans": scene.trans[k].astype(np.float32),
            "kps2D": pixels(K, scene.keypoints_cam[k]).astype(np.float32),
        }
        dump(root / f"handpose/refinehandpose_right/{name}/{i}.pickle", hand)
    (notes / "action").mkdir(parents=True)
    (notes / "action/color.json").write_text(json.dumps(events or hoi4d_events()))
    (root / "camera_params" / name.split("/")[0]).mkdir(parents=True)
    np.save(root / "camera_params" / name.split("/")[0] / "intrin.npy", K)
    model = root / f"HOI4D_CAD_Model_for_release/rigid/{category}/{int(name.split('/')[3][1:]):03d}.obj"
    model.parent.mkdir(parents=True)
    scene.box.export(model)
    return root / "HOI4D_release" / name


def ho3d_tree(root: Path, scene: Scene, sequence="MC1", split="train") -> Path:
    """ROOT/train/MC1: OpenGL's axes; MANO turned about the wrist there, joints in MANO's order."""
    content = mano_content()
    j = content["J_regressor"].toarray()[0] @ (content["v_template"] + content["shapedirs"] @ scene.betas)
    order = np.argsort(KEYPOINTS)
    for i in range(len(scene.pose)):
        save(root / split / sequence / f"rgb/{i:04d}.jpg", picture(i))
        turn = Rotation.from_matrix(FLIP) * Rotation.from_rotvec(scene.turn[i])
        joints = (scene.keypoints_cam[i] @ FLIP)[order].astype(np.float32)
        notes = {
            "camMat": K, "objName": "025_mug", "objLabel": 14,
            "objRot": (Rotation.from_matrix(FLIP @ scene.T_cam_obj[i, :3, :3])).as_rotvec()[:, None].astype(np.float32),
            "objTrans": (FLIP @ scene.T_cam_obj[i, :3, 3]).astype(np.float32),
            "handJoints3D": joints if split == "train" else joints[0],
        }  # fmt: skip
        if split == "train":
            notes |= {
                "handPose": np.concatenate([turn.as_rotvec(), scene.pose[i]]).astype(np.float32),
                "handTrans": (FLIP @ (j + scene.trans[i]) - j).astype(np.float32),
                "handBeta": scene.betas.astype(np.float32),
            }
        dump(root / split / sequence / f"meta/{i:04d}.pkl", notes)
    (root / "models/025_mug").mkdir(parents=True)
    scene.box.export(root / "models/025_mug/textured_simple.obj")
    return root / split / sequence


def dexycb_tree(root: Path, scene: Scene, empty=2) -> Path:
    """ROOT/SUBJECT/SEQUENCE/CAMERA: hands in principal components from the mean, absent in the first frames."""
    camera = root / "20200709-subject-01/20200709_141841/932122060861"
    content = mano_content(scene.side)
    for i in range(empty + len(scene.pose)):
        save(camera / f"color_{i:06d}.jpg", picture(i))
        seg, pose_m = np.zeros(SIZE, np.uint8), np.zeros((1, 51), np.float32)
        joint_3d, pose_y = np.full((1, 21, 3), -1, np.float32), np.tile(np.eye(4, dtype=np.float32)[:3], (2, 1, 1))
        if i >= empty:
            k = i - empty
            thing, hand = masks_of(scene, k)
            seg[hand], seg[thing] = 255, 14
            parts = (scene.pose[k] - content["hands_mean"]) @ content["hands_components"].T
            pose_m[0] = np.concatenate([scene.turn[k], parts, scene.trans[k]])
            joint_3d[0], pose_y[1] = scene.keypoints_cam[k], scene.T_cam_obj[k, :3]
        np.savez(
            camera / f"labels_{i:06d}.npz",
            seg=seg,
            pose_y=pose_y,
            pose_m=pose_m,
            joint_3d=joint_3d,
            joint_2d=joint_3d[..., :2],
        )
    meta = {
        "ycb_ids": [2, 14],
        "ycb_grasp_ind": 1,
        "mano_sides": [scene.side],
        "mano_calib": ["20200709-subject-01_right"],
        "num_frames": i + 1,
    }
    (camera.parent / "meta.yml").write_text(yaml.safe_dump(meta))
    for path, notes in (
        ("intrinsics/932122060861_480x270.yml", {"color": {"fx": 420.0, "fy": 424.0, "ppx": 236.0, "ppy": 130.0}}),
        ("mano_20200709-subject-01_right/mano.yml", {"betas": scene.betas.tolist()}),
    ):
        (root / "calibration" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "calibration" / path).write_text(yaml.safe_dump(notes))
    (root / "models/025_mug").mkdir(parents=True)
    scene.box.export(root / "models/025_mug/textured_simple.obj")
    return camera

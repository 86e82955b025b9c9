"""How the object moves, alone and with respect to the hand. numpy + scipy."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

Points = Float[np.ndarray, "n 3"]
Poses = Float[np.ndarray, "N 4 4"]


def box_centres(vertices_m: Points, T_cam_obj: Poses) -> Float[np.ndarray, "N 3"]:
    """Centre of the axis-aligned box around the posed vertices, in every frame, in the camera, metres."""
    turned = (R @ vertices_m.T for R in T_cam_obj[:, :3, :3])  # a frame at a time: a scan has many vertices
    return np.stack([(points.min(1) + points.max(1)) / 2 for points in turned]) + T_cam_obj[:, :3, 3]


def mrrpe_mm(
    wrist_pred: Float[np.ndarray, "N 3"],
    object_pred: Float[np.ndarray, "N 3"],
    wrist_true: Float[np.ndarray, "N 3"],
    object_true: Float[np.ndarray, "N 3"],
) -> float:
    """Mean relative root position error of hand and object, mm, not squared, nothing aligned; mean over frames.

    |(object - wrist) of the prediction - (object - wrist) of the truth| (Fan et al., ARCTIC, CVPR 2023; HOLD's
    `mrrpe_ho`). The object's root is the centre of its box in the camera (`box_centres`), as in HOLD's code.
    """
    error = (object_pred - wrist_pred) - (object_true - wrist_true)
    return float(1000 * np.linalg.norm(error, axis=-1).mean())


def constant_offset(T_cam_obj_pred: Poses, T_cam_obj_true: Poses) -> Float[np.ndarray, "4 4"]:
    """T_pred_true: the one rigid transform from true to predicted object frame that the frames agree on best.

    Mean of inv(T_cam_obj_pred) T_cam_obj_true: of translations the arithmetic, of rotations the chordal mean (Hartley et
    al., IJCV 2013, section 5.3).
    """
    offsets = np.linalg.inv(T_cam_obj_pred.astype(np.float64)) @ T_cam_obj_true
    U, _, Vt = np.linalg.svd(offsets[:, :3, :3].mean(0))
    T = np.eye(4)
    T[:3, :3] = U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
    T[:3, 3] = offsets[:, :3, 3].mean(0)
    return T


def add_s_mm(points_true: Points, T_cam_obj_pred: Poses, T_cam_obj_true: Poses) -> float:
    """ADD-S of the object's motion, mm, not squared: mean over frames and points of the true surface.

    Nearest distance from each true point in its true pose to the true shape in the predicted pose (Hinterstoisser et
    al., ACCV 2012, eq. 10). ASSUME: a prediction's object frame is its own, so the predicted pose is T_cam_obj_pred
    times `constant_offset`; a constant error of placement in the object frame is thus forgiven, one that changes is not.
    """
    T_offset = constant_offset(T_cam_obj_pred, T_cam_obj_true)
    T_pred_true = np.linalg.inv(T_cam_obj_pred.astype(np.float64) @ T_offset) @ T_cam_obj_true
    moved = points_true @ T_pred_true[:, :3, :3].transpose(0, 2, 1) + T_pred_true[:, None, :3, 3]
    return float(1000 * cKDTree(points_true).query(moved)[0].mean())

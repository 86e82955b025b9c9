"""Errors of hand joints in the camera. numpy."""

import numpy as np
from jaxtyping import Float, Integer

Joints = Float[np.ndarray, "N 21 3"]


def mpjpe_mm(pred_m: Joints, true_m: Joints) -> float:
    """Mean per-joint position error, mm, not squared; wrist (joint 0) moved onto the true wrist, nothing else aligned.

    The root-relative MPJPE of HOLD (Fan et al., CVPR 2024) and of most hand papers; mean over frames and 21 joints.
    """
    error = (pred_m - pred_m[:, :1]) - (true_m - true_m[:, :1])
    return float(1000 * np.linalg.norm(error, axis=-1).mean())


def wrist_error_mm(pred_m: Joints, true_m: Joints) -> float:
    """Mean distance of the predicted wrist from the true one in the camera, mm, nothing aligned: metric placement."""
    return float(1000 * np.linalg.norm(pred_m[:, 0] - true_m[:, 0], axis=-1).mean())


def procrustes(pred: Joints, true: Joints) -> Joints:
    """Each frame of `pred` under the similarity (rotation, translation, one scale) that brings it nearest to `true`.

    Least squares (Umeyama 1991, eq. 40-42).
    """
    mean_p, mean_t = pred.mean(1, keepdims=True), true.mean(1, keepdims=True)
    p, t = pred - mean_p, true - mean_t
    U, D, Vt = np.linalg.svd(np.einsum("nji,njk->nik", t, p))
    D[:, 2] *= np.sign(np.linalg.det(U @ Vt))
    U[:, :, 2] *= np.sign(np.linalg.det(U @ Vt))[:, None]
    scale = D.sum(-1) / (p**2).sum((1, 2))
    return scale[:, None, None] * p @ (U @ Vt).transpose(0, 2, 1) + mean_t


def pa_mpjpe_mm(pred_m: Joints, true_m: Joints) -> float:
    """MPJPE after Procrustes alignment with scale in each frame (Zimmermann & Brox, ICCV 2017), mm, not squared."""
    return float(1000 * np.linalg.norm(procrustes(pred_m, true_m) - true_m, axis=-1).mean())


def acceleration_error_m_s2(
    pred_m: Joints, true_m: Joints, fps: float, frames: Integer[np.ndarray, "N"] | None = None
) -> float | None:
    """Mean difference of joint accelerations (Kanazawa et al., CVPR 2019), m/s², in the camera, nothing aligned.

    Acceleration is the second difference x[t+1] - 2 x[t] + x[t-1] times fps², of consecutive frames by their numbers
    `frames` (else of all); None where no 3 are consecutive.
    """
    frames = np.arange(len(pred_m)) if frames is None else frames
    consecutive = frames[2:] - frames[:-2] == 2
    if not consecutive.any():
        return None
    error = np.diff(pred_m - true_m, n=2, axis=0)[consecutive] * fps**2
    return float(np.linalg.norm(error, axis=-1).mean())


def auc_50mm(pred_m: Joints, true_m: Joints) -> float:
    """Area under the curve of correct keypoints over thresholds from 0 to 50 mm, 0 to 1; wrist aligned as in `mpjpe_mm`.

    Mean over frames and joints of max(0, 1 - error / 50 mm): the exact area, which FreiHAND's and HO-3D's scripts
    (Zimmermann et al., ICCV 2019) approach with 100 thresholds. The wrist, whose error is 0, is one of the 21 joints.
    """
    error = np.linalg.norm((pred_m - pred_m[:, :1]) - (true_m - true_m[:, :1]), axis=-1)
    return float(np.clip(1 - error / 0.05, 0, 1).mean())

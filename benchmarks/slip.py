"""What a fit loses where its input is imperfect: the object slips in the hand; masks, hands or focal length are wrong.

python benchmarks/slip.py results/clips/{tmug,tbottle,tkettle,tknife}_0    # made clips: docs/wild.md says how to make them

Hands are the given ones and masks cast from the true poses, but for what a row names. F@5 mm and CD by protocol `diffhoi`. Turn,
shift: errors of the object's motion in the camera since the first frame, mean over frames, the shift at its middle.
"""

import argparse
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import trimesh
import yaml
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from hoi.clip import read_clip, read_masks, read_truth
from hoi.evaluate.protocols import diffhoi
from hoi.fit import Observations, fit
from hoi.geometry.raycast import visible_masks
from hoi.geometry.registration import Search
from hoi.geometry.sampling import sample_surface
from hoi.imports import PACKAGE
from hoi.observe.trackers import drift, track
from hoi.present.hands import open_hand_cam
from hoi.study import read_study

THUMB_TIP, INDEX_KNUCKLE, MIDDLE_TIP, LITTLE_KNUCKLE = 4, 5, 12, 17
COLUMNS = {"f5": "F@5 mm", "f5_scaled": "scaled", "cd_cm2": "CD cm²", "turn_deg": "turn °", "shift_mm": "shift mm"}


@dataclass(frozen=True)
class Case:
    """What a fit is given of a clip, and what is true of it."""

    object_mask: np.ndarray  # n h w
    hand_mask: np.ndarray  # n h w, with the forearm
    forearm_mask: np.ndarray  # n h w
    hands: dict[str, np.ndarray]  # schema `hands`
    joints_cam: np.ndarray  # n 21 3, metres
    mesh: trimesh.Trimesh
    T_cam_obj: np.ndarray  # n 4 4

    def observed(self):
        n = len(self.object_mask)
        masks = {"object": self.object_mask, "hand": self.hand_mask, "confidence": np.ones(n, np.float32)}
        return Observations.from_arrays(masks, self.hands)


def read_case(path, settings, choice):
    """A made clip with what is given along with it."""
    clip, truth = read_clip(path), read_truth(path)
    masks = clip.given_masks()
    hands = track(clip.frames(), clip.K(), clip.info.side, clip.given_hands(), settings, choice, 0)
    to_wrist = read_masks(path / "gt/masks/hand_amodal")
    forearm = masks["hand"] & ~np.stack([to_wrist[i] for i in range(len(to_wrist))])
    mesh, poses = trimesh.load_mesh(truth.object_path), truth.poses
    return Case(masks["object"], masks["hand"], forearm, hands, poses["joints_cam"], mesh, poses["T_cam_obj"])


def slipped(case, turn_deg, shift_mm, rng=None):
    """The object turns about the line from thumb to middle finger and slides through the fist, smoothly; masks are cast anew."""
    T_cam_hand, n = case.hands["T_cam_hand"].astype(np.float64), len(case.T_cam_obj)
    T_hand_cam = np.linalg.inv(T_cam_hand)
    joints = (case.joints_cam @ T_hand_cam[:, :3, :3].mT + T_hand_cam[:, None, :3, 3]).mean(0)
    axis, way = joints[MIDDLE_TIP] - joints[THUMB_TIP], joints[LITTLE_KNUCKLE] - joints[INDEX_KNUCKLE]
    pivot, u = (joints[MIDDLE_TIP] + joints[THUMB_TIP]) / 2, np.linspace(0, 1, n)
    share = (3 * u**2 - 2 * u**3)[:, None]
    slip = np.tile(np.eye(4), (n, 1, 1))
    slip[:, :3, :3] = Rotation.from_rotvec(share * np.radians(turn_deg) * axis / np.linalg.norm(axis)).as_matrix()
    slip[:, :3, 3] = pivot - slip[:, :3, :3] @ pivot + share * 0.001 * shift_mm * way / np.linalg.norm(way)
    T_cam_obj = (T_cam_hand @ slip @ T_hand_cam @ case.T_cam_obj).astype(np.float32)
    h, w = case.object_mask.shape[1:]
    K = np.broadcast_to(case.hands["K"], (n, 3, 3))
    hand_cam, hand_faces = open_hand_cam(case.hands, bool(case.hands["is_right"]))
    surface = np.asarray(case.mesh.vertices), np.asarray(case.mesh.faces)
    obj, hand = visible_masks(surface, T_cam_obj, hand_cam, hand_faces, K, w, h)
    obj &= ~case.forearm_mask
    return replace(case, T_cam_obj=T_cam_obj, object_mask=obj, hand_mask=(hand | case.forearm_mask) & ~obj)


def with_wrong_masks(case, share, rng):
    """Discs on the object's outline change sides, in every frame anew, until so many pixels (share of the object's) are wrong."""
    objects, hands = case.object_mask.copy(), case.hand_mask.copy()
    for obj, hand in zip(objects, hands, strict=True):
        true, size = obj.copy(), np.sqrt(obj.sum())
        rim = np.argwhere(true & ~(cv2.erode(true.astype(np.uint8), np.ones((3, 3))) > 0))
        while (obj != true).sum() < share * true.sum():
            row, column = rim[rng.integers(len(rim))]
            radius = max(1, round(size * rng.uniform(0.03, 0.12)))
            disc = cv2.circle(np.zeros(obj.shape, np.uint8), (int(column), int(row)), radius, 1, -1) > 0
            by_hand = (disc & hand).any()
            if rng.random() < 0.5:
                obj |= disc
                hand &= ~disc
            else:
                hand |= disc & obj & by_hand
                obj &= ~disc
    return replace(case, object_mask=objects, hand_mask=hands)


def with_shaken_hands(case, error_px, rng):
    """Every frame's hand is off across the view as if its keypoints were (standard deviation a coordinate), mostly smoothly."""
    hands, n = dict(case.hands), len(case.T_cam_obj)
    T = hands["T_cam_hand"].copy()
    off_px = error_px * drift(n, 2, 10, 0.3, rng)
    T[:, :2, 3] += off_px * T[:, 2:3, 3] / hands["K"][0, 0]
    return replace(case, hands=hands | {"T_cam_hand": T})


def with_wrong_focal(case, factor, rng):
    """The focal length is taken for `factor` times what it is, and hands of known size are farther away in proportion."""
    K, T = case.hands["K"].copy(), case.hands["T_cam_hand"].copy()
    K[[0, 1], [0, 1]] *= factor
    T[:, 2, 3] *= factor
    return replace(case, hands=case.hands | {"K": K, "T_cam_hand": T})


WRONGS = {
    "nothing": lambda case, rng: case,
    "slip of 5°, 3 mm": partial(slipped, turn_deg=5, shift_mm=3),
    "slip of 10°, 6 mm": partial(slipped, turn_deg=10, shift_mm=6),
    "slip of 20°, 10 mm": partial(slipped, turn_deg=20, shift_mm=10),
    "masks, 10 % of the pixels": partial(with_wrong_masks, share=0.1),
    "keypoints, 5 px": partial(with_shaken_hands, error_px=5),
    "focal length, 0.8 times": partial(with_wrong_focal, factor=0.8),
    "focal length, 1.2 times": partial(with_wrong_focal, factor=1.2),
}


def motion_error(mesh, T_cam_obj, T_cam_obj_true):
    """Degrees and mm by which the motion since the first frame is off, mean over frames."""
    moved, true = (T.astype(np.float64) @ np.linalg.inv(T[0].astype(np.float64)) for T in (T_cam_obj, T_cam_obj_true))
    middle = T_cam_obj_true[0, :3, :3] @ mesh.bounds.mean(0) + T_cam_obj_true[0, :3, 3]
    turn = Rotation.from_matrix(moved[:, :3, :3] @ true[:, :3, :3].mT).magnitude()
    apart = (moved - true)[:, :3] @ np.append(middle, 1)
    return {"turn_deg": np.degrees(turn).mean(), "shift_mm": 1000 * np.linalg.norm(apart, axis=-1).mean()}


def measured(case, settings, score):
    """Fit, and every column's value."""
    started = time.perf_counter()
    result = fit(case.observed(), settings, 0, lambda *_: None)
    seconds = time.perf_counter() - started
    points = (sample_surface(m.vertices, m.faces, score.samples, i) for i, m in enumerate((result.mesh, case.mesh)))
    shape = diffhoi(*points, Search(**score.registration.model_dump()))
    return shape | motion_error(case.mesh, result.poses["T_cam_obj"], case.T_cam_obj) | {"seconds": seconds}


def read_settings(variant):
    """Of track_hand (given hands), fit_clip (this variant's, without a prior), score_clip; and the choice of the hand model."""
    config, ablations = (
        yaml.safe_load((PACKAGE.parent / f"config/{name}.yaml").read_text()) for name in ("config", "ablations")
    )
    study = read_study(config | {"variants": config["variants"] | ablations["variants"]})
    settings = study.settings(variant, "fit_clip")
    fitted = settings.model_copy(update={"weights": settings.weights.model_copy(update={"prior": 0.0})})
    return study.settings("oracle", "track_hand"), fitted, study.score_clip, study.hand


def main():
    """Print a line a fit, then the table of means over clips."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--wrongs", nargs="+", default=list(WRONGS), choices=list(WRONGS), metavar="WRONG")
    parser.add_argument("--variant", default="no_prior", help="of config.yaml or ablations.yaml; its prior is left out")
    args = parser.parse_args()
    tracking, settings, scoring, hand = read_settings(args.variant)
    cases, console = {path.name: slipped(read_case(path, tracking, hand), 0, 0) for path in args.clips}, Console()
    table = Table("wrong", *COLUMNS.values(), title=f"{args.variant}, mean of {len(cases)} clips")
    for wrong in args.wrongs:
        rows = []
        for name, case in cases.items():
            rows.append(measured(WRONGS[wrong](case, rng=np.random.default_rng(0)), settings, scoring))
            told = ", ".join(f"{k} {rows[-1][k]:.3f}" for k in (*COLUMNS, "seconds"))
            console.print(f"{wrong} | {name} | {told}", soft_wrap=True)
        table.add_row(wrong, *(f"{np.mean([row[key] for row in rows]):.3g}" for key in COLUMNS))
    console.print(table)


if __name__ == "__main__":
    main()

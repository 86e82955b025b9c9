"""The protocols of three papers, each from one prediction: what is aligned, which points, which distance, which unit.

All give the same kind of number and none of them compares with another: docs/evaluation.md shows one prediction under
all. numpy + scipy; every search is deterministic, where the papers draw their starts at random.
"""

from itertools import permutations, product

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from hoi.evaluate.shape import BothWays, both_ways
from hoi.geometry.registration import Search, Similarity, coarse, register_both, umeyama

Points = Float[np.ndarray, "_n 3"]
Metrics = dict[str, float | None]


def diffhoi(pred_m: Points, true_m: Points, search: Search) -> Metrics:
    """DiffHOI (Ye et al., ICCV 2023): F@5 mm, F@10 mm and CD of surfaces, after rigid alignment and after one with scale.

    Points: 10,000 area-uniform samples a side, metres. Alignment: R, t (and one scale) of least symmetric Chamfer
    distance. CD: sum of the two mean squared distances, cm². The paper starts from 10 random rotations (the first the
    identity) on 1000 points and takes the best; here the starts are spread over SO(3) and the end is on all points.
    `scale` is what the second alignment multiplied the prediction by.
    """
    out: Metrics = {}
    rigid, similar = register_both(pred_m, true_m, search)
    for suffix, found in (("", rigid), ("_scaled", similar)):
        distances = both_ways(found.apply(pred_m), true_m)
        out |= {f"f{mm}{suffix}": distances.f_score(mm / 1000) for mm in (5, 10)}
        out[f"cd{suffix}_cm2"] = distances.chamfer_cm2()
    return out | {"scale": similar.scale}


def icp_within(source: Points, target: Points, start: Similarity, reach_m: float, steps: int) -> Similarity:
    """Point-to-point ICP with scale from source to target over pairs nearer than a reach (open3d's registration_icp).

    Ends early where fewer than 3 points have a partner, or where the pairs stay the same.
    """
    tree, found, before = cKDTree(target), start, None
    for _ in range(steps):
        distance, partner = tree.query(found.apply(source), distance_upper_bound=reach_m)
        paired = np.isfinite(distance)
        if paired.sum() < 3 or (before is not None and np.array_equal(before, partner)):
            break
        R, t, scale = umeyama(source[paired], target[partner[paired]], np.ones(paired.sum()), True)
        found, before = Similarity(R, t, float(scale)), partner
    return found


def hold(pred_vertices_m: Points, true_vertices_m: Points, pred_m: Points, true_m: Points, search: Search) -> Metrics:
    """HOLD (Fan et al., CVPR 2024; `compute_icp_metrics`): F@5 mm, F@10 mm and CD of vertices after ICP with scale.

    Shapes in metres as in frame 0. Both are put onto the mean of their vertices; from many starts, ICP with scale
    brings 1000 samples of the prediction onto 1000 of the truth over pairs nearer than 1 cm (30 steps); of all starts
    the one of least CD counts. CD: between all vertices, sum of the two mean squared distances, cm².
    ASSUME: starts are the identity and the distinct results of a rigid search over SO(3), where HOLD draws 600 by RANSAC
    on FPFH features; of the three best on the samples the best on 5000 vertices is measured, where HOLD measures all.
    """
    middle_p, middle_t = pred_vertices_m.mean(0), true_vertices_m.mean(0)
    p, t = pred_m - middle_p, true_m - middle_t
    starts = [Similarity(np.eye(3), np.zeros(3), 1.0), *coarse(p, t, search)]
    found = [icp_within(p, t, start, 0.01, 30) for start in starts]
    ranked = sorted(found, key=lambda f: both_ways(f.apply(p), t).chamfer_cm2())
    vertices = pred_vertices_m - middle_p, true_vertices_m - middle_t
    few = tuple(v[:: max(1, len(v) // 5000)] for v in vertices)
    best = min(ranked[:3], key=lambda f: both_ways(f.apply(few[0]), few[1]).chamfer_cm2())
    distances = both_ways(best.apply(vertices[0]), vertices[1])
    values = distances.f_score(0.005), distances.f_score(0.01), distances.chamfer_cm2()
    return dict(zip(("hold_f5", "hold_f10", "hold_cd_cm2"), values, strict=True))


def axis_rotations() -> Float[np.ndarray, "24 3 3"]:
    """The 24 rotations that take the axes to the axes."""
    signed = [np.diag(s) @ np.eye(3)[list(p)] for p in permutations(range(3)) for s in product((1.0, -1.0), repeat=3)]
    return np.stack([R for R in signed if np.linalg.det(R) > 0])


def voxel_centres(surface: Points, cells: int = 64) -> Points:
    """Cells of a cube around a surface, its longest side from end to end, that hold some of the surface's points."""
    low, high = surface.min(0), surface.max(0)
    unit = (surface - (low + high) / 2) / (high - low).max()
    cell = np.clip(np.round((unit + 0.5) * cells - 0.5).astype(np.int64), 0, cells - 1)
    flat = np.unique(np.ravel_multi_index(tuple(cell.T), (cells,) * 3))
    return np.stack(np.unravel_index(flat, (cells,) * 3), -1).astype(np.float64)


def _in_unit_box(points: Points) -> Points:
    centred = points - points.mean(0)
    return centred / np.ptp(centred, axis=0).max()


def forehoi(pred_surface: Points, true_surface_m: Points) -> Metrics:
    """ForeHOI (released `ho3d_metrics_cm.py`): CD in cm, F at 5 % and 10 % of the true diagonal, of 64³ voxels.

    Each surface (dense points on it: 300,000 in the script, with the vertices) is voxelised in its own box, the cells'
    centres put onto their mean and into a unit box: the prediction's size is lost. The best 3 of 24 axis rotations (by
    the Chamfer distance) are refined by 20 steps of rigid ICP, the best of these counts, and both are scaled by the
    **true** extent. CD: half the sum of the two mean distances, not squared, cm.
    ASSUME: rotations are ranked, and ICP's points taken, from every 5th voxel (measured are all), and a predicted mesh
    is voxelised as the true one is; ForeHOI's network gives voxels.
    """
    p, t = _in_unit_box(voxel_centres(pred_surface)), _in_unit_box(voxel_centres(true_surface_m))
    extent_m = float(np.ptp(true_surface_m, axis=0).max())
    tree_t, few_p, few_t = cKDTree(t), p[::5], t[::5]
    few = cKDTree(few_p), cKDTree(few_t)
    ranked = sorted(
        axis_rotations(), key=lambda R: few[1].query(few_p @ R.T)[0].mean() + few[0].query(few_t @ R)[0].mean()
    )
    found = [_rigid_icp(few_p, R, t, tree_t, 20) for R in ranked[:3]]
    measured = [both_ways(extent_m * f.apply(p), extent_m * t) for f in found]
    best = min(measured, key=BothWays.chamfer_cm)
    diagonal_m = extent_m * float(np.linalg.norm(np.ptp(t, axis=0)))
    shares = {f"forehoi_f{percent}": best.f_score(percent / 100 * diagonal_m) for percent in (5, 10)}
    return shares | {"forehoi_cd_cm": best.chamfer_cm()}


def _rigid_icp(points: Points, R: Float[np.ndarray, "3 3"], target: Points, tree: cKDTree, steps: int) -> Similarity:
    """Point-to-point ICP from a rotation, all points paired."""
    found = Similarity(R, np.zeros(3), 1.0)
    for _ in range(steps):
        R, t, _ = umeyama(points, target[tree.query(found.apply(points))[1]], np.ones(len(points)), False)
        found = Similarity(R, t, 1.0)
    return found

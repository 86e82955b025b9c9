"""Rigid and similarity registration of two point sets by symmetric Chamfer distance, from many starts. numpy + scipy.

The coarse search runs a few symmetric ICP steps from rotations spread over SO(3); the best few are refined by BFGS on R, t
and, where asked, one scale, with the exact gradient. Deterministic.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import OptimizeResult, minimize
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoi.geometry.sampling import spread_rotations


class Similarity(NamedTuple):
    """x -> scale * R x + t."""

    R: Float[np.ndarray, "3 3"]
    t: Float[np.ndarray, "3"]
    scale: float

    def apply(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """The moved points."""
        return self.scale * points @ self.R.T + self.t


@dataclass(frozen=True)
class Search:
    """How thoroughly to look for the best registration."""

    starts: int  # spread rotations
    coarse_points: int  # of each side in the ICP round
    coarse_steps: int  # ICP steps
    refined: int  # starts that are refined
    points: int  # of each side in that round
    polished: int  # candidates that are refined on all points


def umeyama(
    source: Float[np.ndarray, "*b n 3"],
    target: Float[np.ndarray, "*b n 3"],
    weights: Float[np.ndarray, "*#b n"],
    with_scale: bool,
) -> tuple[Float[np.ndarray, "*b 3 3"], Float[np.ndarray, "*b 3"], Float[np.ndarray, "*b"]]:
    """R, t, scale that minimise sum_i w_i |scale R source_i + t - target_i|^2 (Umeyama 1991, eq. 40-42); batched."""
    w = weights / weights.sum(-1, keepdims=True)
    mean_s, mean_t = (np.einsum("...n,...nk->...k", w, x) for x in (source, target))
    s, t = source - mean_s[..., None, :], target - mean_t[..., None, :]
    U, D, Vt = np.linalg.svd(np.einsum("...n,...ni,...nj->...ij", w, t, s, optimize=True))
    sign = np.ones_like(D)
    sign[..., 2] = np.sign(np.linalg.det(U @ Vt))
    R = (U * sign[..., None, :]) @ Vt
    spread = np.einsum("...n,...nk,...nk->...", w, s, s)
    scale = (D * sign).sum(-1) / spread if with_scale else np.ones_like(spread)
    return R, mean_t - scale[..., None] * np.einsum("...ij,...j->...i", R, mean_s), np.asarray(scale)


class _Pair(NamedTuple):
    """Two fixed point sets with their trees. A moved source is never rebuilt: the target is moved back instead."""

    a: Float[np.ndarray, "n 3"]
    b: Float[np.ndarray, "m 3"]
    tree_a: cKDTree
    tree_b: cKDTree

    @classmethod
    def of(cls, a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"]) -> "_Pair":
        """Both point sets with their trees."""
        return cls(a, b, cKDTree(a), cKDTree(b))

    def nearest(
        self, R: Float[np.ndarray, "k 3 3"], t: Float[np.ndarray, "k 3"], scale: Float[np.ndarray, " k"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """For k poses of a: index in b nearest to each moved a_i (k,n); index in a nearest to each b_j (k,m)."""
        moved = scale[:, None, None] * self.a @ R.transpose(0, 2, 1) + t[:, None]
        back = (self.b - t[:, None]) @ R / scale[:, None, None]
        return self.tree_b.query(moved)[1], self.tree_a.query(back)[1]


def _icp(pair: _Pair, starts: Float[np.ndarray, "k 3 3"], steps: int, with_scale: bool) -> tuple[np.ndarray, ...]:
    """R, t, scale of each start after symmetric ICP steps, and its symmetric Chamfer distance."""
    n, m, k = len(pair.a), len(pair.b), len(starts)
    weights = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    spread_a, spread_b = (np.sqrt(((x - x.mean(0)) ** 2).sum(-1).mean()) for x in (pair.a, pair.b))
    scale = np.full(k, spread_b / spread_a if with_scale else 1.0)
    R = starts
    t = pair.b.mean(0) - scale[:, None] * (R @ pair.a.mean(0))
    for _ in range(steps):
        in_b, in_a = pair.nearest(R, t, scale)
        source = np.concatenate([np.broadcast_to(pair.a, (k, n, 3)), pair.a[in_a]], 1)
        target = np.concatenate([pair.b[in_b], np.broadcast_to(pair.b, (k, m, 3))], 1)
        R, t, scale = umeyama(source, target, weights, with_scale)
    moved = scale[:, None, None] * source @ R.transpose(0, 2, 1) + t[:, None]
    return R, t, scale, ((moved - target) ** 2).sum(-1) @ weights


def _left_jacobian(w: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """J with exp(w + d) = exp(J d) exp(w) to first order (Sola et al. 2018, eq. 145)."""
    angle = np.linalg.norm(w)
    k = np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])
    if angle < 1e-6:
        return np.eye(3) + k / 2
    return np.eye(3) + (1 - np.cos(angle)) / angle**2 * k + (angle - np.sin(angle)) / angle**3 * k @ k


def chamfer_and_gradient(
    x: Float[np.ndarray, "7"], pair: _Pair, R0: Float[np.ndarray, "3 3"], with_scale: bool
) -> tuple[float, Float[np.ndarray, "7"]]:
    """Sum of the two mean squared nearest distances at x = (rotation vector on R0, t, log scale), and its gradient.

    A point's nearest neighbour is constant but for a set of measure zero, so the gradient at fixed neighbours is exact.
    """
    R, t, scale = Rotation.from_rotvec(x[:3]).as_matrix() @ R0, x[3:6], np.exp(x[6])
    (in_b,), (in_a,) = pair.nearest(R[None], t[None], np.array([scale]))
    turned_a, turned_nn = scale * pair.a @ R.T, scale * pair.a[in_a] @ R.T
    to_b, to_a = turned_a + t - pair.b[in_b], turned_nn + t - pair.b
    g_b, g_a = 2 * to_b / len(to_b), 2 * to_a / len(to_a)
    torque = np.cross(turned_a, g_b).sum(0) + np.cross(turned_nn, g_a).sum(0)
    stretch = (turned_a * g_b).sum() + (turned_nn * g_a).sum() if with_scale else 0.0
    value = (to_b**2).sum(-1).mean() + (to_a**2).sum(-1).mean()
    return value, np.concatenate([_left_jacobian(x[:3]).T @ torque, g_b.sum(0) + g_a.sum(0), [stretch]])


def _crossed(v: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Matrices M with M w = w x v: how v moves when it turns by a small w."""
    x, y, z = v.T
    zero = np.zeros(len(v))
    return np.stack([np.stack([zero, z, -y], -1), np.stack([-z, zero, x], -1), np.stack([y, -x, zero], -1)], 1)


def curvature(pair: _Pair, pose: Similarity, with_scale: bool) -> Float[np.ndarray, "7 7"]:
    """About the Hessian of `chamfer_and_gradient` at a pose: where BFGS starts.

    The mean of point-to-point ICP's, in which a distance changes with every motion, and of point-to-plane ICP's, in which
    it changes along the direction to the neighbour alone. It halves the evaluations against the identity.
    """
    (in_b,), (in_a,) = pair.nearest(pose.R[None], pose.t[None], np.array([pose.scale]))
    hessian = np.zeros((7, 7))
    for source, target in ((pair.a, pair.b[in_b]), (pair.a[in_a], pair.b)):
        turned = pose.scale * source @ pose.R.T
        away = turned + pose.t - target
        away /= np.linalg.norm(away, axis=-1, keepdims=True) + 1e-12
        J = np.concatenate([_crossed(turned), np.broadcast_to(np.eye(3), (len(turned), 3, 3)), turned[:, :, None]], 2)
        J[:, :, 6] *= with_scale
        along, flat = (away[:, None] @ J)[:, 0], J.reshape(-1, 7)
        hessian += (along.T @ along + flat.T @ flat) / len(turned)
    hessian[6, 6] += not with_scale
    return hessian


def _refine(pair: _Pair, start: Similarity, with_scale: bool) -> tuple[float, Similarity]:
    """BFGS from one start, in units of the target's size, until a step gains less than a thousandth."""
    inverse = np.linalg.inv(curvature(pair, start, with_scale))
    values = [np.inf]

    def stop(intermediate_result: OptimizeResult) -> None:
        """End the descent at a step that gains less than a thousandth."""
        values.append(intermediate_result.fun)
        if values[-2] - values[-1] < 1e-3 * values[-1]:
            raise StopIteration

    found = minimize(
        chamfer_and_gradient,
        np.concatenate([np.zeros(3), start.t, [np.log(start.scale)]]),
        args=(pair, start.R, with_scale),
        jac=True,
        method="BFGS",
        callback=stop,
        options={"maxiter": 30, "gtol": 1e-4, "hess_inv0": (inverse + inverse.T) / 2},
    )
    R = Rotation.from_rotvec(found.x[:3]).as_matrix() @ start.R
    return found.fun, Similarity(R, found.x[3:6], float(np.exp(found.x[6])))


def _thinned(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"], points: int) -> _Pair:
    """Every k-th point of each, so that about `points` remain."""
    return _Pair.of(a[:: max(1, len(a) // points)], b[:: max(1, len(b) // points)])


def _distinct(found: list[Similarity], tolerance: float) -> list[Similarity]:
    """The first of each group of registrations that agree in every number of R, t and scale, in order."""
    kept: list[Similarity] = []
    for f in found:
        if all(max(np.abs(f.R - k.R).max(), np.abs(f.t - k.t).max(), abs(f.scale - k.scale)) > tolerance for k in kept):
            kept.append(f)
    return kept


class _Frame(NamedTuple):
    """Where the search works: the target's middle at the origin, its size 1."""

    middle: Float[np.ndarray, "3"]
    size: float

    @classmethod
    def of(cls, target: Float[np.ndarray, "m 3"]) -> "_Frame":
        """The frame of a target."""
        middle = target.mean(0)
        return cls(middle, float(np.sqrt(((target - middle) ** 2).sum(-1).mean())))

    def into(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points in this frame."""
        return (points - self.middle) / self.size

    def out_of(self, found: Similarity) -> Similarity:
        """What was found in this frame, in the points' own units."""
        t = self.size * found.t + self.middle - found.scale * found.R @ self.middle
        return Similarity(found.R, t, found.scale)


def _search_coarse(
    a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"], with_scale: bool, search: Search
) -> list[Similarity]:
    starts = np.concatenate([np.eye(3)[None], spread_rotations(search.starts)])
    R, t, scale, cost = _icp(_thinned(a, b, search.coarse_points), starts, search.coarse_steps, with_scale)
    ranked = [Similarity(R[i], t[i], float(scale[i])) for i in np.argsort(cost, kind="stable")]
    return _distinct(ranked, 0.2)[: search.refined]


def coarse(source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "m 3"], search: Search) -> list[Similarity]:
    """The distinct rigid motions, best first, to which symmetric ICP on few points comes from rotations over SO(3)."""
    frame = _Frame.of(target)
    return [frame.out_of(f) for f in _search_coarse(frame.into(source), frame.into(target), False, search)]


def register(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "m 3"], with_scale: bool, search: Search
) -> Similarity:
    """The similarity (scale 1 unless asked) that brings source onto target at the least symmetric Chamfer distance.

    Starts: as given (no motion), then identity and spread rotations with the centroids together. Three rounds: ICP from
    all starts on few points, refinement of the best on some points, and of the best of these on all points.
    """
    frame = _Frame.of(target)
    a, b = frame.into(source), frame.into(target)
    candidates = [Similarity(np.eye(3), np.zeros(3), 1.0), *_search_coarse(a, b, with_scale, search)]
    for points, kept in ((search.points, search.polished), (max(len(a), len(b)), 1)):
        pair = _thinned(a, b, points)
        results = sorted((_refine(pair, start, with_scale) for start in candidates), key=lambda result: result[0])
        candidates = _distinct([found for _, found in results], 0.02)[:kept]
    return frame.out_of(candidates[0])


def register_both(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "m 3"], search: Search
) -> tuple[Similarity, Similarity]:
    """The rigid motion and the similarity of `register`."""
    return register(source, target, False, search), register(source, target, True, search)

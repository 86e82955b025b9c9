"""The template baseline in the manner of HOMAN (Hasson et al., 3DV 2021): a known mesh, its pose and scale fitted to masks.

The object is one of the category's training meshes, fixed in the hand; rotation, place and scale are found from many
starts by descent on silhouettes, and the mesh that explains the masks best is kept. Hand and camera stay as tracked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import trimesh
from jaxtyping import Float, Int
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from hoi.config import FitClip, FitTemplate
from hoi.errors import DataFailure
from hoi.fit.observations import Fit, Observations, Report
from hoi.fit.variables import Variables
from hoi.geometry.rotations import axis_angle_to_matrix
from hoi.geometry.sampling import evenly, sample_surface, spread_rotations


@dataclass(frozen=True)
class Views:
    """What the chosen frames ask: where the object may be seen, and pixels where it must be."""

    T_cam_hand: Float[Tensor, "f 4 4"]
    K: Float[Tensor, "f 3 3"]
    outside_px: Float[Tensor, "f h w"]  # distance to the nearest pixel of object or hand; 0 on them
    object_px: Float[Tensor, "f m 2"]  # pixels drawn from the object's mask
    size_px: Float[Tensor, "f"]  # square root of its area: errors are counted in it


GUESSED = ("R0", "turn", "place", "log_scale")


@dataclass(frozen=True)
class Guess:
    """Templates in the hand: x_hand = exp(log_scale) axis_angle_to_matrix(turn) R0 x + place (metres)."""

    R0: Float[Tensor, "k 3 3"]
    turn: Float[Tensor, "k 3"]
    place: Float[Tensor, "k 3"]
    log_scale: Float[Tensor, "k"]

    def of(self, kept: Tensor) -> "Guess":
        """The chosen ones, free to move."""
        parts = (self.turn, self.place, self.log_scale)
        return Guess(self.R0[kept], *(part.detach()[kept].clone().requires_grad_() for part in parts))

    @staticmethod
    def joined(parts: "Sequence[Guess]") -> "Guess":
        """Several as one."""
        return Guess(*(torch.cat([getattr(p, name).detach() for p in parts]) for name in GUESSED))

    def rotation(self) -> Float[Tensor, "k 3 3"]:
        """Of the template in the hand."""
        return axis_angle_to_matrix(self.turn) @ self.R0


def views_of(observed: Observations, variables: Variables, settings: FitTemplate, seed: int) -> Views:
    """The chosen frames: spread over those that are trusted and show the object."""
    rng = np.random.default_rng(seed)
    seen = np.flatnonzero(observed.object_mask.any((1, 2)) & (observed.confidence > 0))
    chosen = evenly(seen, settings.frames)
    masks = observed.object_mask[chosen]
    outside = [distance_transform_edt(~(m | h)) for m, h in zip(masks, observed.hand_mask[chosen], strict=True)]
    drawn = [rng.permutation(np.argwhere(m))[np.arange(settings.pixels) % m.sum()][:, ::-1] + 0.5 for m in masks]
    with torch.no_grad():
        T_cam_hand, K = variables.T_cam_hand()[chosen], variables.K()[chosen]
    to_torch = (torch.from_numpy(np.asarray(a, np.float32)) for a in (outside, drawn, np.sqrt(masks.sum((1, 2)))))
    return Views(T_cam_hand, K, *to_torch)


def misfit(points: Float[Tensor, "n 3"], guess: Guess, views: Views) -> Float[Tensor, "k"]:
    """How badly each guess explains the masks, squared distances in object sizes, mean over frames.

    Points of the template that fall beside object and hand are charged their distance to them; pixels of the object that
    no point falls near are charged the distance to the nearest one.
    """
    in_hand = guess.log_scale.exp()[:, None, None] * points @ guess.rotation().mT + guess.place[:, None]
    R, t = views.T_cam_hand[:, :3, :3], views.T_cam_hand[:, :3, 3]
    cam = in_hand[:, None] @ R.mT + t[:, None]
    px = cam @ views.K.mT
    px = px[..., :2] / px[..., 2:].clamp_min(1e-3)
    height, width = views.outside_px.shape[1:]
    grid = (2 * px / torch.tensor([width, height]) - 1).transpose(0, 1)
    beside = torch.nn.functional.grid_sample(
        views.outside_px[:, None], grid, padding_mode="border", align_corners=False
    )[:, 0].transpose(0, 1)
    missed = torch.cdist(views.object_px.expand(len(px), -1, -1, -1), px).amin(-1)
    size = views.size_px[:, None]
    return ((beside / size) ** 2).mean((1, 2)) + ((missed / size) ** 2).mean((1, 2))


def objective(
    points: Float[Tensor, "n 3"], guess: Guess, views: Views, grasp: Float[Tensor, "3"], settings: FitTemplate
) -> Float[Tensor, "k"]:
    """Misfit, and how unlikely size and place are: depth and scale explain each other away in silhouettes."""
    scale = (guess.log_scale / settings.scale_sigma) ** 2
    place = ((guess.place - grasp) ** 2).sum(-1) / settings.place_m**2
    return misfit(points, guess, views) + settings.prior * (scale + place)


def descend(
    points: Tensor, guess: Guess, views: Views, grasp: Tensor, settings: FitTemplate, steps: int
) -> Float[Tensor, "k"]:
    """Adam on all guesses at once, in place; their objectives at the end."""
    groups = [
        {"params": [guess.turn], "lr": settings.rate},
        {"params": [guess.place], "lr": 0.1 * settings.rate},
        {"params": [guess.log_scale], "lr": 0.3 * settings.rate},
    ]
    optimiser = torch.optim.Adam(groups)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(points, guess, views, grasp, settings).sum().backward()
        optimiser.step()
    with torch.no_grad():
        return objective(points, guess, views, grasp, settings)


@dataclass(frozen=True)
class Found:
    """The template that explains the masks best: vertices and faces in the hand frame (metres); a row a template tried."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    T_hand_obj: Float[np.ndarray, "4 4"]
    misfit: float
    tried: pd.DataFrame


def find_template(
    observed: Observations,
    variables: Variables,
    settings: FitTemplate,
    seed: int,
    progress: Report,
    templates: Sequence[trimesh.Trimesh],
) -> Found:
    """The first few templates from all starts; all of them from the best poses found so; the best few to the end.

    Instances of a category stand alike in their own frames, so that a pose which suits one is a good start for another.
    """
    if not templates:
        expected = "a category with training meshes (hoi.sources.shapes.CATEGORIES)"
        raise DataFailure("fit: templates", "no template", expected, "set the clip's category")
    s, views, grasp = settings, views_of(observed, variables, settings, seed), variables.grasp.detach()
    clouds = [_centred(mesh, s.points, seed) for mesh in templates]
    R0 = torch.from_numpy(spread_rotations(s.starts)).float()
    start = Guess(R0, torch.zeros(s.starts, 3), grasp.repeat(s.starts, 1), torch.zeros(s.starts))
    first: list[tuple[float, Guess]] = []
    for done, points in enumerate(clouds[: s.explored]):
        guess = start.of(torch.arange(s.starts))
        first += _ranked(guess, descend(points, guess, views, grasp, s, s.steps // 3))
        progress(done + 1, s.explored + len(templates), "poses")
    poses = Guess.joined([guess for _, guess in sorted(first, key=lambda f: f[0])[: s.kept]])
    tried: list[tuple[float, int, Guess]] = []
    for k, points in enumerate(clouds):
        guess = poses.of(torch.arange(len(poses.R0)))
        tried += [(c, k, g) for c, g in _ranked(guess, descend(points, guess, views, grasp, s, s.steps // 3))]
        progress(s.explored + k + 1, s.explored + len(templates), "templates")
    best = float("inf")
    for _, k, guess in sorted(tried, key=lambda t: t[0])[: s.kept]:
        moving = guess.of(torch.arange(1))
        cost = float(descend(clouds[k], moving, views, grasp, s, s.steps)[0])
        if cost < best:
            best, found, mesh = cost, moving, templates[k]
    rows = [{"step": k, "objective": min(c for c, j, _ in tried if j == k)} for k in range(len(templates))]
    vertices, faces = np.asarray(mesh.vertices) - mesh.bounds.mean(0), np.asarray(mesh.faces)
    T, scale = np.eye(4, dtype=np.float32), found.log_scale.detach().exp().item()
    T[:3, :3], T[:3, 3] = found.rotation()[0].detach().numpy(), found.place[0].detach().numpy()
    return Found((scale * vertices).astype(np.float32), faces, T, best, pd.DataFrame(rows))


def _centred(mesh: trimesh.Trimesh, count: int, seed: int) -> Float[Tensor, "n 3"]:
    """Surface points about the middle of the mesh's box."""
    points = sample_surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), count, seed)
    return torch.from_numpy(points - mesh.bounds.mean(0)).float()


def _ranked(guess: Guess, costs: Float[Tensor, "k"]) -> list[tuple[float, Guess]]:
    """Each guess alone, with its cost."""
    return [(float(cost), guess.of(torch.tensor([i]))) for i, cost in enumerate(costs)]


def fit_template(
    observed: Observations, settings: FitClip, seed: int, progress: Report, templates: Sequence[trimesh.Trimesh]
) -> Fit:
    """The baseline: hand and camera as tracked, the object fixed in the hand."""
    variables = Variables(observed.hands, torch.device("cpu"))
    found = find_template(observed, variables, settings.template, seed, progress, templates)
    poses = variables.result()
    T_hand_obj = np.tile(found.T_hand_obj, (len(poses["pose"]), 1, 1))
    placed = {"T_hand_obj": T_hand_obj, "T_cam_obj": poses["T_cam_hand"] @ T_hand_obj}
    return Fit(trimesh.Trimesh(found.vertices, found.faces, process=False), poses | placed, found.tried)

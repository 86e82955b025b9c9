"""The template baseline in the manner of HOMAN (Hasson et al., 3DV 2021): a known mesh, its pose and scale fitted to masks.

The object is one of the category's training meshes, fixed in the hand; rotation, place and scale are found from many
starts by descent on silhouettes, and the mesh that explains the masks best is kept. Hand and camera stay as tracked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import trimesh
from jaxtyping import Float, Int
from torch import Tensor

from hoi.config import FitClip, FitTemplate
from hoi.errors import DataFailure
from hoi.fit.observations import Fit, Observations, Report
from hoi.fit.posing import Guess, Views, descend, misfit, views_of
from hoi.fit.variables import Variables
from hoi.geometry.sampling import sample_surface, spread_rotations


def objective(
    points: Float[Tensor, "n 3"], guess: Guess, views: Views, grasp: Float[Tensor, "3"], settings: FitTemplate
) -> Float[Tensor, "k"]:
    """Misfit, and how unlikely size and place are: depth and scale explain each other away in silhouettes."""
    scale = (guess.log_scale / settings.scale_sigma) ** 2
    place = ((guess.place - grasp) ** 2).sum(-1) / settings.place_m**2
    return misfit(points, guess, views) + settings.prior * (scale + place)


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
    s, grasp = settings, variables.grasp.detach()
    with torch.no_grad():
        views = views_of(observed, variables.T_cam_hand(), variables.K(), s.frames, s.pixels, seed)

    def cost(points: Tensor) -> Callable[[Guess], Tensor]:
        """The objective of guesses of one template."""
        return lambda guess: objective(points, guess, views, grasp, s)

    clouds = [_centred(mesh, s.points, seed) for mesh in templates]
    R0 = torch.from_numpy(spread_rotations(s.starts)).float()
    start = Guess(R0, torch.zeros(s.starts, 3), grasp.repeat(s.starts, 1), torch.zeros(s.starts))
    first: list[tuple[float, Guess]] = []
    for done, points in enumerate(clouds[: s.explored]):
        guess = start.of(torch.arange(s.starts))
        first += _ranked(guess, descend(cost(points), guess, s.rate, s.steps // 3))
        progress(done + 1, s.explored + len(templates), "poses")
    poses = Guess.joined([guess for _, guess in sorted(first, key=lambda f: f[0])[: s.kept]])
    tried: list[tuple[float, int, Guess]] = []
    for k, points in enumerate(clouds):
        guess = poses.of(torch.arange(len(poses.R0)))
        tried += [(c, k, g) for c, g in _ranked(guess, descend(cost(points), guess, s.rate, s.steps // 3))]
        progress(s.explored + k + 1, s.explored + len(templates), "templates")
    best = float("inf")
    for _, k, guess in sorted(tried, key=lambda t: t[0])[: s.kept]:
        moving = guess.of(torch.arange(1))
        reached = float(descend(cost(clouds[k]), moving, s.rate, s.steps)[0])
        if reached < best:
            best, found, mesh = reached, moving, templates[k]
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

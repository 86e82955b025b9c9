"""The remembered object that explains a clip's evidence best, where it lies.

Grasps say how an object of the category may lie in the hand; from each of them it is put onto the rough body that the silhouettes
give, and from both places it is moved under the silhouettes. Few are looked at closely. Sizes are kept: they were learned in
metres.
"""

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from hoi.config import FitRecall
from hoi.errors import DataFailure
from hoi.fit.grid import GridField
from hoi.fit.observations import Observations
from hoi.fit.posing import Guess, Views, descend, misfit, motion, settle, views_of
from hoi.fit.surface import mesh_from_grid
from hoi.geometry.rotations import invert_rigid, mean_rotation, rigid, transform
from hoi.geometry.sampling import sample_surface
from hoi.prior.grid_sdf import grid_sdf
from hoi.prior.memory import Held

FLOOR_M = 0.003  # points nearer than this pull no harder
MARGIN_M = 0.01  # of a recalled body's grid
LEAST_M = 1e-4  # its cells' least size


def recall(
    held: list[Held],
    rough: GridField,
    observed: Observations,
    T_hand_obj: Float[Tensor, "n 4 4"],
    T_cam_obj: Float[Tensor, "n 4 4"],
    K: Float[Tensor, "n 3 3"],
    settings: FitRecall,
    seed: int,
) -> GridField | None:
    """The best one's distances in the object frame, that of the rough body; None if there is nothing to recall or to see."""
    try:
        body = mesh_from_grid(rough.values.numpy(), rough.low.numpy(), rough.high.numpy())
    except DataFailure:
        return None
    if not held or not (observed.object_mask.any((1, 2)) & (observed.confidence > 0)).any():
        return None
    s = settings
    surface = torch.from_numpy(sample_surface(body.vertices, body.faces, s.points, seed)).float()
    T_obj_hand = invert_rigid(rigid(mean_rotation(T_hand_obj[:, :3, :3]), T_hand_obj[:, :3, 3].mean(0)))
    clouds = torch.stack([transform(T_obj_hand, h.cloud()) for h in held])
    first, second = (views_of(observed, T_cam_obj, K, frames, pixels, seed)
                     for frames, pixels in zip(s.frames, s.pixels, strict=True))  # fmt: skip
    few = clouds[:, :: max(1, clouds.shape[1] // s.few)]
    settled = settle(few, surface[:: max(1, len(surface) // s.few)], s.settling, FLOOR_M)
    starts, which = torch.cat([settled, few]), torch.arange(len(held)).repeat(2)
    likely = _under(starts, first, s.rate, 0)[1].argsort()[: s.tried]
    starts, which = starts[likely], which[likely]
    moved, costs = _under(starts, first, s.rate, s.steps[0])
    chosen = _best_of_each(costs, [held[i].kept.seed for i in which.tolist()], s.kept)
    ahead = transform(motion(few[which[chosen]], moved[chosen]), clouds[which[chosen]])
    moved, costs = _under(ahead, second, s.rate, s.steps[1])
    best = int(costs.argmin())
    T_obj_memory = motion(clouds[which[chosen[best]]][None], moved[best : best + 1])[0] @ T_obj_hand
    vertices, faces = held[int(which[chosen[best]])].mesh()
    return _placed(transform(T_obj_memory, torch.from_numpy(vertices)), faces, s.cells)


def _under(
    clouds: Float[Tensor, "k n 3"], views: Views, rate: float, steps: int
) -> tuple[Float[Tensor, "k n 3"], Float[Tensor, "k"]]:
    """Each cloud moved under the silhouettes, and how badly it explains them there."""
    middle = clouds.mean(1, keepdim=True)
    guess = Guess.at(middle[:, 0])
    costs = descend(lambda g: misfit(clouds - middle, g, views), guess, rate, steps)
    with torch.no_grad():
        return guess.posed(clouds - middle), costs


def _best_of_each(costs: Float[Tensor, "k"], names: list[int], count: int) -> Tensor:
    """The best guess of each of the objects, the best few of them."""
    best: dict[int, int] = {}
    for i in costs.argsort().tolist():
        best.setdefault(names[i], i)
    return torch.tensor(list(best.values())[:count])


def _placed(vertices: Float[Tensor, "v 3"], faces: Integer[np.ndarray, "f 3"], cells: int) -> GridField:
    """A mesh's distances on a grid of about so many cells."""
    grid = grid_sdf(vertices.numpy(), faces, LEAST_M, cells, MARGIN_M)
    return GridField(grid.values, grid.low, grid.high)

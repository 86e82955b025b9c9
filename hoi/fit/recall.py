"""The remembered object that explains a clip's evidence best, where it lies.

Grasps say how an object of the category may lie in the hand; from each of them it is put onto the rough body that the silhouettes
give, and from both places it is moved under the silhouettes. Few are looked at closely, and held to the fingers too: silhouettes
hardly tell a small object from a larger one farther off. Sizes are kept: they were learned in metres.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from hoi.config import FitRecall
from hoi.errors import DataFailure
from hoi.fit.grid import GridField
from hoi.fit.observations import Observations
from hoi.fit.posing import Guess, Views, descend, misfit, motion, settle, views_of
from hoi.fit.register import Touch
from hoi.fit.surface import mesh_from_grid
from hoi.geometry.rotations import invert_rigid, mean_rotation, rigid, transform
from hoi.geometry.sampling import sample_surface
from hoi.prior.grid_sdf import grid_sdf
from hoi.prior.memory import Held

GAP_M = 0.0025  # fingers' gaps are counted in these
FLOOR_M = 0.003  # points nearer than this pull no harder
MARGIN_M = 0.01  # of a recalled body's grid
LEAST_M = 1e-4  # its cells' least size


@dataclass(frozen=True)
class Seen:
    """Where things are when the prior is asked: the rough body, poses and intrinsics of all frames, and the skin of the fingers'
    ends, its mean over the frames (object frame, metres); on the CPU."""

    rough: GridField
    T_hand_obj: Float[Tensor, "n 4 4"]
    T_cam_obj: Float[Tensor, "n 4 4"]
    K: Float[Tensor, "n 3 3"]
    pads_obj: Float[Tensor, "fingers q 3"]


def recall(held: list[Held], seen: Seen, observed: Observations, settings: FitRecall, seed: int) -> GridField | None:
    """The best one's distances in the object frame, that of the rough body; None if there is nothing to recall or to see."""
    rough = seen.rough
    try:
        body = mesh_from_grid(rough.values.numpy(), rough.low.numpy(), rough.high.numpy())
    except DataFailure:
        return None
    if not held or not (observed.object_mask.any((1, 2)) & (observed.confidence > 0)).any():
        return None
    s = settings
    surface = torch.from_numpy(sample_surface(body.vertices, body.faces, s.points, seed)).float()
    T_hand_obj = rigid(mean_rotation(seen.T_hand_obj[:, :3, :3]), seen.T_hand_obj[:, :3, 3].mean(0))
    T_obj_hand = invert_rigid(T_hand_obj)
    clouds = torch.stack([transform(T_obj_hand, h.cloud()) for h in held])
    first, second = (views_of(observed, seen.T_cam_obj, seen.K, frames, pixels, seed)
                     for frames, pixels in zip(s.frames, s.pixels, strict=True))  # fmt: skip
    few = clouds[:, :: max(1, clouds.shape[1] // s.few)]
    settled = settle(few, surface[:: max(1, len(surface) // s.few)], s.settling, FLOOR_M)
    starts, which = torch.cat([settled, few]), torch.arange(len(held)).repeat(2)
    likely = _under(starts, first, s.rate, 0)[1].argsort()[: s.tried]
    starts, which = starts[likely], which[likely]
    moved, costs = _under(starts, first, s.rate, s.steps[0])
    chosen = best_of_each(costs, [held[i].kept.seed for i in which.tolist()], s.places, s.kept)
    ahead = transform(motion(few[which[chosen]], moved[chosen]), clouds[which[chosen]])
    moved, costs = _under(ahead, second, s.rate, s.steps[1], Touch(seen.pads_obj, s.touch, GAP_M))
    best = int(costs.argmin())
    T_obj_memory = motion(clouds[which[chosen[best]]][None], moved[best : best + 1])[0] @ T_obj_hand
    vertices, faces = held[int(which[chosen[best]])].mesh()
    return _placed(transform(T_obj_memory, torch.from_numpy(vertices)), faces, s.cells)


def _under(
    clouds: Float[Tensor, "k n 3"], views: Views, rate: float, steps: int, touch: Touch | None = None
) -> tuple[Float[Tensor, "k n 3"], Float[Tensor, "k"]]:
    """Each cloud moved under the silhouettes and to the fingers, and how badly it explains them there."""
    middle = clouds.mean(1, keepdim=True)
    guess = Guess.at(middle[:, 0])

    def cost(g: Guess) -> Float[Tensor, "k"]:
        """Of clouds that lie so."""
        off = misfit(clouds - middle, g, views)
        return off + touch.price(g.posed(clouds - middle)) if touch else off

    costs = descend(cost, guess, rate, steps)
    with torch.no_grad():
        return guess.posed(clouds - middle), costs


def best_of_each(costs: Float[Tensor, "k"], names: list[int], places: int, count: int) -> Tensor:
    """The best few guesses, of each of the objects at most so many."""
    kept: list[int] = []
    taken: Counter[int] = Counter()
    for i in costs.argsort().tolist():
        if taken[names[i]] < places:
            kept.append(i)
            taken[names[i]] += 1
    return torch.tensor(kept[:count])


def _placed(vertices: Float[Tensor, "v 3"], faces: Integer[np.ndarray, "f 3"], cells: int) -> GridField:
    """A mesh's distances on a grid of about so many cells."""
    grid = grid_sdf(vertices.numpy(), faces, LEAST_M, cells, MARGIN_M)
    return GridField(grid.values, grid.low, grid.high)

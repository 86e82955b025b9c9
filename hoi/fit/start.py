"""Where the fit starts: the inflated silhouettes as shape, and the object's poses registered to them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoi.config import FitStart
from hoi.errors import DataFailure
from hoi.field.sdf import SdfField
from hoi.fit.grid import GridField
from hoi.fit.inflate import inflate, silhouettes
from hoi.fit.observations import Observations
from hoi.fit.register import Outlines, Touch, moved, register
from hoi.fit.variables import Variables
from hoi.geometry.rotations import invert_rigid

CLOSER = "film from nearer, crop the video around hand and object, or give a hint"
SURFACE_POINTS = 500
OUTLINE_POINTS = 1500  # of a body's surface, for the crop of a novel view, in training and distillation alike
OUTLINE_M = 0.01  # within which these lie of it
AGAIN = 2  # rounds of inflating after the poses moved
NEAR_M = 0.02  # half of the field's lessons lie this near to the surface
PLACED_M = 0.002  # points this near to a known body's surface are put under the silhouettes


@dataclass(frozen=True)
class Beginning:
    """What the evidence alone gives before any fit: a rough body in a frame of its own, and where that is in the hand."""

    body: GridField
    T_hand_obj: Float[Tensor, "n 4 4"]
    outlines: Outlines

    def points(self, rng: np.random.Generator) -> Float[Tensor, "p 3"]:
        """Points near the body's surface, metres."""
        return self.body.near(OUTLINE_POINTS, OUTLINE_M, rng)


def begin(
    observed: Observations, variables: Variables, settings: FitStart, reach_m: float, rng: np.random.Generator
) -> Beginning:
    """Silhouettes inflated, and the object's poses registered to them; on the CPU."""
    with torch.no_grad():
        T, K, grasp = variables.T_cam_hand().cpu(), variables.K().cpu(), variables.grasp.cpu()
    outlines = Outlines.of(observed.object_mask, observed.hand_mask, rng)
    guess, T_hand_obj = first_guess(observed, outlines, T, K, grasp, reach_m, settings, rng)
    return Beginning(GridField(guess.values, guess.low, guess.high), T_hand_obj, outlines)


class Guess:
    """About signed distances on a cube's grid, and the object's poses in the hand."""

    def __init__(self, low: Tensor, high: Tensor, cells: int) -> None:
        self.low, self.high = low, high
        axes = [torch.linspace(float(a), float(b), cells) for a, b in zip(low, high, strict=True)]
        self.points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
        self.values = torch.zeros(self.points.shape[:3])

    def surface(self, count: int, rng: np.random.Generator) -> Float[Tensor, "count 3"]:
        """Grid points next to the surface; where the body is empty, those nearest to one."""
        values = self.values.flatten()
        step = float((self.high - self.low).max()) / (len(self.values) - 1)
        near = torch.nonzero((values - values.min().clamp_min(0)).abs() < step)[:, 0].numpy()
        return self.points.reshape(-1, 3)[rng.choice(near, count)]


def first_guess(
    observed: Observations,
    outlines: Outlines,
    T_cam_hand: Float[Tensor, "n 4 4"],
    K: Float[Tensor, "n 3 3"],
    grasp: Float[Tensor, "3"],
    reach_m: float,
    settings: FitStart,
    rng: np.random.Generator,
) -> tuple[Guess, Float[Tensor, "n 4 4"]]:
    """The body and T_hand_obj: first with the object fixed in the hand, then shape and poses in turns."""
    views = silhouettes(observed.object_mask, observed.hand_mask, observed.confidence)
    if not views:
        found = f"an object of {int(observed.object_mask.sum((1, 2)).max())} pixels at most"
        raise DataFailure("masks", found, "one that can be seen in a picture 160 pixels wide", CLOSER)
    guess = Guess(grasp - reach_m, grasp + reach_m, settings.cells)
    trust, T_cam_obj = torch.from_numpy(observed.confidence), T_cam_hand
    xi = torch.zeros(len(T_cam_hand), 6)

    def body(T: Tensor, rounds: int, before: Tensor | None) -> Tensor:
        """The inflated silhouettes on the grid, seen from these poses."""
        flat = None if before is None else before.flatten()
        points = guess.points.reshape(-1, 3)
        return inflate(views, T, K, outlines.size, grasp, points, settings.share, rounds, flat).reshape(
            guess.values.shape
        )

    guess.values = body(T_cam_obj, settings.inflations, None)
    for _ in range(settings.rounds):
        surface = guess.surface(SURFACE_POINTS, rng)
        xi = register(T_cam_hand, K, grasp, surface, outlines, trust, xi, settings)
        T_cam_obj = moved(T_cam_hand, grasp, xi)
        guess.values = body(T_cam_obj, AGAIN, guess.values)
    return guess, invert_rigid(T_cam_hand) @ T_cam_obj


def place(
    variables: Variables,
    body: GridField,
    touch: Touch,
    outlines: Outlines,
    trust: Float[Tensor, " n"],
    settings: FitStart,
    rng: np.random.Generator,
) -> None:
    """Register the object's poses to a body that is known: its shape tells turns that an unknown one hides, and the fingers that
    hold it how far away it is."""
    v = variables
    with torch.no_grad():
        T_cam_hand, T_cam_obj, K = v.T_cam_hand(), v.T_cam_hand() @ v.T_hand_obj(), v.K()
    known = (a.cpu() for a in (T_cam_obj, K, v.grasp, body.near(SURFACE_POINTS, PLACED_M, rng)))
    still = torch.zeros(len(T_cam_obj), 6)
    xi = register(*known, outlines, trust, still, settings, touch).to(v.grasp.device)
    with torch.no_grad():
        T_hand_obj = invert_rigid(T_cam_hand) @ moved(T_cam_obj, v.grasp, xi)
        v.start_T_hand_obj.copy_(T_hand_obj @ invert_rigid(v.T_start_obj()))


def teach(
    field: SdfField,
    guess: GridField,
    centre: Float[Tensor, "3"],
    reach_m: float,
    settings: FitStart,
    rng: np.random.Generator,
) -> None:
    """Bring the field to the guess: L1 at points near its surface and anywhere within reach."""
    optimiser = torch.optim.Adam(
        [p for name, p in field.named_parameters() if name != "log_beta"], lr=settings.teach_rate
    )
    for _ in range(settings.teach_steps):
        anywhere = torch.from_numpy((reach_m * rng.uniform(-1, 1, (1024, 3))).astype(np.float32)).to(centre.device)
        x = torch.cat([guess.near(3072, NEAR_M, rng), centre + anywhere])
        loss = (field(x) - guess.at(x)).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

"""Training pictures: one object in one hand, seen from many sides; how they are stored, and read back as channels."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoi.config import PriorHandJitter, PriorRender, PriorViews
from hoi.geometry.rotations import axis_angle_to_matrix, rigid, transform
from hoi.hand.model import HandModel
from hoi.prior.encode import encode_hand, encode_object
from hoi.prior.grid_sdf import GridSdf
from hoi.prior.render import Ball, HandImage, ObjectImage, render_hand, render_object
from hoi.prior.views import View, draw_view

DEPTH_PER_METRE = 10_000  # stored in tenths of a millimetre
OUTLINE_POINTS = 1500  # of the object, for the crop


@dataclass(frozen=True)
class Holding:
    """One grasp of an object: articulation, hand shape, and T_hand_obj (metres)."""

    pose: Float[Tensor, "45"]
    betas: Float[Tensor, "n"]
    T_hand_obj: Float[Tensor, "4 4"]


@dataclass(frozen=True)
class Thing:
    """An object to be rendered: its distances, its surface's points (object frame, metres), category and seed."""

    sdf: GridSdf
    points: Float[Tensor, "p 3"]
    category: str
    seed: int

    @staticmethod
    def of(sdf: GridSdf, vertices: Float[np.ndarray, "v 3"], category: str, seed: int) -> "Thing":
        """With some of a mesh's vertices as its points, the extreme ones among them."""
        pick = np.linspace(0, len(vertices) - 1, min(len(vertices), OUTLINE_POINTS)).astype(int)
        pick = np.unique(np.concatenate([pick, vertices.argmin(0), vertices.argmax(0)]))
        return Thing(sdf, torch.from_numpy(vertices[pick]).float(), category, seed)


def shaken(holding: Holding, settings: PriorHandJitter, rng: np.random.Generator) -> Holding:
    """The holding as a tracker might see it: object in hand, fingers and hand shape off by Gaussian errors.

    ASSUME: pictures of hands that hold exactly would teach a trust in the hand that no tracked hand deserves.
    """

    def off(count: int, scale: float) -> Float[Tensor, "count"]:
        """Gaussian errors of this standard deviation."""
        return torch.from_numpy(rng.normal(0, 1, count) * scale).float()

    turn = axis_angle_to_matrix(off(3, np.radians(settings.rotation_deg) / 3**0.5))
    T, centre = holding.T_hand_obj, holding.T_hand_obj[:3, 3]
    moved = rigid(turn @ T[:3, :3], centre + off(3, settings.translation_m / 3**0.5))
    return Holding(
        holding.pose + off(45, settings.articulation_rad),
        holding.betas + off(len(holding.betas), settings.betas),
        moved,
    )


@torch.no_grad()
def render_pair(
    thing: Thing,
    holding: Holding,
    hand: HandModel,
    view_rng: np.random.Generator,
    views: PriorViews,
    render: PriorRender,
) -> tuple[ObjectImage, HandImage, View]:
    """Object and hand in one random view: what distillation renders of the fit's scene, of a training scene."""
    vertices = hand(holding.pose[None], holding.betas[None]).vertices[0]
    view = draw_view(view_rng, transform(holding.T_hand_obj, thing.points), vertices, holding.T_hand_obj, views)
    beta, ball = torch.tensor(render.beta_m), Ball.around(thing.points, 0.01)
    return (
        render_object(thing.sdf, beta, view, ball, render),
        render_hand(vertices, hand.faces, hand.face_uv, view),
        view,
    )


def stored(obj: ObjectImage, hand: HandImage, resolution: int) -> dict[str, np.ndarray]:
    """One sample as the arrays of a shard (schema `prior_renders`, without its first axis)."""

    def square(v: Tensor) -> np.ndarray:
        """Rows of pixels as a picture."""
        return v.reshape(resolution, resolution, *v.shape[1:]).numpy()

    def scaled(v: Tensor, scale: int, dtype: str) -> np.ndarray:
        """The picture in whole steps of 1 / scale."""
        return np.round(square(v) * scale).clip(np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)

    return {
        "object_mask": scaled(obj.mask, 255, "uint8"),
        "object_normal": scaled(obj.normal, 127, "int8"),
        "object_depth": scaled(obj.depth, DEPTH_PER_METRE, "uint16"),
        "hand_mask": scaled(hand.mask, 255, "uint8"),
        "hand_normal": scaled(hand.normal, 127, "int8"),
        "hand_depth": scaled(hand.depth, DEPTH_PER_METRE, "uint16"),
        "hand_uv": scaled(hand.uv, 255, "uint8"),
        "hand_mean_depth": np.float32(hand.mean_depth),
    }


@dataclass(frozen=True)
class Channels:
    """Samples as the denoiser sees them."""

    x: Float[Tensor, "b 5 r r"]
    hand: Float[Tensor, "b 7 r r"]
    category: Int[Tensor, "b"]


def channels(arrays: dict[str, np.ndarray], row: int) -> tuple[Float[Tensor, "5 r r"], Float[Tensor, "7 r r"]]:
    """Object and hand channels of one sample of a shard."""

    def read(key: str, scale: int) -> Tensor:
        """An array of this row, in its unit."""
        return torch.from_numpy(arrays[key][row].astype(np.float32)) / scale

    mean_depth = float(arrays["hand_mean_depth"][row])
    obj = ObjectImage(read("object_mask", 255), read("object_normal", 127), read("object_depth", DEPTH_PER_METRE))
    hand = HandImage(
        read("hand_mask", 255), read("hand_normal", 127), read("hand_depth", DEPTH_PER_METRE), read("hand_uv", 255),
        mean_depth,
    )  # fmt: skip
    return encode_object(obj, mean_depth), encode_hand(hand)

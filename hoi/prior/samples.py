"""Training pictures: one object in one hand, seen from many sides; how they are stored, and read back as channels."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoi.config import PriorRender, PriorViews
from hoi.geometry.rotations import transform
from hoi.hand.model import HandModel
from hoi.prior.encode import encode_hand, encode_object
from hoi.prior.grid_sdf import GridSdf
from hoi.prior.render import Ball, HandImage, ObjectImage, Sdf, render_hand, render_object
from hoi.prior.views import draw_view

DEPTH_PER_METRE = 10_000  # stored in tenths of a millimetre
OUTLINE_POINTS = 1500  # of the object, for the crop
AROUND_M = 0.01  # beyond these, in which it is rendered
OF_CLIP = -1  # in place of a made instance's seed


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


@dataclass(frozen=True)
class Held:
    """An object in a hand as a tracker sees it, in one frame: the hand's vertices (hand frame), the rough body that silhouettes
    give (in a frame of its own, `T_hand_rough`), and where the true object is in it (`T_rough_obj`); metres."""

    vertices_hand: Float[Tensor, "v 3"]
    T_hand_rough: Float[Tensor, "4 4"]
    T_rough_obj: Float[Tensor, "4 4"]
    rough: Sdf
    rough_points: Float[Tensor, "p 3"]


@torch.no_grad()
def render_sample(
    thing: Thing, held: Held, hand: HandModel, rng: np.random.Generator, views: PriorViews, render: PriorRender
) -> tuple[ObjectImage, HandImage, ObjectImage]:
    """Object, hand and rough body in one random view, the latter two as distillation renders them of the fit's scene."""
    points = torch.cat([transform(held.T_rough_obj, thing.points), held.rough_points])
    view = draw_view(rng, transform(held.T_hand_rough, points), held.vertices_hand, held.T_hand_rough, views)
    of_thing = replace(view, T_view_obj=view.T_view_obj @ held.T_rough_obj)
    beta = torch.tensor(render.beta_m)
    return (
        render_object(thing.sdf, beta, of_thing, Ball.around(thing.points, AROUND_M), render),
        render_hand(held.vertices_hand, hand.faces, hand.face_uv, view),
        render_object(held.rough, beta, view, Ball.around(held.rough_points, AROUND_M), render),
    )


def stored(obj: ObjectImage, hand: HandImage, rough: ObjectImage, resolution: int) -> dict[str, np.ndarray]:
    """One sample as the arrays of a shard (schema `prior_renders`, without its first axis)."""

    def square(v: Tensor) -> np.ndarray:
        """Rows of pixels as a picture."""
        return v.reshape(resolution, resolution, *v.shape[1:]).numpy()

    def scaled(v: Tensor, scale: int, dtype: str) -> np.ndarray:
        """The picture in whole steps of 1 / scale."""
        return np.round(square(v) * scale).clip(np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)

    def thing(name: str, image: ObjectImage) -> dict[str, np.ndarray]:
        """An object's picture."""
        return {
            f"{name}_mask": scaled(image.mask, 255, "uint8"),
            f"{name}_normal": scaled(image.normal, 127, "int8"),
            f"{name}_depth": scaled(image.depth, DEPTH_PER_METRE, "uint16"),
        }

    return {
        **thing("object", obj),
        **thing("rough", rough),
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
    given: Float[Tensor, "b 12 r r"]
    category: Int[Tensor, "b"]


Pictures = tuple[Float[Tensor, "5 r r"], Float[Tensor, "7 r r"], Float[Tensor, "5 r r"]]


def channels(arrays: dict[str, np.ndarray], row: int) -> Pictures:
    """Channels of the object, the hand and the rough body of one sample of a shard."""

    def read(key: str, scale: int) -> Tensor:
        """An array of this row, in its unit."""
        return torch.from_numpy(arrays[key][row].astype(np.float32)) / scale

    mean_depth = float(arrays["hand_mean_depth"][row])

    def thing(name: str) -> Tensor:
        """Channels of an object's picture."""
        parts = read(f"{name}_mask", 255), read(f"{name}_normal", 127), read(f"{name}_depth", DEPTH_PER_METRE)
        return encode_object(ObjectImage(*parts), mean_depth)

    hand = HandImage(
        read("hand_mask", 255), read("hand_normal", 127), read("hand_depth", DEPTH_PER_METRE), read("hand_uv", 255),
        mean_depth,
    )  # fmt: skip
    return thing("object"), encode_hand(hand), thing("rough")

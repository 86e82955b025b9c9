"""Looking at a scene from where nobody filmed: the scene is turned about its centre, the camera stays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from hoi.present.render import Body, on_white, render

# Degrees by which the scene turns about the camera's y axis (down), then x axis (right), so that the named side shows.
TURNS = {"front": (0, 0), "side": (90, 0), "back": (180, 0), "other side": (-90, 0), "top": (0, 90), "below": (0, -90)}


@dataclass(frozen=True)
class View:
    """A square picture of `size` pixels that a ball of `radius` metres fills, seen from 4.5 radii away."""

    radius: float
    size: int

    @classmethod
    def around(cls, frames: Sequence[Sequence[Body]], size: int) -> "View":
        """The view that all bodies of all frames fit into, each frame centred on itself."""
        return cls(max(_radius(bodies) for bodies in frames), size)

    def K(self) -> Float[np.ndarray, "3 3"]:
        """Intrinsics in pixels."""
        focal = 0.48 * self.size * np.sqrt(4.5**2 - 1)
        return np.array([[focal, 0, self.size / 2], [0, focal, self.size / 2], [0, 0, 1]])


def centre(bodies: Sequence[Body]) -> Float[np.ndarray, "3"]:
    """Middle of the box around all bodies."""
    points = np.concatenate([body.outer_cam() for body in bodies])
    return (points.min(0) + points.max(0)) / 2


def _radius(bodies: Sequence[Body]) -> float:
    middle = centre(bodies)
    return max(float(np.linalg.norm(body.outer_cam() - middle, axis=-1).max()) for body in bodies)


def seen_from(bodies: Sequence[Body], name: str, view: View) -> list[Body]:
    """Bodies as seen from a side named in `TURNS`, relative to the filming camera: turned about their common centre."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("yx", TURNS[name], degrees=True).as_matrix()
    T[:3, 3] = [0, 0, 4.5 * view.radius] - T[:3, :3] @ centre(bodies)
    return [replace(body, T_cam_shape=T @ body.T_cam_shape) for body in bodies]


def view_tile(
    bodies: Sequence[Body], name: str, view: View, sky: int = 32, shadows: bool = True
) -> UInt8[np.ndarray, "s s 3"]:
    """A picture on white of the bodies from a side named in `TURNS`."""
    picture = render(seen_from(bodies, name, view), view.K(), view.size, view.size, sky, shadows)
    return (255 * on_white(picture)).round().clip(0, 255).astype(np.uint8)

"""How a held object moves before a camera: everyday motions, the range of views they show, and where the camera stands.

World: z up, the object upright at the script's zero. View range: the greatest angle between the directions from the
object to the camera, in the object's frame, over all pairs of frames (a turn in the picture's plane shows nothing new
and does not count).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation

from hoi.sources.shading import unit


@dataclass(frozen=True)
class Script:
    """Keyframes at equal times: turn about the vertical, tilt about `axis` (rad, scaled together), and the way (m)."""

    turn: tuple[float, ...]
    tilt: tuple[float, ...]
    axis: tuple[float, float, float]
    way: tuple[tuple[float, float, float], ...]
    strokes: float = 0.0  # back-and-forth strokes of 2.5 cm along x in the clip


Y, X = (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
LIFT = ((0.0, 0.0, -0.03), (0.0, 0.0, 0.01), (0.0, 0.01, 0.035), (0.02, 0.0, 0.03))
FLAT = ((-0.03, -0.01, 0.0), (0.0, 0.01, 0.0), (0.02, -0.01, 0.01), (0.03, 0.0, 0.0))
SCRIPTS: dict[str, tuple[Script, ...]] = {
    "mug": (
        Script((-0.5, -0.2, 0.2, 0.5), (0.0, 0.1, 0.55, 0.7), X, LIFT),  # to the mouth
        Script((-0.5, 0.1, 0.4, 0.5), (0.0, 0.2, 0.1, -0.1), Y, LIFT),  # lifted and looked at
    ),
    "bottle": (
        Script((-0.5, -0.1, 0.2, 0.5), (0.0, 0.15, 0.7, 0.9), Y, LIFT),  # poured
        Script((-0.6, -0.2, 0.3, 0.6), (0.0, -0.15, 0.1, 0.25), X, LIFT),  # turned to read the label
    ),
    "kettle": (Script((-0.5, -0.2, 0.3, 0.5), (0.05, -0.1, -0.5, -0.6), Y, LIFT),),  # the handle, at +x, goes up
    "bowl": (
        Script((-0.5, -0.1, 0.3, 0.5), (-0.1, 0.1, 0.5, 0.55), Y, LIFT),
        Script((-0.6, -0.2, 0.2, 0.6), (0.0, 0.2, -0.1, 0.1), X, LIFT),
    ),
    "knife": (Script((-0.5, -0.2, 0.2, 0.5), (0.15, -0.1, 0.15, -0.1), Y, FLAT, strokes=2.5),),
    "toycar": (
        Script((-0.6, 0.1, 0.2, 0.6), (0.0, -0.1, 0.05, 0.15), Y, FLAT),
        Script((-0.5, -0.1, 0.3, 0.5), (0.0, 0.2, 0.4, 0.3), X, LIFT),
    ),
}


def script_for(category: str, rng: np.random.Generator) -> Script:
    """One of the category's motions, sometimes mirrored in time or side."""
    choices = SCRIPTS[category]
    s = choices[rng.integers(len(choices))]
    sign = float(rng.choice([-1.0, 1.0]))
    return Script(tuple(sign * a for a in s.turn), s.tilt, s.axis, s.way, s.strokes)


def _curve(keys: tuple, frames: int) -> np.ndarray:
    values = np.asarray(keys, float)
    return gaussian_filter1d(
        PchipInterpolator(np.linspace(0, 1, len(values)), values)(np.linspace(0, 1, frames)),
        frames / 20,
        axis=0,
        mode="nearest",
    )


def tremor(frames: int, size: float, columns: int, rng: np.random.Generator) -> Float[np.ndarray, "n k"]:
    """Smooth random motion of the given standard deviation."""
    wild = gaussian_filter1d(rng.standard_normal((frames + 40, columns)), 3.0, axis=0)[20:-20]
    return size * wild / 0.3


def between(T: Float[np.ndarray, "n 4 4"], i: int, frames: float) -> Float[np.ndarray, "4 4"]:
    """A moving pose a fraction of a frame (-1 to 1) after frame i, at constant speed between frames and beyond the ends."""
    if frames == 0:
        return T[i]
    j = i + 1 if i == 0 or (frames > 0 and i + 1 < len(T)) else i - 1
    share, out = frames * (j - i), np.eye(4, dtype=T.dtype)
    turn = Rotation.from_matrix(T[j, :3, :3] @ T[i, :3, :3].T).as_rotvec()
    out[:3, :3] = Rotation.from_rotvec(share * turn).as_matrix() @ T[i, :3, :3]
    out[:3, 3] = T[i, :3, 3] + share * (T[j, :3, 3] - T[i, :3, 3])
    return out


def angles(script: Script, frames: int) -> Float[np.ndarray, "n 2"]:
    """Turn and tilt of every frame, rad, before scaling."""
    return np.stack([_curve(script.turn, frames), _curve(script.tilt, frames)], 1)


def rotations(script: Script, turn_tilt: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3 3"]:
    """R_world_obj of every frame: tilt about the script's axis, then turn about the vertical."""
    tilts = Rotation.from_rotvec(turn_tilt[:, 1:] * np.array(script.axis))
    return (Rotation.from_rotvec(turn_tilt[:, :1] * np.array([0, 0, 1.0])) * tilts).as_matrix()


def view_range(R_world_obj: Float[np.ndarray, "n 3 3"], view: Float[np.ndarray, " 3"]) -> float:
    """Widest angle (rad) between directions to the camera in the object's frame; `view`: the world's."""
    seen = np.einsum("nji,j->ni", R_world_obj, view)
    return float(np.arccos(np.clip(seen @ seen.T, -1, 1)).max())


def scale_for(
    script: Script, turn_tilt: Float[np.ndarray, "n 2"], view: Float[np.ndarray, " 3"], wanted_rad: float
) -> float:
    """The scale of turn and tilt at which the camera in world direction `view` sees the wanted range."""

    def excess(scale: float) -> float:
        """How much the range of views at this scale is too wide, radians."""
        return view_range(rotations(script, scale * turn_tilt), view) - wanted_rad

    high = 0.25
    while excess(high) < 0 and high < 6:
        high *= 1.3
    return float(brentq(excess, 1e-3, high, xtol=1e-3)) if excess(high) >= 0 else high


def positions(script: Script, frames: int) -> Float[np.ndarray, "n 3"]:
    """The way of the object's centre in the world, metres."""
    way = _curve(script.way, frames)
    way[:, 0] += 0.0125 * np.sin(2 * np.pi * script.strokes * np.linspace(0, 1, frames))
    return way


def look_at(view: Float[np.ndarray, " 3"], roll: float) -> Float[np.ndarray, "3 3"]:
    """R_cam_world of a camera that looks along -view (view: unit, from object to camera), z up in the world."""
    z = -unit(view)
    x = unit(np.cross(z, np.array([0, 0, 1.0])))
    y = np.cross(z, x)
    return Rotation.from_rotvec([0, 0, roll]).as_matrix() @ np.stack([x, y, z])


def candidate_views(first_person: bool) -> Float[np.ndarray, "k 3"]:
    """Directions from object to camera to choose from: from above for the wearer's own eyes, lower for an onlooker."""
    heights = (30, 42, 55) if first_person else (8, 18, 30)
    a, e = np.meshgrid(np.radians(np.arange(0, 360, 12)), np.radians(heights))
    return np.stack([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)], -1).reshape(-1, 3)


def view_score(
    view: np.ndarray,
    R_world_hand: Float[np.ndarray, "n 3 3"],
    back: float,
    seen_hand: np.ndarray,
    seen_object: np.ndarray,
    first_person: bool,
) -> float:
    """How well a camera direction suits a clip: the worst of a few frames.

    The back or thumb side of the hand faces the camera (a detector trained on photos finds it there), most of the hand
    and enough of the object is seen, and the forearm comes from the wearer or from the side, not from behind.
    """
    to_cam = np.einsum("nji,j->ni", R_world_hand, view)
    dorsal, thumb, elbow = to_cam[:, 1], to_cam[:, 2], back * to_cam[:, 0]
    facing = np.minimum(np.clip(dorsal, -1, 0.75) + 0.35 * np.clip(thumb, -0.5, 0.6), 0.85)
    spread = 1 - np.abs(elbow) ** 2
    arm = -np.clip(-elbow - 0.15, 0, 1) * (1.5 if first_person else 0.8) - np.clip(elbow - 0.6, 0, 1)
    each = facing + 1.5 * np.minimum(seen_hand, 0.9) + 2.5 * np.minimum(seen_object, 0.65) + 0.5 * spread + arm
    return float(0.6 * each.min() + 0.4 * each.mean())


def fit_distance(
    points: Float[np.ndarray, "n p 3"],
    K: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    near_m: float,
    far_m: float,
    margin: float,
) -> tuple[Float[np.ndarray, " 3"], float]:
    """The shift (camera frame) that brings moving points into the frame's middle, as near as they fit in the margin.

    points: about the origin, axes of the camera. Returns the shift and the share of the frame they fill (> 1: too big).
    """
    height, width = size

    def placed(z: float) -> tuple[np.ndarray, float]:
        """The shift that centres the motion at this distance, and the share of the frame it fills."""
        shift = np.array([0, 0, z])
        for _ in range(4):
            x = points + shift
            uv = x[..., :2] / x[..., 2:] * [K[0, 0], K[1, 1]] + [K[0, 2], K[1, 2]]
            low, high = uv.min((0, 1)), uv.max((0, 1))
            shift[:2] -= ((low + high) / 2 - [width / 2, height / 2]) * z / K[0, 0]
        fill = ((high - low) / (np.array([width, height]) * (1 - 2 * margin))).max()
        return shift, float(fill)

    for z in np.linspace(near_m, far_m, 15):
        shift, fill = placed(float(z))
        if fill <= 1:
            break
    return shift, fill

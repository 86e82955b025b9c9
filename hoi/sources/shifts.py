"""How a made clip is filmed when it is filmed otherwise: the shifts of the stress set (docs/wild.md).

Each goes beyond the ranges that scenery, skin, lights and film draw from, and draws from random numbers of its own: object,
grasp, motion and camera are those of the same clip without it, but for the other hand of `left_hand`, the swing of
`motion_blur` and the moving camera of `handheld`. Truth is exact under all of them; where pictures are blurred, masks and depth
are those of the middle of the exposure, sharp.

# ASSUME: what is named here is a choice of look; the numbers are of everyday footage.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import imageio_ffmpeg
import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from hoi.sources import motion
from hoi.sources.backdrops import CLUTTER
from hoi.sources.scenery import Decor, Film
from hoi.sources.shading import Lights
from hoi.sources.srgb import to_linear, to_srgb

SHOTS = 9  # pictures that an open shutter adds up
SWING_HZ = 1.5
HUES = ((2.4, 0.35, 1.5), (0.25, 0.7, 2.6), (2.6, 0.9, 0.12), (0.3, 2.0, 0.6))  # of coloured lamps, linear RGB
Draw = np.random.Generator


def _as_they_are(lights: Lights, rng: Draw) -> Lights:
    return lights


def _bare_bulb(lights: Lights, rng: Draw) -> Lights:
    """One small bright lamp and little else: shadows are dark and have edges."""
    dark = {"sky_colour": 0.22 * lights.sky_colour, "ground_colour": 0.25 * lights.ground_colour}
    return replace(
        lights, key_radius_m=0.012, key_colour=1.9 * lights.key_colour, key_share=0.65, shadow_blur=0.7, **dark
    )


def _coloured(lights: Lights, rng: Draw) -> Lights:
    """A lamp of one colour in a room that another lamp, of another colour, lights a little."""
    lamp, other = (np.array(HUES[i]) for i in rng.permutation(len(HUES))[:2])
    rest = 0.3 * lights.sky_colour + 0.1 * other
    return replace(lights, key_colour=0.8 * lamp, sky_colour=rest, ground_colour=0.5 * rest)


def _faint(lights: Lights, rng: Draw) -> Lights:
    """A tenth of the light."""
    colours = {name: 0.1 * getattr(lights, name) for name in ("key_colour", "sky_colour", "ground_colour")}
    return replace(lights, **colours)


@dataclass(frozen=True)
class Shift:
    """What differs from how clips are filmed otherwise; what is not named is as ever."""

    left: bool = False  # a left hand
    tone_srgb: tuple[int, int, int] | None = None  # of the skin
    lights: Callable[[Lights, Draw], Lights] = _as_they_are
    gain: float = 1.0  # of the sensor: exposure times this, and noise with it
    decor: Decor = Decor()
    passerby: bool = False
    swing_m: float = 0.0  # hand and object go to and fro by this much to each side
    shutter: float = 0.0  # share of the time between frames in which it is open
    defocus: float = 0.0  # radius of the disc that a point becomes, over the frame's width
    unsteady: tuple[float, float] = (0.0, 0.0)  # camera's drift, standard deviations: radians, metres
    bits_per_second: int | None = None  # of the video file that the frames went through

    def exposed(self, film: Film) -> Film:
        """The film at this gain: noise counts in display values, so it grows with the gain and more."""
        return film if self.gain == 1 else replace(film, exposure=self.gain * film.exposure, noise=4.5 * film.noise)

    def swing(self, frames: int, fps: float, rng: Draw) -> Float[np.ndarray, "n 4 4"]:
        """What hand and object do besides: translations of the camera frame, a frame each."""
        T, angle = np.tile(np.eye(4), (frames, 1, 1)), rng.uniform(-0.5, 0.5)
        phase = 2 * np.pi * (SWING_HZ * np.arange(frames) / fps + rng.random())
        T[:, :2, 3] = self.swing_m * np.sin(phase)[:, None] * [np.cos(angle), np.sin(angle)]
        return T

    def camera(self, frames: int, rng: Draw) -> Float[np.ndarray, "n 4 4"]:
        """T_now_first: from the camera's place in mind to where the hand that holds it has it, frame by frame.

        Half of the variance is slow drift (over a second), half the tremor of an arm; one mean place, so that what is filmed
        stays in the frame.
        """
        slow = gaussian_filter1d(rng.standard_normal((frames, 6)), 10.0, axis=0, mode="reflect")
        wild = slow / 0.17 + motion.tremor(frames, 1.0, 6, rng)
        wild = (wild - wild.mean(0)) / np.sqrt(2)
        T = np.tile(np.eye(4), (frames, 1, 1))
        T[:, :3, :3] = Rotation.from_rotvec(self.unsteady[0] * wild[:, :3]).as_matrix()
        T[:, :3, 3] = self.unsteady[1] * wild[:, 3:]
        return T

    def margin_px(self, width: int) -> int:
        """How far beyond a frame `camera` may look: three standard deviations of turn and of way, at everyday lenses."""
        return int(1.2 * width * 3 * (self.unsteady[0] + self.unsteady[1] / 0.5))

    @property
    def moments(self) -> Float[np.ndarray, " k"]:
        """When the pictures of one frame are taken, in frames from the middle of its exposure."""
        shots = SHOTS if self.shutter else 1
        return self.shutter * ((np.arange(shots) + 0.5) / shots - 0.5)

    def through_lens(self, display: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
        """A display-referred picture as a lens out of focus casts it: a disc for every point, in linear light."""
        radius = self.defocus * display.shape[1]
        if radius < 0.5:
            return display
        reach = int(np.ceil(radius))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
        kernel = (disc / disc.sum()).astype(np.float32)
        return to_srgb(cv2.filter2D(to_linear(display).astype(np.float32), -1, kernel, borderType=cv2.BORDER_REFLECT))

    def stored(self, frames: UInt8[np.ndarray, "n h w 3"], fps: float) -> UInt8[np.ndarray, "n h w 3"]:
        """The frames as they come out of the file that they were kept in."""
        if self.bits_per_second is None:
            return frames
        with TemporaryDirectory() as folder:
            encode(Path(folder) / "a.mp4", frames, fps, self.bits_per_second)
            reader = imageio_ffmpeg.read_frames(Path(folder) / "a.mp4", output_params=["-fps_mode", "passthrough"])
            width, height = next(reader)["size"]
            decoded = np.stack([np.frombuffer(raw, np.uint8).reshape(height, width, 3) for raw in reader])
        return decoded[:, : frames.shape[1], : frames.shape[2]]


def encode(path: Path, frames: UInt8[np.ndarray, "n h w 3"], fps: float, bits_per_second: int) -> None:
    """H.264 at a rate that is kept from second to second; odd sizes gain a row or column, which repeats the last."""
    even = np.pad(frames, [(0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)], mode="edge")
    rate = ["-b:v", str(bits_per_second), "-maxrate", str(bits_per_second), "-bufsize", str(bits_per_second // 2)]
    writer = imageio_ffmpeg.write_frames(
        path, even.shape[2:0:-1], fps=fps, codec="libx264", pix_fmt_out="yuv420p", macro_block_size=2,
        output_params=[*rate, "-threads", "1"],
    )  # fmt: skip
    writer.send(None)
    for frame in even:
        writer.send(np.ascontiguousarray(frame))
    writer.close()


SHIFTS: dict[str, Shift] = {  # the words of column `shift` of the clips table
    "clutter": Shift(decor=CLUTTER),
    "passerby": Shift(passerby=True),
    "dark_skin": Shift(tone_srgb=(76, 54, 40)),
    "pale_skin": Shift(tone_srgb=(238, 200, 182)),
    "hard_light": Shift(lights=_bare_bulb),
    "coloured_light": Shift(lights=_coloured),
    "dim": Shift(lights=_faint, gain=3.0),
    "motion_blur": Shift(swing_m=0.02, shutter=0.75),
    "defocus": Shift(defocus=0.009),
    "handheld": Shift(unsteady=(0.035, 0.015)),
    "compressed": Shift(bits_per_second=300_000),
    "left_hand": Shift(left=True),
}

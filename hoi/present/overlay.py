"""The fit drawn over the frames it was fitted to, frame by frame, and the film of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import trimesh
from jaxtyping import Bool, Float, Integer, UInt8

from hoi.artefacts import whole
from hoi.present.render import HAND_RGB, OBJECT_RGB, Body, Picture, Shape, render
from hoi.present.views import View, view_tile

CONTOURS = ((20, 70, 160), (165, 75, 25))  # object, hand; sRGB bytes


@dataclass(frozen=True)
class MovingObject:
    """An object in the camera, in every frame."""

    mesh: trimesh.Trimesh  # object frame, metres
    T_cam_obj: Float[np.ndarray, "N 4 4"]
    rgb: tuple[float, float, float] | Float[np.ndarray, "V 3"] = OBJECT_RGB  # one colour, or one a vertex

    def body(self, frame: int) -> Body:
        """The object at one frame."""
        return Body(self._shape, self.T_cam_obj[frame])

    @cached_property
    def _shape(self) -> Shape:
        """Vertices, faces and colour for the renderer."""
        return Shape(np.asarray(self.mesh.vertices), np.asarray(self.mesh.faces), self.rgb)


@dataclass(frozen=True)
class Fitted:
    """An object and a hand in the camera, in every frame, and the camera: what a fit says."""

    object: MovingObject
    hand_vertices: Float[np.ndarray, "N V 3"]  # camera, metres
    hand_faces: Integer[np.ndarray, "F 3"]
    K: Float[np.ndarray, "N 3 3"]

    def bodies(self, frame: int) -> list[Body]:
        """Object and hand at one frame."""
        hand = Shape(self.hand_vertices[frame], self.hand_faces, HAND_RGB, 180.0)
        return [self.object.body(frame), Body(hand, np.eye(4))]


def blend(frame: UInt8[np.ndarray, "h w 3"], picture: Picture, opacity: float = 0.65) -> UInt8[np.ndarray, "h w 3"]:
    """The picture over the frame, half transparent, each body with its outline."""
    coverage = opacity * picture.coverage[..., None]
    mixed = (1 - coverage) * frame + 255 * opacity * picture.rgb
    out = np.ascontiguousarray(mixed.round().clip(0, 255).astype(np.uint8))
    width = max(1, round(frame.shape[0] / 480))
    for i, colour in enumerate(CONTOURS):
        lines, _ = cv2.findContours((picture.instance == i).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, lines, -1, colour, width, cv2.LINE_AA)
    return out


def masked(
    frame: UInt8[np.ndarray, "h w 3"], object_mask: Bool[np.ndarray, "h w"], hand_mask: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The frame with the masks of object (blue) and hand (orange) over it, half transparent and outlined."""
    instance = np.where(object_mask, 0, np.where(hand_mask, 1, -1)).astype(np.int32)
    coverage = (instance >= 0).astype(np.float32)
    rgb = (np.array(CONTOURS, np.float32) / 255)[instance] * coverage[..., None]
    return blend(frame, Picture(rgb, coverage, instance), 0.5)


def overlaid(frame: UInt8[np.ndarray, "h w 3"], fitted: Fitted, i: int) -> UInt8[np.ndarray, "h w 3"]:
    """Frame i with the fit drawn over it."""
    picture = render(fitted.bodies(i), fitted.K[i], frame.shape[1], frame.shape[0], sky=24, shadows=False, samples=1)
    return blend(frame, picture)


def overlay_frames(frames: UInt8[np.ndarray, "N h w 3"], fitted: Fitted) -> Iterator[UInt8[np.ndarray, "h w2 3"]]:
    """Input, overlay, and the views from the side and from the top above each other; one frame at a time."""
    height = frames.shape[1] // 2 * 2
    view = View.around([fitted.bodies(i) for i in range(len(frames))], height // 2)
    for i, frame in enumerate(frames[:, :height]):
        bodies = fitted.bodies(i)
        aside = np.concatenate([view_tile(bodies, name, view, sky=24, shadows=False) for name in ("side", "top")])
        yield np.concatenate([frame, overlaid(frame, fitted, i), aside], 1)


def write_video(path: Path | str, frames: Iterable[UInt8[np.ndarray, "h w 3"]], fps: float) -> None:
    """Write frames as H.264 (yuv420p, index first: plays in every browser); odd sizes lose their last row or column."""
    with whole(path) as scratch:
        writer = None
        for frame in frames:
            even = np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
            if writer is None:
                writer = imageio_ffmpeg.write_frames(
                    str(scratch),
                    (even.shape[1], even.shape[0]),
                    fps=fps,
                    codec="libx264",
                    pix_fmt_out="yuv420p",
                    macro_block_size=2,
                    output_params=["-crf", "20", "-movflags", "+faststart"],
                )
                writer.send(None)
            writer.send(even)
        if writer is not None:
            writer.close()

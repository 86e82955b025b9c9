"""A live 3D view in the browser: hand, object and the camera with its picture, frame by frame. Served by viser."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from hoi.errors import InputError
from hoi.geometry.simplify import simplified
from hoi.present.overlay import Fitted
from hoi.present.render import HAND_RGB, OBJECT_RGB

FACES = 30_000  # of the object: what a phone still turns smoothly


def load_viser() -> Any:
    """The viser package, which only this view needs."""
    try:
        return importlib.import_module("viser")
    except ModuleNotFoundError as error:
        raise InputError(
            "hoi view", f"no module {error.name!r}", "the package viser", "pip install -e '.[view]' in the checkout"
        ) from error


@dataclass(frozen=True)
class Motion:
    """One fit, ready to be looked at: vertices in metres, poses as viser wants them."""

    fitted: Fitted

    @cached_property
    def surface(self) -> tuple[Float[np.ndarray, "v 3"], np.ndarray]:
        """The object in few faces, in its own frame."""
        mesh = self.fitted.object.mesh
        return simplified(np.asarray(mesh.vertices), np.asarray(mesh.faces), FACES)

    @cached_property
    def turns(self) -> Float[np.ndarray, "N 4"]:
        """The object's rotation to the camera in every frame, as quaternions (w, x, y, z)."""
        return Rotation.from_matrix(self.fitted.object.T_cam_obj[:, :3, :3]).as_quat(scalar_first=True)

    def field(self, frame: int, height: int) -> float:
        """The camera's vertical field of view in radians; `height` of its frames in pixels."""
        return float(2 * np.arctan(height / 2 / self.fitted.K[frame, 1, 1]))

    def middle(self) -> Float[np.ndarray, "3"]:
        """The middle of the hand over all frames."""
        return self.fitted.hand_vertices.reshape(-1, 3).mean(0).astype(np.float64)


class LiveView:
    """A served scene. The world is OpenCV's camera: y down, so `up` is -y."""

    def __init__(
        self, fits: Mapping[str, Fitted], frames: UInt8[np.ndarray, "N h w 3"], fps: float, host: str, port: int
    ) -> None:
        self.fits, self.frames, self.fps = {name: Motion(fitted) for name, fitted in fits.items()}, frames, fps
        self.server = load_viser().ViserServer(host=host, port=port, label="hoi view", verbose=False)
        self.server.scene.set_up_direction("-y")
        self._controls()
        self._bodies()
        self._first_look()

    def _controls(self) -> None:
        gui, names = self.server.gui, list(self.fits)
        self.variant = gui.add_dropdown("Fit", names, initial_value=names[0])
        self.time = gui.add_slider("Frame", 0, len(self.frames) - 1, 1, 0)
        self.playing = gui.add_checkbox("Play", False)
        self.speed = gui.add_slider("Frames per second", 1, 60, 1, min(max(round(self.fps), 1), 60))
        self.see = {name: gui.add_checkbox(name, True) for name in ("object", "hand", "camera")}
        self.variant.on_update(lambda _: self._bodies())
        for handle in (self.time, *self.see.values()):
            handle.on_update(lambda _: self.show())

    def _bodies(self) -> None:
        """Hand, object and camera of the chosen fit, in place of those before."""
        scene, motion = self.server.scene, self.fits[self.variant.value]
        height, width = self.frames.shape[1:3]
        bytes_of = {
            name: tuple(round(255 * c) for c in rgb) for name, rgb in (("object", OBJECT_RGB), ("hand", HAND_RGB))
        }
        vertices, faces = motion.surface
        self.object = scene.add_mesh_simple("/object", vertices, faces, color=bytes_of["object"], side="double")
        self.hand = scene.add_mesh_simple(
            "/hand", motion.fitted.hand_vertices[0], motion.fitted.hand_faces, color=bytes_of["hand"], side="double"
        )
        self.camera = scene.add_camera_frustum(
            "/camera", motion.field(0, height), width / height, scale=0.06, thickness=0.0015, color=(120, 130, 140),
            image=self.frames[0], format="jpeg", jpeg_quality=80,
        )  # fmt: skip
        self.show()

    def _first_look(self) -> None:
        """From beside the filming camera, at the hand."""
        middle = next(iter(self.fits.values())).middle()
        camera = self.server.initial_camera
        camera.position = tuple(middle + np.linalg.norm(middle) * np.array([0.75, -0.4, -0.6]))
        camera.look_at, camera.up = tuple(middle), (0.0, -1.0, 0.0)

    def show(self) -> None:
        """Bring every body to the chosen frame."""
        i, motion = self.time.value, self.fits[self.variant.value]
        with self.server.atomic():
            self.object.position, self.object.wxyz = motion.fitted.object.T_cam_obj[i, :3, 3], motion.turns[i]
            self.hand.vertices = motion.fitted.hand_vertices[i]
            self.camera.image, self.camera.fov = self.frames[i], motion.field(i, self.frames.shape[1])
            for name, handle in (("object", self.object), ("hand", self.hand), ("camera", self.camera)):
                handle.visible = self.see[name].value

    def step(self) -> float:
        """Go on by one frame if the film runs; the seconds to wait until the next step."""
        if self.playing.value:
            self.time.value = (self.time.value + 1) % len(self.frames)
        return 1 / self.speed.value

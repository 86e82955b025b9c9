"""Pictures of one fit."""

from pathlib import Path

import numpy as np

from hoi.artefacts import Product, read_npz
from hoi.clip import read_clip
from hoi.config import ShowClip
from hoi.errors import DataFailure
from hoi.meshes import read_mesh
from hoi.present.hands import open_hand_cam
from hoi.present.overlay import Fitted, MovingObject, overlay_frames, write_video
from hoi.present.stills import captioned, still, write_png


def show_clip(clip: Path, mesh: Path, poses: Path, config: ShowClip, still_path: Product, overlay: Product) -> None:
    """Write a still of input, overlay and novel views, and a film of the fit over the frames.

    Of a clip that failed both show its frames and the reason.
    """
    source = read_clip(clip)
    frames, fps = source.frames(), float(source.info.fps or 15)
    try:
        fitted, shape = read_npz("poses", poses), read_mesh(mesh)
    except DataFailure as failure:
        told = [captioned(frame, f"{failure.stage}: {failure.found}") for frame in frames]
        write_png(still_path, told[len(told) // 2])
        write_video(overlay, told, fps)
        return
    hand = open_hand_cam(fitted, bool(fitted["is_right"]))
    scene = Fitted(MovingObject(shape, fitted["T_cam_obj"]), *hand, fitted["K"])
    shown = np.linspace(0, len(frames) - 1, config.frames + 2).round().astype(int)[1:-1].tolist()
    write_png(still_path, still(frames, scene, shown, size=config.tile_px))
    write_video(overlay, overlay_frames(frames, scene), fps)

"""Pictures of one fit."""

from pathlib import Path

import numpy as np
import trimesh

from hoi.artefacts import read_npz
from hoi.clip import read_clip
from hoi.config import ShowClip
from hoi.hand.model import load_hand
from hoi.present.hands import hand_vertices_cam
from hoi.present.overlay import Fitted, MovingObject, overlay_frames, write_video
from hoi.present.stills import still, write_png


def show_clip(clip: Path, mesh: Path, poses: Path, config: ShowClip, still_path: Path, overlay: Path) -> None:
    """Write a still of input, overlay and novel views, and a film of the fit over the frames."""
    source, fitted = read_clip(clip), read_npz("poses", poses)
    frames = source.frames()
    hand = load_hand("right" if fitted["is_right"] else "left")
    vertices = hand_vertices_cam(hand, fitted["pose"], fitted["betas"], fitted["T_cam_hand"])
    moving = MovingObject(trimesh.load_mesh(mesh), fitted["T_cam_obj"])
    scene = Fitted(moving, vertices, hand.faces.numpy(), fitted["K"])
    shown = np.linspace(0, len(frames) - 1, config.frames + 2).round().astype(int)[1:-1].tolist()
    write_png(still_path, still(frames, scene, shown, size=config.tile_px))
    write_video(overlay, overlay_frames(frames, scene), float(source.info.fps or 15))

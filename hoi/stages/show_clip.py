"""Pictures of one fit."""

from pathlib import Path

import numpy as np

from hoi.artefacts import Product, read_npz, whole, write_failure
from hoi.clip import read_clip
from hoi.config import ShowClip
from hoi.errors import DataFailure
from hoi.hand.choice import hand_of
from hoi.meshes import read_mesh
from hoi.present.appearance import appearance
from hoi.present.hands import open_hand_cam, skinned_hand
from hoi.present.overlay import Fitted, MovingObject, overlay_frames, write_video
from hoi.present.scene import write_scene_glb
from hoi.present.stills import captioned, still, write_png


def show_clip(
    clip: Path, masks: Path, mesh: Path, poses: Path, config: ShowClip, still_path: Product, overlay: Product,
    coloured: Product, coloured_scene: Product,
) -> None:  # fmt: skip
    """Write the object in its colours, alone and moving with the hand, a still of input, overlay and novel views, and a
    film of the fit over the frames.

    Of a clip that failed, still and film show its frames and the reason.
    """
    source = read_clip(clip)
    frames, fps = source.frames(), float(source.info.fps or 15)
    try:
        fitted, shape, seen = read_npz("poses", poses), read_mesh(mesh), read_npz("masks", masks)
    except DataFailure as failure:
        for path in (coloured, coloured_scene):
            write_failure(path, failure)
        told = [captioned(frame, f"{failure.stage}: {failure.found}") for frame in frames]
        write_png(still_path, told[len(told) // 2])
        write_video(overlay, told, fps)
        return
    T, K = fitted["T_cam_obj"], fitted["K"]
    looks = appearance(shape, T, K, frames, seen["object"], seen["confidence"], config.views)
    painted = looks.painted(shape)
    with whole(coloured) as path:
        painted.export(path)
    skin = skinned_hand(hand_of(fitted), fitted["pose"], fitted["betas"], fitted["T_cam_hand"])
    write_scene_glb(coloured_scene, painted, T, skin, K.mean(0), frames.shape[2:0:-1], fps)
    scene = Fitted(MovingObject(shape, T, looks.rgb), *open_hand_cam(fitted, bool(fitted["is_right"])), K)
    shown = np.linspace(0, len(frames) - 1, config.frames + 2).round().astype(int)[1:-1].tolist()
    write_png(still_path, still(frames, scene, shown, size=config.tile_px))
    write_video(overlay, overlay_frames(frames, scene), fps)

"""A made clip with its exact truth: given hands and masks, and everything that scoring asks for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from hoi.artefacts import write_npz
from hoi.clip import ClipInfo, Intrinsics, Prepared, write_masks
from hoi.config import PrepareClip
from hoi.sources.procedural import ProceduralClip, make_clip
from hoi.table import ClipRow


@dataclass(frozen=True)
class ProceduralTruth:
    """What goes under `gt/` of a made clip."""

    object_mesh: trimesh.Trimesh
    poses: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    depth_m: np.ndarray

    def write(self, folder: Path) -> None:
        """object.ply, poses.npz, masks/{object,hand,object_amodal,hand_amodal}/, depth.npz."""
        folder.mkdir()
        self.object_mesh.export(folder / "object.ply")
        write_npz("true_poses", folder / "poses.npz", **self.poses)
        write_npz("true_depth", folder / "depth.npz", depth_mm=np.rint(1000 * self.depth_m).astype(np.uint16))
        for name, masks in self.masks.items():
            write_masks(folder / "masks" / name, dict(enumerate(masks)))


def load_procedural(row: ClipRow, settings: PrepareClip) -> tuple[Prepared, ProceduralTruth]:
    """Make the clip of this row's category, split and seed."""
    made = settings.procedural
    if row.person is not None:
        made = made.model_copy(update={"first_person_share": float(row.person == "first")})
    clip = make_clip(str(row.category), int(row.seed or 0), made, split=str(row.split), shift=row.shift)
    span = slice(row.first, None if row.last is None else row.last + 1, row.stride)
    return _prepared(clip, span, row), _truth(clip, span)


def _prepared(clip: ProceduralClip, span: slice, row: ClipRow) -> Prepared:
    frames = list(range(len(clip.frames)))[span]
    camera = Intrinsics(fx=clip.K[0, 0], fy=clip.K[1, 1], cx=clip.K[0, 2], cy=clip.K[1, 2])
    fps = clip.fps / (span.step or 1)
    info = ClipInfo(category=clip.category, side=clip.side, fps=fps, intrinsics=camera)
    origin = {
        "source": "procedural", "path": None, "sha256": None, "frames": list(range(len(frames))), "scale": 1.0,
        "intrinsics": "given", "truth": "gt", "split": row.split, "seed": row.seed,
    } | ({"shift": row.shift} if row.shift else {})  # fmt: skip
    masks = {name: dict(enumerate(m)) for name, m in _visible(clip, span).items()}
    hands = {"model": np.array("open"), "T_cam_hand": clip.T_cam_hand[span], "pose": clip.pose[span]}
    return Prepared(clip.frames[span], info, origin, masks, {**hands, "betas": clip.betas})


def _truth(clip: ProceduralClip, span: slice) -> ProceduralTruth:
    poses = {"T_cam_obj": clip.T_cam_obj[span], "joints_cam": clip.joints_cam[span]}
    amodal = {"object_amodal": clip.object_amodal[span], "hand_amodal": clip.hand_amodal[span]}
    masks = _visible(clip, span) | amodal
    return ProceduralTruth(clip.object_mesh, poses, masks, clip.depth[span])


def _visible(clip: ProceduralClip, span: slice) -> dict[str, np.ndarray]:
    """Visible masks; that of the hand has the bare forearm in it, as masks of real clips do."""
    return {"object": clip.object_mask[span], "hand": (clip.hand_mask | clip.forearm_mask)[span]}

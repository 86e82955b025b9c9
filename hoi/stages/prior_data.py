"""Pictures of held objects from all sides, to train the prior on."""

from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from torch import Tensor

from hoi.artefacts import Product, read_npz, write_npz
from hoi.clip import read_clip
from hoi.config import HandChoice, PriorData
from hoi.errors import InputError
from hoi.geometry.rotations import transform
from hoi.hand.choice import chosen_hand
from hoi.hand.model import HandModel, load_hand
from hoi.prior.grid_sdf import grid_sdf
from hoi.prior.samples import Holding, Thing, render_pair, shaken, stored
from hoi.progress import Progress
from hoi.sources.held import held_object
from hoi.sources.shapes import CATEGORIES


def prior_data(shard: int, clip: list[Path], config: PriorData, hand: HandChoice, seed: int, output: Product) -> None:
    """Render one shard: some training instances of every category in fresh grasps, or a clip with truth, if one is given."""
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, shard])
    rows: list[dict] = []
    if not clip:
        right = load_hand("right")
        with Progress("prior_data") as progress:
            for k in range(config.instances):
                rows += _of_instance(shard * config.instances + k, right, config, rng)
                progress(k + 1, config.instances, f"{len(rows)} pictures")
    else:
        rows = _of_clip(clip[0], config, hand, rng)
    if not rows:
        raise InputError(f"prior_data, shard {shard}", "no accepted grasp of any instance", "some",
                         "more prior_data.instances, grasp_starts or grasp_steps")  # fmt: skip
    write_npz("prior_renders", output, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})


def _of_instance(number: int, hand: HandModel, config: PriorData, rng: np.random.Generator) -> list[dict]:
    """Pictures of the training instance of a running number, categories in turn."""
    names = list(CATEGORIES)
    held = held_object(names[number % len(names)], number // len(names), hand, config.grasp)
    if not held.grasps:
        return []
    sdf = grid_sdf(held.vertices, held.faces, config.voxel_m, config.max_cells, 0.01)
    thing = Thing.of(sdf, held.vertices, held.category, held.seed)
    holdings = [
        Holding(*(torch.from_numpy(np.asarray(a, np.float32)) for a in (g.pose, held.betas, g.T_hand_obj)))
        for g in sorted(held.grasps, key=lambda g: g.energy)[: config.grasps_most]
    ]
    return _pictures(thing, [h for h in holdings for _ in range(config.views_per_grasp)], hand, config, rng)


def _of_clip(path: Path, config: PriorData, choice: HandChoice, rng: np.random.Generator) -> list[dict]:
    """Pictures of the true object in the given hand of a clip folder that has both (docs/clip_folder.md)."""
    clip = read_clip(path)
    hands, mesh_path = clip.given_hands(), path / "gt/object.ply"
    if hands is None or not mesh_path.exists():
        raise InputError(path, "no given hands or no true object", "hands.npz, gt/object.ply and gt/poses.npz",
                         "remove it from prior_data")  # fmt: skip
    mesh = trimesh.load_mesh(mesh_path, process=False)
    T_cam_obj = read_npz("true_poses", path / "gt/poses.npz")["T_cam_obj"]
    T_hand_obj = torch.from_numpy(np.linalg.inv(hands["T_cam_hand"]) @ T_cam_obj)
    sdf = grid_sdf(mesh.vertices, mesh.faces, config.voxel_m, config.max_cells, 0.01)
    thing = Thing.of(sdf, np.asarray(mesh.vertices, np.float32), clip.info.category or "object", -1)
    pose, betas = torch.from_numpy(hands["pose"]), torch.from_numpy(hands["betas"])
    choice = choice.model_copy(update={"model": str(hands["model"])})
    hand = chosen_hand("left" if clip.info.side == "left" else "right", choice)
    near = _near(hand, pose, betas, T_hand_obj, mesh, config.apart_m)
    if len(near) == 0:
        raise InputError(path, "a hand that is nowhere near the object", f"within {config.apart_m} m in some frame",
                         "remove it from prior_data")  # fmt: skip
    frames = rng.choice(near, config.views_per_clip)
    return _pictures(thing, [Holding(pose[i], betas, T_hand_obj[i]) for i in frames], hand, config, rng)


def _near(
    hand: HandModel, pose: Float[Tensor, "n 45"], betas: Float[Tensor, "10"], T_hand_obj: Float[Tensor, "n 4 4"],
    mesh: trimesh.Trimesh, apart_m: float,
) -> Int[np.ndarray, "k"]:  # fmt: skip
    """Frames in which a vertex of the hand is within this distance of a point on the object."""
    points = torch.from_numpy(np.asarray(trimesh.sample.sample_surface(mesh, 500, seed=0)[0], np.float32))
    with torch.no_grad():
        vertices = hand(pose, betas.expand(len(pose), -1)).vertices
        nearest = torch.cdist(transform(T_hand_obj.float(), points.expand(len(pose), -1, -1)), vertices).amin((1, 2))
    return np.flatnonzero((nearest < apart_m).numpy())


def _pictures(
    thing: Thing, holdings: list[Holding], hand: HandModel, config: PriorData, rng: np.random.Generator
) -> list[dict]:
    """One picture a holding, as rows of a shard."""
    rows = []
    for holding in holdings:
        *pair, _ = render_pair(thing, shaken(holding, config.jitter, rng), hand, rng, config.views, config.render)
        row = stored(*pair, config.views.resolution)
        rows.append(row | {"category": np.array(thing.category), "instance": np.int32(thing.seed)})
    return rows

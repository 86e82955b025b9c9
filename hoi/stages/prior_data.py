"""Pictures of held objects from all sides, to train the prior on: the object, the hand as a tracker sees it, and the rough body
that the silhouettes of a clip give of the object.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from torch import Tensor

from hoi.artefacts import Output, raise_recorded, read_npz, write_npz
from hoi.clip import read_clip
from hoi.config import FitStart, HandChoice, PriorData, ProceduralSettings, TrackHand
from hoi.errors import DataFailure, InputError
from hoi.fit import Observations, Variables, begin
from hoi.geometry.rotations import invert_rigid, mean_rotation, rigid, transform
from hoi.geometry.sampling import evenly
from hoi.hand.choice import chosen_hand, hand_keys
from hoi.hand.model import HandModel, load_hand
from hoi.observe.trackers import add_noise
from hoi.prior.grid_sdf import VOTES, grid_sdf
from hoi.prior.samples import OF_CLIP, Held, Thing, render_sample, stored
from hoi.progress import Progress
from hoi.sources.held import held_object
from hoi.sources.rehearsal import Rehearsal, rehearse, rehearse_truth
from hoi.sources.shapes import CATEGORIES

OPEN = HandChoice(model="open", files=None)


def prior_data(
    shard: int, clip: list[Path], config: PriorData, tracker: TrackHand, start: FitStart, reach_m: float,
    film: ProceduralSettings, hand: HandChoice, seed: int, output: Output,
) -> None:  # fmt: skip
    """Render one shard: some training instances of every category in fresh grasps, or a clip with truth, if one is given.

    A clip that was not prepared, or whose hand and object do not show, is a DataFailure: `train_prior` leaves it out.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, shard])
    make = Samples(config, tracker, start, reach_m, film, rng)
    rows: list[dict] = []
    if not clip:
        with Progress("prior_data") as progress:
            for k in range(config.instances):
                rows += make.of_instance(shard * config.instances + k)
                progress(k + 1, config.instances, f"{len(rows)} pictures")
    else:
        rows = make.of_clip(clip[0], hand)
    if not rows:
        raise InputError(f"prior_data, shard {shard}", "no accepted grasp of any instance", "some",
                         "more prior_data.instances, grasp_starts or grasp_steps")  # fmt: skip
    write_npz("prior_renders", output, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})


class Samples:
    """Rows of a shard, made with these settings."""

    def __init__(
        self, config: PriorData, tracker: TrackHand, start: FitStart, reach_m: float, film: ProceduralSettings,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.config, self.tracker, self.film, self.rng = config, tracker, film, rng
        self.start, self.reach_m = start, reach_m

    def of_instance(self, number: int) -> list[dict]:
        """Pictures of the training instance of a running number, categories in turn."""
        names, right, rows = list(CATEGORIES), load_hand("right"), []
        held = held_object(names[number % len(names)], number // len(names), right, self.config.grasp)
        if not held.grasps:
            return []
        thing = self._thing(held.thing.vertices, held.thing.faces, held.thing.category, held.seed)
        for grasp in held.best(self.config.grasps_most):
            clip = rehearse(held.thing, right, held.betas, grasp, self.film, self.config.rehearsal, self.rng)
            if clip.object_mask.any():
                rows += self._pictures(thing, self._seen(clip, right, OPEN), right, self.config.views_per_grasp)
        return rows

    def of_clip(self, path: Path, choice: HandChoice) -> list[dict]:
        """Pictures of the true object in the given hand of a clip folder that has both (docs/clip_folder.md)."""
        raise_recorded(path)
        clip = read_clip(path)
        hands, mesh_path = clip.given_hands(), path / "gt/object.ply"
        if hands is None or not mesh_path.exists():
            raise InputError(path, "no given hands or no true object", "hands.npz, gt/object.ply and gt/poses.npz",
                             "remove it from prior_data")  # fmt: skip
        mesh = trimesh.load_mesh(mesh_path, process=False)
        if not mesh.is_watertight:
            sys.stderr.write(f"prior_data: {mesh_path} is not watertight: {VOTES} rays decide what is inside\n")
        vertices = np.asarray(mesh.vertices, np.float32)
        poses = read_npz("true_poses", path / "gt/poses.npz")
        T_cam_obj, known = poses["T_cam_obj"], poses.get("known", np.ones(len(poses["T_cam_obj"]), bool))
        choice = choice.model_copy(update={"model": str(hands["model"])})
        hand = chosen_hand("left" if clip.info.side == "left" else "right", choice)
        pose, betas = torch.from_numpy(hands["pose"]), torch.from_numpy(hands["betas"])
        with torch.no_grad():
            limb = hand(pose, betas.expand(len(pose), -1)).vertices
        limb = transform(torch.from_numpy(hands["T_cam_hand"]), limb)
        near = _near(limb, T_cam_obj, mesh, self.config.apart_m)
        near = near[known[near]]
        if len(near) == 0:
            raise DataFailure(path, "a hand that is nowhere near the object", f"within {self.config.apart_m} m in some frame",
                              "remove it from prior_data")  # fmt: skip
        frames = evenly(near, self.config.rehearsal.frames)
        few = {key: hands[key][frames] for key in ("T_cam_hand", "pose")} | {"betas": hands["betas"]}
        seen = rehearse_truth(limb.numpy()[frames], hand.faces.numpy(), few, vertices, np.asarray(mesh.faces), T_cam_obj[frames],
                              self.config.rehearsal, self.rng)  # fmt: skip
        if not seen.object_mask.any():
            raise DataFailure(
                path, "an object that its hand hides", "the object seen in some frame", "remove it from prior_data"
            )
        thing = self._thing(vertices, np.asarray(mesh.faces), clip.info.category or "object", OF_CLIP)
        return self._pictures(thing, self._seen(seen, hand, choice), hand, self.config.views_per_clip)

    def _thing(self, vertices: np.ndarray, faces: np.ndarray, category: str, seed: int) -> Thing:
        """An object to be rendered."""
        sdf = grid_sdf(vertices, faces, self.config.voxel_m, self.config.max_cells, 0.01)
        return Thing.of(sdf, np.asarray(vertices, np.float32), category, seed)

    def _seen(self, clip: Rehearsal, hand: HandModel, choice: HandChoice) -> Iterator[Held]:
        """The clip as a tracker and the start of a fit see it, in random frames, for ever."""
        r, n = self.config.rehearsal, len(clip.T_cam_obj)
        scale = self.tracker.noise_scale * float(self.rng.uniform(*r.noise_scale))
        hands = add_noise(clip.hands, self.tracker.model_copy(update={"noise_scale": scale}), self.rng)
        betas = (hands["betas"] + r.betas * self.rng.standard_normal(len(hands["betas"]))).astype(np.float32)
        hands |= {"betas": betas, "is_right": np.array(hand.side == "right"), **hand_keys(choice)}
        observed = Observations(clip.object_mask, clip.hand_mask, np.ones(n, np.float32), hands)
        variables = Variables(hands, torch.device("cpu"))
        found = begin(observed, variables, self.start, self.reach_m, self.rng)
        with torch.no_grad():
            posed = variables.posed(torch.arange(n))
        T_cam_rough = posed.T_cam_hand @ found.T_hand_obj
        T_rough_obj = _mean(invert_rigid(T_cam_rough) @ torch.from_numpy(clip.T_cam_obj), variables.grasp)
        while True:
            frame = int(self.rng.integers(n))
            yield Held(
                posed.vertices_hand[frame], found.T_hand_obj[frame], T_rough_obj, found.body.at, found.points(self.rng)
            )

    def _pictures(self, thing: Thing, seen: Iterator[Held], hand: HandModel, count: int) -> list[dict]:
        """Pictures of one object in a clip, as rows of a shard."""
        rows, config = [], self.config
        for _ in range(count):
            pictures = render_sample(thing, next(seen), hand, self.rng, config.views, config.render)
            row = stored(*pictures, config.views.resolution)
            rows.append(row | {"category": np.array(thing.category), "instance": np.int32(thing.seed)})
        return rows


def _mean(T_rough_obj: Float[Tensor, "n 4 4"], about: Float[Tensor, "3"]) -> Float[Tensor, "4 4"]:
    """The mean of poses that differ by a tracker's errors; `about` (rough frame) goes where it goes in the mean."""
    inverse = invert_rigid(T_rough_obj)
    R, there = mean_rotation(T_rough_obj[:, :3, :3]), transform(inverse, about.expand(len(inverse), 1, 3))[:, 0].mean(0)
    return rigid(R, about - R @ there)


def _near(
    limb: Float[Tensor, "n v 3"], T_cam_obj: Float[np.ndarray, "n 4 4"], mesh: trimesh.Trimesh, apart_m: float
) -> Int[np.ndarray, "k"]:
    """Frames in which a vertex of the hand (camera frame) is within this distance of a point on the object."""
    points = torch.from_numpy(np.asarray(trimesh.sample.sample_surface(mesh, 500, seed=0)[0], np.float32))
    there = transform(torch.from_numpy(T_cam_obj), points.expand(len(limb), -1, -1))
    return np.flatnonzero((torch.cdist(there, limb).amin((1, 2)) < apart_m).numpy())

"""The optimisation: object, hand and camera together against the masks."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoi.config import FitClip
from hoi.errors import InputError
from hoi.field.bent import BentField
from hoi.field.hashgrid import GridSpec, geometric_resolutions
from hoi.field.rasterise import Topology, hand_layer
from hoi.field.render import Samples, blend, density, propose, ray_weights, sphere_span
from hoi.field.sdf import Field, SdfField
from hoi.fit import losses
from hoi.fit.average import Average
from hoi.fit.cast import RayPoints, cast
from hoi.fit.distil import Prior, Scene
from hoi.fit.grid import GridField
from hoi.fit.hand_view import HandView, contour_points, look
from hoi.fit.observations import Observations
from hoi.fit.pixels import Pixels, Rays, forearm
from hoi.fit.register import Touch
from hoi.fit.start import OUTLINE_M, OUTLINE_POINTS, begin, place, teach
from hoi.fit.told import Seen, Teller
from hoi.fit.variables import Posed, Variables
from hoi.geometry.cameras import project
from hoi.geometry.rotations import invert_rigid, transform

SKIN_M = 0.003  # points this deep inside the hand are surely not in the object: skin gives way
BACKGROUND = 0.7  # background is drawn within this share of the reach around the grasp
CONTACT_M = 0.02  # a finger farther than this from the object does not hold it
FAR_M = 0.03  # beyond this from the inflated body's surface only the sign counts
SURFACE_M = 0.01  # probes this near the surface feel its bending
UNSEEN_M = 0.005  # width of the object's edge in the term `unseen`
CONTOUR_POINTS = 64  # a frame
TERMS = {"recalled": "recalled", "imagined": "prior"}  # the term that holds the field to a body from there
PAD_POINTS = 12  # of each finger's last segment
LAST_JOINTS = (3, 6, 9, 12, 15)


class Optimisation:
    """One clip's fit: what is known, what is optimised, and one method a part of a step."""

    def __init__(
        self, observed: Observations, settings: FitClip, seed: int, device: torch.device, prior: Prior | None
    ) -> None:
        self.settings, self.observed, self.device = settings, observed, device
        self.rng = np.random.default_rng(seed)
        self.variables = Variables(observed.hands, device)
        f, hand = settings.field, self.variables.hand
        centre = tuple(float(v) for v in self.variables.grasp)
        resolutions = geometric_resolutions(f.levels, f.coarsest, f.finest)
        spec = GridSpec(centre, f.half_m, resolutions, 2**f.table_size_log2)
        generator = torch.Generator().manual_seed(seed)
        self.field: Field = SdfField(spec, f.radius_m, f.beta_m, f.hidden, f.kernel, generator).to(device)
        self.mesh = Topology.of(hand.faces.cpu().numpy())
        self.pad_vertices = self._pads()
        self.frames = np.flatnonzero(observed.confidence > 0)
        self.size = observed.object_mask.shape[1:]
        self.reach = settings.rays.reach_m
        is_right = hand.side == "right"
        self.teller = None if prior is None else Teller(prior, observed, settings.prior, is_right, seed, device)
        self._start()
        self._pixels_and_contour()
        self.optimiser, self.average = self._optimiser(), Average()

    def _start(self) -> None:
        """The first guess of shape and of the object's poses: silhouettes inflated."""
        v, s = self.variables, self.settings
        found = begin(self.observed, v, s.start, self.reach, self.rng)
        self.outlines = found.outlines
        self.told: str | None = None  # whence the prior's body is: recalled, imagined
        self.guess = self.rough = found.body.to(self.device)
        v.start_T_hand_obj.copy_(found.T_hand_obj)
        self.field.fade(float(s.level_start))
        teach(self.field, self.guess, v.grasp, self.reach, s.start, self.rng)

    def _pads(self) -> Tensor:
        """Vertices of each finger's last segment, evenly picked."""
        weights = self.variables.hand.skin_weights.cpu()
        owned = [torch.nonzero(weights[:, j] > 0.6)[:, 0] for j in LAST_JOINTS]
        return torch.stack([v[torch.linspace(0, len(v) - 1, PAD_POINTS).long()] for v in owned])

    def _pixels_and_contour(self) -> None:
        """Pools of pixels, the forearm left out of the hand's evidence, and the hand's observed contour."""
        obj, hand = self.observed.object_mask, self.observed.hand_mask
        with torch.no_grad():
            X_hand = torch.cat([self.variables.keypoints(), self.variables.grasp.expand(len(obj), 1, 3)], 1)
            X_cam, K = transform(self.variables.T_cam_hand(), X_hand), self.variables.K()
            px, depth = project(K, X_cam).cpu().numpy(), X_cam[:, -1, 2].clamp_min(0.05).cpu().numpy()
        wrist, knuckle, grasp = px[:, 0], px[:, 9], px[:, -1]
        hand_px = np.linalg.norm(px[:, 12] - wrist, axis=-1).clip(20)
        self.hand_px = torch.from_numpy(hand_px).to(self.device)
        arm = forearm(hand, wrist, knuckle)
        radius_px = BACKGROUND * self.reach * self.observed.hands["K"][0, 0] / depth
        trust, near_px = self.observed.confidence, self.settings.rays.near_px
        self.pixels = Pixels(obj, hand, arm, grasp, radius_px, trust, near_px)
        points, weights = contour_points(hand, obj, arm, CONTOUR_POINTS, self.rng)
        self.contour_px = points
        self.contour = torch.from_numpy(points).to(self.device), torch.from_numpy(weights).to(self.device)
        self.view: HandView = look(self.variables, self.mesh, self.size, self.contour_px)

    def _optimiser(self) -> torch.optim.Optimizer:
        """Adam with a rate of its own for each kind of variable."""
        v, r = self.variables, self.settings.rates
        shape = [(getattr(r, name), parameters) for name, parameters in self.field.learned().items()]
        motion = [(r.pose, v.pose), (r.betas, v.betas), (r.camera, v.camera), (r.object, v.object), (r.focal, v.focal)]
        named = shape + [(rate, [parameter]) for rate, parameter in motion]
        return torch.optim.Adam([{"params": p, "lr": lr, "start": lr} for lr, p in named], eps=1e-15, fused=True)

    def schedule(self, step: int) -> None:
        """Learning rates and the field's levels for this step."""
        s = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = group["start"] * s.rates.end ** (step / s.steps)
        fine = min(step / s.level_steps, 1.0)
        self.field.fade(s.prior.levels if self.told else s.level_start + (s.field.levels - s.level_start) * fine)
        self.probe_m = s.field.probe_m * s.field.probe_start ** (1 - fine)
        for parameter in self.variables.parameters():
            parameter.requires_grad_(step >= s.warm_steps)

    def refresh(self, step: int) -> None:
        """Renew the coarse grid and the hand's raster."""
        low, high = self.variables.grasp - self.reach, self.variables.grasp + self.reach
        n = self.settings.grid_cells
        self.coarse = GridField(self.field.on_grid(low.cpu().numpy(), high.cpu().numpy(), (n, n, n)), low, high)
        if step >= self.settings.warm_steps:
            del self.view  # its raster is the most that a long clip holds: not twice
            self.view = look(self.variables, self.mesh, self.size, self.contour_px)

    def draw(self, step: int) -> Rays:
        """This step's pixels."""
        r, u = self.settings.rays, step / self.settings.steps
        frames = np.sort(self.rng.choice(self.frames, min(r.frames, len(self.frames)), replace=False))
        b, h, o = (1 - u) * np.array(r.share_start) + u * np.array(r.share_end)
        n = r.share_near
        shares = {
            "background": b * (1 - n),
            "background_near": b * n,
            "hand": h,
            "object": o * (1 - n),
            "object_near": o * n,
        }
        self.step_frames = torch.from_numpy(frames).to(self.device)
        return self.pixels.draw(frames, r.rays, shares, self.rng).to(self.device)

    def samples(self, origin: Tensor, direction: Tensor) -> Samples:
        """Where along rays (object frame) to look, from the coarse grid."""
        r = self.settings.rays
        with torch.no_grad():
            near, far = sphere_span(origin, direction, self.variables.grasp, self.reach)
            at = (torch.arange(r.bins, device=self.device) + 0.5) / r.bins
            z = near[:, None] + at * (far - near)[:, None]
            x = origin[:, None] + z[..., None] * direction[:, None]
            sdf = self.coarse.at(x)
            jitter = torch.from_numpy(self.rng.random((len(z), r.samples), np.float32)).to(self.device)
            return propose(sdf, near, far, 2 * float(self.field.beta) + 0.004, r.samples, jitter)

    def scene(self) -> Scene:
        """What the denoiser looks at: the present object and the hands of all frames."""
        with torch.no_grad():
            posed = self.variables.posed()
        points, rough_points = (
            body.near(OUTLINE_POINTS, OUTLINE_M, self.teller.rng) for body in (self.coarse, self.rough)
        )
        return Scene(
            self.field, self.coarse.at, points, self.rough.at, rough_points, posed.vertices_hand, posed.T_hand_obj,
            self.variables.hand,
        )  # fmt: skip

    def seen(self) -> Seen:
        """What remembered objects are compared with."""
        with torch.no_grad():
            posed = self.variables.posed()
        pads = self.pads_obj(posed)[self.frames].mean(0)
        return Seen(self.rough.to("cpu"), *(a.cpu() for a in (posed.T_hand_obj, posed.T_cam_obj, posed.K, pads)))

    def renew(self, step: int) -> None:
        """Go on from what the prior says that the object is, where it is time to ask and something is believed.

        What is recalled is not given up for what may be imagined later.
        """
        if not (self.teller and self.teller.due(step, self.settings.steps)):
            return
        bodies = ["recalled"] if self.told == "recalled" else self.settings.prior.bodies
        for name in bodies:
            if name == "recalled":
                body = self.teller.recalled(self.seen())
            else:
                body = self.teller.imagined(self.seen(), self.scene, step / self.settings.steps)
            if body is not None:
                self.take_up(name, body, step)
                return

    def take_up(self, name: str, body: GridField, step: int) -> None:
        """Go on from the prior's body, the object's poses registered to it."""
        self.become(name, body)
        if self.settings.prior.tilt_rad:
            self.place_object()
        self.refresh(step)

    def become(self, name: str, body: GridField) -> None:
        """Be the prior's body, uncorrected as yet. What is recalled is bent, so that thin walls stay whole; what is imagined is
        blurred, may lack parts or have too many, and is corrected by a sum."""
        self.guess = body = body.to(self.device)
        self.told, self.average = name, Average()
        p = self.settings.prior
        if name == "recalled":
            beta_m = min(p.recall.beta_m, self.field.beta.item())
            self.field = BentField(body.values, body.low, body.high, p.recall.cell_m, beta_m)
            self.optimiser = self._optimiser()
        else:
            self.field.rebase(body.values, body.low, body.high)
            self.field.sharpen(p.beta_m)

    def place_object(self) -> None:
        """Register the object's poses to the prior's body, and to the fingers that hold it."""
        p, start = (
            self.settings.prior,
            self.settings.start.model_copy(update={"tilt_rad": self.settings.prior.tilt_rad}),
        )
        with torch.no_grad():
            touch = Touch(self.pads(self.variables.posed().vertices_cam).cpu(), p.touch)
        trust = torch.from_numpy(self.observed.confidence)
        place(self.variables, self.guess, touch, self.outlines, trust, start, self.rng)

    def prior_terms(self, step: int, at: Tensor, probes: Tensor) -> dict[str, Tensor]:
        """What to believe where no view tells: the inflated silhouettes at first, then what the prior imagines."""
        p = self.settings.prior
        if self.told:
            bend = {"bend": self.field.bending()} if isinstance(self.field, BentField) else {}
            return bend | {TERMS[self.told]: losses.guess(at, self.guess.at(probes), p.reach_m)}
        guess = {"guess": losses.guess(at, self.guess.at(probes), FAR_M)}
        if self.teller and p.method == "score" and step >= p.start and step % p.every == 0:
            return guess | {"prior": self.teller.distil.score(self.scene(), step / self.settings.steps)}
        return guess

    def probes(self) -> Float[Tensor, "p 3"]:
        """Points for the shape's own terms: half near the surface, half anywhere in reach."""
        count = self.settings.rays.probes // 2
        near = self.coarse.near(count, 0.012, self.rng)
        if self.told:
            near = torch.cat([near[: count // 2], self.guess.near(count - count // 2, 0.012, self.rng)])
        way = self.rng.normal(size=(count, 3))
        radius = self.reach * BACKGROUND * self.rng.random((count, 1)) ** 0.5
        free = torch.from_numpy((way / np.linalg.norm(way, axis=1, keepdims=True) * radius).astype(np.float32))
        return torch.cat([near, self.variables.grasp + free.to(self.device)])

    def skin(self, posed: Posed) -> Float[Tensor, "f q 3"]:
        """Points just inside the hand, in the object frame."""
        v = posed.vertices_hand
        pick = self.rng.integers(0, v.shape[1], (len(v), self.settings.rays.hand_points))
        pick = torch.from_numpy(pick).to(self.device)
        slot = torch.arange(len(v), device=self.device)[:, None]
        inside = v[slot, pick] - SKIN_M * self.view.normals[self.step_frames][slot, pick]
        return transform(invert_rigid(posed.T_hand_obj), inside)

    def pads(self, vertices: Float[Tensor, "f v 3"]) -> Float[Tensor, "f fingers q 3"]:
        """Skin of the fingers' last segments, in the vertices' frame."""
        return vertices[:, self.pad_vertices.flatten()].unflatten(1, tuple(self.pad_vertices.shape))

    def pads_obj(self, posed: Posed) -> Float[Tensor, "f fingers q 3"]:
        """The same in the object frame."""
        return self.pads(transform(invert_rigid(posed.T_hand_obj), posed.vertices_hand))

    def distances(self, *points: Tensor) -> list[Tensor]:
        """The field at several sets of points, in one call."""
        flat = self.field(torch.cat([x.reshape(-1, 3) for x in points]))
        split = flat.split([x[..., 0].numel() for x in points])
        return [sdf.reshape(x.shape[:-1]) for sdf, x in zip(split, points, strict=True)]

    def terms(self, step: int) -> dict[str, Tensor]:
        """Every term of the objective, unweighted."""
        rays = self.draw(step)
        posed = self.variables.posed(self.step_frames)
        points, probes = cast(rays, posed, self.samples), self.probes()
        pads = self.pads_obj(posed)
        taps = probes[:, None] + self.probe_m * torch.cat([torch.eye(3), -torch.eye(3)]).to(self.device)
        along, at, beside, skin, pads = self.distances(points.x, probes, taps, self.skin(posed), pads)
        return (
            self.image_terms(rays, posed, points, along)
            | self.shape_terms(at, beside)
            | self.prior_terms(step, at, probes)
            | {"penetration": losses.penetration(skin), "contact": losses.contact(pads, CONTACT_M)}
            | self.motion_terms()
        )

    def image_terms(self, rays: Rays, posed: Posed, points: RayPoints, sdf: Tensor) -> dict[str, Tensor]:
        """Agreement of the blended label image with the masks, and of the hand's outline with the one observed."""
        s = self.settings
        weights = ray_weights(density(sdf, self.field.beta), points.length)
        alpha, hand_depth = hand_layer(
            self.view.raster, self.mesh, rays.frame, rays.slot, rays.pixel, points.d_cam,
            posed.vertices_cam, posed.vertices_px, s.sigma_px,
        )  # fmt: skip
        label = blend(weights, points.depth, alpha, hand_depth, s.order_m)
        contour_px, contour_weight = (a[self.step_frames] for a in self.contour)
        slot = torch.arange(len(self.step_frames), device=self.device)[:, None]
        nearest_px = posed.vertices_px[slot, self.view.nearest[self.step_frames]]
        hand_px = self.hand_px[self.step_frames]
        return {
            "label_object": losses.label_object(
                weights, points.depth, hand_depth, rays.is_object, rays.is_hand, rays.trust, s.order_m
            ),
            "label_hand": losses.label_hand(label, rays.is_hand, rays.is_forearm, rays.trust),
            "hand_mask": losses.hand_mask(alpha, rays.is_object, rays.is_hand, rays.is_forearm, rays.trust),
            "hand_contour": losses.hand_contour(contour_px, nearest_px, contour_weight, hand_px),
        }

    def shape_terms(self, sdf: Tensor, beside: Tensor) -> dict[str, Tensor]:
        """The shape's own terms, from the probes and the six points beside each (+x, +y, +z, -x, -y, -z)."""
        gradient = (beside[:, :3] - beside[:, 3:]) / (2 * self.probe_m)
        laplacian = (beside.sum(-1) - 6 * sdf) / self.probe_m**2
        near = (sdf.detach().abs() < SURFACE_M).float()
        return {
            "eikonal": losses.eikonal(gradient),
            "curvature": losses.curvature(laplacian, near),
            "unseen": losses.unseen(sdf[len(sdf) // 2 :], UNSEEN_M),
        }

    def motion_terms(self) -> dict[str, Tensor]:
        """Steadiness of the grasp, from where registration put it, and of the motion; nearness to the tracker; all frames."""
        v = self.variables
        keypoints = v.keypoints()
        turn, shift = v.camera[:, :3], v.camera[:, 3:]
        return {
            "temporal": losses.temporal(transform(invert_rigid(v.T_start_obj()), keypoints)),
            "camera_smooth": losses.camera_smooth(transform(v.T_cam_hand(), keypoints)),
            "tracker": losses.residual(v.pose, 0.1)
            + losses.residual(turn, 0.1)
            + losses.residual(shift, 0.02)
            + losses.residual(v.betas[None], 3.0),
            "rigid": losses.residual(v.object, 1.0),
        }

    def step(self, step: int) -> dict[str, float]:
        """One update; the terms' values and the objective."""
        self.schedule(step)
        if step % self.settings.refresh == 0:
            self.refresh(step)
        self.renew(step)
        terms = self.terms(step)
        objective = sum(getattr(self.settings.weights, name) * value for name, value in terms.items())
        if not torch.isfinite(objective):
            bad = [name for name, value in terms.items() if not torch.isfinite(value)] or ["their sum"]
            hint = "check the intrinsics and hand poses of this clip; lower fit_clip.rates"
            raise InputError("fit", f"a non-finite loss at step {step}: {', '.join(bad)}", "finite terms", hint)
        self.optimiser.zero_grad()
        objective.backward()
        torch.nn.utils.clip_grad_norm_([p for p in self.variables.parameters() if p.grad is not None], 100.0)
        self.optimiser.step()
        with torch.no_grad():
            self.field.log_beta.clamp_(min=float(np.log(self.settings.field.beta_min_m)))
        if step >= (1 - self.settings.average) * self.settings.steps:
            self.average.add(self.learned())
        return {name: float(value.detach()) for name, value in terms.items()} | {
            "objective": float(objective.detach()),
            "beta_m": float(self.field.beta.detach()),
        }

    def learned(self) -> list[Tensor]:
        """Of field, hand, camera and object, what steps change."""
        return [*self.field.parameters(), *self.variables.parameters()]

    def finish(self) -> None:
        """Be the mean of the last steps."""
        self.average.give(self.learned())
        self.refresh(self.settings.steps)

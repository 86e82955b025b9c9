"""Clips made by us, with exact truth: a hand that holds and moves a procedural object before a camera."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import open3d as o3d
import torch
import trimesh
from jaxtyping import Bool, Float, UInt8

from hoi.config import ProceduralSettings
from hoi.hand.model import HandModel, load_hand
from hoi.sources import motion
from hoi.sources.backdrops import make_passerby
from hoi.sources.frozen import frozen_grasp
from hoi.sources.grasps import Grasp, find_grasp
from hoi.sources.scenery import MARGIN_PX, Film, Scenery, make_film, make_lights, make_scenery, table_shadow
from hoi.sources.shading import (
    Lights,
    Look,
    Surface,
    cast,
    develop,
    scene_of,
    shade,
    smooth_normals,
    tangents,
    unit,
    window,
)
from hoi.sources.shapes import ProceduralObject, Split, make_object, surface_albedo, surface_shine
from hoi.sources.shifts import SHIFTS, Shift
from hoi.sources.skin import Body, make_body
from hoi.sources.srgb import to_linear, to_srgb


@dataclass(frozen=True)
class ProceduralClip:
    """A clip and its truth. Masks and depth at pixel centres.

    hand_mask and object_mask: visible pixels; forearm_mask: visible skin behind the wrist, which is not in hand_mask (a
    masker that looks at pictures finds the union). Amodal masks: all of the object, or of the hand up to the wrist, as
    if it were alone. depth: z of object and hand with its forearm, 0 elsewhere.
    """

    category: str
    side: str
    fps: float
    frames: UInt8[np.ndarray, "n h w 3"]
    K: Float[np.ndarray, "3 3"]
    object_mesh: trimesh.Trimesh
    T_cam_obj: Float[np.ndarray, "n 4 4"]
    T_cam_hand: Float[np.ndarray, "n 4 4"]
    pose: Float[np.ndarray, "n 45"]
    betas: Float[np.ndarray, " 10"]
    joints_cam: Float[np.ndarray, "n 21 3"]
    object_mask: Bool[np.ndarray, "n h w"]
    hand_mask: Bool[np.ndarray, "n h w"]
    forearm_mask: Bool[np.ndarray, "n h w"]
    object_amodal: Bool[np.ndarray, "n h w"]
    hand_amodal: Bool[np.ndarray, "n h w"]
    depth: Float[np.ndarray, "n h w"]
    grasp: Grasp


@dataclass(frozen=True)
class Take:
    """Everything that moves: poses of object, hand and fingers, and the elbow's direction in the hand frame."""

    T_cam_obj: Float[np.ndarray, "n 4 4"]
    T_cam_hand: Float[np.ndarray, "n 4 4"]
    pose: Float[np.ndarray, "n 45"]
    elbow: Float[np.ndarray, "n 3"]
    up: Float[np.ndarray, " 3"]

    def moved(self, T: Float[np.ndarray, "n 4 4"]) -> "Take":
        """Object and hand carried by a motion of the camera frame, frame by frame."""
        poses = {name: (T @ getattr(self, name)).astype(np.float32) for name in ("T_cam_obj", "T_cam_hand")}
        return replace(self, **poses)


def make_clip(
    category: str, seed: int, settings: ProceduralSettings, split: Split = "test", shift: str | None = None
) -> ProceduralClip:
    """The clip of a category, seed and split, filmed as ever or as a word of SHIFTS says; the same arguments give the same.

    Test clips whose grasps are frozen (hoi/sources/frozen.py) are the same on every computer but for roundings. Raises
    InputError where no grasp is found for a seed.
    """
    otherwise = SHIFTS[shift] if shift else Shift()
    shift_rng = np.random.default_rng([*_key(category, seed, split), *(shift or "").encode(), 1])
    thing, hand, betas, rng = casting(category, seed, settings, split, otherwise.left)
    frozen = frozen_grasp(category, seed, hand.side) if split == "test" else None
    grasp = frozen or find_grasp(thing, hand, betas, settings, seed)
    body, K = make_body(hand, betas, rng, otherwise.tone_srgb), intrinsics(settings)
    take = direct(thing, body, grasp, K, category, settings, rng)
    return film(thing, body, take, grasp, K, settings, otherwise, rng, shift_rng)


def intrinsics(settings: ProceduralSettings) -> Float[np.ndarray, "3 3"]:
    """Of the camera, pixels."""
    focal = settings.focal_over_width * settings.width_px
    return np.array([[focal, 0, settings.width_px / 2], [0, focal, settings.height_px / 2], [0, 0, 1]], np.float32)


def _key(category: str, seed: int, split: Split) -> list[int]:
    """What a clip's random numbers start from."""
    return [seed, {"train": 0, "test": 1}[split], *category.encode()]


def casting(
    category: str, seed: int, settings: ProceduralSettings, split: Split, left: bool = False
) -> tuple[ProceduralObject, HandModel, Float[np.ndarray, " 10"], np.random.Generator]:
    """A clip's object, hand and betas, and the generator of all that is drawn after them. `left`: a left hand in any case."""
    rng = np.random.default_rng(_key(category, seed, split))
    thing = make_object(category, seed, split)
    hand = load_hand("left" if rng.random() < settings.left_share or left else "right")
    return thing, hand, np.clip(rng.normal(0, 0.7, 10), -1.5, 1.5).astype(np.float32), rng


def direct(
    thing: ProceduralObject,
    body: Body,
    grasp: Grasp,
    K: np.ndarray,
    category: str,
    settings: ProceduralSettings,
    rng: np.random.Generator,
) -> Take:
    """Choose motion and camera, and place them so that hand and object stay in the picture."""
    n = settings.frames
    script, first_person = motion.script_for(category, rng), bool(rng.random() < settings.first_person_share)
    T_obj_hand = np.linalg.inv(grasp.T_hand_obj)
    view, scale = _choose_view(thing, body, grasp, script, first_person, settings, rng)
    R_cam_world = motion.look_at(view, rng.normal(0, 0.05))
    shake = motion.tremor(n, 1.0, 9, rng)
    R = (
        motion.rotations(script, scale * motion.angles(script, n))
        @ motion.Rotation.from_rotvec(0.006 * shake[:, :3]).as_matrix()
    )
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, :3] = R_cam_world @ R
    T[:, :3, 3] = (motion.positions(script, n) + 0.0008 * shake[:, 3:6]) @ R_cam_world.T
    pivot = 0.5 * (T_obj_hand[:3, 3] + T_obj_hand[:3, :3] @ [-0.09 * body.back, 0, 0])
    T[:, :3, 3] -= T[:, :3, :3] @ pivot
    points = np.concatenate([thing.vertices[::7], _hand_points(body, grasp)])
    moving = np.einsum("nij,pj->npi", T[:, :3, :3], points) + T[:, None, :3, 3]
    shift, _ = motion.fit_distance(
        moving, K, (settings.height_px, settings.width_px), settings.near_m, settings.far_m, 0.04
    )
    T[:, :3, 3] += shift
    T_cam_hand = T @ T_obj_hand
    flex = 0.006 * motion.tremor(n, 1.0, 45, rng) * (np.abs(grasp.pose) > 0.15)
    straight = np.array([body.back, 0, 0])
    world_elbow = unit(T_cam_hand[n // 2, :3, :3] @ straight + 0.7 * (-R_cam_world[:, 2]))
    elbow = unit(1.0 * straight + 0.6 * np.einsum("nji,j->ni", T_cam_hand[:, :3, :3], world_elbow))
    return Take(
        T.astype(np.float32),
        T_cam_hand.astype(np.float32),
        (grasp.pose + flex).astype(np.float32),
        elbow,
        R_cam_world[:, 2],
    )


def _hand_points(body: Body, grasp: Grasp) -> Float[np.ndarray, "p 3"]:
    """Some of the hand's vertices in the object frame."""
    T = np.linalg.inv(grasp.T_hand_obj)
    used = np.unique(body.faces[: body.hand_faces])[::9]
    return body.vertices(grasp.pose, np.array([body.back, 0, 0]))[used] @ T[:3, :3].T + T[:3, 3]


def _choose_view(
    thing: ProceduralObject,
    body: Body,
    grasp: Grasp,
    script: motion.Script,
    first_person: bool,
    settings: ProceduralSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """The camera's direction (world, from object) and the motion's scale: one of the best few by view_score."""
    T_obj_hand = np.linalg.inv(grasp.T_hand_obj)
    V = body.vertices(grasp.pose, np.array([body.back, 0, 0])) @ T_obj_hand[:3, :3].T + T_obj_hand[:3, 3]
    pivot = 0.5 * (T_obj_hand[:3, 3] + T_obj_hand[:3, :3] @ [-0.09 * body.back, 0, 0])
    hand, held = (V, body.faces[: body.hand_faces]), (thing.vertices, thing.faces)
    scenes = [scene_of(x) for x in ([(V, body.faces), held], [hand], [held])]
    wanted, whole = np.radians(settings.view_range_deg), motion.angles(script, settings.frames)
    few = whole[np.linspace(0, settings.frames - 1, 5).round().astype(int)]
    ranked = []
    for view in motion.candidate_views(first_person):
        scale = motion.scale_for(script, few, view, wanted)
        R = motion.rotations(script, scale * few)
        to_cam = np.einsum("nji,j->ni", R, view).astype(np.float32)
        seen = np.array([_seen(scenes, body.hand_faces, pivot, v) for v in to_cam]).T
        score = motion.view_score(view, R @ T_obj_hand[:3, :3], body.back, *seen, first_person)
        ranked.append((score, view))
    ranked.sort(key=lambda r: -r[0])
    view = ranked[int(rng.integers(settings.views_considered))][1]
    return view, motion.scale_for(script, whole, view, wanted)


def _seen(scenes: list, hand_faces: int, centre: np.ndarray, view: np.ndarray) -> tuple[float, float]:
    """Shares of the hand and of the object that are seen from far away in direction `view`, all in the object frame."""
    across, down = (v[0] for v in tangents(view[None]))
    x, y = np.meshgrid(*[np.linspace(-0.16, 0.16, 28)] * 2)
    start = centre + 0.5 * view + x.reshape(-1, 1) * across + y.reshape(-1, 1) * down
    rays = o3d.core.Tensor(np.concatenate([start, np.tile(-view, (len(start), 1))], 1).astype(np.float32))
    hit = scenes[0].cast_rays(rays)
    what, face = hit["geometry_ids"].numpy(), hit["primitive_ids"].numpy()
    whole = [max(int(s.test_occlusions(rays).numpy().sum()), 1) for s in scenes[1:]]
    return float(((what == 0) & (face < hand_faces)).sum() / whole[0]), float((what == 1).sum() / whole[1])


def object_surface(thing: ProceduralObject, T_cam_obj: Float[np.ndarray, "4 4"], smooth: tuple) -> Surface:
    """The object in the camera frame. `smooth` = (vertices, faces, normals) split at creases, in the object frame."""
    vertices, faces, normals = smooth
    R, t = T_cam_obj[:3, :3], T_cam_obj[:3, 3]

    def look(face: np.ndarray, attributes: np.ndarray, normals_cam: np.ndarray) -> Look:
        """Colour and shine at hits."""
        colour = surface_albedo(thing, face, attributes[:, :3], normals_cam @ R).astype(np.float32)
        rough, metal, specular = surface_shine(thing, face).astype(np.float32).T
        f0 = specular[:, None] * (1 - metal[:, None]) + colour * metal[:, None]
        return Look(colour * (1 - metal[:, None]), rough, f0, normals_cam)

    return Surface(
        (vertices @ R.T + t).astype(np.float32),
        (normals @ R.T).astype(np.float32),
        faces,
        vertices.astype(np.float32),
        look,
    )


def creased(vertices: np.ndarray, faces: np.ndarray, angle: float = 0.6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices split by face corner, faces, normals smooth but at edges sharper than `angle` (rad); face order kept."""
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = unit(cross)
    smooth = smooth_normals(vertices, faces)[faces]
    close = (smooth * flat[:, None]).sum(-1, keepdims=True) > np.cos(angle)
    normals = np.where(close, smooth, flat[:, None])
    return corners.reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3), normals.reshape(-1, 3)


def film(
    thing: ProceduralObject,
    body: Body,
    take: Take,
    grasp: Grasp,
    K: np.ndarray,
    settings: ProceduralSettings,
    shift: Shift,
    rng: np.random.Generator,
    shift_rng: np.random.Generator,
) -> ProceduralClip:
    """Render every frame and its truth. What a shift draws comes from `shift_rng`, so that all else stays as drawn."""
    h, w, n = settings.height_px, settings.width_px, len(take.pose)
    T_now_first = shift.camera(n, shift_rng)
    take = take.moved(shift.swing(n, settings.fps, shift_rng))
    room, lights, camera = _set_up(thing, take, K, settings, shift, rng, shift_rng)
    sway = motion.tremor(n, 1.0, 2, rng)
    take, crease = take.moved(T_now_first), creased(thing.vertices, thing.faces)
    passerby = make_passerby(shift_rng) if shift.passerby else None
    truth: dict[str, list] = {
        k: [] for k in ("object_mask", "hand_mask", "forearm_mask", "object_amodal", "hand_amodal", "depth")
    }
    frames = []
    for i in range(n):
        for key, value in _truth(_surfaces(thing, body, take, crease, i, 0.0), body.hand_faces, K, h, w).items():
            truth[key].append(value)
        behind = room
        if passerby is not None:
            behind = passerby.drawn_into(room, lights.room_colour, K, (h, w), (i - n / 2) / settings.fps)
        here, lit = behind.seen_from(T_now_first[i], K, h, w), lights.seen_from(T_now_first[i])
        shots = [
            _picture(_surfaces(thing, body, take, crease, i, moment), *view, here, sway[i], lit, camera, rng)
            for moment, view in zip(shift.moments.tolist(), _views(K, settings, len(shift.moments)), strict=True)
        ]
        frames.append(camera.record(shift.through_lens(_added_up(shots)), rng))
    with torch.no_grad():
        keypoints = body.hand(
            torch.from_numpy(take.pose), torch.from_numpy(body.betas)[None].expand(n, -1)
        ).keypoints.numpy()
    joints = np.einsum("nij,nkj->nki", take.T_cam_hand[:, :3, :3], keypoints) + take.T_cam_hand[:, None, :3, 3]
    return ProceduralClip(
        category=thing.category, side=body.hand.side, fps=settings.fps,
        frames=shift.stored(np.stack(frames), settings.fps), K=K, object_mesh=thing.mesh,
        T_cam_obj=take.T_cam_obj, T_cam_hand=take.T_cam_hand, pose=take.pose, betas=body.betas,
        joints_cam=joints.astype(np.float32), grasp=grasp, **{k: np.stack(v) for k, v in truth.items()},
    )  # fmt: skip


def _set_up(
    thing: ProceduralObject,
    take: Take,
    K: np.ndarray,
    settings: ProceduralSettings,
    shift: Shift,
    rng: np.random.Generator,
    shift_rng: np.random.Generator,
) -> tuple[Scenery, Lights, Film]:
    """Room, lights and camera of a clip, in the frame of the camera's first place."""
    lights, camera = shift.lights(make_lights(take.up, rng), shift_rng), shift.exposed(make_film(rng))
    lowest = min(float(((thing.vertices @ T[:3, :3].T + T[:3, 3]) @ take.up).min()) for T in take.T_cam_obj)
    height_m, margin_px = lowest - float(rng.uniform(0.02, 0.12)), MARGIN_PX + shift.margin_px(settings.width_px)
    size = settings.height_px, settings.width_px
    return make_scenery(K, *size, take.up, height_m, lights, rng, shift.decor, margin_px), lights, camera


def _surfaces(thing: ProceduralObject, body: Body, take: Take, crease: tuple, i: int, moment: float) -> list[Surface]:
    """Body and object a fraction of a frame after frame i; fingers as in frame i."""
    T_cam_hand, T_cam_obj = (motion.between(T, i, moment) for T in (take.T_cam_hand, take.T_cam_obj))
    skin = body.vertices(take.pose[i], take.elbow[i]) @ T_cam_hand[:3, :3].T + T_cam_hand[:3, 3]
    return [body.surface(skin.astype(np.float32)), object_surface(thing, T_cam_obj, crease)]


def _views(
    K: Float[np.ndarray, "3 3"], settings: ProceduralSettings, shots: int
) -> list[tuple[np.ndarray, ProceduralSettings]]:
    """Intrinsics and settings of the pictures of one frame: of many, each has one ray a pixel, at a place of its own in it."""
    if shots == 1:
        return [(K, settings)]
    few, views = settings.model_copy(update={"supersampling": 1}), []
    for k in range(shots):
        inner = K.copy()
        inner[:2, 2] += np.modf([0.5 + 0.7549 * k, 0.5 + 0.5698 * k])[0] - 0.5  # R2, a low-discrepancy sequence
        views.append((inner, few))
    return views


def _added_up(shots: list[Float[np.ndarray, "h w 3"]]) -> Float[np.ndarray, "h w 3"]:
    """The mean of display-referred pictures as light, which is what an open shutter sees."""
    return shots[0] if len(shots) == 1 else to_srgb(np.mean([to_linear(s) for s in shots], axis=0))


def _truth(surfaces: list[Surface], hand_faces: int, K: np.ndarray, h: int, w: int) -> dict[str, np.ndarray]:
    """Masks and depth of one frame at pixel centres."""
    body, thing = ((s.vertices, s.faces) for s in surfaces)
    rows, cols, inner = window(np.concatenate([body[0], thing[0]]), K, h, w)
    size = rows.stop - rows.start, cols.stop - cols.start
    both = cast(scene_of([body, thing]), inner, *size)
    what = both.image(np.where(both.surface == 1, 1, np.where(both.face < hand_faces, 2, 3)))
    alone = [cast(scene_of([x]), inner, *size) for x in ((body[0], body[1][:hand_faces]), thing)]
    whole = [a.image(np.ones(len(a.index), bool)) for a in alone]
    parts = {"object_mask": what == 1, "hand_mask": what == 2, "forearm_mask": what == 3, "hand_amodal": whole[0],
             "object_amodal": whole[1], "depth": both.image(both.position[:, 2]).astype(np.float32)}  # fmt: skip
    out = {key: np.zeros((h, w), part.dtype) for key, part in parts.items()}
    for key, part in parts.items():
        out[key][rows, cols] = part
    return out


def _picture(
    surfaces: list[Surface],
    K: np.ndarray,
    settings: ProceduralSettings,
    room: Scenery,
    sway_px: np.ndarray,
    lights: Lights,
    camera: Film,
    rng: np.random.Generator,
) -> Float[np.ndarray, "h w 3"]:
    """One picture: supersampled foreground over the room, developed, before the camera records it."""
    h, w = settings.height_px, settings.width_px
    rows, cols, inner = window(np.concatenate([s.vertices for s in surfaces]), K, h, w)
    size = rows.stop - rows.start, cols.stop - cols.start
    scene = scene_of([(s.vertices, s.faces) for s in surfaces])
    hits = cast(scene, inner, *size, settings.supersampling)
    focal = float(K[0, 0]) * settings.supersampling
    colour = shade(scene, surfaces, hits, lights, (settings.shadow_rays, settings.ambient_rays), focal, rng)
    cover = hits.image(np.ones(len(hits.index), np.float32))
    shown = develop(colour, camera.exposure) * cover[..., None]
    shown, cover = (cv2.resize(x.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) for x in (shown, cover))
    picture = develop(room.crop(sway_px, h, w) * table_shadow(scene, room, lights, h, w, rng), camera.exposure)
    picture[rows, cols] = shown + picture[rows, cols] * (1 - cover[..., None])
    return picture

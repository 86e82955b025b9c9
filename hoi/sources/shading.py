"""Pictures of surfaces by ray casting on the CPU: what each ray meets, how it is lit, what colour it brings back.

Everything is in the camera frame (OpenCV, metres). Colours are linear RGB until `develop`.
`# ASSUME:` marks our own choices of look; none of them touches the truth (masks, depth), which `cast` alone decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import open3d as o3d
from jaxtyping import Float, Int
from scipy.ndimage import map_coordinates

from hoi.field.compiled import compiled
from hoi.sources.srgb import to_srgb

BACKGROUND = -1


@dataclass(frozen=True)
class Look:
    """What a surface does to light, a row a point: albedo, roughness, mirror reflectance at normal incidence."""

    albedo: Float[np.ndarray, "n 3"]
    roughness: Float[np.ndarray, " n"]
    f0: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Surface:
    """One triangle mesh in the camera frame; `attributes` are interpolated to every hit and handed to `look`.

    `look(face (n,), attributes (n,k), normals (n,3))` gives the Look of n points. `scatter_m` is how far light creeps
    below the surface (red, green, blue; 0 = not at all).
    """

    vertices: Float[np.ndarray, "v 3"]
    normals: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    attributes: Float[np.ndarray, "v k"]
    look: Callable[[np.ndarray, np.ndarray, np.ndarray], Look]
    scatter_m: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Lights:
    """A round area light, a sky above a ground, and one bright window that only mirrors show.

    key_share: of the light on the table, lost in the shadow of hand and object; shadow_blur: softness of that shadow.
    """

    key_position: Float[np.ndarray, " 3"]
    key_radius_m: float
    key_colour: Float[np.ndarray, " 3"]
    sky_colour: Float[np.ndarray, " 3"]
    ground_colour: Float[np.ndarray, " 3"]
    up: Float[np.ndarray, " 3"]
    key_share: float = 0.5
    shadow_blur: float = 1.5

    @property
    def room_colour(self) -> Float[np.ndarray, " 3"]:
        """Light on table and wall."""
        return self.key_colour * 0.32 + self.sky_colour

    def seen_from(self, T_now_first: Float[np.ndarray, "4 4"]) -> "Lights":
        """The same lights in the frame of a camera that has moved."""
        R, t = T_now_first[:3, :3], T_now_first[:3, 3]
        return replace(self, key_position=R @ self.key_position + t, up=R @ self.up)


@dataclass(frozen=True)
class Hits:
    """What the rays of a picture meet: `index` the rows (of H*W) that hit, the rest one row a hit."""

    shape: tuple[int, int]
    index: Int[np.ndarray, " n"]
    surface: Int[np.ndarray, " n"]
    face: Int[np.ndarray, " n"]
    barycentric: Float[np.ndarray, "n 3"]
    position: Float[np.ndarray, "n 3"]

    def image(self, values: np.ndarray, empty: float = 0.0) -> np.ndarray:
        """(n, ...) values of the hits as an (H, W, ...) picture."""
        out = np.full((self.shape[0] * self.shape[1], *values.shape[1:]), empty, values.dtype)
        out[self.index] = values
        return out.reshape(*self.shape, *values.shape[1:])


def smooth_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Area-weighted unit normals of the vertices."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    total = np.stack([sum(np.bincount(faces[:, i], cross[:, k], len(vertices)) for i in range(3)) for k in range(3)], 1)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def scene_of(surfaces: list[tuple[np.ndarray, np.ndarray]]) -> o3d.t.geometry.RaycastingScene:
    """A ray-casting scene of (vertices, faces) pairs; the geometry id is the place in the list."""
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    for vertices, faces in surfaces:
        scene.add_triangles(
            o3d.core.Tensor(np.ascontiguousarray(vertices, np.float32)),
            o3d.core.Tensor(np.ascontiguousarray(faces, np.uint32)),
        )
    return scene


def pixel_rays(K: Float[np.ndarray, "3 3"], rows: Float[np.ndarray, " h"], cols: Float[np.ndarray, " w"]) -> np.ndarray:
    """(h*w, 3) directions with z = 1 through the positions (col, row) in pixels."""
    v, u = np.meshgrid(rows, cols, indexing="ij")
    x, y = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
    return np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3).astype(np.float32)


def window(points: Float[np.ndarray, "n 3"], K: np.ndarray, height: int, width: int) -> tuple[slice, slice, np.ndarray]:
    """The part of a picture that can show points before the camera: rows, columns, and its own intrinsics."""
    uv = points[:, :2] / np.maximum(points[:, 2:], 1e-3) * [K[0, 0], K[1, 1]] + [K[0, 2], K[1, 2]]
    low = np.clip(np.floor(uv.min(0)).astype(int) - 1, 0, [width - 1, height - 1])
    high = np.clip(np.ceil(uv.max(0)).astype(int) + 1, low + 1, [width, height])
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    inner = K.copy()
    inner[:2, 2] -= low
    return slice(top, bottom), slice(left, right), inner


def cast(scene: o3d.t.geometry.RaycastingScene, K: np.ndarray, height: int, width: int, samples: int = 1) -> Hits:
    """First hits of samples x samples rays in each pixel, on a regular grid (samples = 1: pixel centres)."""
    rows = (np.arange(height * samples) + 0.5) / samples
    cols = (np.arange(width * samples) + 0.5) / samples
    d = pixel_rays(K, rows, cols)
    hit = scene.cast_rays(o3d.core.Tensor(np.concatenate([np.zeros_like(d), d], 1)))
    t = hit["t_hit"].numpy()
    index = np.flatnonzero(np.isfinite(t))
    uv = hit["primitive_uvs"].numpy()[index]
    return Hits(
        shape=(height * samples, width * samples),
        index=index,
        surface=hit["geometry_ids"].numpy()[index].astype(np.int64),
        face=hit["primitive_ids"].numpy()[index].astype(np.int64),
        barycentric=np.concatenate([1 - uv.sum(1, keepdims=True), uv], 1),
        position=d[index] * t[index, None],
    )


def interpolate(values: Float[np.ndarray, "v k"], faces: np.ndarray, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """Vertex values at points inside faces."""
    corners = faces[face]
    return sum(values[corners[:, i]] * bary[:, i : i + 1] for i in range(3))


def unit(v: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)


def tangents(n: Float[np.ndarray, "n 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors that complete each unit normal to a frame (Duff et al. 2017)."""
    s = np.where(n[:, 2] >= 0, 1.0, -1.0).astype(n.dtype)
    a = -1 / (s + n[:, 2])
    b = n[:, 0] * n[:, 1] * a
    t = np.stack([1 + s * n[:, 0] ** 2 * a, s * b, -s * n[:, 0]], 1)
    return t, np.stack([b, s + n[:, 1] ** 2 * a, -n[:, 1]], 1)


def visibility(scene, points: np.ndarray, directions: np.ndarray, distance: float | np.ndarray) -> np.ndarray:
    """1 where nothing stands within `distance` metres along unit directions, else 0."""
    reach = np.asarray(distance, np.float32)
    rays = np.concatenate([points, directions], 1).astype(np.float32)
    blocked = np.empty(len(points), bool)
    for far in np.unique(reach):
        part = slice(None) if reach.ndim == 0 else reach == far
        blocked[part] = scene.test_occlusions(o3d.core.Tensor(rays[part]), tnear=0.0, tfar=float(far)).numpy()
    return 1.0 - blocked.astype(np.float32)


def shadow(scene, points: np.ndarray, lights: Lights, rays: int, rng: np.random.Generator) -> np.ndarray:
    """Fraction of the key light's disc that each point sees, by `rays` jittered rays in rings."""
    axis = unit(lights.key_position)[None]
    t, b = tangents(axis)
    total = np.zeros(len(points), np.float32)
    turn = rng.random(len(points), np.float32) * 2 * np.pi
    for i in range(rays):
        radius = lights.key_radius_m * np.sqrt((i + rng.random(len(points), np.float32)) / rays)
        angle = turn + i * 2.399963  # the golden angle
        target = lights.key_position + radius[:, None] * (np.cos(angle)[:, None] * t + np.sin(angle)[:, None] * b)
        total += visibility(scene, points, unit(target - points).astype(np.float32), 3.0)
    return total / rays


def openness(
    scene, points: np.ndarray, normals: np.ndarray, rays: int, reach_m: float, rng: np.random.Generator
) -> np.ndarray:
    """Ambient visibility: cosine-weighted fraction of the hemisphere free within reach_m."""
    t, b = tangents(normals)
    total = np.zeros(len(points), np.float32)
    turn = rng.random(len(points), np.float32) * 2 * np.pi
    for i in range(rays):
        r = np.sqrt((i + rng.random(len(points), np.float32)) / rays)[:, None]
        a = (turn + i * 2.399963)[:, None]
        d = r * np.cos(a) * t + r * np.sin(a) * b + np.sqrt(np.maximum(1 - r * r, 1e-4)) * normals
        total += visibility(scene, points, d.astype(np.float32), reach_m)
    return total / rays


def guided_blur(values: np.ndarray, weight: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian mean over the pixels of weight > 0 only: normalised convolution."""
    if sigma_px < 0.3:
        return values
    w = cv2.GaussianBlur(weight, (0, 0), sigma_px)
    v = cv2.GaussianBlur(values * (weight if values.ndim == 2 else weight[..., None]), (0, 0), sigma_px)
    return v / np.maximum(w if values.ndim == 2 else w[..., None], 1e-6)


@compiled()
def denoise(values: np.ndarray, depth: np.ndarray, normals: np.ndarray, radius: int, step: int) -> np.ndarray:
    """Joint-bilateral mean of (h,w,k) values on a sparse (2 radius + 1)^2 stencil; depth (6 mm) and normals guide it
    (after Dammertz et al. 2010)."""
    h, w, k = values.shape
    out = np.zeros_like(values)
    for i in range(h):
        for j in range(w):
            z = depth[i, j]
            if z <= 0:
                continue
            mass = 0.0
            for a in range(max(0, i - radius * step), min(h, i + radius * step + 1), step):
                for b in range(max(0, j - radius * step), min(w, j + radius * step + 1), step):
                    gap = (depth[a, b] - z) / 0.006
                    n = (
                        normals[a, b, 0] * normals[i, j, 0]
                        + normals[a, b, 1] * normals[i, j, 1]
                        + normals[a, b, 2] * normals[i, j, 2]
                    )
                    if depth[a, b] <= 0 or n <= 0 or gap * gap > 9:
                        continue
                    n = n * n * n * n
                    weight = n * n / (1 + gap * gap * gap * gap)
                    mass += weight
                    for c in range(k):
                        out[i, j, c] += weight * values[a, b, c]
            for c in range(k):
                out[i, j, c] /= max(mass, 1e-6)
    return out


def environment(d: Float[np.ndarray, "n 3"], lights: Lights, roughness: Float[np.ndarray, " n"]) -> np.ndarray:
    """Light that a mirror sees in direction d: sky over ground, a window at the key light, softened by roughness."""
    up = np.clip(d @ lights.up * 0.5 + 0.5, 0, 1)[:, None]
    base = lights.ground_colour * (1 - up) + lights.sky_colour * up
    t, b = tangents(unit(lights.key_position)[None])
    ahead = d @ unit(lights.key_position)
    x, y = (d @ t[0]) / np.maximum(ahead, 1e-3), (d @ b[0]) / np.maximum(ahead, 1e-3)
    soft = 0.04 + 0.6 * roughness
    edge = [1 / (1 + np.exp(np.clip((np.abs(c) - 0.28) / soft * 4, -30, 30))) for c in (x, y)]
    bars = 1 - 0.75 * np.exp(-((x / np.maximum(0.03, soft)) ** 2)) * (roughness < 0.25)
    window = edge[0] * edge[1] * bars * (ahead > 0)
    return base + 3.0 * window[:, None] * lights.key_colour / (1 + 6 * roughness[:, None])


def specular(look: Look, to_light: np.ndarray, to_eye: np.ndarray) -> np.ndarray:
    """GGX reflection of one light, times the cosine (Walter et al. 2007; Schlick's Fresnel)."""
    h = unit(to_light + to_eye)
    nl, nv, nh, vh = (
        np.maximum((a * b).sum(1), 1e-4)
        for a, b in ((look.normals, to_light), (look.normals, to_eye), (look.normals, h), (to_eye, h))
    )
    a2 = np.maximum(look.roughness, 0.08) ** 4
    d = a2 / (np.pi * (nh * nh * (a2 - 1) + 1) ** 2)
    k = np.sqrt(a2) / 2
    g = 1 / ((nl * (1 - k) + k) * (nv * (1 - k) + k))
    f = look.f0 + (1 - look.f0) * ((1 - vh) ** 5)[:, None]
    return (d * g * nl / 4)[:, None] * f


def shade(
    scene,
    surfaces: list[Surface],
    hits: Hits,
    lights: Lights,
    rays: tuple[int, int],
    focal_px: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "h w 3"]:
    """Linear radiance of every ray; 0 where nothing is hit. `rays` = (shadow, ambient) rays a hit; focal in samples."""
    n, geometric = len(hits.index), np.zeros((len(hits.index), 3), np.float32)
    albedo, f0, bumped = (np.zeros((n, 3), np.float32) for _ in range(3))
    rough = np.zeros(n, np.float32)
    for i, s in enumerate(surfaces):
        here = np.flatnonzero(hits.surface == i)
        face, bary = hits.face[here], hits.barycentric[here]
        normal = unit(interpolate(s.normals, s.faces, face, bary)).astype(np.float32)
        look = s.look(face, interpolate(s.attributes, s.faces, face, bary), normal)
        geometric[here], albedo[here], bumped[here] = normal, look.albedo, look.normals
        rough[here], f0[here] = look.roughness, look.f0
    points = hits.position + 0.0006 * geometric
    to_eye, to_light = unit(-hits.position), unit(lights.key_position - hits.position)
    lit, free = shadow(scene, points, lights, rays[0], rng), openness(scene, points, geometric, rays[1], 0.12, rng)
    guide = hits.image(hits.position[:, 2]), hits.image(geometric)
    clean = denoise(hits.image(np.stack([lit, free], 1)), *guide, 2, 2).reshape(-1, 2)[hits.index]
    lit, free = clean[:, 0], clean[:, 1]
    irradiance = _irradiance(surfaces, hits, bumped, to_light, lit, free, lights)
    irradiance = _scatter(surfaces, hits, irradiance, focal_px)
    look = Look(albedo, rough, f0, bumped)
    mirror = 2 * (to_eye * bumped).sum(1, keepdims=True) * bumped - to_eye
    grazing = (1 - np.clip((to_eye * bumped).sum(1), 0, 1)) ** 5
    fresnel = f0 + (np.maximum(1 - rough[:, None], f0) - f0) * grazing[:, None]
    shine = specular(look, to_light, to_eye) * lit[:, None] * lights.key_colour * np.pi * 0.5
    shine = shine + fresnel * environment(mirror, lights, look.roughness) * (free[:, None] ** 1.5)
    return hits.image((albedo * irradiance + shine).astype(np.float32))


def _irradiance(surfaces, hits, normals, to_light, lit, free, lights) -> Float[np.ndarray, "n 3"]:
    """Diffuse light at each hit; surfaces that scatter wrap it around the terminator, red furthest."""
    wrap = np.array([[0.30, 0.14, 0.08] if s.scatter_m[0] > 0 else [0.0, 0.0, 0.0] for s in surfaces], np.float32)
    w = wrap[hits.surface]
    cosine = ((normals * to_light).sum(1, keepdims=True) + w) / (1 + w) ** 2
    lit3 = lit[:, None] ** (1 / (1 + 1.2 * w))
    up = (normals @ lights.up * 0.5 + 0.5)[:, None]
    ambient = lights.ground_colour * (1 - up) + lights.sky_colour * up
    return np.maximum(cosine, 0) * lit3 * lights.key_colour + ambient * free[:, None] ** (1 / (1 + 1.5 * w))


def _scatter(surfaces, hits, irradiance, focal_px) -> Float[np.ndarray, "n 3"]:
    """Screen-space subsurface scattering: irradiance of skin blurred by a width in metres per channel."""
    out = irradiance.copy()
    for i, s in enumerate(surfaces):
        here = np.flatnonzero(hits.surface == i)
        if s.scatter_m[0] <= 0 or len(here) == 0:
            continue
        mask = hits.image((hits.surface == i).astype(np.float32))
        scale = focal_px / float(np.median(hits.position[here, 2]))
        for c in range(3):
            soft = guided_blur(hits.image(irradiance[:, c].astype(np.float32)), mask, s.scatter_m[c] * scale)
            out[here, c] = 0.35 * irradiance[here, c] + 0.65 * soft.reshape(-1)[hits.index[here]]
    return out


class Noise:
    """Smooth random numbers in space: a periodic random volume, summed over octaves; mean 0, about -1 to 1."""

    def __init__(self, rng: np.random.Generator, size: int = 48) -> None:
        self.volume = rng.standard_normal((size, size, size)).astype(np.float32)

    def __call__(self, points: Float[np.ndarray, "n 3"], scale_m: float, octaves: int = 3) -> Float[np.ndarray, " n"]:
        """Values at points (metres); the coarsest feature measures about scale_m."""
        total, amplitude, mass = np.zeros(len(points), np.float32), 1.0, 0.0
        for i in range(octaves):
            at = (points / scale_m * 2**i + 17.3 * i).T
            total += amplitude * map_coordinates(self.volume, at, order=1, mode="grid-wrap")
            mass, amplitude = mass + amplitude**2, amplitude * 0.55
        return total / np.sqrt(mass)


def develop(linear: Float[np.ndarray, "h w 3"], exposure: float) -> Float[np.ndarray, "h w 3"]:
    """Scene-linear light to display values in [0, 1]: a soft shoulder (Narkowicz 2015), then sRGB."""
    x = np.maximum(linear * exposure, 0) * 0.8
    y = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    return to_srgb(y)

"""What the object looks like, and which of its sides were ever seen: colours of the frames gathered on the fitted surface."""

from dataclasses import dataclass

import cv2
import numpy as np
import trimesh
from jaxtyping import Bool, Float, UInt8
from scipy import sparse
from scipy.sparse.linalg import cg

from hoi.geometry.raycast import Posed, build_scene, occluded
from hoi.geometry.sampling import evenly

CLEAR_VIEWS = 1.5  # ASSUME: squarely seen in so many of the views looked at, a point counts as seen by 1 - 1/e
MOST_GRAZING = 0.15  # cosine between normal and viewing ray below which pixels of an outline mix with what is behind it
STRAY = 0.08  # of 1: a colour that differs by this from the mean of all views counts half, so highlights and hands do little
SMOOTH = 0.05  # views that a neighbour's colour is worth: fills what was never seen


@dataclass(frozen=True)
class Appearance:
    """Colour of every vertex (sRGB, 0 to 1), and how well it was seen: 0 inferred, towards 1 seen in several views."""

    rgb: Float[np.ndarray, "V 3"]
    seen: Float[np.ndarray, " V"]

    def painted(self, mesh: trimesh.Trimesh) -> trimesh.Trimesh:
        """The mesh with its colours, and `seen` as an attribute of its vertices."""
        rgba = np.concatenate([self.rgb, np.ones((len(self.rgb), 1))], 1)
        colours = np.round(255 * rgba.clip(0, 1)).astype(np.uint8)
        out = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False)
        out.vertex_attributes["seen"] = self.seen.astype(np.float32)
        return out


def appearance(
    mesh: trimesh.Trimesh,
    T_cam_obj: Float[np.ndarray, "N 4 4"],
    K: Float[np.ndarray, "N 3 3"],
    frames: UInt8[np.ndarray, "N H W 3"],
    object_mask: Bool[np.ndarray, "N H W"],
    confidence: Float[np.ndarray, " N"],
    views: int,
) -> Appearance:
    """Blend the frames on the surface (object frame, metres): where a vertex faces the camera, nothing of the object is
    in the way, and the mask shows the object there (so no finger is). `views` frames are looked at, evenly spread.
    """
    trusted = np.flatnonzero((confidence > 0) & object_mask.any((1, 2)))
    chosen = evenly(trusted, views)
    vertices, normals = np.asarray(mesh.vertices), np.asarray(mesh.vertex_normals)
    if len(chosen) == 0:
        return Appearance(np.full((len(vertices), 3), 0.5), np.zeros(len(vertices)))
    scene = build_scene(vertices, np.asarray(mesh.faces))
    weights, colours = [], []
    for t in chosen:
        facing = facing_share(vertices, normals, T_cam_obj[t], scene)
        px = pixels_of(vertices, T_cam_obj[t], K[t])
        inside = cv2.erode(object_mask[t].astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
        weights.append(facing * confidence[t] * sampled(inside, px))
        colours.append(sampled(frames[t].astype(np.float32) / 255, px))
    rgb, total = blended(np.stack(weights), np.stack(colours))
    return Appearance(filled(mesh, rgb, total), 1 - np.exp(-total / CLEAR_VIEWS))


def facing_share(
    vertices: Float[np.ndarray, "V 3"],
    normals: Float[np.ndarray, "V 3"],
    T_cam_obj: Float[np.ndarray, "4 4"],
    scene: object,
) -> Float[np.ndarray, " V"]:
    """Squared cosine between each vertex' normal and the ray to the camera; 0 where it looks away or is hidden."""
    camera_obj = -T_cam_obj[:3, :3].T @ T_cam_obj[:3, 3]
    to_camera = camera_obj - vertices
    to_camera = to_camera / np.linalg.norm(to_camera, axis=1, keepdims=True).clip(1e-9)
    cosine = (normals * to_camera).sum(1)
    front = np.flatnonzero(cosine > MOST_GRAZING)
    lift = 0.002 * np.ptp(vertices, axis=0).max()  # off its own triangles
    start = vertices[front] + lift * (normals[front] + to_camera[front])
    hidden = occluded([Posed(scene, np.eye(4))], start.astype(np.float32), to_camera[front].astype(np.float32))
    out = np.zeros(len(vertices))
    out[front[~hidden]] = cosine[front[~hidden]] ** 2
    return out


def pixels_of(
    vertices: Float[np.ndarray, "V 3"], T_cam_obj: Float[np.ndarray, "4 4"], K: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "V 2"]:
    """Where vertices are in the picture; far outside it where they are behind the camera."""
    cam = vertices @ T_cam_obj[:3, :3].T + T_cam_obj[:3, 3]
    px = (cam @ K.T)[:, :2] / cam[:, 2:].clip(1e-6)
    return np.where(cam[:, 2:] > 1e-3, px, -1e4).clip(-1e4, 1e4)


def sampled(image: Float[np.ndarray, "H W *c"], px: Float[np.ndarray, "V 2"]) -> Float[np.ndarray, "V *c"]:
    """An image between its pixels (centres at half-integers); 0 outside."""
    width = 1024  # OpenCV takes no map longer than 32767 a side
    padded = np.pad(px - 0.5, ((0, -len(px) % width), (0, 0))).astype(np.float32).reshape(-1, width, 2)
    found = cv2.remap(image, padded, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return found.reshape(-1, *image.shape[2:])[: len(px)].astype(np.float64)


def blended(
    weights: Float[np.ndarray, "k V"], colours: Float[np.ndarray, "k V 3"]
) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, " V"]]:
    """Weighted mean colour over the views, those that stray from it counted less in two further rounds; and the weights'
    sum. Pixels that are blown out or black count a tenth: they are light, not colour.
    """
    light = colours.mean(-1)
    well_lit = np.where((light > 0.04) & (colours.max(-1) < 0.98), 1.0, 0.1)
    total = weights.sum(0)
    w = weights * well_lit
    for _ in range(3):
        mean = (w[..., None] * colours).sum(0) / w.sum(0).clip(1e-9)[:, None]
        stray = ((colours - mean) ** 2).sum(-1) / STRAY**2
        w = weights * well_lit / (1 + stray)
    return mean, total


def filled(
    mesh: trimesh.Trimesh, rgb: Float[np.ndarray, "V 3"], weight: Float[np.ndarray, " V"]
) -> Float[np.ndarray, "V 3"]:
    """Colours that agree with those observed, by their weight, and with their neighbours: least squares over the edges.

    What no view saw takes the colour of what was seen around it; a part without any takes grey.
    """
    n, edges = len(rgb), mesh.edges_unique
    ones = np.ones(len(edges))
    A = sparse.coo_matrix((ones, (edges[:, 0], edges[:, 1])), (n, n)).tocsr()
    A = A + A.T
    laplacian = sparse.diags(np.asarray(A.sum(1)).ravel()) - A
    known = weight + 1e-6  # grey where nothing else speaks
    target = (weight[:, None] * rgb + 1e-6 * 0.5) / known[:, None]
    system = (sparse.diags(known) + SMOOTH * laplacian).tocsr()
    scale = sparse.diags(1 / system.diagonal())
    solved = [cg(system, known * c, x0=c, rtol=1e-4, maxiter=500, M=scale)[0] for c in target.T]
    return np.stack(solved, 1).clip(0, 1)

"""From the field to a mesh."""

import numpy as np
import trimesh
from skimage.measure import marching_cubes

from hoi.errors import DataFailure
from hoi.field.sdf import SdfField


def grid_box(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box of the cells where a grid of signed distances is negative, one cell wider, within the grid."""
    inside = np.argwhere(values < 0)
    if len(inside) == 0:
        hint = "look at the masks and hands of this clip: too few object pixels, or hands far off"
        raise DataFailure("fit", "an empty surface", "an object that some rays meet", hint)
    step = (high - low) / (np.array(values.shape) - 1)
    return low + np.maximum(inside.min(0) - 1, 0) * step, low + np.minimum(
        inside.max(0) + 1, np.array(values.shape) - 1
    ) * step


def mesh_from_grid(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> trimesh.Trimesh:
    """Marching cubes at zero; closed at the grid's border; the largest component."""
    step = (high - low) / (np.array(values.shape) - 1)
    padded = np.pad(values, 1, constant_values=float(np.abs(values).max()) + 1e-3)
    vertices, faces, _, _ = marching_cubes(padded, 0.0)
    mesh = trimesh.Trimesh(vertices * step + low - step, faces[:, ::-1], process=True)
    parts = mesh.split(only_watertight=False)
    largest = max(parts, key=lambda part: abs(part.volume)) if len(parts) else mesh
    if largest.volume < 0:
        largest.invert()
    return largest


def extract(field: SdfField, coarse: np.ndarray, low: np.ndarray, high: np.ndarray, resolution: int) -> trimesh.Trimesh:
    """The field's zero level: `resolution` cells along the longest side of the box that a coarse grid shows."""
    low, high = grid_box(coarse, low, high)
    step = float((high - low).max()) / resolution
    shape = tuple(int(n) for n in np.ceil((high - low) / step).astype(int) + 1)
    high = low + (np.array(shape) - 1) * step
    return mesh_from_grid(field.on_grid(low, high, shape).cpu().numpy(), low, high)

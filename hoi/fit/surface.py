"""From the field to a mesh."""

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Integer
from skimage.measure import marching_cubes

from hoi.errors import DataFailure
from hoi.field.sdf import Field
from hoi.geometry.banded_grid import banded_grid


def _empty() -> DataFailure:
    hint = "look at the masks and hands of this clip: too few object pixels, or hands far off"
    return DataFailure("fit", "an empty surface", "an object that some rays meet", hint)


def grid_box(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box of the cells that a surface may pass, one cell wider, within the grid: a blade passes between its vertices."""
    step = (high - low) / (np.array(values.shape) - 1)
    inside = np.argwhere(values < np.linalg.norm(step) / 2)
    if len(inside) == 0:
        raise _empty()
    return low + np.maximum(inside.min(0) - 1, 0) * step, low + np.minimum(
        inside.max(0) + 1, np.array(values.shape) - 1
    ) * step


def mesh_from_grid(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> trimesh.Trimesh:
    """Marching cubes at zero; closed at the grid's border; the largest component. Raises DataFailure where nothing is inside."""
    if values.min() >= 0:
        raise _empty()
    step = (high - low) / (np.array(values.shape) - 1)
    padded = np.pad(values, 1, constant_values=float(np.abs(values).max()) + 1e-3)
    vertices, faces, _, _ = marching_cubes(padded, 0.0)
    mesh = trimesh.Trimesh(vertices * step + low - step, faces[:, ::-1], process=True)
    parts = mesh.split(only_watertight=False)
    largest = max(parts, key=lambda part: abs(part.volume)) if len(parts) else mesh
    if largest.volume < 0:
        largest.invert()
    return largest


def extract(
    field: Field, coarse: np.ndarray, low: np.ndarray, high: np.ndarray, resolution: int, least_m: float
) -> trimesh.Trimesh:
    """The field's zero level: `resolution` cells along the longest side of the box that a coarse grid shows, but none of less
    than `least_m`."""
    low, high = grid_box(coarse, low, high)
    step = max(float((high - low).max()) / resolution, least_m)
    shape = tuple(int(n) for n in np.ceil((high - low) / step).astype(int) + 1)

    def at(index: Integer[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """The field at the grid's vertices."""
        return field.of_many(torch.from_numpy((low + step * index).astype(np.float32))).cpu().numpy()

    return mesh_from_grid(banded_grid(at, shape, step), low, low + step * (np.array(shape) - 1))

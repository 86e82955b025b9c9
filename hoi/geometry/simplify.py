"""Surfaces with fewer triangles."""

import numpy as np
import open3d as o3d
from jaxtyping import Float, Integer


def simplified(
    vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"], most: int
) -> tuple[Float[np.ndarray, "w 3"], Integer[np.ndarray, "g 3"]]:
    """The surface in about `most` triangles by quadric edge collapse (Garland and Heckbert 1997); as it is if it has no more."""
    if len(faces) <= most:
        return vertices, faces
    mesh = o3d.t.geometry.TriangleMesh(
        o3d.core.Tensor(np.ascontiguousarray(vertices, np.float32)),
        o3d.core.Tensor(np.ascontiguousarray(faces, np.int32)),
    )
    small = mesh.simplify_quadric_decimation(target_reduction=1 - most / len(faces))
    return small.vertex.positions.numpy(), small.triangle.indices.numpy().astype(np.int64)

"""Surfaces with fewer triangles."""

import numpy as np
import open3d as o3d
from jaxtyping import Float, Integer


def simplified(
    vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"], most: int
) -> tuple[Float[np.ndarray, "w 3"], Integer[np.ndarray, "g 3"]]:
    """The surface in about `most` triangles by quadric edge collapse (Garland and Heckbert 1997); as it is if it has no more.

    ASSUME: open3d's own collapse; the one of its tensor meshes, which is VTK's, crashes on slivers that marching cubes leave.
    """
    if len(faces) <= most:
        return vertices, faces
    whole = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(np.asarray(vertices, float)), o3d.utility.Vector3iVector(np.asarray(faces, np.int32))
    )
    small = whole.simplify_quadric_decimation(most)
    return np.asarray(small.vertices, np.float32), np.asarray(small.triangles, np.int64)

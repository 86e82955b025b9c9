"""Surfaces with fewer triangles."""

import numpy as np
import open3d as o3d
from jaxtyping import Float, Integer

CELL_M = 0.001  # vertices this near to each other are one before edges collapse, which takes a third of the time then


def simplified(
    vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"], most: int
) -> tuple[Float[np.ndarray, "w 3"], Integer[np.ndarray, "g 3"]]:
    """The surface (metres) in about `most` triangles; as it is if it has no more.

    Vertex clustering (Lindstrom 2000) of what is finer than a picture shows, then quadric edge collapse (Garland and Heckbert
    1997).

    ASSUME: open3d's own collapse; the one of its tensor meshes, which is VTK's, crashes on slivers that marching cubes leave.
    """
    if len(faces) <= most:
        return vertices, faces
    whole = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(np.asarray(vertices, float)), o3d.utility.Vector3iVector(np.asarray(faces, np.int32))
    )
    near = whole.simplify_vertex_clustering(CELL_M, o3d.geometry.SimplificationContraction.Quadric)
    small = near.simplify_quadric_decimation(most)
    return np.asarray(small.vertices, np.float32), np.asarray(small.triangles, np.int64)

"""Meshes in files: read and checked. A recorded failure in place of a mesh is raised again."""

from pathlib import Path

import numpy as np
import trimesh

from hoi.artefacts import raise_recorded
from hoi.errors import InputError


def read_mesh(path: Path | str) -> trimesh.Trimesh:
    """One triangle mesh of any format that trimesh reads, several parts joined; finite vertices. It may be empty."""
    raise_recorded(path)
    try:
        mesh = trimesh.load_mesh(path, process=False)  # processing would drop NaN unseen
    except Exception as error:  # trimesh's readers raise whatever their parsers raise
        raise InputError(
            path, f"{type(error).__name__}: {error}", "a mesh file (ply, obj, stl, glb)", "export it again"
        ) from error
    bad = ~np.isfinite(mesh.vertices).all(-1)
    if bad.any():
        found = f"{int(bad.sum())} vertices with NaN or infinity, the first at index {int(np.argmax(bad))}"
        raise InputError(path, found, "finite vertices", "repair the mesh")
    mesh.merge_vertices(merge_tex=True, merge_norm=True)  # one corner is one vertex, also along seams of a texture
    return mesh


def read_coloured(path: Path | str) -> trimesh.Trimesh:
    """The object in its colours as show_clip writes it: with how well each vertex was seen as its attribute `seen`."""
    raise_recorded(path)
    try:
        mesh = trimesh.load_mesh(path, process=False)
        seen = mesh.metadata["_ply_raw"]["vertex"]["data"]["seen"]
    except (OSError, ValueError, KeyError) as error:
        expected = "a ply with a vertex property `seen`"
        raise InputError(path, f"{type(error).__name__}: {error}", expected, "delete it; show_clip makes it") from error
    mesh.vertex_attributes["seen"] = np.asarray(seen, np.float32).reshape(-1)
    return mesh

"""Points drawn from surfaces, and rotations spread over SO(3). numpy only; everything is seeded or fixed."""

import numpy as np
from jaxtyping import Float, Integer, Shaped


def face_areas(vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"]) -> Float[np.ndarray, " f"]:
    """Area of each triangle, in squared units of the vertices."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=-1)


def sample_surface(
    vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"], n: int, seed: int
) -> Float[np.ndarray, "n 3"]:
    """n points drawn uniformly by area from a triangle mesh.

    Faces are drawn with probability proportional to area, stratified (one draw in each of n equal slices of the total
    area); within a face p = (1 - sqrt(r)) a + sqrt(r) (1 - q) b + sqrt(r) q c (Osada et al. 2002, eq. 1).
    """
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(face_areas(vertices, faces))
    drawn = (np.arange(n) + rng.random(n)) / n * cumulative[-1]
    face = faces[np.minimum(np.searchsorted(cumulative, drawn, side="right"), len(faces) - 1)]
    root, q = np.sqrt(rng.random(n))[:, None], rng.random(n)[:, None]
    a, b, c = (vertices[face[:, i]] for i in range(3))
    return (1 - root) * a + root * (1 - q) * b + root * q * c


def evenly(rows: Shaped[np.ndarray, "n *row"], count: int) -> Shaped[np.ndarray, "_k *row"]:
    """`count` of the rows, the first and the last among them and the others evenly between; all where there are no more."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]


def spread_rotations(n: int) -> Float[np.ndarray, "n 3 3"]:
    """n rotations spread evenly over SO(3), the same ones every time (super-Fibonacci spirals, Alexa, CVPR 2022)."""
    phi, psi = np.sqrt(2.0), 1.533751168755204288118041413
    s = np.arange(n) + 0.5
    r, big_r = np.sqrt(s / n), np.sqrt(1 - s / n)
    alpha, beta = 2 * np.pi * s / phi, 2 * np.pi * s / psi
    x, y, z, w = r * np.sin(alpha), r * np.cos(alpha), big_r * np.sin(beta), big_r * np.cos(beta)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)

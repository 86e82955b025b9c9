import numpy as np
import pytest

from hoi.sources.shapes.solids import Piece, curve, fillet, inward, lathe, loft, pillow, prism, resample, section, sweep

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def volume(piece: Piece) -> float:
    return piece.solid.volume() / 1e9


def test_lathe_of_a_rectangle_is_a_cylinder() -> None:
    piece = lathe(np.array([[0, 0], [0.02, 0], [0.02, 0.1], [0, 0.1]]), "body", 256)
    assert volume(piece) == pytest.approx(np.pi * 0.02**2 * 0.1, rel=1e-3)


def test_fillet_of_a_square_takes_four_corner_gaps_away() -> None:
    polygon = fillet(SQUARE, 0.2, step=0.01)
    x, y = polygon.T
    area = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    assert area == pytest.approx(1 - (4 - np.pi) * 0.2**2, rel=1e-4)


def test_fillet_keeps_open_ends() -> None:
    path = fillet(np.array([[0, 0], [1, 0], [1, 1.0]]), 0.3, closed=False)
    np.testing.assert_array_equal(path[[0, -1]], [[0, 0], [1, 1]])


@pytest.mark.parametrize(("axis", "centre"), [("y", (1.0, 3.5, 2.0)), ("x", (3.5, 1.0, 2.0)), ("z", (1.0, 2.0, 3.5))])
def test_prism_puts_the_polygon_in_the_named_plane(axis: str, centre: tuple[float, float, float]) -> None:
    square = (SQUARE - 0.5 + [1.0, 2.0]) * 0.01
    vertices, _, names = prism(square, 0.03, 0.04, "bar", axis).triangles()
    np.testing.assert_allclose((vertices.min(axis=0) + vertices.max(axis=0)) / 2, 0.01 * np.array(centre), atol=1e-9)
    assert set(names) == {"bar"}


def test_joining_and_cutting_keep_the_parts() -> None:
    block = prism(0.01 * SQUARE, 0.0, 0.01, "block", "z")
    knob = prism(0.01 * SQUARE * 0.5, 0.0, 0.02, "knob", "z")
    hole = prism(0.01 * (0.2 * SQUARE + [0.6, 0.6]), -0.01, 0.05, "hole", "z")
    result = block + knob - hole
    _, _, names = result.triangles()
    assert set(names) == {"block", "knob", "hole"}
    assert volume(result) == pytest.approx(1e-6 * (1 + 0.25 - 0.04), rel=1e-5)


def test_largest_drops_voids_and_crumbs() -> None:
    block = prism(0.01 * SQUARE, 0.0, 0.01, "block", "z")
    void = prism(0.01 * (0.2 * SQUARE + [0.4, 0.4]), 0.004, 0.006, "void", "z")
    crumb = prism(0.001 * SQUARE + 0.05, 0.0, 0.001, "crumb", "z")
    assert volume((block - void + crumb).largest()) == pytest.approx(1e-6, rel=1e-6)


def test_sweep_along_a_straight_line_is_an_elliptic_cylinder() -> None:
    line = np.stack([np.linspace(0, 0.1, 20), np.zeros(20), np.zeros(20)], axis=1)
    assert volume(sweep(line, 0.01, 0.005, "bar", exponent=2.0, count=256)) == pytest.approx(
        np.pi * 5e-5 * 0.1, rel=1e-3
    )


def test_loft_faces_outwards_whichever_way_the_rings_run() -> None:
    ring = 0.01 * np.insert(section(32), 2, 0.0, axis=1)
    rings = np.stack([ring, ring + np.array([0, 0, 0.02])])
    assert volume(loft(rings, "a")) == pytest.approx(volume(loft(rings[::-1], "a"))) and volume(loft(rings, "a")) > 0


@pytest.mark.parametrize("spacing", [None, 0.05])
def test_pillow_without_rounding_is_a_prism_and_loses_its_edges_with_it(spacing: float | None) -> None:
    polygon = fillet(SQUARE, 0.3)
    sharp, soft = (volume(pillow(polygon, 0.5, edge, "a", spacing)) for edge in (1e-6, 0.1))
    assert sharp == pytest.approx(1 - (4 - np.pi) * 0.3**2, rel=5e-3)
    perimeter = 4 * 0.4 + 2 * np.pi * 0.3
    assert sharp - soft == pytest.approx(2 * (1 - np.pi / 4) * 0.1**2 * perimeter, rel=0.1)


def test_inward_moves_a_squares_edges_by_one() -> None:
    np.testing.assert_allclose(SQUARE + 0.1 * inward(SQUARE), 0.1 + 0.8 * SQUARE)


def test_resampled_curves_have_equal_steps() -> None:
    path = curve(np.array([[0, 0], [1, 0.3], [2, -0.5], [2.5, 1.0]]), 50)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.02
    np.testing.assert_allclose(resample(np.array([[0.0], [3.0], [4.0]]), 5)[:, 0], [0, 1, 2, 3, 4])

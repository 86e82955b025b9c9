import numpy as np
import pytest

from hoi.sources.shapes.palettes import rgb, shaded
from hoi.sources.shapes.textures import (
    Band,
    Brushed,
    Chart,
    Checks,
    Decal,
    Dots,
    Gradient,
    Mottle,
    Speckle,
    Stripes,
    Wood,
    albedo_layers,
    value_noise,
)

WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
UP = np.array([[0.0, 0.0, 1.0]])
TOP = Chart("top")


def red(layer: object, *points: tuple[float, float, float]) -> list[float]:
    where = np.array(points)
    return list(albedo_layers(BLACK, (layer,), where, np.repeat(UP, len(where), axis=0))[:, 0])


def test_srgb_to_linear() -> None:
    assert rgb("ffffff") == (1.0, 1.0, 1.0)
    assert rgb("808080")[0] == pytest.approx(0.2158605, abs=1e-6)
    assert shaded((0.4, 0.4, 0.4), 0.5) == (0.2, 0.2, 0.2)


def test_band_and_gradient_along_z() -> None:
    assert red(Band(WHITE, 0.01, 0.02), (0, 0, 0.005), (0, 0, 0.015), (0, 0, 0.025)) == [0, 1, 0]
    assert red(Gradient(WHITE, 0.0, 0.1), (0, 0, -1), (0, 0, 0.05), (0, 0, 1)) == [0, 0.5, 1]


def test_stripes_dots_and_checks() -> None:
    stripes = Stripes(WHITE, TOP, 0.02, 0.01, 0.0)  # centred at 0.01 + k * 0.02 along x
    assert red(stripes, (0.01, 0, 0), (0.02, 0, 0), (0.03, 0.5, 0)) == [1, 0, 1]
    dots = Dots(WHITE, TOP, 0.01, 0.002)  # rows 0.008 apart, centred at 0.004; even rows at 0.005 + k * 0.01
    assert red(dots, (0.005, 0.004, 0), (0.0, 0.004, 0), (0.0, 0.012, 0)) == [1, 0, 1]
    checks = Checks(WHITE, TOP, 0.01)
    assert red(checks, (0.005, 0.005, 0), (0.015, 0.005, 0), (0.015, 0.015, 0)) == [0, 1, 0]


def test_around_chart_is_angle_times_radius() -> None:
    u, v = Chart("around", 0.04, (0.0, 0.01)).uv(np.array([[0.0, 0.04, 0.03], [0.04, 0.0, 0.01]]), np.zeros((2, 3)))
    np.testing.assert_allclose(u, [0.04 * np.pi / 2, 0.0], atol=1e-12)
    np.testing.assert_allclose(v, [0.02, 0.0], atol=1e-12)


def test_decal_reads_left_to_right_from_both_sides() -> None:
    art = np.zeros((1, 2, 4))
    art[0, 0] = [1, 1, 1, 1]  # the left half is white, the right half uncovered
    layer = Decal(art, Chart("side"), 0.02, 0.02)
    points = np.array(
        [[0.008, 0.01, 0.0], [-0.008, 0.01, 0.0], [0.008, -0.01, 0.0], [-0.008, -0.01, 0.0], [0.05, 0.01, 0]]
    )
    normals = np.array([[0, 1.0, 0], [0, 1, 0], [0, -1, 0], [0, -1, 0], [0, 1, 0]])
    assert list(albedo_layers(BLACK, (layer,), points, normals)[:, 0]) == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("layer", [Wood((0.1, 0.05, 0.02), 3), Speckle(WHITE, 3, 0.004, 0.003), Brushed(3), Mottle(3)])
def test_noise_layers_vary_over_the_surface_and_repeat_exactly(layer: object) -> None:
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (400, 3))
    normals = np.repeat(UP, 400, axis=0)
    first, again = (albedo_layers((0.5, 0.4, 0.3), (layer,), points, normals) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first[:, 0].std() > 0.005


def test_value_noise_is_smooth_and_within_bounds() -> None:
    points = np.random.default_rng(1).uniform(-5, 5, (2000, 3))
    noise = value_noise(points, 7)
    assert noise.min() >= 0 and noise.max() <= 1 and abs(noise.mean() - 0.5) < 0.03
    assert np.abs(value_noise(points + 1e-4, 7) - noise).max() < 1e-3

"""A grid of distances, measured closely near the surface only."""

import numpy as np

from hoi.geometry.banded_grid import COARSE, banded_grid

STEP_M = 0.002


def _ball(asked: list[int]):
    """Distances to a ball of 3 cm, and how many were asked for."""

    def at(index: np.ndarray) -> np.ndarray:
        """Metres at grid indices."""
        asked.append(len(index))
        return (np.linalg.norm(STEP_M * (index - [25, 28, 31]), axis=1) - 0.03).astype(np.float32)

    return at


def test_exact_near_the_surface_and_close_elsewhere():
    asked: list[int] = []
    shape = (50, 57, 63)
    values = banded_grid(_ball(asked), shape, STEP_M)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1).reshape(-1, 3)
    truth = _ball([])(index).reshape(shape)
    near = np.abs(truth) < 2 * STEP_M
    np.testing.assert_array_equal(values[near], truth[near])
    np.testing.assert_allclose(values, truth, atol=COARSE * STEP_M)
    off = np.abs(values - truth)
    assert ((values < 0) == (truth < 0)).all() and off.mean() < 0.1 * STEP_M
    assert sum(asked) < 0.6 * truth.size


def test_a_sheet_between_the_coarse_vertices_is_found():
    def sheet(index: np.ndarray) -> np.ndarray:
        """2 mm thick, off the coarse vertices."""
        return (np.abs(STEP_M * (index[:, 2] - 10)) - 0.001).astype(np.float32)

    assert (banded_grid(sheet, (9, 9, 24), STEP_M)[:, :, 10] < 0).all()

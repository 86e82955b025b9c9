"""From the field to a mesh: cells as fine as asked for, and no finer than is of use."""

import numpy as np
import pytest
import torch

from hoi.field.sdf import Field
from hoi.fit.surface import extract


class Ball(Field):
    def __init__(self):
        super().__init__(0.001)

    def forward(self, x):
        return x.norm(dim=-1) - 0.04


@pytest.mark.parametrize(("cells", "least_m", "cell_m"), [(16, 0.001, 0.1 / 16), (200, 0.002, 0.002)])
def test_cells_are_a_share_of_the_box_but_no_smaller_than_the_least(cells, least_m, cell_m):
    low, high = np.full(3, -0.05, np.float32), np.full(3, 0.05, np.float32)
    axes = [np.linspace(-0.05, 0.05, 20, dtype=np.float32)] * 3
    coarse = Ball()(torch.from_numpy(np.stack(np.meshgrid(*axes, indexing="ij"), -1))).numpy()
    mesh = extract(Ball(), coarse, low, high, cells, least_m)
    assert mesh.is_watertight and np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(0.04, abs=3e-4)
    edges = mesh.edges_unique_length
    assert edges.max() <= cell_m * 3**0.5 * 1.01 and np.median(edges) > 0.4 * cell_m

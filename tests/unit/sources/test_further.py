"""Makes that came later than the frozen seeds."""

import numpy as np

from hoi.sources.shapes import FURTHER_FROM, make_object


def test_later_bottles_have_a_lid_as_wide_as_they_are():
    for seed in range(FURTHER_FROM, FURTHER_FROM + 6):
        thing = make_object("bottle", seed, "train")
        assert thing.mesh.is_watertight
        radius = np.hypot(*(thing.vertices - thing.mesh.bounds.mean(0))[:, :2].T)
        height = thing.vertices[:, 2] - thing.mesh.bounds[0, 2]
        tall = height.max()
        lid, body = radius[height > 0.95 * tall].max(), radius[height < 0.6 * tall].max()
        assert body < lid < 1.25 * body
        assert 0.13 < tall < 0.28

"""Figures are drawn and grow with what they show."""

import numpy as np

from hoi.present.figures import bars, stacked_bars


def coloured(picture):
    return int((np.ptp(picture.astype(int), axis=-1) > 30).sum())


def test_bars_are_as_long_as_their_values():
    low, high = (bars({"a": v, "b": 10.0}, "points", "M/s") for v in (1.0, 10.0))
    assert low.shape == high.shape and low.dtype == np.uint8
    assert 0.5 < coloured(low) / coloured(high) < 0.62  # 1 + 10 against 10 + 10


def test_stacked_bars_show_each_part():
    picture = stacked_bars({"x": {"fit": 60.0, "mask": 20.0}, "y": {"fit": 30.0}}, "seconds", "s")
    assert coloured(picture) > 1000 and picture.shape[0] > 150

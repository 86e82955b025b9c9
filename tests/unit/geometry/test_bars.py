import numpy as np

from hoi.geometry.bars import content_box


def test_black_bars_are_no_picture():
    frames = np.zeros((3, 40, 60, 3), np.uint8)
    frames[:, 4:36, 10:50] = 120
    assert content_box(frames) == (slice(4, 36), slice(10, 50))
    assert content_box(frames * 0) == (slice(0, 40), slice(0, 60))

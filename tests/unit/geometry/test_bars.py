import numpy as np

from hoi.geometry.bars import content_box


def test_black_bars_are_no_picture():
    frames = np.zeros((3, 40, 60, 3), np.uint8)
    frames[:, 4:36, 10:50] = 120
    assert content_box(frames) == (slice(4, 36), slice(10, 50))
    assert content_box(frames * 0) == (slice(0, 40), slice(0, 60))


def test_a_dark_scene_has_no_bars():
    frames = np.zeros((3, 40, 60, 3), np.uint8)
    frames[:, 12:33, 30:50] = 120
    assert content_box(frames) == (slice(0, 40), slice(0, 60)), "what is lit is not in the middle"
    frames[:] = 0
    frames[:, 4:36, 10:50] = 120
    frames[1, 20, 3] = frames[2, 21, 55] = 200
    assert content_box(frames)[1].start <= 3, "a thin thing reaches out of the middle"

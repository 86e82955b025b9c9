import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hoi.observe.palm import anchors, box_iou, decode, sigmoid, weighted_nms


def test_anchors_are_the_cells_centres():
    a = anchors()
    assert a.shape == (2016, 2)
    np.testing.assert_allclose(a[0], [4 / 192, 4 / 192])  # two an 8-pixel cell
    np.testing.assert_allclose(a[1], a[0])
    np.testing.assert_allclose(a[2], [12 / 192, 4 / 192])  # then along x
    np.testing.assert_allclose(a[2 * 24], [4 / 192, 12 / 192])
    np.testing.assert_allclose(a[1152], [8 / 192, 8 / 192])  # then 16-pixel cells, six each
    np.testing.assert_allclose(a[1157], a[1152])
    np.testing.assert_allclose(a[-1], [184 / 192, 184 / 192])


def test_decode_by_hand():
    raw = np.zeros((1, 18), np.float32)
    raw[0, :4] = [19.2, -9.6, 38.4, 19.2]  # +0.1, -0.05 of the input; 0.2 wide, 0.1 high
    raw[0, 4:6] = [1.92, 3.84]
    boxes, keypoints = decode(raw, np.array([[0.5, 0.5]], np.float32))
    np.testing.assert_allclose(boxes[0], [0.5, 0.4, 0.7, 0.5], atol=1e-6)
    np.testing.assert_allclose(keypoints[0, 0], [0.51, 0.52], atol=1e-6)
    np.testing.assert_allclose(keypoints[0, 6], [0.5, 0.5], atol=1e-6)


def test_sigmoid_is_finite_far_out():
    np.testing.assert_allclose(sigmoid(np.array([-1e9, 0.0, 1e9])), [0, 0.5, 1], atol=1e-30)


def test_iou_by_hand():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], float)
    np.testing.assert_allclose(box_iou(boxes[0], boxes), [1, 1 / 3, 0])


def test_weighted_nms_averages_what_overlaps():
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], float)
    keypoints = np.arange(3)[:, None, None] * np.ones((3, 7, 2))
    found = weighted_nms(boxes, keypoints, np.array([0.6, 0.3, 0.9]))
    assert [round(p.score, 3) for p in found] == [0.9, 0.6]
    np.testing.assert_allclose(found[1].box_px, [2 / 3, 0, 10 + 2 / 3, 10])
    np.testing.assert_allclose(found[1].keypoints_px, 1 / 3)


@given(st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_nms_leaves_no_overlap_above_the_bound_of_the_best(n, seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 50, (n, 2))
    boxes = np.hstack([low, low + rng.uniform(1, 30, (n, 2))])
    found = weighted_nms(boxes, np.zeros((n, 7, 2)), rng.uniform(0.1, 1, n))
    assert len(found) <= n
    assert (n == 0) == (not found)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)

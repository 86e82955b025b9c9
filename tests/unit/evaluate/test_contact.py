"""Contact and penetration by hand-computed answers."""

import numpy as np
import pytest

from hoi.evaluate.contact import contact_agreement, contact_ratio, penetration_mm

SIGNED = np.array([[0.01, -0.004, 0.001], [0.02, 0.03, 0.004]])  # metres; two frames of three vertices


def test_penetration_is_the_mean_of_each_frames_deepest_vertex():
    assert penetration_mm(SIGNED) == pytest.approx((4 + 0) / 2)


def test_contact_ratio_counts_frames():
    assert contact_ratio(SIGNED, 0.005) == 1.0
    assert contact_ratio(SIGNED, 0.003) == 0.5


def test_agreement_by_hand():
    # Said: (0, 1), (0, 2), (1, 2). Was: (0, 0), (0, 1), (1, 2). Both: 2 of 3 and 3.
    true = np.array([[0.001, 0.001, 0.02], [0.02, 0.03, 0.004]])
    assert contact_agreement(SIGNED, true, 0.005) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert contact_agreement(SIGNED, true, 0.002) == pytest.approx((1 / 2, 1 / 2, 1 / 2))


def test_agreement_where_one_side_touches_nothing():
    nowhere = np.full((2, 3), np.inf)
    assert contact_agreement(nowhere, SIGNED, 0.005) == (0.0, 0.0, 0.0)
    assert contact_agreement(SIGNED, nowhere, 0.005) == (0.0, None, 0.0)
    assert contact_agreement(nowhere, nowhere, 0.005) == (None, None, None)

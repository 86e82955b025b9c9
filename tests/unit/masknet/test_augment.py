import numpy as np
import pytest

from hoi.config import MaskAugment
from hoi.masknet.augment import augmented, pattern, plain, recoloured

from ..observe.conftest import FLAT
from .conftest import COLOURS, made_rows

NOTHING = dict.fromkeys(MaskAugment.model_fields, 0.0) | {"blur_px": (0.0, 0.0)}


def row(number=0):
    return {key: values[number] for key, values in made_rows(2, FLAT).items()}


def drawn(settings, seed=0, **changes):
    augment = MaskAugment.model_validate(NOTHING | changes)
    return augmented(row(), row(1), augment, settings.network, np.random.default_rng(seed))


def test_a_plain_row_is_its_middle(settings):
    seen, label = plain(row(), settings.network)
    np.testing.assert_array_equal(label, row()["label"][6:38, 6:38])
    np.testing.assert_array_equal(seen.lab, row()["lab"][6:38, 6:38])
    np.testing.assert_allclose(seen.keypoints, row()["keypoints_px"] - 6)
    np.testing.assert_allclose(seen.moving[label == 2], 1.2)


@pytest.mark.parametrize("seed", range(4))
def test_labels_colours_and_keypoints_turn_together(settings, seed):
    seen, label = drawn(settings, seed, turned=1.0, turn_rad=0.4, zoom=0.2, shift=0.1)
    wrist, knuckle = seen.keypoints[[0, 9]]
    assert np.linalg.norm(knuckle - wrist) == pytest.approx(seen.size)
    for i, colour in enumerate(COLOURS):
        off = abs(seen.lab[label == i].astype(int) - colour).max(1)
        assert np.median(off) <= 2, "but for edges"
    assert (label[~seen.inside] == 255).all() and (label[seen.inside] != 255).all()


def test_an_object_alone_is_painted(settings):
    seen, label = drawn(settings, 1, recoloured=1.0)
    for i, changed in ((0, False), (1, False), (2, True)):
        off = abs(seen.lab[label == i].astype(int) - COLOURS[i]).max(1)
        assert (np.median(off) > 8) == changed


def test_a_background_alone_is_put_elsewhere(settings):
    seen, label = drawn(settings, 1, patterned=1.0)
    assert seen.lab[label == 0].std(0).max() > 5
    for i in (1, 2):
        assert np.median(abs(seen.lab[label == i].astype(int) - COLOURS[i])) <= 2


def test_motion_is_left_out(settings):
    assert (drawn(settings, motionless=1.0)[0].moving == 0).all()
    assert (drawn(settings)[0].moving != 0).any()


def test_another_light_stays_a_picture():
    rng = np.random.default_rng(0)
    for _ in range(20):
        lab = recoloured(pattern(32, rng), 30.0, 1.5, rng)
        assert lab.dtype == np.uint8 and lab.shape == (32, 32, 3)

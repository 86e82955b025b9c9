import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoi.present.site.packing import packed, packed_in_steps


def unpacked(content):
    raw = np.frombuffer(base64.b64decode(content["data"]), f"<{content['type']}").reshape(content["shape"])
    return raw if "step" not in content else content["low"] + content["step"] * raw


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array([[0.5, -2.0]]), "f4"),
        (np.array([[0, 65535]]), "u2"),
        (np.array([0, 65536]), "u4"),
        (np.array([True, False]), "u1"),
        (np.zeros((0, 3), int), "u2"),
    ],
)
def test_arrays_come_back_as_they_were(array, kind):
    content = packed(array)
    assert content["type"] == kind
    assert np.array_equal(unpacked(content), array)


def test_bytes_are_little_endian():
    assert base64.b64decode(packed(np.array([1, 258]))["data"]) == b"\x01\x00\x02\x01"


@given(st.integers(0, 10**6), st.integers(1, 50), st.sampled_from([1e-6, 1.0, 1e3]), st.sampled_from([255, 65535]))
def test_steps_are_off_by_half_a_step_at_most(seed, n, size, steps):
    array = np.random.default_rng(seed).normal(0, size, n)
    content = packed_in_steps(array, steps)
    assert np.abs(unpacked(content) - array).max() <= 0.5001 * content["step"] + 1e-12
    assert content["step"] == pytest.approx(np.ptp(array) / steps)


def test_nothing_packs_to_nothing():
    assert unpacked(packed_in_steps(np.zeros((0, 3)))).shape == (0, 3)

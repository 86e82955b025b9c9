"""Work shared among threads: every part once, results in order, torch's own threads given back."""

import threading

import numpy as np
import pytest
import torch

from hoi.field.compiled import in_parts, kernel_threads


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_every_part_is_worked_once_on_a_thread_of_its_own(three_threads):
    together = threading.Barrier(3, timeout=10)  # breaks unless the three parts run at the same time
    done = np.zeros(10, int)

    def kernel(add, part, parts):
        together.wait()
        done[10 * part // parts : 10 * (part + 1) // parts] += add
        return part, parts

    assert in_parts(kernel, 2) == [(0, 3), (1, 3), (2, 3)]
    assert (done == 2).all()


def test_kernels_have_torch_s_threads_for_a_while(three_threads):
    with kernel_threads():
        assert torch.get_num_threads() == 1
        assert in_parts(lambda part, parts: parts) == [3, 3, 3]
    assert torch.get_num_threads() == 3


def test_an_error_in_a_part_is_not_lost(three_threads):
    def kernel(part, parts):
        if part == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parts(kernel)

"""How this project compiles its loops, and shares them among threads."""

import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numba
import torch

_kernel_threads: int | None = None


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`numba.njit` with fast maths and an on-disk cache, past any wrapper that the tests' shape checks put on functions.

    Division by zero gives infinity, as in numpy: a check before every division keeps loops from being vectorised.
    A function that other compiled ones call takes `forceinline=True`: a copy of its own is rounded otherwise than the one
    within its caller, and which of them runs would depend on what the cache holds. `parallel=True` makes such copies, so
    threads are shared out by `in_parts`.
    """
    chosen: dict[str, Any] = {"fastmath": True, "error_model": "numpy", "cache": True, "nogil": True} | options
    return lambda function: numba.njit(**chosen)(inspect.unwrap(function))


@contextmanager
def kernel_threads() -> Iterator[None]:
    """Give torch's threads to the kernels: torch's own operations are too small here to gain from a second thread.

    Two thread pools that wait for work by spinning, on as many cores as each has threads, slow one another twentyfold.
    """
    global _kernel_threads
    threads, before = torch.get_num_threads(), _kernel_threads
    _kernel_threads = threads
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _kernel_threads = before


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "kernel")


def in_parts(kernel: Callable[..., Any], *arguments: Any) -> list[Any]:
    """`kernel(*arguments, part, parts)` for each part of the work, every part on a thread of its own, results in order."""
    parts = _kernel_threads or torch.get_num_threads()
    if parts == 1:
        return [kernel(*arguments, 0, 1)]
    return list(_pool(parts).map(lambda part: kernel(*arguments, part, parts), range(parts)))

"""How this project compiles its loops."""

import inspect
from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`numba.njit` with fast maths and an on-disk cache, past any wrapper that the tests' shape checks put on functions.

    A function that other compiled ones call takes `forceinline=True`: a copy of its own is rounded otherwise than the one
    within its caller, and which of them runs would depend on what the cache holds.
    """
    return lambda function: numba.njit(fastmath=True, cache=True, **options)(inspect.unwrap(function))

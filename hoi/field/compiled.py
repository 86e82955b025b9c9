"""How this project compiles its loops."""

import inspect
from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`numba.njit` with fast maths and an on-disk cache, past any wrapper that the tests' shape checks put on
    functions."""
    return lambda function: numba.njit(fastmath=True, cache=True, **options)(inspect.unwrap(function))

"""How long something takes, for the benchmarks beside this file."""

import time
from collections.abc import Callable
from typing import Any


def seconds(run: Callable[[], Any], repeats: int) -> float:
    """Median of the repeats, after one warm-up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]

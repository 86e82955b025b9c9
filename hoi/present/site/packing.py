"""Arrays as JSON: base64 of little-endian numbers, which a page from disk can load inside a script."""

import base64
from typing import Any

import numpy as np
from jaxtyping import Float

PLAIN = {"f": "<f4", "u": "<u4", "i": "<u4", "b": "|u1"}


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array as it is: float32, uint32 (indices; uint16 where they fit) or uint8 (truth values)."""
    dtype = PLAIN[array.dtype.kind]
    if dtype == "<u4" and (array.size == 0 or array.max() < 2**16):
        dtype = "<u2"
    return {"type": dtype[1:], "shape": list(array.shape), "data": _base64(array.astype(dtype))}


def packed_in_steps(array: Float[np.ndarray, "*shape"]) -> dict[str, Any]:
    """An array in 65,536 equal steps from its least to its greatest value: value = low + step * number."""
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    step = (high - low) / 65535
    numbers = np.zeros(array.shape) if step == 0 else np.round((array.astype(np.float64) - low) / step)
    return {
        "type": "u2", "low": low, "step": step, "shape": list(array.shape), "data": _base64(numbers.astype("<u2"))
    }  # fmt: skip


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")

"""Arrays as JSON: base64 of little-endian numbers, which a page from disk can load inside a script."""

import base64
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

PLAIN = {"f": "<f4", "u": "<u4", "i": "<u4", "b": "|u1"}


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array as it is: float32, uint32 (indices; uint16 where they fit) or uint8 (truth values)."""
    dtype = PLAIN[array.dtype.kind]
    if dtype == "<u4" and (array.size == 0 or array.max() < 2**16):
        dtype = "<u2"
    return {"type": dtype[1:], "shape": list(array.shape), "data": _base64(array.astype(dtype))}


def packed_in_steps(array: Float[np.ndarray, "*shape"], steps: Literal[255, 65535] = 65535) -> dict[str, Any]:
    """An array in so many equal steps from its least to its greatest value: value = low + step * number."""
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    step, dtype = (high - low) / steps, "|u1" if steps == 255 else "<u2"
    numbers = np.zeros(array.shape) if step == 0 else np.round((array.astype(np.float64) - low) / step)
    return {
        "type": dtype[1:], "low": low, "step": step, "shape": list(array.shape), "data": _base64(numbers.astype(dtype))
    }  # fmt: skip


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")

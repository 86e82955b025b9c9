"""The field's twin on tiny-cuda-nn (Müller 2021): its grid encoding a level, fed with our tables; the MLP stays ours.

An optional package that needs CUDA. Its grids differ from ours in three conventions, met here: positions are shifted by
half a cell, dense levels count x fastest, and tables are padded to multiples of 8. So the same parameters mean the same
field, and a fit may change its kernel.
"""

import importlib
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hoi.errors import InputError
from hoi.field.hashgrid import GridSpec, sdf_of_features


def tiny_cuda_nn() -> Any:
    """The package; an InputError where it is missing or finds no GPU."""
    try:
        return importlib.import_module("tinycudann")
    except (ImportError, OSError) as error:
        raise InputError(
            "fit_clip.field.kernel: tcnn", f"{error}", "the package tinycudann, built for this machine's GPU",
            "build it as docs/stack.md says, or take kernel: torch (any GPU) or numba (CPU)",
        ) from error  # fmt: skip


@lru_cache(maxsize=32)
def level_encoding(resolution: int, table_size: int) -> nn.Module:
    """tiny-cuda-nn's encoding of one level, in single precision; its own parameters are not used."""
    settings = {
        "otype": "HashGrid", "n_levels": 1, "n_features_per_level": 2, "log2_hashmap_size": table_size.bit_length() - 1,
        "base_resolution": resolution + 1, "per_level_scale": 1.0, "interpolation": "Linear",
    }  # fmt: skip
    return tiny_cuda_nn().Encoding(3, settings, dtype=torch.float32)


def encode_tcnn(
    x: Float[Tensor, "n 3"], table: Float[Tensor, "rows 2"], level_weights: Float[Tensor, "levels"], spec: GridSpec
) -> Float[Tensor, "n features"]:
    """As `encode` of hoi.field.hashgrid."""
    centre = torch.tensor(spec.centre, dtype=x.dtype, device=x.device)
    unit = ((x - centre) / (2 * spec.half_m) + 0.5).clamp(0, 1)
    features = []
    for level, (resolution, offset, size) in enumerate(zip(spec.resolutions, spec.offsets, spec.sizes, strict=True)):
        is_dense = (resolution + 1) ** 3 <= size
        shifted = (unit.flip(-1) if is_dense else unit) - 0.5 / resolution
        rows = nn.functional.pad(table[offset : offset + size], (0, 0, 0, -size % 8)).flatten()
        value = torch.func.functional_call(level_encoding(resolution, spec.table_size), {"params": rows}, (shifted,))
        features.append(value * level_weights[level])
    return torch.cat(features, -1)


def sdf_tcnn(
    x: Float[Tensor, "n 3"],
    table: Float[Tensor, "rows 2"],
    weights: tuple[Tensor, ...],
    sphere: Float[Tensor, "4"],
    level_weights: Float[Tensor, "levels"],
    spec: GridSpec,
) -> Float[Tensor, "n"]:
    """As `sdf_torch` of hoi.field.hashgrid, with tiny-cuda-nn's encoding."""
    return sdf_of_features(x, encode_tcnn(x, table, level_weights, spec), weights, sphere)

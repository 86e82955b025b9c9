"""The twin on tiny-cuda-nn: its conventions met, by a stand-in that follows its source, and by itself where there is one."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from hoi.errors import InputError
from hoi.field import tcnn
from hoi.field.hashgrid import encode, sdf_torch
from hoi.field.sdf import SdfField

from .test_kernels import SPEC, _inputs


class StandIn(torch.nn.Module):
    """tinycudann.Encoding of one level, as include/tiny-cuda-nn (commit 6ee3546) computes it."""

    def __init__(self, n_input_dims, config, seed=1337, dtype=None):
        super().__init__()
        assert n_input_dims == 3 and config["n_levels"] == 1 and config["n_features_per_level"] == 2
        assert config["otype"] == "HashGrid" and config["interpolation"] == "Linear" and dtype == torch.float32
        self.scale = config["base_resolution"] - 1.0  # grid_scale at level 0
        self.resolution = int(np.ceil(self.scale)) + 1
        entries = min(-(-(self.resolution**3) // 8) * 8, 2 ** config["log2_hashmap_size"])
        self.params = torch.nn.Parameter(torch.zeros(2 * entries))

    def forward(self, x):
        entries, grid = len(self.params) // 2, self.params.reshape(-1, 2)
        assert len(self.params) % 16 == 0
        pos = x * self.scale + 0.5
        cell = pos.detach().floor()
        frac, out = pos - cell, 0
        for corner in range(8):
            bits = torch.tensor([corner & 1, corner >> 1 & 1, corner >> 2 & 1])
            weight = torch.where(bits.bool(), frac, 1 - frac).prod(-1, keepdim=True)
            out = out + weight * grid[self._index((cell.long() + bits) & 0xFFFFFFFF, entries)]
        return out

    def _index(self, p, entries):
        R = self.resolution
        dense = (p[:, 0] + p[:, 1] * R + p[:, 2] * R * R) & 0xFFFFFFFF
        hashed = (p[:, 0] ^ (p[:, 1] * 2654435761) ^ (p[:, 2] * 805459861)) & 0xFFFFFFFF
        return (hashed if entries < R**3 else dense) % entries


@pytest.fixture
def stand_in(monkeypatch):
    module = ModuleType("tinycudann")
    module.Encoding = StandIn
    monkeypatch.setitem(sys.modules, "tinycudann", module)
    tcnn.level_encoding.cache_clear()
    yield
    tcnn.level_encoding.cache_clear()


def both(device):
    results = []
    for sdf in (sdf_torch, tcnn.sdf_tcnn):
        x, table, weights, sphere, levels = _inputs()
        leaves = [t.to(device).requires_grad_() for t in (x, table, *weights)]
        out = sdf(leaves[0], leaves[1], tuple(leaves[2:]), sphere.to(device), levels.to(device), SPEC)
        (out * torch.linspace(-1, 1, len(out), device=device)).sum().backward()
        results.append([a.cpu() for a in (out.detach(), *(t.grad for t in leaves))])
    return zip(*results, strict=True)


def test_equal_tables_give_equal_values_and_gradients(stand_in):
    for a, b in both("cpu"):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_borders_and_dense_levels_are_the_same(stand_in):
    """Corners, edges and middle of the cube, on levels that are dense and hashed."""
    assert SPEC.sizes[0] < SPEC.table_size == SPEC.sizes[-1]
    axis = torch.tensor([-1.0, -0.999, 0.0, 0.5, 1.0]) * SPEC.half_m
    x = torch.cartesian_prod(axis, axis, axis) + torch.tensor(SPEC.centre)
    table = torch.randn(SPEC.rows, 2, generator=torch.Generator().manual_seed(5))
    levels = torch.ones(len(SPEC.resolutions))
    ours, theirs = encode(x, table, levels, SPEC), tcnn.encode_tcnn(x, table, levels, SPEC)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_a_field_starts_as_with_the_reference(stand_in):
    fields = [SdfField(SPEC, 0.08, 0.01, 16, kernel, torch.Generator().manual_seed(1)) for kernel in ("torch", "tcnn")]
    x = _inputs()[0]
    np.testing.assert_allclose(*(f(x).detach() for f in fields), atol=1e-6)


def test_a_missing_package_is_said_before_the_fit(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    with pytest.raises(InputError, match=r"tinycudann(.|\n)*docs/stack\.md"):
        SdfField(SPEC, 0.08, 0.01, 16, "tcnn", torch.Generator())


def test_a_machine_without_cuda_is_said(monkeypatch, tmp_path):
    """As the package itself does: it raises EnvironmentError when it finds no GPU."""
    (tmp_path / "tinycudann.py").write_text('raise EnvironmentError("Unknown compute capability.")\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tinycudann", raising=False)
    with pytest.raises(InputError, match="compute capability"):
        tcnn.tiny_cuda_nn()


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="tiny-cuda-nn needs a GPU: docs/stack.md says what is unverified"
)
def test_tiny_cuda_nn_itself_gives_equal_values_and_gradients():
    pytest.importorskip("tinycudann")
    for a, b in both("cuda"):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)

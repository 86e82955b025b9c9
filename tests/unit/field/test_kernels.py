"""The numba twin against the plain torch reference, in values and gradients."""

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch

from hoi.field.hashgrid import GridSpec, encode, geometric_resolutions, sdf_torch
from hoi.field.kernels import sdf_numba
from hoi.field.sdf import SdfField

SPEC = GridSpec((0.01, -0.02, 0.03), 0.3, geometric_resolutions(4, 4, 40), 2**10)


def _inputs(n: int = 200) -> tuple:
    g = torch.Generator().manual_seed(0)
    x = (torch.rand(n, 3, generator=g) - 0.5) * 0.7 + torch.tensor(SPEC.centre)  # some outside the cube
    table = torch.randn(SPEC.rows, 2, generator=g)
    shapes = ((8, 8), (8,), (8, 8), (8,), (8,), (1,))
    weights = tuple(torch.randn(s, generator=g) * 0.3 for s in shapes)
    return x, table, weights, torch.tensor([0.0, 0.0, 0.0, 0.08]), torch.tensor([1.0, 1.0, 0.4, 0.0])


def test_numba_equals_torch_in_values_and_gradients():
    results = []
    for sdf in (sdf_torch, sdf_numba):
        x, table, weights, sphere, levels = _inputs()
        leaves = [t.requires_grad_() for t in (x, table, *weights)]
        out = sdf(x, table, weights, sphere, levels, SPEC)
        (out * torch.linspace(-1, 1, len(out))).sum().backward()
        results.append([out.detach(), *(t.grad for t in leaves)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_position_gradient_is_the_finite_difference():
    x, table, weights, sphere, levels = _inputs()
    x = ((x - torch.tensor(SPEC.centre)) * 0.5 + torch.tensor(SPEC.centre)).requires_grad_()
    sdf_numba(x, table * 0.1, weights, sphere, levels * torch.tensor([1, 1, 0, 0]), SPEC).sum().backward()
    table, sphere, levels = table.double() * 0.1, sphere.double(), levels.double() * torch.tensor([1, 1, 0, 0])
    weights = tuple(w.double() for w in weights)
    shifted = [x.detach().double() + torch.tensor([s, 0, 0]) for s in (1e-6, -1e-6)]
    f = [sdf_torch(y, table, weights, sphere, levels, SPEC) for y in shifted]
    np.testing.assert_allclose(x.grad[:, 0], (f[0] - f[1]) / 2e-6, rtol=1e-2, atol=1e-3)


def test_encoding_by_hand():
    """One dense level of one cell: the centre of the cube is the mean of its eight corners."""
    spec = GridSpec((0.0, 0.0, 0.0), 1.0, (1,), 8)
    table = torch.arange(16.0).reshape(8, 2)
    at_centre = encode(torch.zeros(1, 3), table, torch.ones(1), spec)
    np.testing.assert_allclose(at_centre, [[7.0, 8.0]])
    at_corner = encode(torch.tensor([[1.0, -1.0, 1.0]]), table, torch.ones(1), spec)
    np.testing.assert_allclose(at_corner, [[10.0, 11.0]])  # corner (1, 0, 1) is row 5


@pytest.mark.parametrize("kernel", ["torch", "numba"])
def test_start_is_a_sphere(kernel):
    field = SdfField(SPEC, 0.08, 0.01, 16, kernel, torch.Generator().manual_seed(1))
    x = torch.tensor([SPEC.centre]) + torch.tensor([[0.0, 0, 0], [0.08, 0, 0], [0, 0.2, 0]])
    np.testing.assert_allclose(field(x).detach(), [-0.08, 0.0, 0.12], atol=2e-3)
    assert abs(float(field.beta.detach()) - 0.01) < 1e-6


def test_on_grid_is_the_field():
    field = SdfField(SPEC, 0.08, 0.01, 16, "numba", torch.Generator().manual_seed(1))
    values = field.on_grid(np.full(3, -0.1), np.full(3, 0.1), (3, 4, 5))
    assert values.shape == (3, 4, 5)
    np.testing.assert_allclose(values[2, 0, 4], field(torch.tensor([[0.1, -0.1, 0.1]])).detach()[0], atol=1e-6)


def test_a_field_is_sharpened_but_never_blurred():
    field = SdfField(SPEC, 0.08, 0.01, 16, "numba", torch.Generator().manual_seed(1))
    for wanted_m, beta_m in ((0.02, 0.01), (0.002, 0.002), (0.01, 0.002)):
        field.sharpen(wanted_m)
        np.testing.assert_allclose(float(field.beta.detach()), beta_m, rtol=1e-5)


GRADIENTS = """
import hashlib
import torch
from tests.unit.field.test_kernels import SPEC, _inputs
from hoi.field.kernels import sdf_numba
x, table, weights, sphere, levels = _inputs(1000)
leaves = [t.requires_grad_(True) for t in (x, table, *weights)]
sdf_numba(x, table, weights, sphere, levels, SPEC).abs().sum().backward()
print(hashlib.sha256(b"".join(t.grad.numpy().tobytes() for t in leaves)).hexdigest())
"""


def test_the_same_bits_compiled_now_or_read_from_the_cache(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    run = partial(subprocess.run, [sys.executable, "-c", GRADIENTS], env=environment, capture_output=True, check=True)
    cold, warm = run().stdout, run().stdout
    assert any(tmp_path.rglob("*.nbc")) and len(cold.strip()) == 64 and cold == warm

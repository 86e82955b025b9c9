"""The field's fast twin: encoding, MLP and sphere in one numba kernel each way, wrapped as an autograd function.

Equal to `hoi.field.hashgrid.sdf_torch` in values and first gradients (points, table, weights); second derivatives
do not
exist here, so normals and the eikonal term use finite differences. Points are worked in blocks that stay in cache, the
inner loops run over the points of a block and vectorise; every thread adds its gradients into its own buffers.
"""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoi.field.compiled import compiled, in_parts
from hoi.field.hashgrid import PRIMES, GridSpec

BLOCK = 64
_f, _i, _u = np.float32, np.int32, np.uint32


@compiled(forceinline=True)
def _find_cells(x, first, n, box, levels, level_weights, rows, within, inside) -> None:
    """The table's rows of the eight vertices around every point of a block and its place between them, level by level."""
    for d in range(3):
        for p in range(n):
            u = (x[first + p, d] - box[d]) * box[3]
            inside[d, p] = box[3] if u >= _f(0) and u <= _f(1) else _f(0)
    for level in range(levels.shape[0]):
        if level_weights[level] == _f(0):
            continue
        resolution, offset, size = levels[level, 0], levels[level, 1], levels[level, 2]
        dense = (resolution + 1) ** 3 <= size
        across, last, side = _f(resolution), _i(resolution - 1), _i(resolution + 1)
        base, mask = _i(offset), _u(size - 1)
        r, f = rows[level], within[level]
        for p in range(n):
            ux = min(max((x[first + p, 0] - box[0]) * box[3], _f(0)), _f(1)) * across
            uy = min(max((x[first + p, 1] - box[1]) * box[3], _f(0)), _f(1)) * across
            uz = min(max((x[first + p, 2] - box[2]) * box[3], _f(0)), _f(1)) * across
            i, j, k = min(_i(ux), last), min(_i(uy), last), min(_i(uz), last)
            f[0, p], f[1, p], f[2, p] = ux - _f(i), uy - _f(j), uz - _f(k)
            if dense:
                row = base + (i * side + j) * side + k
                r[0, p], r[1, p], r[2, p], r[3, p] = row, row + _i(1), row + side, row + side + _i(1)
                row += side * side
                r[4, p], r[5, p], r[6, p], r[7, p] = row, row + _i(1), row + side, row + side + _i(1)
            else:
                i0, j0, k0 = _u(i), _u(j) * _u(PRIMES[1]), _u(k) * _u(PRIMES[2])
                i1, j1, k1 = i0 + _u(1), j0 + _u(PRIMES[1]), k0 + _u(PRIMES[2])
                r[0, p], r[1, p] = base + _i((i0 ^ j0 ^ k0) & mask), base + _i((i0 ^ j0 ^ k1) & mask)
                r[2, p], r[3, p] = base + _i((i0 ^ j1 ^ k0) & mask), base + _i((i0 ^ j1 ^ k1) & mask)
                r[4, p], r[5, p] = base + _i((i1 ^ j0 ^ k0) & mask), base + _i((i1 ^ j0 ^ k1) & mask)
                r[6, p], r[7, p] = base + _i((i1 ^ j1 ^ k0) & mask), base + _i((i1 ^ j1 ^ k1) & mask)


@compiled(forceinline=True)
def _encode(n, table, level_weights, rows, within, at, e) -> None:
    """Features of a block from its cells; `at` keeps the table's features at their vertices."""
    for level in range(rows.shape[0]):
        scale = level_weights[level]
        if scale == _f(0):
            e[2 * level], e[2 * level + 1] = _f(0), _f(0)
            continue
        for vertex in range(8):
            r, a, b = rows[level, vertex], at[level, vertex, 0], at[level, vertex, 1]
            for p in range(n):
                a[p], b[p] = table[r[p], 0], table[r[p], 1]
        fx, fy, fz = within[level, 0], within[level, 1], within[level, 2]
        for feature in range(2):
            v, out = at[level, :, feature], e[2 * level + feature]
            for p in range(n):
                x, y, z = fx[p], fy[p], fz[p]
                v00, v01 = v[0, p] + z * (v[1, p] - v[0, p]), v[2, p] + z * (v[3, p] - v[2, p])
                v10, v11 = v[4, p] + z * (v[5, p] - v[4, p]), v[6, p] + z * (v[7, p] - v[6, p])
                v0, v1 = v00 + y * (v01 - v00), v10 + y * (v11 - v10)
                out[p] = scale * (v0 + x * (v1 - v0))


@compiled(forceinline=True)
def _spread(g_table, row, share, a, b) -> None:
    g_table[row, 0] += share * a
    g_table[row, 1] += share * b


@compiled(forceinline=True)
def _encode_back(n, first, levels, level_weights, rows, within, inside, at, g_e, g_table, g_u, g_x) -> None:
    """From the gradient of features to those of table and points; `g_u` is room to work in."""
    g_u[:] = _f(0)
    gx, gy, gz = g_u[0], g_u[1], g_u[2]
    for level in range(rows.shape[0]):
        scale = level_weights[level]
        if scale == _f(0):
            continue
        fx, fy, fz = within[level, 0], within[level, 1], within[level, 2]
        ga, gb, v, r = g_e[2 * level], g_e[2 * level + 1], at[level], rows[level]
        across = scale * _f(levels[level, 0])
        for p in range(n):
            x, y, z, a, b = fx[p], fy[p], fz[p], ga[p], gb[p]
            hx, hy, hz = _f(1) - x, _f(1) - y, _f(1) - z
            v0, v1 = v[0, 0, p] * a + v[0, 1, p] * b, v[1, 0, p] * a + v[1, 1, p] * b
            v2, v3 = v[2, 0, p] * a + v[2, 1, p] * b, v[3, 0, p] * a + v[3, 1, p] * b
            v4, v5 = v[4, 0, p] * a + v[4, 1, p] * b, v[5, 0, p] * a + v[5, 1, p] * b
            v6, v7 = v[6, 0, p] * a + v[6, 1, p] * b, v[7, 0, p] * a + v[7, 1, p] * b
            gx[p] += across * (hy * (hz * (v4 - v0) + z * (v5 - v1)) + y * (hz * (v6 - v2) + z * (v7 - v3)))
            gy[p] += across * (hx * (hz * (v2 - v0) + z * (v3 - v1)) + x * (hz * (v6 - v4) + z * (v7 - v5)))
            gz[p] += across * (hx * (hy * (v1 - v0) + y * (v3 - v2)) + x * (hy * (v5 - v4) + y * (v7 - v6)))
        for p in range(n):
            x, y, z, a, b = fx[p], fy[p], fz[p], scale * ga[p], scale * gb[p]
            hx, hy, hz = _f(1) - x, _f(1) - y, _f(1) - z
            _spread(g_table, r[0, p], hx * hy * hz, a, b)
            _spread(g_table, r[1, p], hx * hy * z, a, b)
            _spread(g_table, r[2, p], hx * y * hz, a, b)
            _spread(g_table, r[3, p], hx * y * z, a, b)
            _spread(g_table, r[4, p], x * hy * hz, a, b)
            _spread(g_table, r[5, p], x * hy * z, a, b)
            _spread(g_table, r[6, p], x * y * hz, a, b)
            _spread(g_table, r[7, p], x * y * z, a, b)
    for d in range(3):
        for p in range(n):
            g_x[first + p, d] += inside[d, p] * g_u[d, p]


@compiled(forceinline=True)
def _sum_of_four(n, w, i, out) -> None:
    """out += w @ i, four rows of i at a time: `out` is read and written a quarter as often."""
    whole = w.shape[0] // 4 * 4
    for k in range(0, whole, 4):
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        i0, i1, i2, i3 = i[k], i[k + 1], i[k + 2], i[k + 3]
        for p in range(n):
            out[p] += w0 * i0[p] + w1 * i1[p] + w2 * i2[p] + w3 * i3[p]
    for k in range(whole, w.shape[0]):
        wk, ik = w[k], i[k]
        for p in range(n):
            out[p] += wk * ik[p]


@compiled(forceinline=True)
def _layer(w, bias, inputs, z, a) -> None:
    """a = squareplus(z), z = w @ inputs + bias, over a block of points."""
    for o in range(w.shape[0]):
        zo, ao = z[o], a[o]
        zo[:] = bias[o]
        _sum_of_four(BLOCK, w[o], inputs, zo)
        for p in range(BLOCK):
            ao[p] = _f(0.5) * (zo[p] + np.sqrt(zo[p] * zo[p] + _f(0.01)))


@compiled(forceinline=True)
def _layer_back(w, inputs, z, g_a, g_inputs, g_w, g_bias) -> None:
    """From the gradient of a (overwritten by that of z) to those of inputs, w and bias."""
    for o in range(w.shape[0]):
        go, zo = g_a[o], z[o]
        total = _f(0)
        for p in range(BLOCK):
            go[p] *= _f(0.5) * (_f(1) + zo[p] / np.sqrt(zo[p] * zo[p] + _f(0.01)))
            total += go[p]
        g_bias[o] += total
        whole = w.shape[1] // 4 * 4
        for k in range(0, whole, 4):
            i0, i1, i2, i3 = inputs[k], inputs[k + 1], inputs[k + 2], inputs[k + 3]
            t0, t1, t2, t3 = _f(0), _f(0), _f(0), _f(0)
            for p in range(BLOCK):
                t0 += go[p] * i0[p]
                t1 += go[p] * i1[p]
                t2 += go[p] * i2[p]
                t3 += go[p] * i3[p]
            g_w[o, k] += t0
            g_w[o, k + 1] += t1
            g_w[o, k + 2] += t2
            g_w[o, k + 3] += t3
        for k in range(whole, w.shape[1]):
            ik, total = inputs[k], _f(0)
            for p in range(BLOCK):
                total += go[p] * ik[p]
            g_w[o, k] += total
    g_inputs[:] = _f(0)
    for k in range(w.shape[1]):
        _sum_of_four(BLOCK, w[:, k], g_a, g_inputs[k])


@compiled()
def _forward(x, box, levels, table, level_weights, w1, b1, w2, b2, w3, b3, sphere, out, part, parts) -> None:
    n, hidden, depth = x.shape[0], w1.shape[0], levels.shape[0]
    blocks = (n + BLOCK - 1) // BLOCK
    rows, within = np.empty((depth, 8, BLOCK), _i), np.empty((depth, 3, BLOCK), _f)
    inside, at = np.empty((3, BLOCK), _f), np.empty((depth, 8, 2, BLOCK), _f)
    e = np.zeros((w1.shape[1], BLOCK), _f)
    z, a1, a2 = np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f)
    y = np.empty(BLOCK, _f)
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        first = block * BLOCK
        count = min(BLOCK, n - first)
        _find_cells(x, first, count, box, levels, level_weights, rows, within, inside)
        _encode(count, table, level_weights, rows, within, at, e)
        _layer(w1, b1, e, z, a1)
        _layer(w2, b2, a1, z, a2)
        y[:] = b3[0]
        _sum_of_four(BLOCK, w3, a2, y)
        for p in range(count):
            dx, dy, dz = x[first + p, 0] - sphere[0], x[first + p, 1] - sphere[1], x[first + p, 2] - sphere[2]
            out[first + p] = y[p] + math.sqrt(dx * dx + dy * dy + dz * dz + _f(1e-8)) - sphere[3]


@compiled()
def _backward(
    x, g_out, box, levels, table, level_weights, w1, b1, w2, b2, w3, sphere, g_x, part, parts
) -> tuple[np.ndarray, ...]:
    n, hidden, width, depth = x.shape[0], w1.shape[0], w1.shape[1], levels.shape[0]
    g_table = np.zeros((table.shape[0], 2), _f)
    g_w1, g_b1 = np.zeros((hidden, width), _f), np.zeros(hidden, _f)
    g_w2, g_b2 = np.zeros((hidden, hidden), _f), np.zeros(hidden, _f)
    g_w3, g_b3 = np.zeros(hidden, _f), np.zeros(1, _f)
    blocks = (n + BLOCK - 1) // BLOCK
    rows, within = np.empty((depth, 8, BLOCK), _i), np.empty((depth, 3, BLOCK), _f)
    inside, at = np.empty((3, BLOCK), _f), np.empty((depth, 8, 2, BLOCK), _f)
    e, g_e = np.zeros((width, BLOCK), _f), np.empty((width, BLOCK), _f)
    z1, a1, g_a1 = np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f)
    z2, a2, g_a2 = np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f)
    g, g_u = np.empty(BLOCK, _f), np.empty((3, BLOCK), _f)
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        first = block * BLOCK
        count = min(BLOCK, n - first)
        _find_cells(x, first, count, box, levels, level_weights, rows, within, inside)
        _encode(count, table, level_weights, rows, within, at, e)
        _layer(w1, b1, e, z1, a1)
        _layer(w2, b2, a1, z2, a2)
        g[:] = _f(0)
        for p in range(count):
            gp = g_out[first + p]
            g[p] = gp
            dx, dy, dz = x[first + p, 0] - sphere[0], x[first + p, 1] - sphere[1], x[first + p, 2] - sphere[2]
            over = gp / math.sqrt(dx * dx + dy * dy + dz * dz + _f(1e-8))
            g_x[first + p, 0] = dx * over
            g_x[first + p, 1] = dy * over
            g_x[first + p, 2] = dz * over
            g_b3[0] += gp
        for o in range(hidden):
            total = _f(0)
            for p in range(BLOCK):
                total += g[p] * a2[o, p]
                g_a2[o, p] = g[p] * w3[o]
            g_w3[o] += total
        _layer_back(w2, a1, z2, g_a2, g_a1, g_w2, g_b2)
        _layer_back(w1, e, z1, g_a1, g_e, g_w1, g_b1)
        _encode_back(count, first, levels, level_weights, rows, within, inside, at, g_e, g_table, g_u, g_x)
    return g_table, g_w1, g_b1, g_w2, g_b2, g_w3, g_b3


class _Sdf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x, table, w1, b1, w2, b2, w3, b3, sphere, level_weights, box, levels) -> Tensor:
        """Distances by the compiled kernel; what the gradients need is kept."""
        ctx.save_for_backward(x, table, w1, b1, w2, b2, w3, sphere, level_weights)
        ctx.box, ctx.levels = box, levels
        tensors = (table, level_weights, w1, b1, w2, b2, w3, b3, sphere)
        arrays = [t.detach().numpy() for t in tensors]
        out = np.empty(len(x), np.float32)
        in_parts(_forward, x.detach().numpy(), box, levels, *arrays, out)
        return torch.from_numpy(out)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g_out: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of positions, table and network; box and levels have none."""
        x, table, w1, b1, w2, b2, w3, sphere, level_weights = (t.detach().numpy() for t in ctx.saved_tensors)
        g_x = np.zeros(x.shape, np.float32)
        parts = in_parts(
            _backward, x, g_out.contiguous().numpy(), ctx.box, ctx.levels, table, level_weights, w1, b1, w2, b2, w3, sphere, g_x
        )  # fmt: skip
        summed = [torch.from_numpy(sum(gradients[1:], start=gradients[0])) for gradients in zip(*parts, strict=True)]
        return torch.from_numpy(g_x), *summed, None, None, None, None


def sdf_numba(
    x: Float[Tensor, "n 3"],
    table: Float[Tensor, "rows 2"],
    weights: tuple[Tensor, ...],
    sphere: Float[Tensor, "4"],
    level_weights: Float[Tensor, "levels"],
    spec: GridSpec,
) -> Float[Tensor, "n"]:
    """As `hoi.field.hashgrid.sdf_torch`, on the CPU in float32; once differentiable."""
    low = np.asarray(spec.centre) - spec.half_m
    box = np.array([*low, 1 / (2 * spec.half_m)], np.float32)
    levels = np.stack([spec.resolutions, spec.offsets, spec.sizes], -1).astype(np.int64)
    return _Sdf.apply(x.contiguous(), table, *weights, sphere, level_weights, box, levels)

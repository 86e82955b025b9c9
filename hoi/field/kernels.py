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
from hoi.field.hashgrid import GridSpec

BLOCK = 64
_f = np.float32


@compiled(inline="always")
def _row(i, j, k, resolution, offset, size, dense) -> int:
    if dense:
        return offset + (i * (resolution + 1) + j) * (resolution + 1) + k
    h = np.uint32(i) ^ (np.uint32(j) * np.uint32(2654435761)) ^ (np.uint32(k) * np.uint32(805459861))
    return offset + np.int64(h & np.uint32(size - 1))


@compiled(inline="always")
def _cell(value, resolution) -> tuple[int, float]:
    u = min(max(value, _f(0)), _f(1)) * _f(resolution)
    i = min(np.int64(u), resolution - 1)
    return i, u - _f(i)


@compiled(forceinline=True)
def _encode_block(x, first, n, box, levels, table, level_weights, e) -> None:
    for level in range(levels.shape[0]):
        resolution, offset, size = levels[level, 0], levels[level, 1], levels[level, 2]
        dense = (resolution + 1) ** 3 <= size
        scale = level_weights[level]
        if scale == _f(0):
            e[2 * level], e[2 * level + 1] = _f(0), _f(0)
            continue
        for p in range(n):
            i, fx = _cell((x[first + p, 0] - box[0]) * box[3], resolution)
            j, fy = _cell((x[first + p, 1] - box[1]) * box[3], resolution)
            k, fz = _cell((x[first + p, 2] - box[2]) * box[3], resolution)
            a, b = _f(0), _f(0)
            for corner in range(8):
                ci, cj, ck = corner >> 2 & 1, corner >> 1 & 1, corner & 1
                w = (fx if ci else _f(1) - fx) * (fy if cj else _f(1) - fy) * (fz if ck else _f(1) - fz)
                r = _row(i + ci, j + cj, k + ck, resolution, offset, size, dense)
                a += w * table[r, 0]
                b += w * table[r, 1]
            e[2 * level, p] = a * scale
            e[2 * level + 1, p] = b * scale


@compiled(forceinline=True)
def _layer(w, bias, inputs, z, a) -> None:
    """a = squareplus(z), z = w @ inputs + bias, over a block of points."""
    for o in range(w.shape[0]):
        zo = z[o]
        zo[:] = bias[o]
        for k in range(w.shape[1]):
            wok = w[o, k]
            ik = inputs[k]
            for p in range(BLOCK):
                zo[p] += wok * ik[p]
        ao = a[o]
        for p in range(BLOCK):
            ao[p] = _f(0.5) * (zo[p] + np.sqrt(zo[p] * zo[p] + _f(0.01)))


@compiled(forceinline=True)
def _layer_back(w, inputs, z, g_a, g_inputs, g_w, g_bias) -> None:
    """From the gradient of a (overwritten by that of z) to those of inputs, w and bias."""
    g_inputs[:] = _f(0)
    for o in range(w.shape[0]):
        go, zo = g_a[o], z[o]
        total = _f(0)
        for p in range(BLOCK):
            go[p] *= _f(0.5) * (_f(1) + zo[p] / np.sqrt(zo[p] * zo[p] + _f(0.01)))
            total += go[p]
        g_bias[o] += total
        for k in range(w.shape[1]):
            wok = w[o, k]
            ik, gi = inputs[k], g_inputs[k]
            total = _f(0)
            for p in range(BLOCK):
                total += go[p] * ik[p]
            g_w[o, k] += total
            for p in range(BLOCK):
                gi[p] += wok * go[p]


@compiled(forceinline=True)
def _encode_block_back(x, first, n, box, levels, table, level_weights, g_e, g_table, g_x) -> None:
    for level in range(levels.shape[0]):
        resolution, offset, size = levels[level, 0], levels[level, 1], levels[level, 2]
        dense = (resolution + 1) ** 3 <= size
        scale = level_weights[level]
        to_x = scale * _f(resolution) * box[3]
        if scale == _f(0):
            continue
        for p in range(n):
            ux = (x[first + p, 0] - box[0]) * box[3]
            uy = (x[first + p, 1] - box[1]) * box[3]
            uz = (x[first + p, 2] - box[2]) * box[3]
            i, fx = _cell(ux, resolution)
            j, fy = _cell(uy, resolution)
            k, fz = _cell(uz, resolution)
            ga, gb = g_e[2 * level, p], g_e[2 * level + 1, p]
            sx, sy, sz = _f(0), _f(0), _f(0)
            for corner in range(8):
                ci, cj, ck = corner >> 2 & 1, corner >> 1 & 1, corner & 1
                wx = fx if ci else _f(1) - fx
                wy = fy if cj else _f(1) - fy
                wz = fz if ck else _f(1) - fz
                r = _row(i + ci, j + cj, k + ck, resolution, offset, size, dense)
                w = wx * wy * wz * scale
                g_table[r, 0] += w * ga
                g_table[r, 1] += w * gb
                v = table[r, 0] * ga + table[r, 1] * gb
                sx += (v if ci else -v) * wy * wz
                sy += (v if cj else -v) * wx * wz
                sz += (v if ck else -v) * wx * wy
            g_x[first + p, 0] += to_x * sx if ux >= _f(0) and ux <= _f(1) else _f(0)
            g_x[first + p, 1] += to_x * sy if uy >= _f(0) and uy <= _f(1) else _f(0)
            g_x[first + p, 2] += to_x * sz if uz >= _f(0) and uz <= _f(1) else _f(0)


@compiled()
def _forward(x, box, levels, table, level_weights, w1, b1, w2, b2, w3, b3, sphere, out, part, parts) -> None:
    n, hidden = x.shape[0], w1.shape[0]
    blocks = (n + BLOCK - 1) // BLOCK
    e = np.zeros((w1.shape[1], BLOCK), _f)
    z, a1, a2 = np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f)
    y = np.empty(BLOCK, _f)
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        first = block * BLOCK
        count = min(BLOCK, n - first)
        _encode_block(x, first, count, box, levels, table, level_weights, e)
        _layer(w1, b1, e, z, a1)
        _layer(w2, b2, a1, z, a2)
        y[:] = b3[0]
        for o in range(hidden):
            for p in range(BLOCK):
                y[p] += w3[o] * a2[o, p]
        for p in range(count):
            dx, dy, dz = x[first + p, 0] - sphere[0], x[first + p, 1] - sphere[1], x[first + p, 2] - sphere[2]
            out[first + p] = y[p] + math.sqrt(dx * dx + dy * dy + dz * dz + _f(1e-8)) - sphere[3]


@compiled()
def _backward(
    x, g_out, box, levels, table, level_weights, w1, b1, w2, b2, w3, sphere, g_x, part, parts
) -> tuple[np.ndarray, ...]:
    n, hidden, width = x.shape[0], w1.shape[0], w1.shape[1]
    g_table = np.zeros((table.shape[0], 2), _f)
    g_w1, g_b1 = np.zeros((hidden, width), _f), np.zeros(hidden, _f)
    g_w2, g_b2 = np.zeros((hidden, hidden), _f), np.zeros(hidden, _f)
    g_w3, g_b3 = np.zeros(hidden, _f), np.zeros(1, _f)
    blocks = (n + BLOCK - 1) // BLOCK
    e, g_e = np.zeros((width, BLOCK), _f), np.empty((width, BLOCK), _f)
    z1, a1, g_a1 = np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f)
    z2, a2, g_a2 = np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f), np.empty((hidden, BLOCK), _f)
    g = np.empty(BLOCK, _f)
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        first = block * BLOCK
        count = min(BLOCK, n - first)
        _encode_block(x, first, count, box, levels, table, level_weights, e)
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
        _encode_block_back(x, first, count, box, levels, table, level_weights, g_e, g_table, g_x)
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

"""Points per second of the field's implementations, forward and forward + backward. Run: python benchmarks/field.py

On a GPU: python benchmarks/field.py --device cuda --kernels torch compile tcnn
"""

import argparse
import time

import torch
from rich.console import Console
from rich.table import Table
from timing import seconds

from hoi.field.hashgrid import GridSpec, geometric_resolutions
from hoi.field.sdf import SdfField


def finished() -> None:
    """Wait until the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Print one row an implementation."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--kernels", nargs="+", default=["torch", "numba"], choices=["torch", "numba", "compile", "tcnn"]
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--points", type=int, default=32768)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    spec = GridSpec((0.0, 0.0, 0.0), 0.3, geometric_resolutions(8, 12, 256), 2**16)
    x = (torch.rand(args.points, 3, generator=torch.Generator().manual_seed(0)) - 0.5) * 0.4
    x = x.to(args.device)
    table = Table("kernel", "first call s", "forward Mpoints/s", "forward + backward Mpoints/s", "with d/dx Mpoints/s")
    for kernel in args.kernels:
        field = SdfField(spec, 0.08, 0.01, 32, kernel, torch.Generator().manual_seed(0)).to(args.device)
        start = time.perf_counter()
        field(x).sum().backward()
        finished()
        first = time.perf_counter() - start
        x_grad = x.clone().requires_grad_()
        rates = [
            args.points / 1e6 / seconds(run, args.repeats)
            for run in (
                lambda field=field: (field(x).detach(), finished()),
                lambda field=field: (field(x).sum().backward(), finished()),
                lambda field=field, x_grad=x_grad: (field(x_grad).sum().backward(), finished()),
            )
        ]
        table.add_row(kernel, f"{first:.1f}", *(f"{rate:.2f}" for rate in rates))
    Console().print(table)


if __name__ == "__main__":
    main()

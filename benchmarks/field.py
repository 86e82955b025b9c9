"""Points per second of the field's implementations, forward and forward + backward. Run: python benchmarks/field.py

On a GPU: python benchmarks/field.py --device cuda --kernels torch compile tcnn
With --fit also a short fit: how long each takes to become a ring of 5 mm, as a fit's field becomes its first guess, and how far
from the ring's surface it ends. The grid is the config's.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from rich.console import Console
from rich.table import Table
from timing import seconds

from hoi.config import FitClip
from hoi.field.hashgrid import GridSpec, geometric_resolutions
from hoi.field.sdf import SdfField
from hoi.fit.grid import GridField
from hoi.fit.start import teach

CENTRE = (0.0, 0.0, 0.0)


def finished() -> None:
    """Wait until the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def made(kernel: str, device: str, settings: FitClip) -> SdfField:
    """A field as a fit starts with it."""
    f = settings.field
    spec = GridSpec(CENTRE, f.half_m, geometric_resolutions(f.levels, f.coarsest, f.finest), 2**f.table_size_log2)
    generator = torch.Generator().manual_seed(0)
    return SdfField(spec, f.radius_m, f.beta_m, f.hidden, kernel, generator).to(device)


def speeds(field: SdfField, x: torch.Tensor, repeats: int) -> list[str]:
    """Seconds of the first call, and millions of points a second: forward, with backward, with the points' gradient."""
    start = time.perf_counter()
    field(x).sum().backward()
    finished()
    first = time.perf_counter() - start
    x_grad = x.clone().requires_grad_()
    runs = (
        lambda: (field(x).detach(), finished()),
        lambda: (field(x).sum().backward(), finished()),
        lambda: (field(x_grad).sum().backward(), finished()),
    )
    return [f"{first:.1f}", *(f"{len(x) / 1e6 / seconds(run, repeats):.2f}" for run in runs)]


def short_fit(field: SdfField, device: str, settings: FitClip) -> list[str]:
    """Seconds, and mean distance of the field from the ring's near its surface, in millimetres."""
    axis = torch.linspace(-0.12, 0.12, 121)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    ring = torch.hypot(torch.hypot(x, y) - 0.06, z) - 0.005
    guess = GridField(ring, torch.full((3,), -0.12), torch.full((3,), 0.12)).to(device)
    start = time.perf_counter()
    teach(field, guess, torch.tensor(CENTRE, device=device), 0.12, settings.start, np.random.default_rng(0))
    finished()
    took = time.perf_counter() - start
    near = guess.near(20000, 0.004, np.random.default_rng(1))
    return [f"{took:.1f}", f"{1000 * float((field(near) - guess.at(near)).abs().mean().detach()):.2f}"]


def main() -> None:
    """Print one row an implementation."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--kernels", nargs="+", default=["torch", "numba"], choices=["torch", "numba", "compile", "tcnn"]
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--points", type=int, default=32768)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--fit", action="store_true")
    args = parser.parse_args()
    config = Path(__file__).parents[1] / "config/config.yaml"
    settings = FitClip(**yaml.safe_load(config.read_text())["fit_clip"])
    x = (torch.rand(args.points, 3, generator=torch.Generator().manual_seed(0)) - 0.5) * 0.4
    columns = ["kernel", "first call s", "forward Mpoints/s", "forward + backward Mpoints/s", "with d/dx Mpoints/s"]
    table = Table(*columns, *(["short fit s", "its error mm"] if args.fit else []))
    for kernel in args.kernels:
        field = made(kernel, args.device, settings)
        row = speeds(field, x.to(args.device), args.repeats)
        table.add_row(kernel, *row, *(short_fit(field, args.device, settings) if args.fit else []))
    Console().print(table)


if __name__ == "__main__":
    main()

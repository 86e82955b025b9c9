"""The fit by differentiable rendering of a signed distance field: the start, step after step, the surface."""

from functools import partial

import pandas as pd

from hoi.config import FitClip
from hoi.device import choose_device
from hoi.field.compiled import kernel_threads
from hoi.fit.distil import Prior
from hoi.fit.observations import Fit, Observations, Report
from hoi.fit.optimise import Optimisation
from hoi.fit.state import Keep, State, restore, state_of
from hoi.fit.surface import extract


def fit_sdf(
    observed: Observations,
    settings: FitClip,
    seed: int,
    progress: Report,
    prior: Prior | None,
    saved: State | None,
    keep: Keep,
) -> Fit:
    """Fit on the CPU, unless the kernel is not numba and a GPU is there; from a saved state on, if there is one."""
    with kernel_threads():
        kernel = settings.field.kernel
        device = choose_device(f"the fit (kernel {kernel})", gpu_is_of_use=kernel != "numba")
        optimisation = Optimisation(observed, settings, seed, device, prior)
        first, rows = restore(optimisation, saved) if saved else (0, [])
        for step in range(first, settings.steps):
            if step > first and step % settings.refresh == 0:
                keep(partial(state_of, optimisation, step, rows))
            row = optimisation.step(step)
            if step % settings.log_every == 0 or step == settings.steps - 1:
                rows.append({"step": step} | row)
                progress(step + 1, settings.steps, f"loss {row['objective']:.3f}")
        optimisation.finish()
        coarse = optimisation.coarse
        values, low, high = (a.cpu().numpy() for a in (coarse.values, coarse.low, coarse.high))
        mesh = extract(optimisation.field, values, low, high, settings.mesh_cells, settings.mesh_cell_m)
        return Fit(mesh, optimisation.variables.result(), pd.DataFrame(rows))

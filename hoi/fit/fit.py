"""The fit's entry: by differentiable rendering of a signed distance field, or by the visual hull."""

from hoi.config import FitClip
from hoi.fit.hull import fit_hull
from hoi.fit.observations import Fit, Observations, Report
from hoi.fit.optimise import fit_sdf


def fit(observations: Observations, settings: FitClip, seed: int, progress: Report) -> Fit:
    """Object mesh, refined poses and loss history of one clip. Raises InputError where nothing can be fitted."""
    observations.check()
    method = fit_hull if settings.method == "hull" else fit_sdf
    return method(observations, settings, seed, progress)

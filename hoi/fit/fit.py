"""The fit's entry: by differentiable rendering of a signed distance field, or by the visual hull."""

from collections.abc import Sequence

import trimesh

from hoi.config import FitClip
from hoi.fit.hull import fit_hull
from hoi.fit.observations import Fit, Observations, Report
from hoi.fit.optimise import fit_sdf
from hoi.fit.template import fit_template


def fit(
    observations: Observations,
    settings: FitClip,
    seed: int,
    progress: Report,
    templates: Sequence[trimesh.Trimesh] = (),
) -> Fit:
    """Object mesh, refined poses and loss history of one clip. Raises InputError where nothing can be fitted.

    `templates`: meshes of the clip's category, for the method of that name alone.
    """
    observations.check()
    if settings.method == "template":
        return fit_template(observations, settings, seed, progress, templates)
    method = fit_hull if settings.method == "hull" else fit_sdf
    return method(observations, settings, seed, progress)

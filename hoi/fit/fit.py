"""The fit's entry: by differentiable rendering of a signed distance field, by the visual hull, or by a template."""

from collections.abc import Sequence

import trimesh

from hoi.config import FitClip
from hoi.errors import InputError
from hoi.fit.distil import Prior
from hoi.fit.hull import fit_hull
from hoi.fit.observations import Fit, Observations, Report
from hoi.fit.outline import under_its_mask
from hoi.fit.sdf import fit_sdf
from hoi.fit.state import Keep, State
from hoi.fit.template import fit_template


def fit(
    observations: Observations,
    settings: FitClip,
    seed: int,
    progress: Report,
    prior: Prior | None = None,
    templates: Sequence[trimesh.Trimesh] = (),
    saved: State | None = None,
    keep: Keep = lambda state: None,
) -> Fit:
    """Object mesh, refined poses and loss history of one clip. Raises InputError where nothing can be fitted.

    `prior`: the denoiser to distil, where its weight is above 0. `templates`: meshes of the clip's category, for the
    method of that name alone. `saved`: where a fit of the same observations, settings and seed was, to go on from; `keep` is
    offered that now and then. The hull and templates are done before it is worth it.
    """
    observations.check()
    observations = under_its_mask(observations.share(settings.view_share), settings.outline)
    if settings.method == "hull":
        return fit_hull(observations, settings, seed, progress)
    if settings.method == "template":
        return fit_template(observations, settings, seed, progress, templates)
    wanted = settings.weights.prior > 0
    if wanted and prior is None:
        hint = "give --prior the folder of its weights, or set weights.prior to 0"
        raise InputError("fit_clip.weights.prior", f"{settings.weights.prior} but no prior", "a trained denoiser", hint)
    return fit_sdf(observations, settings, seed, progress, prior if wanted else None, saved, keep)

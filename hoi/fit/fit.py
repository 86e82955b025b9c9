"""The fit's entry: by differentiable rendering of a signed distance field, by the visual hull, or by a template."""

from collections.abc import Sequence

import trimesh

from hoi.config import RATE, FitClip
from hoi.errors import InputError
from hoi.fit.distil import Prior
from hoi.fit.hull import fit_hull
from hoi.fit.observations import Fit, Observations, Report
from hoi.fit.outline import under_its_mask
from hoi.fit.sdf import fit_sdf
from hoi.fit.state import Keep, State
from hoi.fit.template import fit_template


def at_rate(settings: FitClip, fps: float) -> FitClip:
    """The same expectation of how hands and objects move where frames are farther apart than the weights are for (RATE).

    As the tracker's (hoi.hand.fitting): a grasp wanders, and velocity too, as random walks in time do.
    """
    w, outline, often = settings.weights, settings.outline, min(fps / RATE, 1.0)
    slower = {"temporal": w.temporal * often, "camera_smooth": w.camera_smooth * often**3}
    shorter = {"smooth_frames": outline.smooth_frames * often}
    return settings.model_copy(
        update={"weights": w.model_copy(update=slower), "outline": outline.model_copy(update=shorter)}
    )


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

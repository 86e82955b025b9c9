"""From masks and a tracked hand to an object mesh and refined poses.

Reads hoi.prior (the denoiser that is distilled, and its renderer).
"""

from hoi.fit.distil import Prior
from hoi.fit.fit import fit
from hoi.fit.observations import Fit, Observations

__all__ = ["Fit", "Observations", "Prior", "fit"]

"""From masks and a tracked hand to an object mesh and refined poses.

Reads hoi.prior (the denoiser that is distilled, and its renderer).
"""

from hoi.fit.distil import Prior
from hoi.fit.fit import at_rate, fit
from hoi.fit.observations import Fit, Observations
from hoi.fit.start import Beginning, begin
from hoi.fit.state import State
from hoi.fit.variables import Variables

__all__ = ["Beginning", "Fit", "Observations", "Prior", "State", "Variables", "at_rate", "begin", "fit"]

"""From masks and a tracked hand to an object mesh and refined poses."""

from hoi.fit.fit import fit
from hoi.fit.observations import Fit, Observations

__all__ = ["Fit", "Observations", "fit"]

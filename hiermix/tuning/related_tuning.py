"""Sampled effects of related levels, tuned in coordinates in which their rows tell them apart.

With an intercept alone these are exact for the penalised fit: its information on the effects is
diagonal. With slopes it is so for the first effect alone, and others are tuned to where the fit has
them: the model is the same whatever effects are tuned to.
"""

from collections.abc import Mapping

import numpy as np

from hiermix.design.design import Design
from hiermix.statistics.related_levels import Turned, turn
from hiermix.tuning.penalised import FactorFit
from hiermix.typing import FloatArray


def turns(design: Design, fits: Mapping[str, FactorFit]) -> dict[str, Turned]:
    """Return the coordinates of each factor whose levels are related."""
    found = {}
    for name, fit in fits.items():
        covariance = design.grouping(name).covariance
        if covariance is not None:
            found[name] = turn(covariance.matrix, fit.gram.ZtZ[:, 0, 0])
    return found


def weighed(
    to: Turned, fit: FactorFit, W: FloatArray, R: FloatArray, *, turned: bool
) -> tuple[FloatArray, FloatArray]:
    """Return weights and working residuals of the coordinates, of those of levels.

    Parameters
    ----------
    to : Turned
        The coordinates.
    fit : FactorFit
        Of the factor.
    W, R : array, shape (J, Q, Q) and (J, Q, 1 + P)
        Of its levels.
    turned : bool
        Whether they are those of the fit, and not of some parameterisation.
    """
    R_turned = np.einsum("jk,jqc->kqc", to.root, R)
    if turned and fit.gram.Q == 1:
        return to.gram(fit.gram).ZtZ, R_turned
    W = np.einsum("jk,jqp->kqp", to.root**2, W) if turned else W
    R = np.zeros_like(R)
    R[:, :, 0] = np.einsum("jqk,jk->jq", W, np.linalg.solve(to.root, fit.effects))
    if turned:
        R[:, 0] = R_turned[:, 0]
    return W, R

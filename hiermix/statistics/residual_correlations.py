"""Correlations of rows whose residuals go together, and rows from which they are taken out."""

from collections.abc import Mapping

import numpy as np

from hiermix.design.series import Series
from hiermix.families.correlations import matrix_of
from hiermix.families.residual_parameters import CORRELATIONS, RHO
from hiermix.statistics.autoregression import powers
from hiermix.typing import FloatArray


def correlations(series: Series, place: FloatArray, own: Mapping[str, FloatArray]) -> FloatArray:
    """Correlations (S, n, n) of rows of one series at these places."""
    if series.in_time:
        apart = np.abs(place[:, None] - place)
        found = powers(own[RHO], apart.ravel(), even=series.even)
        return np.asarray(found.reshape(-1, *apart.shape))
    at = place.astype(np.intp)
    R = matrix_of(own[CORRELATIONS], len(series.positions))
    return np.asarray(R[:, at[:, None], at])


def whitened(series: Series, own: Mapping[str, FloatArray], values: FloatArray) -> FloatArray:
    """Return rows (n, K), over their residual sds, turned so that residuals are independent.

    Of one draw of the parameters in `own`.
    """
    found = np.empty_like(values)
    for unit in np.unique(series.unit):
        rows = np.flatnonzero(series.unit == unit)
        root = np.linalg.cholesky(correlations(series, series.place[rows], own)[0])
        found[rows] = np.linalg.solve(root, values[rows])
    return found

"""How population coefficients and the family's own parameters move along with each other.

Where responses are truncated, skewed or start at a bound of their own, the location trades off
with the parameters of the family. The curvature of both together, at the quick fit, makes
coordinates in which they don't.
"""

from collections.abc import Callable

import numpy as np

from hiermix.tuning.coordinates import Coordinates
from hiermix.tuning.restricted_likelihood import inverse_root
from hiermix.typing import FloatArray

_STEP = 1e-3
_MOST = 0.95
"""Part of the precision of an own parameter that the population takes away, at most."""


def rows_by_own(
    working: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    eta: FloatArray,
    theta: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return derivatives of the slopes of rows, and of their weights, by the own parameters.

    Parameters
    ----------
    working : callable
        Weights and working responses (rows,) from coordinates of the own parameters.
    eta, theta : array
        Linear predictors (rows,), and the coordinates (A,).

    Returns
    -------
    array, array
        (rows, A) each.
    """
    by_own = np.zeros((2, len(eta), len(theta)))
    for a, step in enumerate(_STEP * np.eye(len(theta))):
        for sign in (-1, 1):
            weights, response = working(theta + sign * step)
            by_own[:, :, a] += np.array([weights * (response - eta), weights]) * sign
    slopes, weights = by_own / (2 * _STEP)
    return slopes, weights


def beside_effects(own: Coordinates, taken: FloatArray) -> Coordinates:
    """Return coordinates of the own parameters where effects move along, not held.

    `taken` (A, A) is how much less the curvature is.
    """
    if not len(own.center):
        return own
    size, directions = np.linalg.eigh(own.scale.T @ taken @ own.scale)
    wider = (1 - np.clip(size, 0.0, _MOST)) ** -0.5
    return Coordinates(own.center, own.scale @ (directions * wider))


def bounded(population: Coordinates, own: Coordinates, cross: FloatArray) -> bool:
    """Tell whether the curvature of both together has a peak: else it tells how neither moves."""
    shared = population.scale.T @ cross @ own.scale
    return bool(np.linalg.norm(shared, 2) ** 2 < _MOST) if shared.size else True


def together(population: Coordinates, own: Coordinates, cross: FloatArray) -> Coordinates:
    """Return coordinates of both, in which the population follows the own parameters.

    Parameters
    ----------
    population, own : Coordinates
        Each by its curvature with the other held.
    cross : array, shape (P, A)
        Second derivatives of the log density.
    """
    # In units of both: the curvature is the identity, less what they share.
    shared = population.scale.T @ cross @ own.scale
    left, size, right = np.linalg.svd(shared, full_matrices=False)
    size = np.minimum(size, np.sqrt(_MOST))
    shared = (left * size) @ right
    wider = own.scale @ inverse_root(np.eye(len(own.center)) - shared.T @ shared)
    following = population.scale @ shared @ np.linalg.solve(own.scale, wider)
    nothing = np.zeros((len(own.center), len(population.center)))
    scale = np.block([[population.scale, following], [nothing, wider]])
    return Coordinates(np.concatenate([population.center, own.center]), scale)

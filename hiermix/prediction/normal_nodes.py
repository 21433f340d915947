"""Points and weights that average a function over a normal variable."""

from functools import lru_cache

import numpy as np

from hiermix.typing import FloatArray

_NEAR, _POINTS = 1.0, 21
"""Up to this sd, so many Gauss-Hermite points are right to 1e-6 for every inverse link."""
_STEP, _REACH = 0.75, 6.5
_PRODUCT = 5_000
"""Points of a product of one-dimensional rules; beyond, points of a low discrepancy take over."""
_SCATTERED = 4_096


def normal_nodes(sd: float) -> tuple[FloatArray, FloatArray]:
    """Return standard normal points and weights for functions of ``sd`` times the variable.

    An inverse link is analytic in a strip around the real line, of width pi / 2 or more. Gauss and
    Hermite's points need a number that grows with the square of what fits into it; equally spaced
    ones, for which the trapezoid rule is exact up to exp(-pi^2 / (sd * step)), one that grows with
    the sd alone. So the latter take over where groups are far apart.
    """
    return _gauss() if sd <= _NEAR else _equal(float(np.exp2(np.ceil(4 * np.log2(sd)) / 4)))


@lru_cache(1)
def _gauss() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_POINTS)
    return nodes, np.asarray(weights / weights.sum(), dtype=np.float64)


@lru_cache(32)
def _equal(sd: float) -> tuple[FloatArray, FloatArray]:
    step = _STEP / sd
    number = int(np.ceil((_REACH + min(sd, 12.0)) / step))
    nodes = np.linspace(-number * step, number * step, 2 * number + 1)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


def joint_nodes(sd: float, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Return points (N, K) and weights of K independent standard normal variables."""
    nodes, weights = normal_nodes(sd)
    if dimensions > 1 and len(nodes) ** dimensions > _PRODUCT:
        points = _scattered(dimensions)
        return points, np.full(len(points), 1 / len(points))
    each = np.meshgrid(*[nodes] * dimensions, indexing="ij")
    products = np.prod(np.meshgrid(*[weights] * dimensions, indexing="ij"), axis=0)
    return np.stack([axis.ravel() for axis in each], axis=-1), products.ravel()


@lru_cache(8)
def _scattered(dimensions: int) -> FloatArray:
    """Return normal points (N, K) that fill the space evenly: Sobol's, scrambled (Owen, 1998).

    Each has its mirror image, so that the means of the points are zero.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    uniform = qmc.Sobol(dimensions, seed=1).random(_SCATTERED // 2)
    half = ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
    return np.concatenate([half, -half])

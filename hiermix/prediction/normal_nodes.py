"""Points and weights that average a function over a normal variable."""

from functools import lru_cache

import numpy as np

from hiermix.typing import FloatArray

_DIGITS = 21.0
"""Minus the log of the error of one dimension: 1e-9."""
_JOINT_DIGITS = 13.0
"""The same where points are a product of as many."""
_STRIP = np.pi / 2
"""Half the width of the strip in which inverse links are analytic."""
_PRODUCT = 5_000
"""Points of a product of one-dimensional rules; beyond, points of a low discrepancy take over."""
_SCATTERED = 4_096


def normal_nodes(sd: float, digits: float = _DIGITS) -> tuple[FloatArray, FloatArray]:
    """Return standard normal points and weights for functions of ``sd`` times the variable.

    Equally spaced ones: for a function that is analytic up to a distance a from the real line the
    trapezoid rule with a step of h errs by exp(-2 pi a / h), and the normal density grows with
    exp(a^2 / 2) there. So their number grows with the sd alone, where that of Gauss and Hermite's
    points grows with its square.
    """
    return _equal(float(np.exp2(np.ceil(4 * np.log2(max(sd, 0.25))) / 4)), digits)


@lru_cache(64)
def _equal(sd: float, digits: float) -> tuple[FloatArray, FloatArray]:
    far = min(_STRIP / sd, np.sqrt(2 * digits))  # farther the density grows faster
    step = 2 * np.pi * far / (digits + far**2 / 2)
    number = int(np.ceil((np.sqrt(2 * digits) + min(sd, 12.0)) / step))
    nodes = np.linspace(-number * step, number * step, 2 * number + 1)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


def joint_nodes(sd: float, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Return points (N, K) and weights of K independent standard normal variables."""
    nodes, weights = normal_nodes(sd, _JOINT_DIGITS)
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

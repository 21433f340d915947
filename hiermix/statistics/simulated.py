"""Sums over rows whose responses are drawn from a Gaussian model: the rows are not needed.

The columns of X and Z are those of the rows; of the noise e only X'e, Z'e and e'e enter, which are
normal with the sums of the columns for covariance, and a chi-squared number beside.
"""

from dataclasses import replace

import numpy as np

from hiermix.statistics.moments import Moments
from hiermix.statistics.summed import Statistics
from hiermix.typing import FloatArray

_NOTHING = 1e-10
"""Share of the largest eigenvalue below which a direction is rounding."""


def simulated(
    found: Statistics, b: FloatArray, r: FloatArray, sigma: float, rng: np.random.Generator
) -> Statistics:
    """Return the statistics of the same rows with other responses.

    Parameters
    ----------
    found : Statistics
        Of unweighted rows.
    b : array, shape (P,)
        Coefficients of X: the intercept first, zero where the model has none, then the others.
    r : array, shape (J, Q)
        Effects of each level.
    sigma : float
        Residual sd.
    rng : Generator
        Of the noise.
    """
    sums, centre = found.sums, found.centre
    # 1. Coefficients of the columns as they are centred, less the pilot's.
    step = b - centre.pilot.b
    step[0] += centre.pilot.center @ b
    effects = r.copy()
    if centre.constant is not None:
        effects[:, centre.constant] += r @ centre.z
    # 2. What is expected of the sums, and the noise.
    Ze, Xe, ee = _noise(sums, sigma, rng)
    Zr = np.einsum("jqp,jq->p", sums.ZtX, effects)
    fitted = np.einsum("jqs,js->jq", sums.ZtZ, effects) + sums.ZtX @ step
    of_x = sums.XtX @ step + Zr
    square = step @ of_x + np.sum(effects * fitted)
    return replace(found, sums=replace(
        sums, Zte=fitted + Ze, Xte=of_x + Xe,
        ete=float(square + 2 * (step @ Xe + np.sum(effects * Ze)) + ee),
    ))  # fmt: skip


def _noise(
    sums: Moments, sigma: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, float]:
    """Draw Z'e (J, Q), X'e (P,) and e'e of noise e, independent between rows."""
    values, vectors = np.linalg.eigh(sums.ZtZ)
    kept = values > _NOTHING * np.max(values, axis=1, initial=0.0, keepdims=True)
    u = np.where(kept, rng.standard_normal(values.shape), 0.0)
    size = np.sqrt(np.where(kept, values, 0.0))
    Ze = np.einsum("jqk,jk->jq", vectors, size * u)
    # X'e given Z'e: of the part of X that the levels' own columns don't give.
    inverse = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)
    of_x = np.einsum("jqk,jk,jsk,jsp->jqp", vectors, inverse, vectors, sums.ZtX)
    rest = sums.XtX - np.einsum("jqp,jqs->ps", sums.ZtX, of_x)
    scale = np.sqrt(np.maximum(np.diag(sums.XtX), 1e-300))
    left, basis = np.linalg.eigh(rest / np.outer(scale, scale))
    free = left > _NOTHING
    v = np.where(free, rng.standard_normal(len(left)), 0.0)
    Xe = np.einsum("jqp,jq->p", of_x, Ze) + scale * (basis @ (np.sqrt(np.where(free, left, 0)) * v))
    spare = sums.n - np.count_nonzero(kept) - np.count_nonzero(free)
    ee = np.sum(u**2) + np.sum(v**2) + (rng.chisquare(spare) if spare > 0 else 0.0)
    return sigma * Ze, sigma * Xe, float(sigma**2 * ee)

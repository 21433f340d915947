"""Importance weights: smoothed, and turned into how often each draw is kept.

Vehtari, Simpson, Gelman, Yao and Gabry (2024).
"""

import numpy as np

from hiermix.typing import FloatArray, IntArray

RELIABLE = 0.7
"""Pareto k up to which weighted draws can be trusted."""


def smoothed(log_weights: FloatArray) -> tuple[FloatArray, float]:
    """Log weights (S,), given but for a constant, with their largest smoothed; and Pareto k."""
    from arviz_stats.base import array_stats

    if np.ptp(_tail(log_weights)) < 1e-10:  # nothing to tell these draws apart by, and no tail
        return log_weights, -np.inf
    smooth, k = array_stats.psislw(-log_weights)  # it is made for leaving rows out
    return np.asarray(smooth), float(k)


def _tail(log_weights: FloatArray) -> FloatArray:
    """Return the weights that are smoothed: the three roots of their number that are largest."""
    S = len(log_weights)
    size = max(2, int(3 * np.sqrt(S)) if S > 225 else S // 5)
    return np.sort(log_weights)[-size:]


def copies(weights: FloatArray, number: int, rng: np.random.Generator) -> IntArray:
    """How often each draw (S,) is among `number` that are kept: systematic resampling.

    Weights add up to one.
    """
    ticks = (np.arange(number) + rng.random()) / number
    ends = np.cumsum(weights)
    ends[-1] = 1.0
    return np.bincount(np.searchsorted(ends, ticks), minlength=len(weights))

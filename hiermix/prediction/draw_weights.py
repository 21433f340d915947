"""Draws weighed by the density of rows that came later, and resampled to equal weights.

Importance weights, Pareto-smoothed (Vehtari, Simpson, Gelman, Yao and Gabry, 2024).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiermix.statistics.pareto_weights import copies, smoothed
from hiermix.typing import FloatArray

_FEW = 100
"""Effective draws below which means and intervals are coarse."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """Which draw stands where, and how many the weights leave."""

    order: NDArray[np.intp]
    """(S,) Draws, each as often as its weight says; one that stays stands at its own place."""
    effective: float
    """Effective draws: one over the sum of squared weights."""
    pareto_k: float
    """Shape of the tail of the weights."""

    @property
    def good_k(self) -> float:
        """Greatest Pareto k at which so many draws give trustworthy weights."""
        return good_k(len(self.order))

    @property
    def doubtful(self) -> bool:
        """Whether the rows say what few of the draws had reckoned with."""
        return self.pareto_k > self.good_k or self.effective < min(_FEW, len(self.order) / 2)

    def attrs(self) -> dict[str, float]:
        """Return what a prediction says of its draws."""
        return {"effective_draws": self.effective, "pareto_k": self.pareto_k}


def good_k(draws: int) -> float:
    """Return the Pareto k up to which so many draws give trustworthy weights, as ArviZ does."""
    return min(1 - 1 / float(np.log10(max(draws, 11))), 0.7)


def weigh(log_weights: FloatArray, rng: np.random.Generator) -> Weighed:
    """Resample draws by their weights (S,), given as logarithms but for a constant."""
    finite = np.where(np.isnan(log_weights), -np.inf, log_weights)
    smooth, k = smoothed(np.maximum(finite, finite.max() - 700.0))
    weights = np.exp(smooth - smooth.max())
    weights = weights / weights.sum()
    order = _resampled(weights, rng)
    return Weighed(order, float(1 / np.sum(weights**2)), k)


def _resampled(weights: FloatArray, rng: np.random.Generator) -> NDArray[np.intp]:
    """Systematic resampling; copies take the places of the draws that go."""
    order = np.arange(len(weights))
    times = copies(weights, len(weights), rng)
    order[times == 0] = rng.permutation(np.repeat(order, np.maximum(times - 1, 0)))
    return order

"""Partially pooled means of groups in closed form, and without some of a group's rows.

Numbers: normal around a mean of its level, these normal around a common one. The variances
maximise the restricted likelihood of the levels' means and of what rows are off by (Lindley and
Smith, 1972). Classes: multinomial with probabilities of its level, these Dirichlet; its parameters
maximise the marginal likelihood (Minka, 2000). A weak prior pulls towards complete pooling, which
decides where the data can't, as where each level has one row.

Given these few numbers what a level says is in its sums alone: leaving rows out subtracts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiermix.typing import FloatArray

_LARGEST = 12.0
"""Log of the precision from which on levels are taken for alike."""


@dataclass(frozen=True)
class Normal:
    """Means of levels of a number."""

    center: float
    center_variance: float
    between: float
    within: float

    def encode(self, n: FloatArray, total: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return posterior means and sds (L, 1) of levels with n rows that add up to a total."""
        keep = self.between * n / (self.between * n + self.within)  # 0 without rows
        mean = self.center + keep * (total / np.maximum(n, 1) - self.center)
        variance = (1 - keep) * self.between + (1 - keep) ** 2 * self.center_variance
        return mean[:, None], np.sqrt(variance)[:, None]


def fit_normal(n: FloatArray, total: FloatArray, squares: float) -> Normal:
    """Estimate from rows, sum of each level, and the sum of squares of all rows within levels."""
    from scipy.optimize import minimize_scalar

    N, J = n.sum(), len(n)
    means = total / n
    whole = squares + np.sum(n * (means - total.sum() / N) ** 2)
    if whole <= 0:
        return Normal(float(means[0]), 0.0, 0.0, 1.0)

    def parts(ratio: float) -> tuple[float, float, float]:
        """Center, residual sum of squares and minus twice the restricted log likelihood."""
        weight = n / (1 + ratio * n)
        center = np.sum(weight * means) / weight.sum()
        rss = squares + np.sum(weight * (means - center) ** 2)
        log_det = np.sum(np.log1p(ratio * n)) + np.log(weight.sum())
        return center, rss, (N - 1) * np.log(rss) + log_det

    def loss(log_sd: float) -> float:
        # With an exponential prior of the ratio of the sds.
        return float(parts(np.exp(2 * log_sd))[2] + 2 * np.exp(log_sd))

    best = minimize_scalar(loss, bounds=(-8.0, 6.0), method="bounded") if J > 1 else None
    ratio = np.exp(2 * best.x) if best is not None and best.fun < loss(-np.inf) else 0.0
    center, rss, _ = parts(ratio)
    within = rss / max(N - 1, 1)
    weight = n / (1 + ratio * n)
    return Normal(float(center), float(within / weight.sum()), float(ratio * within), float(within))


@dataclass(frozen=True)
class Dirichlet:
    """Probabilities of classes of levels; with two classes, that of the second alone."""

    alpha: FloatArray
    logit: bool

    def encode(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return posterior means and sds (L, C) of levels with counts (L, C) of the classes."""
        from scipy.special import digamma, polygamma

        a = self.alpha + counts
        rest = a.sum(axis=1, keepdims=True) - a
        if len(self.alpha) == 2:
            a, rest = a[:, 1:], rest[:, 1:]
        if self.logit:
            return digamma(a) - digamma(rest), np.sqrt(polygamma(1, a) + polygamma(1, rest))
        whole = a + rest
        return a / whole, np.sqrt(a * rest / (whole**2 * (whole + 1)))


def fit_dirichlet(counts: FloatArray, *, logit: bool = False) -> Dirichlet:
    """Estimate from the counts (J, C) of the classes in each level."""
    from scipy.optimize import minimize
    from scipy.special import digamma, gammaln

    patterns, times = np.unique(counts, axis=0, return_counts=True)
    rows = patterns.sum(axis=1)

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        """Minus the log likelihood and prior of scores of the classes and the log precision."""
        share = np.exp(point[:-1] - point[:-1].max())
        share /= share.sum()
        phi = np.exp(point[-1])
        alpha = share * phi
        value = times @ (gammaln(phi) - gammaln(phi + rows))
        value += times @ (gammaln(alpha + patterns) - gammaln(alpha)).sum(axis=1)
        by_phi = times @ (digamma(phi) - digamma(phi + rows))
        by_alpha = times @ (digamma(alpha + patterns) - digamma(alpha))
        inner = by_alpha @ share
        spread = 1 / np.sqrt(phi)  # exponential prior
        slope = phi * (by_phi + inner) + 0.5 * spread
        return spread - value, -np.append(alpha * (by_alpha - inner), slope)

    base = np.log((counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * counts.shape[1]))
    found = minimize(
        loss, np.append(base, 2.0), jac=True, method="L-BFGS-B",
        bounds=[(-20.0, 5.0)] * len(base) + [(-6.0, _LARGEST)],
    )  # fmt: skip
    share = np.exp(found.x[:-1] - found.x[:-1].max())
    return Dirichlet(share / share.sum() * np.exp(found.x[-1]), logit)


def sums(codes: NDArray[np.intp], values: FloatArray, size: int) -> FloatArray:
    """Sum values (n, k) over codes, (size, k)."""
    return np.stack([np.bincount(codes, column, size) for column in values.T], axis=1)

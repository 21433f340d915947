"""Draws of a few standardised effects given any log density, by importance weights.

For every draw of the rest: the mode by Newton's method, candidates from a t distribution around
it, and one of them chosen by its importance weight (Rubin, 1988). All draws are worked at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np

from hiermix.statistics.parabola import parabola
from hiermix.typing import FloatArray

CANDIDATES = 64
_FREEDOM = 5
_NODES = {1: 15, 2: 9}
"""Places of the quadrature along each effect, by their number."""
FEW = max(_NODES)
_STEPS = 50
_TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False)
class Target:
    """``v ~ N(0, I)`` and rows with linear predictor ``base + Z Lambda v``; S draws, q effects."""

    log_density: Callable[[FloatArray], FloatArray]
    """Linear predictor (n, S) to the pointwise log density (n, S)."""
    base: FloatArray
    """(n, S)"""
    Z: FloatArray
    """(n, q)"""
    Lambda: FloatArray
    """(S, q, q)"""

    def eta(self, v: FloatArray) -> FloatArray:
        """Return the linear predictor (n, S) at v (S, q)."""
        return np.asarray(self.base + self.Z @ np.einsum("sij,sj->is", self.Lambda, v))

    @cached_property
    def step(self) -> FloatArray:
        """Step of central differences: a small part of what the effects move a row by."""
        columns = np.moveaxis(self.Lambda, 2, 0)
        spread = sum((self.Z @ column.T) ** 2 for column in columns)
        return np.asarray(1e-4 * np.sqrt(np.maximum(spread, 1e-12)))

    def __call__(self, v: FloatArray) -> FloatArray:
        """Return the log density (S,) of v, but for the normal's constant."""
        value = self.log_density(self.eta(v)).sum(axis=0) - 0.5 * np.sum(v**2, axis=1)
        return np.where(np.isfinite(value), value, -np.inf)

    def slopes(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return gradient (S, q) and curvature (S, q, q), the latter kept positive definite."""
        n, q = self.Z.shape
        eta = self.eta(v)
        _, first, bend = parabola(self.log_density, eta, self.step)
        second = np.maximum(bend, 0.0)
        pairs = (self.Z[:, :, None] * self.Z[:, None, :]).reshape(n, q * q)
        W = (pairs.T @ second).reshape(q, q, -1).transpose(2, 0, 1)
        LambdaT = np.swapaxes(self.Lambda, 1, 2)
        gradient = np.einsum("sji,js->si", self.Lambda, self.Z.T @ first) - v
        return gradient, LambdaT @ W @ self.Lambda + np.eye(q)


def resample(target: Target, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw v (S, q), once for every draw of the rest, and estimate the log (S,) of what it sums to.

    That is the density of the rows with v integrated out: the mean of the candidates' weights. It
    is unbiased, so draws of the rest may be weighed by it.
    """
    mode, curvature = _mode(target)
    root = np.linalg.cholesky(curvature)
    S, q = mode.shape
    chosen, best, total = mode, np.full(S, -np.inf), np.full(S, -np.inf)
    shift = rng.random((S, q + 1))
    for point in _spread_points(q + 1):
        t = _student((point + shift) % 1.0)
        v = mode + np.linalg.solve(np.swapaxes(root, 1, 2), t[:, :, None])[:, :, 0]
        proposal = -0.5 * (_FREEDOM + q) * np.log1p(np.sum(t**2, axis=1) / _FREEDOM)
        weight = target(v) - proposal
        total = np.logaddexp(total, weight)
        # The largest of log weight + Gumbel noise is a draw in proportion to the weights.
        score = weight + rng.gumbel(size=S)
        chosen = np.where((score > best)[:, None], v, chosen)
        best = np.maximum(score, best)
    log_det = np.sum(np.log(np.diagonal(root, axis1=1, axis2=2)), axis=1)
    return chosen, total - log_det - np.log(CANDIDATES) - _log_ratio(q)


def log_integral(target: Target) -> FloatArray:
    """Integrate the density of the rows over v: its log (S,), by quadrature around the mode.

    For few effects (Gauss and Hermite's rule in each, adapted; Pinheiro and Bates, 1995): exact to
    a few thousandths where `resample`, which also draws, errs by hundredths.
    """
    mode, curvature = _mode(target)
    root = np.linalg.cholesky(curvature)
    spread = np.swapaxes(np.linalg.inv(root), 1, 2)
    q = mode.shape[1]
    at, weight = np.polynomial.hermite_e.hermegauss(_NODES[q])
    total = np.full(len(mode), -np.inf)
    for place in product(range(len(at)), repeat=q):
        x = at[list(place)]
        log_weight = np.log(weight[list(place)]).sum() + 0.5 * x @ x
        total = np.logaddexp(total, target(mode + spread @ x) + log_weight)
    log_det = np.sum(np.log(np.diagonal(root, axis1=1, axis2=2)), axis=1)
    return np.asarray(total - log_det - 0.5 * q * np.log(2 * np.pi))


def _log_ratio(q: int) -> float:
    """Log ratio of the constants of multivariate t and normal densities, which were left out."""
    from scipy.special import gammaln

    return float(gammaln((_FREEDOM + q) / 2) - gammaln(_FREEDOM / 2) - q / 2 * np.log(_FREEDOM / 2))


@lru_cache(8)
def _spread_points(dims: int) -> FloatArray:
    """Evenly spread points of the unit cube; moved at random, each is uniform (Owen, 1997).

    Their mean weight errs far less than that of independent candidates.
    """
    from scipy.stats import qmc

    return np.asarray(qmc.Sobol(dims, scramble=False).random(CANDIDATES))


def _student(u: FloatArray) -> FloatArray:
    """Multivariate t (S, q) from uniforms (S, q + 1); the last of them gives the length."""
    from scipy.special import ndtri

    scale = np.interp(u[:, -1], *_scales())
    return np.asarray(ndtri(np.clip(u[:, :-1], 1e-15, 1 - 1e-15)) * scale[:, None])


@lru_cache(1)
def _scales() -> tuple[FloatArray, FloatArray]:
    """Tabulate quantiles of what makes a normal a t: exact ones would cost most of the time."""
    from scipy.special import chdtri

    at = (np.arange(8192) + 0.5) / 8192
    return at, np.sqrt(_FREEDOM / chdtri(_FREEDOM, at))


def _mode(target: Target) -> tuple[FloatArray, FloatArray]:
    """Newton's method for all draws at once; a step that doesn't climb is halved."""
    v = np.zeros(target.Lambda.shape[:2])
    value = target(v)
    size = np.ones(len(v))
    gradient, curvature = target.slopes(v)
    for _ in range(_STEPS):
        step = size[:, None] * np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        tried = target(v + step)
        better = tried >= value
        v = np.where(better[:, None], v + step, v)
        value = np.where(better, tried, value)
        size = np.where(better, np.minimum(1.0, 2 * size), size / 2)
        gradient, curvature = target.slopes(v)
        if np.max(np.abs(step)) < _TOLERANCE:
            break
    return v, curvature

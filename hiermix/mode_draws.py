"""Draws without a chain: from Student t or normal distributions around the modes.

``"importance"`` draws proposals around the modes that were found for the starts of chains, fits the
proposal to them once more, and resamples by Pareto-smoothed weights (Vehtari et al., 2024). What
`Samples.stats` have no room for is told by ``pareto_k``: above 0.7 the weights can't be trusted.
``"laplace"`` takes the normal distributions as they are: a first look, whose k says how far off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from hiermix.chain_starts import Density, Mode, Started, plausible
from hiermix.engines import embedded, gradients
from hiermix.errors import EngineError
from hiermix.stan.chart import Chart
from hiermix.statistics.pareto_weights import copies, smoothed
from hiermix.tuning.points import Point
from hiermix.typing import Algorithm, FloatArray

_DF = 7.0
"""Degrees of freedom of the proposals: tails heavier than those of nearly normal posteriors."""
_FIRST = 1_000
"""Proposals that the proposal distribution is fitted to."""
_LOOKED_AT = 400
"""Draws of Laplace's approximation whose density is looked at."""
_FEWEST = 25
"""Proposals with a density that weights need."""


class Drawing(NamedTuple):
    """Points of the posterior, and how good they are."""

    points: Sequence[Point]
    log_density: FloatArray
    """(S,)"""
    pareto_k: float
    effective: float
    """Independent draws that are worth as much."""


def draw(started: Started, number: int, seed: int, algorithm: Algorithm) -> Drawing:
    """Draw points of the posterior.

    Parameters
    ----------
    started : Started
        The program, and its modes.
    number : int
        Of points.
    seed : int
        Of the random numbers.
    algorithm : {"importance", "laplace"}

    Raises
    ------
    EngineError
        No mode was found.
    """
    how = _weighed if algorithm == "importance" else _as_they_are
    return gradients.where_they_work(partial(how, started, number, seed))


def _weighed(started: Started, number: int, seed: int) -> Drawing:
    chart, density, rng = _ready(started, seed)
    # 1. Proposals around the modes; where there is one, as wide as the weights say it is.
    proposal = Proposal.around(started.modes, _DF)
    if len(proposal.modes) == 1:
        q = proposal.draw(rng, _FIRST)
        proposal = _fitted(proposal, q, *_smoothed(_heights(density, q) - proposal.log_density(q)))
    # 2. Weights of the final ones, and draws in proportion: copies of one stand side by side, so
    #    that the effective draws of tables are those of the weights.
    q = proposal.draw(rng, number)
    heights = _heights(density, q)
    weight, k = _smoothed(heights - proposal.log_density(q))
    if k == np.inf:
        raise EngineError("no proposal has a density: use algorithm='nuts'")
    times = copies(weight, number, rng)
    points = [point for place in np.flatnonzero(times).tolist()
              for point in [chart.point(q[place])] * int(times[place])]  # fmt: skip
    return Drawing(points, np.repeat(heights, times), k, float(1 / np.sum(weight**2)))


def _as_they_are(started: Started, number: int, seed: int) -> Drawing:
    chart, density, rng = _ready(started, seed)
    proposal = Proposal.around(started.modes, np.inf)
    q = proposal.draw(rng, number)
    some = q[:_LOOKED_AT]
    heights = np.full(number, np.nan)
    heights[: len(some)] = _heights(density, some)
    _, k = _smoothed(heights[: len(some)] - proposal.log_density(some))
    return Drawing([chart.point(each) for each in q], heights, k, float(number))


def _ready(started: Started, seed: int) -> tuple[Chart, Density, np.random.Generator]:
    if not started.modes:
        raise EngineError("no mode of the posterior was found to draw around: use algorithm='nuts'")
    program, data = started.ready.program, started.ready.data
    return Chart(data), embedded.density(program, data), np.random.default_rng([seed, 3])


# Proposals ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proposal:
    """A mixture of distributions around modes: t in raw, normal in the effects given raw."""

    modes: Sequence[Mode]
    share: FloatArray
    """Of each."""
    df: float
    """Infinite: normal."""

    @classmethod
    def around(cls, modes: Sequence[Mode], df: float) -> "Proposal":
        """Return one around the modes that count, by their weights."""
        some = plausible(modes)
        share = np.exp([mode.log_weight - some[0].log_weight for mode in some])
        return cls(some, share / share.sum(), df)

    def draw(self, rng: np.random.Generator, number: int) -> FloatArray:
        """Draw coordinates (number, D + K)."""
        which = rng.choice(len(self.modes), number, p=self.share)
        widths = np.sqrt(self.df / rng.chisquare(self.df, number)) if self.df < np.inf else (
            np.ones(number)
        )  # fmt: skip
        return np.array([
            self.modes[place].at + _step(self.modes[place], rng, width)
            for place, width in zip(which.tolist(), widths.tolist(), strict=True)
        ])  # fmt: skip

    def log_density(self, q: FloatArray) -> FloatArray:
        """(S,) log density at coordinates (S, D + K)."""
        each = [np.log(share) + _log_density(mode, q, self.df)
                for share, mode in zip(self.share, self.modes, strict=True)]  # fmt: skip
        return np.asarray(np.logaddexp.reduce(each, axis=0))


def _step(mode: Mode, rng: np.random.Generator, width: float) -> FloatArray:
    """Deviation from a mode: raw `width` times as wide as its normal distribution."""
    raw = width * (mode.root @ rng.standard_normal(len(mode.root)))
    return np.concatenate([raw, mode.along @ raw + mode.deviation(rng)])


def _log_density(mode: Mode, q: FloatArray, df: float) -> FloatArray:
    """(S,) log density of one distribution of the mixture."""
    D = len(mode.root)
    raw, z = q[:, :D] - mode.at[:D], q[:, D:] - mode.at[D:]
    found = _log_t(np.linalg.solve(mode.root, raw.T), df) - np.linalg.slogdet(mode.root)[1]
    rest = z - raw @ mode.along.T
    for places, root in mode.free:
        J, Q, _ = root.shape
        levels = rest[:, places].reshape(len(q), Q, J).transpose(2, 1, 0)
        v = np.linalg.solve(root, levels)
        found = found - 0.5 * np.sum(v**2, axis=(0, 1)) - 0.5 * J * Q * np.log(2 * np.pi)
        found = found - np.linalg.slogdet(root)[1].sum()
    return np.asarray(found)


def _log_t(u: FloatArray, df: float) -> FloatArray:
    """Log density (S,) of standard t variables (D, S), which share their tails; normal ones."""
    from scipy.special import gammaln

    D, square = len(u), np.sum(u**2, axis=0)
    if df == np.inf:
        return np.asarray(-0.5 * square - 0.5 * D * np.log(2 * np.pi))
    constant = gammaln((df + D) / 2) - gammaln(df / 2) - D / 2 * np.log(df * np.pi)
    return np.asarray(constant - (df + D) / 2 * np.log1p(square / df))


# Weights -----------------------------------------------------------------------------------------


def _heights(density: Density, q: FloatArray) -> FloatArray:
    """(S,) log density; minus infinity where there is none."""
    return np.nan_to_num([density(each)[0] for each in q], nan=-np.inf)


def _smoothed(log_ratio: FloatArray) -> tuple[FloatArray, float]:
    """Weights (S,) that add up to one, and Pareto k: infinite where too few are numbers."""
    known = np.isfinite(log_ratio)
    weight = np.zeros(len(log_ratio))
    if known.sum() < _FEWEST:
        return weight, np.inf
    with np.errstate(all="ignore"):
        found, k = smoothed(log_ratio[known])
    weight[known] = np.exp(found - found.max())
    return weight / weight.sum(), k


def _fitted(proposal: Proposal, q: FloatArray, weight: FloatArray, k: float) -> Proposal:
    """Return the proposal with the weighted mean and covariance of raw, if they can be told.

    The effects stay where raw takes them.
    """
    (mode,), D = proposal.modes, len(proposal.modes[0].root)
    if k == np.inf or 10 * D * np.sum(weight**2) > 1:
        return proposal
    raw = q[:, :D]
    mean = weight @ raw
    away = raw - mean
    root = np.linalg.cholesky(away.T @ (weight[:, None] * away) + 1e-8 * np.eye(D))
    at = mode.at.copy()
    at[D:] += mode.along @ (mean - at[:D])
    at[:D] = mean
    # The covariance of a t is wider than its root by df / (df - 2).
    narrow = np.sqrt((proposal.df - 2) / proposal.df)
    return replace(proposal, modes=[replace(mode, at=at, root=narrow * root)])

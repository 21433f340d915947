"""Integrals over the effect of each level, where a parabola is a poor likeness of its rows.

Of a person who answers three questions alike, the mode of the effect doesn't say how wide it is: an
sd of 8 looks like one of 2. So the penalised fit integrates the effects of one factor numerically,
level by level, given all else: of the factor with the most levels, where one coefficient varies
with it. Mean and variance of an effect make the parabolas that a Gaussian model needs (expectation
propagation; Minka, 2001). How both move with the sd makes the coordinates in which they don't.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiermix.design.factor import Factor
from hiermix.tuning.mode import bend_of
from hiermix.tuning.problem import LONGEST_STEP, Problem, log_density
from hiermix.typing import FloatArray

_NODES = np.linspace(0.0, 1.0, 41)[:, None]
_WIDEST, _DEEP = 8.0, 18.0
"""Prior sds of an effect that are looked at first; fall of its log density that leaves nothing."""
_ENOUGH, _LOOKS = 16, 12
"""Nodes above that, and looks until there are as many, none of them at an end."""
_LEAST = 1e-6
"""Precision of the rows of a level, in units of the prior's, at least."""
_TOLD = 0.98
"""Part of an effect's precision from its rows above which a parabola does for them."""
_STEP = 1e-3
"""Of differences: of the linear predictor in units of its spread, of a log sd."""
_AT_ONCE = 100_000
"""Rows times nodes: few enough to stay in cache, many enough to hide the overhead."""
_H = 1e-2
_FLATTEST, _LONGEST, _SETTLED = 2.0, 0.7, 0.02
"""Spread of a log sd at most; its steps at most, and when there are enough of them."""


@dataclass(frozen=True)
class Integrals:
    """Effects v_j = u_j / sd of the levels of one factor, given all else."""

    sd: float
    mean: FloatArray
    """(J,)"""
    variance: FloatArray
    """(J,)"""
    mean_by_sd: FloatArray
    """(J,) derivative by the log sd."""
    variance_by_sd: FloatArray
    """(J,) likewise."""
    mean_by_shift: FloatArray
    """(J,) derivative by a shift of the linear predictor along Z."""
    slope: FloatArray
    """(rows,) of the log density by the linear predictor, in the mean."""
    single: NDArray[np.bool_]
    """(J,) has the effect one mode?"""

    @property
    def gradient(self) -> float:
        """Of the log likelihood by the log sd."""
        return float(np.sum(self.mean**2 + self.variance - 1))

    @property
    def curvature(self) -> float:
        """Likewise, downwards."""
        return -float(np.sum(2 * self.mean * self.mean_by_sd + self.variance_by_sd))

    def parabolas(
        self, factor: Factor, Z: FloatArray, rest: FloatArray, weights: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Weights and working responses (rows,) that give effects this mean and variance.

        Parameters
        ----------
        factor : Factor
            Levels of the rows.
        Z, rest : array, shape (rows,)
            Its column, and the linear predictor without it.
        weights : array, shape (rows,)
            Shares of the rows of a level.
        """
        told = factor.scatter(weights * Z**2)
        wanted = np.maximum(1 / self.variance - 1, _LEAST) / self.sd**2
        w = weights * factor.gather(wanted / np.where(told > 0, told, 1.0))
        away = np.divide(self.slope, w, out=np.zeros_like(w), where=w > 0)
        return w, rest + Z * self.sd * factor.gather(self.mean) + away

    def tuned(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Z'W Z, Z'W e and, to be multiplied by X, Z'W Z of a tuning, each (J,).

        In ``z = sqrt(A) v - s sd / sqrt(A)`` with A = 1 + sd^2 W neither the mean of v nor its
        spread moves with the sd, nor the mean with a shift. Of a parabola they are those of its
        rows; of a level whose rows are all alike they are next to nothing.
        """
        k = np.clip(-0.5 * self.variance_by_sd / self.variance, 0.0, 1.0)
        A, s = 1 / self.variance, self.mean / self.variance
        free = k < _TOLD
        A[free] = np.maximum(1 / (1 - k[free]), 1 + _LEAST)
        s[free] = (A**2 * (k * self.mean + self.mean_by_sd))[free]
        shift = np.maximum(-A * self.mean_by_shift, 0.0)
        return (A - 1) / self.sd**2, s / self.sd, shift / self.sd


@dataclass(frozen=True)
class Levels:
    """The rows of the levels of a factor of one effect, given all else."""

    problem: Problem
    factor: Factor
    Z: FloatArray
    """(rows,)"""
    rest: FloatArray
    """(rows,) linear predictor without the effects."""
    own: FloatArray
    """Coordinates of the family's own parameters."""

    def integrate(self, sd: float) -> Integrals:
        """Integrate the effects, of this sd."""
        v, density = self._look(sd)
        weight = np.exp(density - density.max(axis=0))
        weight /= weight.sum(axis=0)
        slope, by_shift = self._slopes(sd * v, weight)
        mean = np.sum(weight * v, axis=0)
        away = v - mean
        variance = np.sum(weight * away**2, axis=0)
        by_sd = sd * v * by_shift
        rising = np.diff(density, axis=0) > 0
        return Integrals(
            sd, mean, variance,
            mean_by_sd=np.sum(weight * away * by_sd, axis=0),
            variance_by_sd=np.sum(weight * (away**2 - variance) * by_sd, axis=0),
            mean_by_shift=np.sum(weight * away * by_shift, axis=0),
            slope=slope,
            single=~(~rising[:-1] & rising[1:]).any(axis=0),
        )  # fmt: skip

    def log_likelihood(self, sd: float) -> float:
        """Log likelihood with the effects integrated out, but for a constant."""
        v, density = self._look(sd)
        top = density.max(axis=0)
        return float(np.sum(top + np.log(np.exp(density - top).sum(axis=0) * (v[1] - v[0]))))

    def _look(self, sd: float) -> tuple[FloatArray, FloatArray]:
        """Nodes (nodes, J) where an effect's density is, and its logarithm there."""
        low, high = np.full(self.factor.size, -_WIDEST), np.full(self.factor.size, _WIDEST)
        every = np.arange(self.factor.size)
        for _ in range(_LOOKS):
            v = low + (high - low) * _NODES
            density = self._summed(sd * v) - v**2 / 2
            inside = density > density.max(axis=0) - _DEEP
            if inside.sum(axis=0).min() >= _ENOUGH and not inside[[0, -1]].any():
                break
            first, last = inside.argmax(axis=0), len(v) - 1 - inside[::-1].argmax(axis=0)
            width, end = high - low, len(v) - 1
            low = np.where(first > 0, v[first - 1, every], low - width)
            high = np.where(last < end, v[np.minimum(last + 1, end), every], high + width)
        return v, density

    def _slopes(self, u: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean slopes (rows,) by the linear predictor; by the effect, at each node (nodes, J)."""
        h = _STEP * self.problem.scales[0][1]
        mean, by_effect = np.zeros(len(self.Z)), np.empty_like(u)
        for some in self._nodes(u):
            slope = (self._rows(u[some], h) - self._rows(u[some], -h)) / (2 * h)
            mean += np.sum(self._of_rows(weight[some]) * slope, axis=0)
            by_effect[some] = self._of_levels(self.Z * slope)
        return mean, by_effect

    def _summed(self, u: FloatArray) -> FloatArray:
        """Log likelihood (nodes, J) of each level at effects (nodes, J)."""
        return np.concatenate([self._of_levels(self._rows(u[some], 0.0))
                               for some in self._nodes(u)])  # fmt: skip

    def _nodes(self, u: FloatArray) -> Iterator[slice]:
        """Yield as many nodes as are worked out at once."""
        step = max(1, _AT_ONCE // len(self.Z))
        for start in range(0, len(u), step):
            yield slice(start, start + step)

    def _rows(self, u: FloatArray, shift: float) -> FloatArray:
        """Log density (nodes, rows) at effects (nodes, J) and a shift of the linear predictor."""
        eta = self.rest - self.problem.origin + self.Z * self._of_rows(u) + shift
        density = log_density(self.problem, eta, self.own)
        weights = self.problem.design.weights
        return density if weights is None else density * weights

    def _of_rows(self, of_levels: FloatArray) -> FloatArray:
        """Return numbers (nodes, J) of levels as those of their rows, (nodes, rows)."""
        return np.asarray(self.factor.gather(of_levels.T).T)

    def _of_levels(self, of_rows: FloatArray) -> FloatArray:
        """Sum numbers (nodes, rows) over the rows of each level, (nodes, J)."""
        return np.asarray(self.factor.scatter(of_rows.T).T)


@dataclass(frozen=True)
class Held:
    """The factor whose effects are integrated, in a round of the penalised fit."""

    name: str
    levels: Levels
    found: Integrals
    log_sd: float
    """A Newton step on from that of the integrals."""
    spread: float
    """Of the log sd."""

    @property
    def settled(self) -> bool:
        """Whether the step was a small one."""
        return bool(abs(self.log_sd - np.log(self.found.sd)) < _SETTLED)

    def parabolas(self, weights: FloatArray, working: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weights and working responses (rows,), in the place of those given."""
        levels = self.levels
        w, y = self.found.parabolas(levels.factor, levels.Z, levels.rest, weights)
        w, y = self._within_reach(w, y)
        single = levels.factor.gather(self.found.single)
        return np.where(single, w, weights), np.where(single, y, working)

    def _within_reach(self, w: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Keep rows within reason that tell next to nothing of their level.

        They may be all that a level of another factor has, and it would go where they point.
        """
        levels, found = self.levels, self.found
        problem = levels.problem
        least = np.abs(found.slope) / (LONGEST_STEP * problem.scales[0][1])
        far = (w < least) & ~problem.peaks(0)
        at = levels.rest + levels.Z * levels.factor.gather(found.sd * found.mean)
        away = found.slope / np.where(far, least, 1.0)
        return np.where(far, least, w), np.where(far, at + away, y)

    def bend(self) -> float:
        """Bend of the log sd; see `mode.bend_of`."""

        def density(phi: FloatArray) -> tuple[float, FloatArray]:
            rows = self.levels.log_likelihood(float(np.exp(phi[0])))
            return rows + log_prior(self.levels.problem, self.name, float(phi[0])), np.zeros(1)

        return bend_of(density, np.array([self.log_sd]), np.array([[self.spread]]), 0)


def factor(problem: Problem) -> str | None:
    """Name of the factor whose effects are integrated; None where no parabola is in doubt."""
    groupings = [each for each in problem.design.groupings if each.factor.partitions]
    normal = problem.family.name == "gaussian" and bool(problem.peaks(0).all())
    if normal or not groupings or len(problem.names) > 1:
        return None
    finest = max(groupings, key=lambda each: len(each.levels))
    alone = len(finest.effects) == 1 and finest.covariance is None
    return finest.name if alone else None


def hold(problem: Problem, name: str, rest: FloatArray, own: FloatArray, log_sd: float) -> Held:
    """Integrate the effects of a factor, and take a Newton step of their log sd.

    Parameters
    ----------
    problem : Problem
        The model.
    name : str
        The factor.
    rest : array, shape (rows,)
        Linear predictor without its effects.
    own : array
        Coordinates of the family's own parameters.
    log_sd : float
        Of the effects.
    """
    design = problem.design
    levels = Levels(problem, design.grouping(name).factor, design.Z(name)[:, 0], rest, own)
    found = levels.integrate(float(np.exp(log_sd)))
    low, at, high = (log_prior(problem, name, log_sd + step) for step in (-_H, 0.0, _H))
    slope, curvature = (high - low) / (2 * _H), (2 * at - low - high) / _H**2
    precision = max(found.curvature + curvature, _FLATTEST**-2)
    step = np.clip((found.gradient + slope) / precision, -_LONGEST, _LONGEST)
    return Held(name, levels, found, log_sd + float(step), precision**-0.5)


def log_prior(problem: Problem, name: str, log_sd: float) -> float:
    """Log prior density of a log sd."""
    prior = problem.priors[name].sd[0]
    return float(prior.frozen().logpdf(np.exp(log_sd))) + log_sd

"""Coordinates where one factor is integrated out and those beside it are sampled.

Effects that are sampled are tuned to what the rows say of them once the others are integrated out,
from sums over levels and pairs of levels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.statistics.gram import Gram
from hiermix.statistics.level_pairs import LevelPairs, Reduced
from hiermix.statistics.nested import Chain, Pair
from hiermix.tuning.penalised import FactorFit, Penalised
from hiermix.tuning.problem import Problem
from hiermix.tuning.program_tuning import Tuning, tune
from hiermix.typing import FloatArray, IntArray

_LEVELS = 100
"""Levels of a factor of which products with all others are worked out at once."""


def tuned(problem: Problem, found: Penalised, pairs: LevelPairs, parameterisation: str) -> Tuning:
    """Tune the effects of all factors but the last, which is integrated out.

    Parameters
    ----------
    problem : Problem
        The model.
    found : Penalised
        Its penalised fit.
    pairs : LevelPairs
        Sums of the rows around that fit, in the program's X.
    parameterisation : {"auto", "centered", "noncentered"}
    """
    fits = {name: fit for name, fit in found.fits.items() if name is not None}
    *sampled, last = fits
    sigma = float(np.exp(found.own.center).prod())  # one where variances are known
    left = Left(problem, Reduced.of(pairs, fits[last].Lambda, sigma), sampled)
    reduced: dict[str | None, FactorFit] = {
        name: _reduced(fits[name], left.gram(name, fits), pairs.pilot.b) for name in sampled
    }
    # Slopes of rows add up to nothing along sigma, about which sums say no more.
    none = np.zeros_like(found.by_own)
    unmoved = found._replace(fits=reduced, by_own=none, weights_by_own=none)
    return tune(problem, unmoved, parameterisation, left, {last: fits[last]})


def _reduced(fit: FactorFit, gram: Gram, b: FloatArray) -> FactorFit:
    center = np.concatenate([b, fit.coordinates.center[len(b) :]])
    return replace(fit, gram=gram, coordinates=replace(fit.coordinates, center=center))


@dataclass(frozen=True)
class Left:
    """What is left of the rows for the factors that are sampled."""

    problem: Problem
    reduced: Reduced
    names: Sequence[str]
    """Of the sampled factors, in the order of their effects."""

    def gram(self, name: str, fits: Mapping[str, FactorFit]) -> Gram:
        """Return the statistics of a factor, with the sampled ones inside it integrated out too."""
        chain = [name, *(pair.inner for pair in self._pairs if pair.outer == name)]
        around = self._right(chain)
        state = self._chain(chain, around)
        state.integrate(chain, 1, {each: fits[each].Lambda for each in chain})
        return replace(state.grams[name], XtX=state.quadratic[1:, 1:])

    def cross(self, pair: Pair, Lambdas: Mapping[str, FloatArray]) -> FloatArray:
        """Z_inner'V^-1 Z_outer of each inner level, with factors inside it integrated out."""
        inside = (each.inner for each in self._pairs if each.outer == pair.inner)
        names = [pair.outer, pair.inner, *inside]
        state = self._chain(names, self._right(names))
        state.integrate(names, 2, Lambdas)
        return state.crossed[pair.inner, pair.outer]

    def of_population(self, along: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return what rows say of the population where effects (J, Q, P) move along with it."""
        parts = [each.transpose(1, 0, 2).reshape(-1, each.shape[2]) for each in along.values()]
        A, right = np.concatenate(parts), self.reduced.right()[:, 1:]
        mixed = A.T @ right
        told = self.reduced.quadratic()[1:, 1:] - mixed - mixed.T + A.T @ self.reduced.times(A)
        # The rows' slopes along sigma, where there is one, add up to nothing.
        return told, np.zeros((len(told), len(self.problem.own)))

    @property
    def _pairs(self) -> list[Pair]:
        """Pairs of nested factors that are sampled."""
        names = self.names
        return [each for each in self.problem.pairs if each.inner in names and each.outer in names]

    def _chain(self, names: Sequence[str], right: FloatArray) -> Chain:
        known = [each for each in self._pairs if each.inner in names and each.outer in names]
        return Chain(
            {name: self._gram(name, right) for name in names},
            {(each.inner, each.outer): self._crossed(each) for each in known},
            {(each.inner, each.outer): each.above for each in known},
            self.reduced.quadratic(),
        )

    def _right(self, names: Sequence[str]) -> FloatArray:
        """W'V^-1 of the residuals, with effects of some of the sampled factors in them, and -X."""
        found, r = self.reduced.right(), np.zeros_like(self.reduced.pairs.pilot.r)
        for name in names:
            places = self._places(name).ravel()
            r[places] = self.reduced.pairs.pilot.r[places]
        found[:, 0] += self.reduced.times(r[:, None])[:, 0]
        return found

    def _gram(self, name: str, right: FloatArray) -> Gram:
        own, places = self.reduced.pairs, self._places(name)
        Q, J = places.shape
        ZtZ = np.empty((J, Q, Q))
        for k in range(Q):
            for m in range(k + 1):
                ZtZ[:, k, m] = ZtZ[:, m, k] = self.reduced.block(places[k], places[m])
        if not self.problem.design.grouping(name).factor.partitions:
            ZtZ += self._beside(places.T)
        ZtR = right[places].transpose(1, 0, 2)
        x_mean = self.problem.x_mean
        return Gram(own.n, x_mean, own.pilot.b, self.reduced.quadratic()[1:, 1:], 0.0, ZtZ, ZtR)

    def _beside(self, places: IntArray) -> FloatArray:
        """(J, Q, Q) sizes of products with other levels, as in `Mixture.squares`."""
        J, Q = places.shape
        found = np.zeros((J, Q, Q))
        for start in range(0, J, _LEVELS):
            some = places[start : start + _LEVELS]
            unit = np.zeros((len(self.reduced.pairs.pilot.r), some.size))
            unit[some.ravel(), np.arange(some.size)] = 1.0
            size = np.abs(self.reduced.times(unit)[places].reshape(J, Q, *some.shape))
            own = np.arange(len(some))
            size[start + own, :, own] = 0.0  # which are not beside
            found[start : start + _LEVELS] += size.sum(axis=(0, 1))[:, :, None] * np.eye(Q)
        return found

    def _crossed(self, pair: Pair) -> FloatArray:
        inner, outer = self._places(pair.inner), self._places(pair.outer)[:, pair.above]
        found = np.empty((inner.shape[1], len(inner), len(outer)))
        for k, one in enumerate(inner):
            for m, other in enumerate(outer):
                found[:, k, m] = self.reduced.block(one, other)
        return found

    def _places(self, name: str) -> IntArray:
        """(Q, J) places of the effects of a factor among those that are sampled."""
        at = 0
        for each in self.names:
            grouping = self.problem.design.grouping(each)
            shape = len(grouping.effects), len(grouping.levels)
            if each == name:
                return at + np.arange(shape[0] * shape[1]).reshape(shape)
            at += shape[0] * shape[1]
        raise KeyError(name)

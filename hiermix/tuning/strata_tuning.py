"""Coordinates where effects of the location are integrated out, those of another equation sampled.

Rows say nothing of a Gaussian location and of log sigma at once: the information of both is zero.
So each has its own coordinates, the location's with its effects moving along.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.factor import Factor
from hiermix.statistics.nested import Pair
from hiermix.statistics.pattern_forms import without_effects
from hiermix.statistics.patterns import Patterned
from hiermix.statistics.strata import Strata
from hiermix.tuning.coordinates import Coordinates
from hiermix.tuning.penalised import FactorFit, Penalised
from hiermix.tuning.population_scale import common
from hiermix.tuning.problem import Problem
from hiermix.tuning.program_tuning import OfRows, Tuning, tune
from hiermix.typing import FloatArray


def tuned(
    problem: Problem,
    found: Penalised,
    integrated: Collection[str],
    rows: Patterned,
    parameterisation: str,
    main: str | None,
) -> Tuning:
    """Tune the effects of all factors but those that are integrated out, which come last.

    Parameters
    ----------
    problem : Problem
        The model.
    found : Penalised
        Its penalised fit.
    integrated : collection of str
        Factors of the location.
    rows : Patterned
        Sums over the rows of each stratum, with columns of factors beside the main one.
    parameterisation : {"auto", "centered", "noncentered"}
    main : str, optional
        The factor of the location that has no columns of its own there.
    """
    fits = {name: fit for name, fit in found.fits.items() if name is not None}
    out = {name: fits[name] for name in fits if name in integrated}
    sampled: dict[str | None, FactorFit] = {n: fit for n, fit in fits.items() if n not in out}
    of = Beside(OfRows(problem, found), rows, out)
    tuning = tune(problem, found._replace(fits=sampled), parameterisation, of, out)
    alone = len(sampled) == 1 and parameterisation == "auto"
    followed = {main, *(sampled if alone else ())}
    return replace(tuning, coordinates=_following(tuning, problem, fits, followed))


def _following(
    tuning: Tuning,
    problem: Problem,
    fits: Mapping[str, FactorFit],
    followed: Collection[str | None],
) -> Coordinates:
    """Let the population follow the sds of some factors."""
    from scipy.linalg import block_diag

    shared = [common(fit.gram) * (name in followed) for name, fit in fits.items()]
    Lambda = block_diag(*(fit.Lambda for fit in fits.values()))
    return tuning.coordinates.follow(problem.b_precision, np.concatenate(shared, axis=1), Lambda)


@dataclass(frozen=True)
class Beside:
    """What rows say of sampled effects and of the population, beside factors integrated out."""

    rows: OfRows
    sums: Patterned
    out: Mapping[str, FactorFit]

    def cross(self, pair: Pair, Lambdas: Mapping[str, FloatArray]) -> FloatArray:
        """Z_inner'V^-1 Z_outer of each inner level, with factors inside it integrated out."""
        return self.rows.cross(pair, Lambdas)

    def of_population(self, along: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return what rows say of the population where effects (J, Q, P) move along with it."""
        told, cross = self.rows.of_population(along)
        P = self.sums.P
        told = told.copy()
        told[:P, :P] = self._of_location()
        return told, cross

    def _of_location(self) -> FloatArray:
        """(P, P) what rows say of the location's population, its effects integrated out."""
        from scipy.linalg import block_diag

        sums, strata = self.sums, self.sums.precision
        assert isinstance(strata, Strata)
        # 1. Working weights are one over the variance, times what a row counts: one a stratum.
        weights = self.rows.found.weights[: len(strata.stratum)]
        mix = Factor(strata.stratum, strata.patterns).scatter(weights) / strata.rows
        # 2. The factor with groups, then columns of others, in units of their sds.
        Lambda = block_diag(np.zeros((0, 0)), *(fit.Lambda for fit in self.out.values()))
        own, P = sums.block.own, sums.P
        form = without_effects(sums, mix, Lambda[own, own]).form[1:, 1:]
        scaled = form[P:] * np.diag(Lambda)[sums.block.effect][:, None]
        M = np.eye(sums.block.W) + scaled[:, P:] * np.diag(Lambda)[sums.block.effect]
        return np.asarray(form[:P, :P] - scaled[:, :P].T @ np.linalg.solve(M, scaled[:, :P]))

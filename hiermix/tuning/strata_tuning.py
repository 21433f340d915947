"""Coordinates where effects of the location are integrated out, those of another equation sampled.

Rows say nothing of a Gaussian location and of log sigma at once: the information of both is zero.
So each has its own coordinates, the location's with its effects moving along.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hiermix.statistics.nested import Pair
from hiermix.tuning.coordinates import Coordinates
from hiermix.tuning.penalised import FactorFit, Penalised
from hiermix.tuning.population_scale import common
from hiermix.tuning.problem import Problem
from hiermix.tuning.program_tuning import OfRows, Tuning, tune
from hiermix.typing import FloatArray


def tuned(
    problem: Problem, found: Penalised, integrated: Collection[str], parameterisation: str
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
    parameterisation : {"auto", "centered", "noncentered"}
    """
    fits = {name: fit for name, fit in found.fits.items() if name is not None}
    out = {name: fits[name] for name in fits if name in integrated}
    sampled: dict[str | None, FactorFit] = {n: fit for n, fit in fits.items() if n not in out}
    of = Beside(OfRows(problem, found), out)
    tuning = tune(problem, found._replace(fits=sampled), parameterisation, of, out)
    alone = len(sampled) == 1 and parameterisation == "auto"
    followed = fits if alone else out
    return replace(tuning, coordinates=_following(tuning, problem, fits, followed))


def _following(
    tuning: Tuning, problem: Problem, fits: Mapping[str, FactorFit], followed: Collection[str]
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
    out: Mapping[str, FactorFit]

    def cross(self, pair: Pair, Lambdas: Mapping[str, FloatArray]) -> FloatArray:
        """Z_inner'V^-1 Z_outer of each inner level, with factors inside it integrated out."""
        return self.rows.cross(pair, Lambdas)

    def of_population(self, along: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return what rows say of the population where effects (J, Q, P) move along with it."""
        moved = {name: _moved(fit) for name, fit in self.out.items()}
        further = {name: fit.Lambda @ moved[name] for name, fit in self.out.items()}
        told, cross = self.rows.of_population({**along, **further})
        for each in moved.values():
            told = told + np.einsum("jqa,jqb->ab", each, each)
        return told, cross


def _moved(fit: FactorFit) -> FloatArray:
    """(J, Q, P) how effects, in units of their sds, move along with the population."""
    told = fit.Lambda.T @ fit.gram.ZtR[:, :, 1:]
    return np.linalg.solve(fit.shrinkage(), told)

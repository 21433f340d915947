"""A quick penalised fit in numpy, which tunes the programs that sample their group effects.

Iteratively reweighted least squares: the log density of each row is replaced by a parabola, which
makes the model Gaussian with a known residual sd of 1. Factor by factor (backfitting), with the
effects of the other factors held at their conditional means, that model has one grouping factor
and its integrated-out density gives mode, curvature and effects. The effects of the finest factor
are integrated numerically, and its parabolas have their moments. The result only tunes the sampler:
the posterior is the same whatever it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from hiermix.design.batches import by_slices
from hiermix.design.design import Design
from hiermix.families import linear_scale
from hiermix.families.correlations import pairs
from hiermix.statistics import nested
from hiermix.statistics.conditional_effects import Hyperdraws, mean_effects
from hiermix.statistics.gram import Gram, empty, statistics
from hiermix.statistics.within_between import split
from hiermix.tuning import family_parameters, level_integrals
from hiermix.tuning.coordinates import Coordinates, Hyperpriors
from hiermix.tuning.level_integrals import Held, Integrals
from hiermix.tuning.own_beside_population import rows_by_own
from hiermix.tuning.points import Point
from hiermix.tuning.problem import (
    IMPOSSIBLE,
    LONGEST_STEP,
    Problem,
    log_density,
    slopes_and_curvatures,
)
from hiermix.tuning.standardise import around, of_round, settled, standardise
from hiermix.typing import FloatArray

_ROUNDS = 15
_SETTLED = 0.02
_HALVINGS = 8


@dataclass(frozen=True)
class FactorFit:
    """What the penalised fit says of one grouping factor."""

    gram: Gram
    """Statistics with the effects of the other factors subtracted, and working weights."""
    coordinates: Coordinates
    """Of the model in which only this factor varies."""
    effects: FloatArray
    """(J, Q) conditional means."""
    Lambda: FloatArray
    """(Q, Q) diag(sd) L."""
    integrals: Integrals | None = None
    """Of the effects, if they were integrated."""

    @property
    def b(self) -> FloatArray:
        """(P,) population coefficients."""
        return self.coordinates.center[: len(self.gram.b_hat)]

    def shrinkage(self) -> FloatArray:
        """(J, Q, Q) I + Lambda' Z'WZ Lambda."""
        Q = len(self.Lambda)
        return np.asarray(np.eye(Q) + self.Lambda.T @ self.gram.ZtZ @ self.Lambda)

    def covariance(self) -> FloatArray:
        """(J, Q, Q) of the effects, given everything else."""
        return np.asarray(self.Lambda @ np.linalg.inv(self.shrinkage()) @ self.Lambda.T)


class Penalised(NamedTuple):
    """The penalised fit of a model, or what stands for it where there are no rows."""

    fits: Mapping[str | None, FactorFit]
    own: Coordinates
    """Of the family's own parameters."""
    weights: FloatArray
    """(rows,) working weights."""
    working: FloatArray
    """(rows,) working responses, less the offset."""
    by_own: FloatArray
    """(rows, A) how the slopes of rows move with the own parameters' coordinates."""
    weights_by_own: FloatArray
    """(rows, A) how their weights do."""


def fit_prior(problem: Problem) -> Penalised:
    """Return what the priors say alone."""
    design = problem.design
    fits = {}
    for name, priors in problem.priors.items():
        levels = design.grouping(name).levels if name is not None else ()
        gram = empty(len(design.terms), sum(priors.blocks), len(levels))
        fits[name] = _with_effects(gram, priors, standardise(split(gram), priors))
    none = np.zeros(0)
    own = family_parameters.estimate(problem, family_parameters.first(problem), none, none)
    nothing = np.zeros(design.rows)
    unmoved = np.zeros((design.rows, len(own.center)))
    return Penalised(fits, own, nothing, nothing, unmoved, unmoved)


# The fit -----------------------------------------------------------------------------------------


def fit(problem: Problem, near: Point | None = None) -> Penalised:
    """Fit the model, from where a mode is known if one is."""
    design = problem.design
    offset = linear_scale.offsets(design)
    blur = np.zeros(problem.rows)
    parts, phi = _first(problem, near)
    if near is None:
        eta = np.repeat([location for location, _ in problem.scales], problem.rows) + offset
        own = family_parameters.estimate(
            problem, family_parameters.first(problem), eta, np.zeros(design.rows)
        )
    else:
        eta = offset + population(problem, near.b) + sum(parts.values())
        own = Coordinates(near.own, np.zeros((len(near.own),) * 2))
    fits: dict[str | None, FactorFit] = {}
    finest, shared = level_integrals.factor(problem), np.zeros(design.rows)
    for _ in range(_ROUNDS):
        weights, working = _working(problem, eta, own, blur)
        held = _held(problem, finest, fits, offset + shared, parts, own)
        if held is not None:
            weights, working = held.parabolas(weights, working)
        shared = _backfit(problem, working - offset, weights, parts, fits, phi, held)
        before, eta = eta, _within(problem, offset + shared + sum(parts.values()))
        eta = _possible(problem, before, eta, own)
        if problem.own or len(problem.names) > 1:
            blur = _blur(problem, fits, weights)[: problem.rows]
            own = family_parameters.of_round(problem, own, eta, blur)
        moved = np.sqrt(np.mean(weights * (eta - before) ** 2))
        if moved < _SETTLED and (finest is None or (held is not None and held.settled)):
            break
    own = family_parameters.estimate(problem, own.center, eta, blur)
    weights, working = _working(problem, eta, own, blur)
    held = _held(problem, finest, fits, offset + shared, parts, own)
    for name, each in fits.items():
        if held is None or name != held.name:
            fits[name] = _settled(each, problem.priors[name])
    if held is not None:
        weights, working = held.parabolas(weights, working)
        last = fits[held.name]
        coordinates = replace(last.coordinates, bend=np.array([held.bend()]))
        fits[held.name] = replace(last, coordinates=coordinates, integrals=held.found)
    by_own = rows_by_own(
        lambda theta: _working(problem, eta, replace(own, center=theta), blur), eta, own.center
    )
    return Penalised(fits, own, weights, working - offset, *by_own)


def _held(
    problem: Problem, name: str | None, fits: Mapping[str | None, FactorFit], eta: FloatArray,
    parts: Mapping[str | None, FloatArray], own: Coordinates,
) -> Held | None:  # fmt: skip
    """Integrate the effects of a factor that has been fitted; `eta` is without any effects."""
    if name is None or name not in fits:
        return None
    rest = eta + sum(part for key, part in parts.items() if key != name)
    log_sd = float(fits[name].coordinates.center[-1])
    return level_integrals.hold(problem, name, rest, own.center, log_sd)


def _first(
    problem: Problem, near: Point | None
) -> tuple[dict[str | None, FloatArray], dict[str | None, FloatArray]]:
    """Return what each factor adds to eta at a point, and where the search for its sds begins."""
    parts: dict[str | None, FloatArray] = {}
    phi: dict[str | None, FloatArray] = {}
    sd = cor = r = 0
    for name, priors in problem.priors.items():
        parts[name] = np.zeros(problem.design.rows)
        if near is None or name is None:
            continue
        Q, S, C = sum(priors.blocks), len(priors.sd), pairs(priors.blocks)
        phi[name] = np.concatenate([near.log_sd[sd : sd + S], near.cor[cor : cor + C]])
        size = Q * len(problem.design.grouping(name).levels)
        parts[name] = share(problem.design, name, near.r[r : r + size].reshape(Q, -1).T)
        sd, cor, r = sd + S, cor + C, r + size
    return parts, phi


def population(problem: Problem, b: FloatArray) -> FloatArray:
    """Return what the population adds to eta, by coefficients (P,) of the program's X."""
    X = problem.design.X
    return by_slices(problem.design.rows, lambda rows: (X(rows) - problem.x_mean) @ b)


def _blur(
    problem: Problem, fits: Mapping[str | None, FactorFit], weights: FloatArray
) -> FloatArray:
    """Sd of the linear predictor of each row in the working model.

    Of the effects given the population, factor by factor, and of the population with the effects
    of one factor moving along.
    """
    design, last = problem.design, list(fits)[-1]
    variance = _of_population(design, last, fits[last])
    for name, fit in fits.items():
        if name is not None:
            variance += _of_effects(design, name, fit, weights)
    return np.asarray(np.minimum(np.sqrt(variance), 10 * problem.scales[0][1]))


def _of_population(design: Design, name: str | None, fit: FactorFit) -> FloatArray:
    """Variance of each row by the population, the effects of the factor moving along."""
    root = fit.coordinates.scale[: len(fit.b), : len(fit.b)]
    along = fit.covariance() @ fit.gram.ZtR[:, :, 1:]

    def of_rows(rows: slice) -> FloatArray:
        X = design.X(rows) - fit.gram.x_mean
        if name is not None:
            moved = design.grouping(name).factor.gather(along, rows)
            X = X + np.einsum("nq,nqp->np", design.Z(name, rows), moved)
        return np.asarray(np.sum((X @ root) ** 2, axis=1))

    return by_slices(design.rows, of_rows)


def _of_effects(design: Design, name: str, fit: FactorFit, weights: FloatArray) -> FloatArray:
    """Variance of each row by the effects of one factor.

    Where factors nested in it are integrated out, their effects move against its own: of a
    deviation is left what the information of its levels is of that without them.
    """
    factor, V = design.grouping(name).factor, fit.covariance()

    def of_rows(rows: slice) -> FloatArray:
        Z = design.Z(name, rows)
        return np.asarray(np.einsum("nq,nqk,nk->n", Z, factor.gather_squared(V, rows), Z))

    own = by_slices(design.rows, of_rows)
    if not factor.partitions:  # nested in nothing
        return own
    alone = factor.scatter(weights * own)
    left = np.einsum("jqk,jkq->j", V, fit.gram.ZtZ) / np.where(alone > 0, alone, 1.0)
    return np.asarray(own * factor.gather(np.minimum(left, 1.0)) ** 2)


def _within(problem: Problem, eta: FloatArray) -> FloatArray:
    """Keep linear predictors where their links still have a derivative."""
    for place, part in enumerate(problem.parts()):
        if not problem.peaks(place).all():
            location, spread = problem.scales[place]
            eta[part] = np.clip(eta[part], location - 20 * spread, location + 20 * spread)
    return eta


def _possible(
    problem: Problem, before: FloatArray, eta: FloatArray, own: Coordinates
) -> FloatArray:
    """Go back with rows that stepped where their response can't be, as before its earliest time."""
    if not problem.family.starts_late:
        return eta
    by_row, last = eta.reshape(-1, problem.rows).copy(), before.reshape(-1, problem.rows)
    for _ in range(_HALVINGS):
        density = log_density(problem, by_row.ravel() - problem.origins(), own.center)
        beyond = density <= IMPOSSIBLE
        by_row[:, beyond] = (by_row[:, beyond] + last[:, beyond]) / 2
    return by_row.ravel()


def _working(
    problem: Problem, eta: FloatArray, own: Coordinates, blur: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weights and working response, (12): the parabola that touches each row's log density.

    The slope is exact, so that the fit has the right mode. The curvature is positive where the
    density is not log-concave, and enough to keep the step of a row within reason.
    """
    slope, curvature = slopes_and_curvatures(problem, eta, own.center, blur)
    for place, part in enumerate(problem.parts()):
        curvature[part] = _bounded(problem, place, eta[part], slope[part], curvature[part])
    weights = curvature if problem.design.weights is None else curvature * problem.design.weights
    return weights, eta + slope / curvature


def _bounded(
    problem: Problem, place: int, eta: FloatArray, slope: FloatArray, curvature: FloatArray
) -> FloatArray:
    """Curvatures in one linear predictor that keep steps within reason."""
    spread = problem.scales[place][1]
    typical = max(float(np.median(np.abs(curvature))), 1e-10 / spread**2)
    curvature = np.maximum(curvature, 1e-3 * typical)
    peaks = problem.peaks(place)
    bounded = np.maximum(curvature, np.abs(slope) / (LONGEST_STEP * spread))
    if not peaks.any():
        return bounded
    # The parabola with its peak at the response never overshoots: the weights of the EM
    # algorithm for Student's t (Lange, Little and Taylor, 1989).
    away = problem.y - problem.origin - (eta - problem.origin)
    far = peaks & (np.abs(away) > 1e-3 * spread)
    curvature[far] = np.maximum(slope[far] / away[far], 1e-10 * typical)
    return np.where(peaks, curvature, bounded)


def _backfit(
    problem: Problem,
    response: FloatArray,
    weights: FloatArray,
    parts: dict[str | None, FloatArray],
    fits: dict[str | None, FactorFit],
    phi: Mapping[str | None, FloatArray],
    held: Held | None,
) -> FloatArray:
    """Fit every factor given the others, with those nested in it integrated out as they last were.

    The factors' shares `parts` of eta, and `fits`, are updated in place.
    """
    design = problem.design
    for name, priors in problem.priors.items():
        inside = {pair.inner: fits[pair.inner].Lambda for pair in problem.pairs
                  if pair.outer == name and pair.inner in fits}  # fmt: skip
        others = sum(part for key, part in parts.items() if key != name and key not in inside)
        rest = response - others
        gram = (
            nested.marginal(design, name, rest, weights, inside)
            if name is not None and inside
            else statistics(design, name, rest, weights)
        )
        if held is not None and held.name == name:
            at = around(split(gram), priors, held.log_sd, held.spread)
        else:
            last = fits[name].coordinates if name in fits else None
            at = of_round(split(gram), priors, phi.get(name), last)
        fit = fits[name] = _with_effects(gram, priors, at)
        if name is not None:
            parts[name] = share(design, name, fit.effects)
    final = list(fits.values())[-1]
    X = design.X
    return by_slices(design.rows, lambda rows: (X(rows) - final.gram.x_mean) @ final.b)


def share(design: Design, name: str, effects: FloatArray) -> FloatArray:
    """Return what the effects (J, Q) of a factor add to eta."""
    gather = design.grouping(name).factor.gather
    return by_slices(
        design.rows,
        lambda rows: np.einsum("nq,nq->n", design.Z(name, rows), gather(effects, rows)),
    )


def _settled(fit: FactorFit, priors: Hyperpriors) -> FactorFit:
    """Take curvatures where the rounds have ended."""
    return _with_effects(fit.gram, priors, settled(split(fit.gram), priors, fit.coordinates))


def _with_effects(gram: Gram, priors: Hyperpriors, coordinates: Coordinates) -> FactorFit:
    P, Q = len(gram.b_hat), gram.Q
    Lambda = priors.root(coordinates.center[P:])
    effects = np.zeros((len(gram.ZtZ), Q))
    if gram.n and Q:
        draws = Hyperdraws(coordinates.center[None, :P], {"sigma": np.ones(1)}, Lambda[None])
        effects = mean_effects(gram, draws)[0]
    return FactorFit(gram, coordinates, effects, Lambda)

"""The family's own parameters in the penalised fit: mode and scale, given the linear predictor."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hiermix.families import thresholds
from hiermix.families.discrimination import DISC
from hiermix.families.own_parameter import by_parameter
from hiermix.families.thresholds import Gaps
from hiermix.tuning.coordinates import Coordinates
from hiermix.tuning.mode import Function, mode, mode_near
from hiermix.tuning.problem import Problem, log_density
from hiermix.typing import FloatArray

_ROWS = 5_000
"""As many, spread over the frame, say where they lie."""


def first(problem: Problem) -> FloatArray:
    """Coordinates to start from: medians of the priors; thresholds by shares of the categories."""
    start: list[FloatArray] = []
    for own, prior in zip(problem.own, problem.own_priors, strict=True):
        if own.transform == "gaps":
            start.append(thresholds.start(problem.answered, problem.family.link))
            continue
        if own.transform == "differences":
            start.append(np.zeros(own.coordinates(problem.answered)))
            continue
        start.append(np.array([own.coordinate(own.quantile(prior, 0.5))]))
    return np.concatenate([np.zeros(0), *start])


def _log_prior(problem: Problem, theta: FloatArray) -> float:
    lp = 0.0
    parts = by_parameter(problem.own, theta, problem.answered)
    for (own, part), prior in zip(parts, problem.own_priors, strict=True):
        value = own.value(part, problem.answered)
        lp += float(prior.frozen().logpdf(value).sum()) + float(own.log_jacobian(part))
    return lp


def estimate(problem: Problem, start: FloatArray, eta: FloatArray, blur: FloatArray) -> Coordinates:
    """Mode and scale of the own parameters; `blur` (rows,) is the uncertainty of the location.

    The mean over eta - blur and eta + blur makes up for the degrees of freedom that eta used.
    """
    if not len(start):
        return Coordinates(start, np.zeros((0, 0)))
    rows = _rows(problem, eta, blur)
    guess = np.full(len(start), 0.3)
    if not _has_gaps(problem):
        return Coordinates(*mode(_by_differences(problem, rows), start, guess))
    category = problem.y[rows.part].astype(np.int64)
    item, ladder = problem.answered.limits.item, thresholds.ladder(problem.answered)
    item = np.zeros(problem.rows) if item is None else item
    (low, by_row), (high, _) = (
        problem.family.at_equations(problem.names, each.reshape(len(problem.names), -1))
        for each in rows.ends
    )
    disc = by_row.get(DISC)
    gaps = Gaps(problem.family.link, category, (low, high), rows.weight, ladder,
                item[rows.part].astype(np.int64), disc)  # fmt: skip
    inside = _of_gaps(problem)
    found = Coordinates(
        *mode(gaps.value_and_gradient, start[inside], guess[inside], gaps.curvature)
    )
    return _beside_gaps(_by_differences(problem, rows), found, start, guess, inside)


def of_round(problem: Problem, last: Coordinates, eta: FloatArray, blur: FloatArray) -> Coordinates:
    """Mode of the own parameters, and the scale that they had in the last round if that is near."""
    if last.scale.any() and not _has_gaps(problem):
        rows = _rows(problem, eta, blur)
        found = mode_near(_by_differences(problem, rows), last.center, last.scale)
        if found is not None:
            return replace(last, center=found)
    return estimate(problem, last.center, eta, blur)


class _Rows(NamedTuple):
    """Some rows that say where own parameters lie."""

    part: slice
    ends: FloatArray
    """(2, equations * rows) linear predictors, stacked: the location less and plus its blur."""
    weight: FloatArray
    """(rows,)"""


def _rows(problem: Problem, eta: FloatArray, blur: FloatArray) -> _Rows:
    origins = problem.origins() if len(eta) else 0.0
    at = (eta - origins).reshape(len(problem.names), -1)
    rows = at.shape[1]  # none: the prior
    step = max(1, rows // _ROWS)
    part = slice(0, rows, step)
    ends = np.array([np.concatenate([at[:1, part] + by[part], at[1:, part]]).ravel()
                     for by in (-blur, blur)])  # fmt: skip
    weight = np.full(len(range(rows)[part]), 0.5 * step)
    if problem.weights is not None and rows:
        weight *= problem.weights[part]
    return _Rows(part, ends, weight)


def _has_gaps(problem: Problem) -> bool:
    return any(own.transform == "gaps" for own in problem.own)


def _of_gaps(problem: Problem) -> NDArray[np.bool_]:
    """Tell which coordinates are those of gaps between thresholds."""
    sizes = [each.coordinates(problem.answered) for each in problem.own]
    return np.repeat([each.transform == "gaps" for each in problem.own], sizes)


def _beside_gaps(
    value_and_gradient: Function,
    gaps: Coordinates,
    start: FloatArray,
    guess: FloatArray,
    inside: NDArray[np.bool_],
) -> Coordinates:
    """Mode and scale of the other parameters beside gaps that are known."""
    if inside.all():
        return gaps
    theta = start.copy()
    theta[inside] = gaps.center

    def of_others(values: FloatArray) -> tuple[float, FloatArray]:
        theta[~inside] = values
        value, gradient = value_and_gradient(theta)
        return value, gradient[~inside]

    center, root = mode(of_others, start[~inside], guess[~inside])
    scale = np.zeros((len(start),) * 2)
    scale[np.ix_(inside, inside)], scale[np.ix_(~inside, ~inside)] = gaps.scale, root
    theta[~inside] = center
    return Coordinates(theta, scale)


def _by_differences(problem: Problem, at: _Rows) -> Function:
    """Log posterior of a few parameters, and its gradient by differences."""

    def log_posterior(theta: FloatArray) -> float:
        rows = float(np.sum(log_density(problem, at.ends, theta, at.part) @ at.weight))
        return rows + _log_prior(problem, theta)

    def value_and_gradient(theta: FloatArray) -> tuple[float, FloatArray]:
        h = 1e-4 * np.eye(len(theta))
        slope = [(log_posterior(theta + e) - log_posterior(theta - e)) / 2e-4 for e in h]
        return log_posterior(theta), np.array(slope)

    return value_and_gradient

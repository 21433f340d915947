"""The model that the penalised fit is fitted to: rows, family and priors in numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hiermix.design.design import Design
from hiermix.families import imputed_laws
from hiermix.families.family import Family
from hiermix.families.links import Own
from hiermix.families.own_parameter import OwnParameter, by_parameter
from hiermix.families.prior import Prior
from hiermix.statistics import nested
from hiermix.statistics.nested import Pair
from hiermix.statistics.parabola import Parabola, parabola
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.stacked import Stacked
from hiermix.typing import FloatArray

IMPOSSIBLE = -1e10
"""Log density, at most, of what can't be."""
LONGEST_STEP = 2.0
"""Of a row to its working response, in units of the spread of a linear predictor."""
_STEP = 1e-3
"""Of differences, in units of the spread of a linear predictor."""


@dataclass(frozen=True)
class Problem:
    """Rows, family and priors of the model to fit."""

    design: Design
    """Of one linear predictor: several are stacked, equation below equation."""
    family: Family
    y: FloatArray
    """Response; its logarithm for a family that is Gaussian in it."""
    names: Sequence[str]
    """Of the linear predictors, in the order of the stack."""
    scales: Sequence[tuple[float, float]]
    """Location and spread to expect of each."""
    priors: Mapping[str | None, Hyperpriors]
    """For each grouping factor, without a residual sd; under None where there is no factor."""
    own: Sequence[OwnParameter]
    """The family's own parameters that are one number for all rows."""
    own_priors: Sequence[Prior]
    x_mean: FloatArray
    """(P,) what the program's X has subtracted."""
    origin: float
    """Where responses and linear predictors are counted from: no digits are lost on y + 1e9."""
    beside: Own
    """What rows bring beside the response, (rows,) each."""

    @property
    def answered(self) -> Design:
        """The design before it was stacked: each row once, with its response."""
        return self.design.base if isinstance(self.design, Stacked) else self.design

    @property
    def rows(self) -> int:
        """Number of rows of the data, which have a linear predictor of each equation."""
        return len(self.y)

    @property
    def weights(self) -> FloatArray | None:
        """Weight of each row of the data."""
        weights = self.design.weights
        return None if weights is None else weights[: self.rows]

    def parts(self) -> list[slice]:
        """Return the place of each equation in what is stacked."""
        n = self.rows
        return [slice(at * n, (at + 1) * n) for at in range(len(self.names))]

    def peaks(self, place: int) -> NDArray[np.bool_]:
        """Tell of which rows the density is highest where the linear predictor is the response.

        Not of those of which is known that they lie in an interval, or have bounds.
        """
        peaked = not (self.family.mixed or self.family.skewed)
        if place > 0 or self.family.link != "identity" or not peaked:
            return np.zeros(self.rows, bool)
        low = self.beside.get("low", np.full(self.rows, np.nan))
        bounds = (self.beside.get(name, np.full(self.rows, np.inf)) for name in ("least", "most"))
        least, most = map(np.isinf, bounds)
        return np.asarray(np.isnan(low) & least & most)

    def origins(self) -> FloatArray | float:
        """Return where each linear predictor is counted from: the location alone."""
        if len(self.names) == 1:
            return self.origin
        return np.repeat([self.origin, *np.zeros(len(self.names) - 1)], self.rows)

    @property
    def b_precision(self) -> FloatArray:
        """(P,) precisions of the priors of the population, which all factors share."""
        return next(iter(self.priors.values())).b_precision

    @cached_property
    def pairs(self) -> list[Pair]:
        """Factors nested in each other; finding them takes a look at every row."""
        return nested.pairs(self.design)


def log_density(
    problem: Problem, eta: FloatArray, theta: FloatArray, rows: slice = slice(None)
) -> FloatArray:
    """Log density of rows.

    Parameters
    ----------
    problem : Problem
        The model.
    eta : array, shape (..., equations * rows)
        Linear predictors, stacked; the location counted from the origin.
    theta : array
        Coordinates of the own parameters.
    rows : slice
        Which rows of the data they are.
    """
    beside: Own = {name: each[rows] for name, each in problem.beside.items()}
    etas = np.moveaxis(eta.reshape(*eta.shape[:-1], len(problem.names), -1), -2, 0)
    at, by_row = problem.family.at_equations(problem.names, etas)
    own = dict(beside) | own_values(problem, theta) | by_row
    with np.errstate(all="ignore"):
        found = problem.family.log_density(problem.y[rows] - problem.origin, at, own)
        for each in problem.design.imputed:
            of_each = etas[problem.names.index(each.name)]
            found = found + imputed_laws.log_density(each, rows, of_each, own)
    return np.nan_to_num(found, nan=IMPOSSIBLE, neginf=IMPOSSIBLE, posinf=-IMPOSSIBLE)


def own_values(problem: Problem, theta: FloatArray) -> dict[str, FloatArray]:
    """Values of the family's own parameters at their coordinates."""
    design = problem.answered
    parts = by_parameter(problem.own, theta, design)
    return {own.name: own.value(part, design) for own, part in parts}


def slopes_and_curvatures(
    problem: Problem, eta: FloatArray, theta: FloatArray, blur: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slope and curvature of the log density of rows in each of their linear predictors, stacked.

    In those of other parameters the mean over the location less and plus its `blur` (rows,), which
    makes up for the degrees of freedom that the location used.
    """
    at = eta - problem.origins()
    found = [_touched(problem, at, theta, place, blur) for place in range(len(problem.names))]
    slope, curvature = (np.concatenate(each) for each in zip(*found, strict=True))
    return slope, curvature


def _touched(
    problem: Problem, at: FloatArray, theta: FloatArray, place: int, blur: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slope and curvature in one linear predictor."""
    part = problem.parts()[place]

    def of_location(shift: FloatArray | float) -> Parabola:
        def of(eta: FloatArray) -> FloatArray:
            moved = at.copy()
            moved[part] = eta
            moved[: problem.rows] += shift
            return log_density(problem, moved, theta)

        return parabola(of, at[part], _STEP * problem.scales[place][1])

    if place == 0 or problem.family.unordered:
        _, slope, curvature = of_location(0.0)
        return slope, curvature
    low, high = of_location(-blur), of_location(blur)
    return (low.slope + high.slope) / 2, (low.curvature + high.curvature) / 2

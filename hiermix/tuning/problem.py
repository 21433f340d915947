"""The model that the penalised fit is fitted to: rows, family and priors in numpy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hiermix.design.design import Design
from hiermix.families.family import Family, row_values
from hiermix.families.links import Own
from hiermix.families.priors import Prior
from hiermix.statistics import nested
from hiermix.statistics.nested import Pair
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.typing import FloatArray


@dataclass(frozen=True)
class Problem:
    """Rows, family and priors of the model to fit."""

    design: Design
    family: Family
    y: FloatArray
    """Response; its logarithm for a family that is Gaussian in it."""
    scale: tuple[float, float]
    """Location and spread of the linear predictor to expect."""
    priors: Mapping[str | None, Hyperpriors]
    """For each grouping factor, without a residual sd; under None where there is no factor."""
    own_priors: Sequence[Prior]
    x_mean: FloatArray
    """(P,) what the program's X has subtracted."""
    origin: float
    """Where responses and linear predictors are counted from: no digits are lost on y + 1e9."""
    against: Callable[[FloatArray], FloatArray] = np.zeros_like
    """What the density of a row takes off its linear predictor, given those of all rows."""

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
    """Log density of rows; `eta` is counted from the origin, `theta` are own coordinates."""
    family = problem.family
    beside: Own = {name: each[rows] for name, each in row_values(problem.design).items()}
    own = dict(beside) | own_values(problem, theta)
    with np.errstate(all="ignore"):
        found = family.log_density(problem.y[rows] - problem.origin, eta, own)
    return np.nan_to_num(found, nan=-1e10, neginf=-1e10, posinf=1e10)


def own_values(problem: Problem, theta: FloatArray) -> dict[str, FloatArray]:
    """Values of the family's own parameters at their coordinates."""
    values, at = {}, 0
    for own in problem.family.own:
        size = own.coordinates(problem.design)
        values[own.name] = own.value(theta[at : at + size], problem.design)
        at += size
    return values

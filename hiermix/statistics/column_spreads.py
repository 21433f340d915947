"""Where the columns of a design lie and how far they spread: what default priors are scaled by.

A weight of two counts as a row that was seen twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.curve_factors import as_factors
from hiermix.design.design import Design
from hiermix.design.equation import Equation
from hiermix.design.groupings import Grouping
from hiermix.design.joint_design import Joint
from hiermix.design.shared_levels import SharedLevels
from hiermix.errors import DataError
from hiermix.families.linear_scale import weights
from hiermix.formula.equations import MU
from hiermix.statistics.gram import solve_symmetric
from hiermix.typing import FloatArray

_SMALLEST = 1e-120
"""Of columns whose sums of squares are numbers."""


@dataclass(frozen=True)
class Spreads:
    """Means and spreads of the columns of X (P,) of each equation, and of each factor's Z (Q,)."""

    x_left: Mapping[str, FloatArray]
    """Root mean square of the part of each column that the others leave."""
    x_level: Mapping[str, FloatArray]
    """Coefficients with which the columns come closest to a constant one."""
    x_size: Mapping[str, FloatArray]
    """Sds; the size of a column that is constant."""
    z_mean: Mapping[str, FloatArray]
    z_size: Mapping[str, FloatArray]
    """Sds; the size of a column that is constant."""


@dataclass(frozen=True)
class Columns:
    """Weighted mean, and mean square around it, of some columns."""

    mean: FloatArray
    square: FloatArray
    """(columns, columns)"""

    @property
    def size(self) -> FloatArray:
        """Sd of each column; its size where it is constant, and one where it is zero."""
        sd = np.sqrt(np.maximum(np.diag(self.square), 0.0))
        level = np.abs(self.mean)
        return np.where(sd > 1e-9 * level, sd, np.where(level > 0, level, 1.0))


def find(design: Design) -> Spreads:
    """Read the design once, in slices; what bends curves is levels there."""
    if isinstance(design, Joint):
        return _of_responses(design)
    design = as_factors(design)
    w = weights(design)
    of_x = {each.name: _of_x(design, each, w) for each in design.equations}
    of_z = {each.name: _of_z(design, each, w) for each in design.groupings}
    return spreads(of_x, of_z, design.equations)


def _of_responses(design: Joint) -> Spreads:
    """Return those of each response's own rows, under its name; of effects in their order."""
    each = [find(part) for part in design.parts]

    def varying(of: Callable[[Spreads], Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
        return {name: np.array([of(each[k])[name][column] for k, column in places])
                for name, places in design.places.items()}  # fmt: skip

    named = list(zip(design.names, each, strict=True))
    return Spreads(
        {name: one.x_left[MU] for name, one in named},
        {name: one.x_level[MU] for name, one in named},
        {name: one.x_size[MU] for name, one in named},
        varying(lambda one: one.z_mean),
        varying(lambda one: one.z_size),
    )


def spreads(
    x: Mapping[str, Columns], z: Mapping[str, Columns], equations: Sequence[Equation]
) -> Spreads:
    """Return what the moments of the columns of X, by equation, and of each factor's Z, say."""
    of_x = {each.name: _population(x[each.name], each) for each in equations}
    return Spreads(
        {name: left for name, (left, _) in of_x.items()},
        {name: level for name, (_, level) in of_x.items()},
        {name: each.size for name, each in x.items()},
        {name: each.mean for name, each in z.items()},
        {name: each.size for name, each in z.items()},
    )


def means(design: Design, equation: Equation) -> FloatArray:
    """Return what programs subtract from the columns of X (P,); one for the intercept."""
    if isinstance(design, Joint):
        return np.concatenate([means(part, part.equations[0]) for part in design.parts])
    if not equation.level:
        return np.zeros(len(equation.terms))
    known = design.summed
    return _of_x(design, equation, weights(design)).mean if known is None else known.mean


def _of_x(design: Design, equation: Equation, w: FloatArray) -> Columns:
    X = partial(design.X, equation=equation.columns)
    return _moments(X, design.rows, equation.terms, w)


def _of_z(design: Design, grouping: Grouping, w: FloatArray) -> Columns:
    """Moments of the columns of a factor; in strata, of each where its rows are."""
    Z = partial(design.Z, grouping.name)
    strata, labels = grouping.strata, grouping.effects
    if isinstance(grouping, SharedLevels) and grouping.covariates:
        return _of_memberships(grouping, Z, w)
    if strata is None:
        return _moments(Z, design.rows, labels, w)
    inside = [w * strata.at(place) for place in range(len(strata.labels))]
    each = [_moments(lambda rows: strata.narrowed(Z(rows)), design.rows, grouping.of_level, some)
            for some in inside]  # fmt: skip
    square, Q = np.zeros((len(labels),) * 2), len(grouping.of_level)
    for place, one in enumerate(each):
        here = slice(place * Q, (place + 1) * Q)
        square[here, here] = one.square
    return Columns(np.concatenate([one.mean for one in each]), square)


def _of_memberships(
    grouping: SharedLevels, Z: Callable[[slice], FloatArray], w: FloatArray
) -> Columns:
    """Moments of the columns of a factor over all memberships of rows."""

    def of(k: int) -> Columns:
        return _moments(lambda rows: grouping.of_membership(k, Z(rows), rows), len(w),
                        grouping.effects, w)  # fmt: skip

    each = [of(k) for k in range(grouping.parts.shape[1])]
    mean = np.mean([one.mean for one in each], axis=0)
    squares = [one.square + np.outer(one.mean, one.mean) for one in each]
    return Columns(mean, np.mean(squares, axis=0) - np.outer(mean, mean))


def _moments(
    columns: Callable[[slice], FloatArray], number: int, labels: Sequence[str], w: FloatArray
) -> Columns:
    """Moments of the columns of a matrix, added up around the first row."""
    shift = columns(slice(0, 1))
    first, second = np.zeros(shift.shape[1]), np.zeros((shift.shape[1],) * 2)
    largest = np.zeros(shift.shape[1])
    for rows in slices(number):
        values = columns(rows)
        largest = np.maximum(largest, np.abs(values).max(axis=0))
        values = values - shift
        weighted = values * w[rows, None]
        first += weighted.sum(axis=0)
        with np.errstate(over="ignore"):  # said below
            second += weighted.T @ values
    mean = first / w.sum()
    _check_sizes(labels, largest)
    return Columns(mean + shift[0], second / w.sum() - np.outer(mean, mean))


def _check_sizes(labels: Sequence[str], largest: FloatArray) -> None:
    """Raise for a column whose squares are no numbers, or zero."""
    for label, size in zip(labels, largest.tolist(), strict=True):
        if size and not _SMALLEST < size < 1 / _SMALLEST:
            raise DataError(
                f"{label!r} goes up to {size:.3g}, of which squares are no numbers any more: use "
                f"other units, such as {label} / {size:.0e}"
            )


def _population(moments: Columns, equation: Equation) -> tuple[FloatArray, FloatArray]:
    """Part of each column that the others leave, and the coefficients of a constant."""
    if equation.level:
        first = equation.intercepts
        level = np.zeros(len(moments.mean))
        level[:first] = 1.0
        left = _left(moments.square[first:, first:], moments.size[first:])
        return np.concatenate([np.ones(first), left]), level
    # Without an intercept columns are what they are around zero.
    square = moments.square + np.outer(moments.mean, moments.mean)
    size = np.sqrt(np.maximum(np.diag(square), 0.0))
    return _left(square, np.where(size > 0, size, 1.0)), solve_symmetric(square, moments.mean)


def _left(square: FloatArray, size: FloatArray) -> FloatArray:
    """Root mean square of each column less its regression on the others.

    One over the diagonal of the inverse of their mean squares; columns in units of their size.
    """
    if not len(square):
        return np.zeros(0)
    scaled = square / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled)
    inverse = np.sum(vectors**2 / np.maximum(values, 1e-14), axis=1)
    return np.asarray(size * np.minimum(1 / np.sqrt(inverse), 1.0))

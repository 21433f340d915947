"""Statistics of a Gaussian model whose grouping factors are nested in each other.

Columns that several factors share are one column, so that what has to be carried from factor to
factor is as little as can be. The innermost factor's own columns are taken out of the others, as
in `within_between`; what they leave belongs to the levels of the factor around it. Numbers in
brackets are equations of docs/how-it-samples.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.statistics import moments, within_between
from hiermix.statistics.gram import Gram, around_least_squares, empty, solve_symmetric
from hiermix.statistics.gram import statistics as gram_statistics
from hiermix.statistics.moments import Moments, Pilot, of_rows, pilot_of
from hiermix.statistics.within_between import Within
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Level:
    """One grouping factor of a tree."""

    name: str
    size: int
    """J, its number of levels."""
    own: IntArray
    """(Q,) its columns."""
    carried: int
    """Number of columns that vary over a factor around it: the first ones."""
    above: IntArray
    """(J,) level of the factor around it that each level lies in; zeros for the outermost."""
    effects: slice
    """Its places among the effects of all factors."""


@dataclass(frozen=True)
class Crossed:
    """A factor beside the tree, whose effects are coefficients of columns like those of X."""

    name: str
    size: int
    """J, its number of levels."""
    effects: slice
    """Its places among the effects of all factors."""
    columns: slice
    """Its Q J columns among those of all crossed factors: effect after effect, level by level."""


@dataclass(frozen=True)
class Tree:
    """Statistics of the rows around ``within.b_hat``; levels come the outermost first.

    Without any, ``within`` has no groups: there is the block of crossed factors alone.

    P counts the columns of X and, behind them, the W columns of crossed factors.
    """

    levels: tuple[Level, ...]
    crossed: tuple[Crossed, ...]
    x_mean: FloatArray
    """What was subtracted from the columns of X."""
    within: Within
    """Of the innermost factor, in its own columns."""
    QtA: FloatArray
    """(J, Q, C) Q_j'A_j of the columns that are carried from it."""
    loose: IntArray
    """Those among them that aren't its own columns."""
    AtA: FloatArray
    """(J_above, loose, loose) what it leaves of them, for each level of the factor around it."""
    AtR: FloatArray
    """(J_above, loose, 1 + P): A'e, then -A'X, of what it leaves."""
    grams: tuple[Gram, ...]
    """Of each factor alone, in the order of the model, in its own columns."""
    innermost: int
    """Place of the innermost factor in the model."""
    along: FloatArray
    """(W, P) how effects of crossed factors make up for coefficients of X that move."""

    @property
    def places(self) -> list[slice]:
        """Places of the effects of each factor of the tree among those of all."""
        return [each.effects for each in self.levels]

    @property
    def W(self) -> int:  # noqa: N802, as in the formulas
        """Number of columns of crossed factors."""
        return self.crossed[-1].columns.stop if self.crossed else 0


def chain(design: Design) -> tuple[Grouping, ...]:
    """Return the factor with the most effects and those that it is nested in, outermost first.

    None where rows have one level of no factor.
    """
    factors = [each for each in design.groupings if each.factor.partitions]
    by_size = sorted(factors, key=lambda each: each.total)
    found = by_size[-1:]
    for outer in sorted(factors, key=lambda each: -len(each.levels)):
        if len(outer.levels) < len(found[0].levels) and _above(found[0], outer) is not None:
            found.insert(0, outer)
    return tuple(found)


def outside_chain(design: Design) -> tuple[Grouping, ...]:
    """Return the factors that are not in the chain."""
    inside = {each.name for each in chain(design)}
    return tuple(each for each in design.groupings if each.name not in inside)


def _above(inner: Grouping, outer: Grouping) -> IntArray | None:
    return inner.factor.above(outer.factor)


def statistics(
    design: Design,
    response: FloatArray,
    weights: FloatArray | None,
    *,
    rows: bool = True,
    mean: FloatArray | None = None,
) -> Tree:
    """Build the statistics of a response, less any offset, for the chain and factors beside it.

    Parameters
    ----------
    design : Design
        The model's design; read in slices, never as a whole.
    response, weights : array, shape (rows,)
        Response, less any offset, and weights of the rows' log densities.
    mean : array, shape (P,), optional
        Where the columns of X are centred; at their weighted mean by default.
    rows : bool
        Whether there are any; those of no rows stand for the prior.
    """
    factors, crossed = chain(design), tuple(_crossed(design))
    columns, owns = _distinct(design, factors)
    levels = tuple(_levels(design, factors, owns))
    sums = _moments(design, columns, crossed, response, weights)
    P, wide = len(design.terms), len(sums.pilot.b)
    gram = around_least_squares(sums, intercept="Intercept" in design.terms, centred=P, mean=mean)
    if not rows:
        none = empty(wide, len(columns), levels[-1].size if levels else 0)
        gram = replace(none, x_mean=gram.x_mean)
    leaf = _columns_of(gram, levels[-1].own) if levels else gram
    within = (
        within_between.split_rows(leaf, design, levels[-1].name, response, weights)
        if rows and wide == P
        else within_between.split(leaf)
    )
    grams = dict(_alone(levels, gram, P))
    for each in crossed:
        one = gram_statistics(design, each.name, response, weights)
        grams[each.name] = one if rows else empty(P, one.Q, each.size)
    names = [each.name for each in design.groupings]
    in_order = [grams[each] for each in names]
    if not levels:
        return _without_levels(crossed, gram, within, P, in_order)
    return _tree(levels, crossed, gram, within, P, in_order, names.index(levels[-1].name))


def _columns_of(gram: Gram, own: IntArray) -> Gram:
    return replace(gram, ZtZ=gram.ZtZ[:, own[:, None], own], ZtR=gram.ZtR[:, own])


def _tree(
    levels: tuple[Level, ...],
    crossed: tuple[Crossed, ...],
    gram: Gram,
    within: Within,
    P: int,
    grams: Sequence[Gram],
    innermost: int,
) -> Tree:
    """Take the innermost factor's columns out of those that are carried from it."""
    last = levels[-1]
    ZtR = gram.ZtR.copy()
    ZtR[:, :, 0] += ZtR[:, :, 1:] @ (within.b_hat - gram.b_hat)
    carried = np.arange(last.carried)
    loose, own = np.setdiff1d(carried, last.own), last.own[within.order]
    QtA = within_between.solve_transposed(within.R, gram.ZtZ[:, own[:, None], carried])
    away = QtA[:, :, loose].swapaxes(1, 2)
    AtA = gram.ZtZ[:, loose[:, None], loose] - away @ QtA[:, :, loose]
    AtR = ZtR[:, loose] - away @ within.QtR
    J = levels[-2].size if len(levels) > 1 else 0
    above = last.above if J else last.above[:0]
    return Tree(
        levels, crossed, gram.x_mean[:P], within, QtA, loose,
        over(AtA[: len(above)], above, J), over(AtR[: len(above)], above, J), tuple(grams),
        innermost, solve_symmetric(gram.XtX[P:, P:], gram.XtX[P:, :P]),
    )  # fmt: skip


def _without_levels(
    crossed: tuple[Crossed, ...], gram: Gram, within: Within, P: int, grams: Sequence[Gram]
) -> Tree:
    none = np.zeros((0, 0, 0))
    return Tree(
        (), crossed, gram.x_mean[:P], within, none, np.zeros(0, dtype=np.int64), none,
        np.zeros((0, 0, 1 + len(gram.b_hat))), tuple(grams), 0,
        solve_symmetric(gram.XtX[P:, P:], gram.XtX[P:, :P]),
    )  # fmt: skip


def _alone(levels: tuple[Level, ...], gram: Gram, P: int) -> Iterator[tuple[str, Gram]]:
    """Yield the statistics of each factor, from the innermost one outwards, in X alone."""
    narrow = replace(
        gram, b_hat=gram.b_hat[:P], XtX=gram.XtX[:P, :P], ZtR=gram.ZtR[:, :, : 1 + P],
        x_mean=gram.x_mean[:P],
    )  # fmt: skip
    for place in range(len(levels) - 1, -1, -1):
        yield levels[place].name, _columns_of(narrow, levels[place].own)
        if place:
            above, J = levels[place].above, levels[place - 1].size
            narrow = replace(narrow, ZtZ=over(narrow.ZtZ, above, J), ZtR=over(narrow.ZtR, above, J))


def over(values: FloatArray, above: IntArray, size: int) -> FloatArray:
    """Sum numbers (J_inner, ...) over each of the outer levels, (size, ...)."""
    flat = values.reshape(len(values), prod(values.shape[1:]))
    sums = [np.bincount(above, column, size) for column in flat.T]
    total = np.stack(sums, axis=1) if sums else np.zeros((size, 0))
    return total.reshape(size, *values.shape[1:])


def _levels(
    design: Design, factors: Sequence[Grouping], owns: Sequence[IntArray]
) -> Iterator[Level]:
    places = _places(design)
    for place, each in enumerate(factors):
        above = _above(each, factors[place - 1]) if place else np.zeros(len(each.levels), np.int64)
        assert above is not None
        before = reduce(np.union1d, owns[:place], np.zeros(0, dtype=np.int64))
        yield Level(each.name, len(each.levels), owns[place], len(before), above, places[each.name])


def _crossed(design: Design) -> Iterator[Crossed]:
    places, end = _places(design), 0
    for each in outside_chain(design):
        start, end = end, end + each.total
        yield Crossed(each.name, len(each.levels), places[each.name], slice(start, end))


def _places(design: Design) -> dict[str, slice]:
    """Return the places of the effects of each factor among those of all."""
    ends = np.cumsum([len(each.effects) for each in design.groupings]).tolist()
    return {
        each.name: slice(end - len(each.effects), end)
        for each, end in zip(design.groupings, ends, strict=True)
    }


def _distinct(
    design: Design, factors: Sequence[Grouping]
) -> tuple[list[tuple[str, int]], list[IntArray]]:
    """Return where each distinct column stands first, and the columns of each factor."""
    columns: list[tuple[str, int]] = []
    owns = []
    for each in factors:
        own = []
        for place in range(len(each.effects)):
            same = [i for i, at in enumerate(columns) if _equal(design, at, (each.name, place))]
            if not same:
                columns.append((each.name, place))
            own.append(same[0] if same else len(columns) - 1)
        owns.append(np.array(own, dtype=np.int64))
    return columns, owns


def _equal(design: Design, one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Whether two columns are the same number in every row."""
    labels = [design.grouping(name).effects[place] for name, place in (one, other)]
    return labels[0] == labels[1] and all(
        np.array_equal(design.Z(one[0], rows)[:, one[1]], design.Z(other[0], rows)[:, other[1]])
        for rows in slices(design.rows)
    )


def _moments(
    design: Design,
    columns: Sequence[tuple[str, int]],
    crossed: Sequence[Crossed],
    response: FloatArray,
    weights: FloatArray | None,
) -> Moments:
    """Add up the moments of all distinct columns over the levels of the innermost factor.

    X has the columns of crossed factors behind it.
    """
    inner, pilot = next(iter(chain(design)[::-1]), None), pilot_of(design, response)
    W = np.zeros(crossed[-1].columns.stop if crossed else 0)
    pilot = Pilot(np.concatenate([pilot.center, W]), np.concatenate([pilot.b, W]))
    total = moments.none(pilot, len(inner.levels) if inner else 0, len(columns))
    for rows in slices(design.rows):
        Z = {name: design.Z(name, rows) for name, _ in columns}
        w = None if weights is None else weights[rows]
        X = np.column_stack([design.X(rows), *(_indicators(design, c.name, rows) for c in crossed)])
        A = np.column_stack([np.empty((len(X), 0)), *(Z[name][:, k] for name, k in columns)])
        factor = inner.factor.on(rows) if inner else None
        total = total + of_rows(pilot, X, response[rows], w, A, factor)
    return total


def _indicators(design: Design, name: str, rows: slice) -> FloatArray:
    """(n, Q J) the columns of Z, each where a row has a level: effect after effect."""
    factor, Z = design.grouping(name).factor.on(rows), design.Z(name, rows)
    return np.concatenate([each.toarray() for each in factor.columns(Z)], axis=1)

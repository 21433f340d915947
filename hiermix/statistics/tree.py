"""Statistics of a Gaussian model whose grouping factors are nested in each other.

Columns that several factors share are one column, so that what has to be carried from factor to
factor is as little as can be. The innermost factor's own columns are taken out of the others, as
in `within_between`; what they leave belongs to the levels of the factor around it. Numbers in
brackets are equations of docs/how-it-samples.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.statistics import moments, within_between
from hiermix.statistics.gram import Gram, around_least_squares, empty
from hiermix.statistics.moments import Moments, of_rows, pilot_of
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


@dataclass(frozen=True)
class Tree:
    """Statistics of the rows around ``within.b_hat``; levels come the outermost first."""

    levels: tuple[Level, ...]
    x_mean: FloatArray
    """(P,) what was subtracted from the columns of X."""
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
    """Of each factor alone, in its own columns."""

    @property
    def places(self) -> list[slice]:
        """Places of the effects of each factor among those of all."""
        ends = np.cumsum([len(each.own) for each in self.levels]).tolist()
        sizes = [len(each.own) for each in self.levels]
        return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def is_chain(design: Design) -> bool:
    """Whether there are several factors, each nested in the one before it."""
    pairs = zip(design.groupings, design.groupings[1:], strict=False)
    return len(design.groupings) > 1 and all(
        len(inner.levels) > len(outer.levels) and inner.factor.above(outer.factor) is not None
        for outer, inner in pairs
    )


def statistics(
    design: Design, response: FloatArray, weights: FloatArray | None, *, rows: bool = True
) -> Tree:
    """Build the statistics of a response, less any offset, for factors that are a chain.

    Parameters
    ----------
    design : Design
        The model's design; read in slices, never as a whole.
    response, weights : array, shape (rows,)
        Response, less any offset, and weights of the rows' log densities.
    rows : bool
        Whether there are any; those of no rows stand for the prior.
    """
    columns, owns = _distinct(design)
    levels = tuple(_levels(design, owns))
    sums = _moments(design, columns, response, weights)
    gram = around_least_squares(sums, intercept="Intercept" in design.terms)
    if not rows:
        none = empty(len(design.terms), len(columns), levels[-1].size)
        gram = replace(none, x_mean=gram.x_mean)
    own = owns[-1]
    leaf = Gram(gram.n, gram.x_mean, gram.b_hat, gram.XtX, gram.rss,
                gram.ZtZ[:, own[:, None], own], gram.ZtR[:, own])  # fmt: skip
    name = levels[-1].name
    within = (
        within_between.split_rows(leaf, design, name, response, weights)
        if rows
        else within_between.split(leaf)
    )
    return _tree(levels, gram, leaf, within)


def _tree(levels: tuple[Level, ...], gram: Gram, leaf: Gram, within: Within) -> Tree:
    """Take the innermost factor's columns out of those that are carried from it."""
    last = levels[-1]
    step = within.b_hat - gram.b_hat
    ZtR = gram.ZtR.copy()
    ZtR[:, :, 0] += ZtR[:, :, 1:] @ step
    carried, loose = np.arange(last.carried), np.setdiff1d(np.arange(last.carried), last.own)
    own = last.own[within.order]
    QtA = within_between.solve_transposed(within.R, gram.ZtZ[:, own[:, None], carried])
    away = QtA[:, :, loose].swapaxes(1, 2)
    AtA = gram.ZtZ[:, loose[:, None], loose] - away @ QtA[:, :, loose]
    AtR = ZtR[:, loose] - away @ within.QtR
    grams = [leaf]
    whole = gram
    for inner, outer in zip(levels[:0:-1], levels[-2::-1], strict=True):
        whole = Gram(gram.n, gram.x_mean, gram.b_hat, gram.XtX, gram.rss,
                     over(whole.ZtZ, inner.above, outer.size),
                     over(whole.ZtR, inner.above, outer.size))  # fmt: skip
        grams.insert(0, Gram(gram.n, gram.x_mean, gram.b_hat, gram.XtX, gram.rss,
                             whole.ZtZ[:, outer.own[:, None], outer.own],
                             whole.ZtR[:, outer.own]))  # fmt: skip
    J = levels[-2].size
    return Tree(
        levels, gram.x_mean, within, QtA, loose,
        over(AtA, last.above, J), over(AtR, last.above, J), tuple(grams),
    )  # fmt: skip


def over(values: FloatArray, above: IntArray, size: int) -> FloatArray:
    """Sum numbers (J_inner, ...) over each of the outer levels, (size, ...)."""
    flat = values.reshape(len(values), -1)
    sums = [np.bincount(above, column, size) for column in flat.T]
    total = np.stack(sums, axis=1) if sums else np.zeros((size, 0))
    return total.reshape(size, *values.shape[1:])


def _levels(design: Design, owns: Sequence[IntArray]) -> list[Level]:
    found: list[Level] = []
    for place, each in enumerate(design.groupings):
        J = len(each.levels)
        above: IntArray | None = np.zeros(J, dtype=np.int64)
        if place:
            above = each.factor.above(design.groupings[place - 1].factor)
        assert above is not None
        before = reduce(np.union1d, owns[:place], np.zeros(0, dtype=np.int64))
        found.append(Level(each.name, J, owns[place], len(before), above))
    return found


def _distinct(design: Design) -> tuple[list[tuple[str, int]], list[IntArray]]:
    """Return where each distinct column stands first, and the columns of each factor."""
    columns: list[tuple[str, int]] = []
    owns = []
    for each in design.groupings:
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
        np.array_equal(
            design.Z(one[0], rows)[:, one[1]], design.Z(other[0], rows)[:, other[1]]
        )
        for rows in slices(design.rows)
    )  # fmt: skip


def _moments(
    design: Design,
    columns: Sequence[tuple[str, int]],
    response: FloatArray,
    weights: FloatArray | None,
) -> Moments:
    """Add up the moments of all distinct columns over the levels of the innermost factor."""
    inner, pilot = design.groupings[-1], pilot_of(design, response)
    total = moments.none(pilot, len(inner.levels), len(columns))
    for rows in slices(design.rows):
        Z = {name: design.Z(name, rows) for name, _ in columns}
        A = np.column_stack([Z[name][:, place] for name, place in columns])
        w = None if weights is None else weights[rows]
        total = total + of_rows(
            pilot, design.X(rows), response[rows], w, A, inner.factor.on(rows)
        )  # fmt: skip
    return total

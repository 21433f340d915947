"""Moments of cells: number, means and squares around the means of the rows that share their keys.

Squares are counted from each cell's own means, so that no digits are lost where cells lie far
apart. Sums of such moments, and differences, are those of the rows. Of each cell no more is told
than by a few weighted rows that have the same moments, `stand_ins`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.encoding import ordering
from hiermix.design.factor import Factor
from hiermix.statistics.gaussian_sums import NEAR, check_digits
from hiermix.statistics.gram import solve_symmetric
from hiermix.statistics.repeated_rows import stacked
from hiermix.statistics.strata import kinds_of
from hiermix.typing import FloatArray, IntArray

_NOTHING = 1e-13
"""Share of a cell's largest square, or of what is usual, below which there is rounding alone."""
_FAR = 10.0
"""Sds from zero up to which a column need not be centred to keep its digits."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What columns are counted from, and the last of them, the response, less a fit."""

    center: FloatArray
    """(K,) of the columns but the response."""
    level: float
    slopes: FloatArray
    """(K,) of these columns, in the fit; zero for those that are no population columns."""

    def step(self, there: Origin) -> tuple[FloatArray, FloatArray]:
        """Return T and s: columns c counted from here are c T + s counted from there."""
        move, by = self.center - there.center, self.slopes - there.slopes
        T = np.eye(len(by) + 1)
        T[:-1, -1] = by
        return T, np.append(move, self.level - there.level - move @ there.slopes)


@dataclass(frozen=True, eq=False)
class CellMoments:
    """Moments of the columns of rows, cell by cell; the response comes last."""

    keys: pd.DataFrame
    """(cells, keys) what the rows of a cell share."""
    number: IntArray
    """(cells,) rows."""
    weight: FloatArray
    """(cells,) the sums of their weights."""
    mean: FloatArray
    """(cells, K + 1)"""
    squares: FloatArray
    """(cells, K + 1, K + 1) of the distances from the means."""

    def __len__(self) -> int:
        return len(self.number)

    @property
    def names(self) -> list[str]:
        """Names of the keys."""
        return [str(name) for name in self.keys]

    def negative(self) -> CellMoments:
        """Return what takes these rows away from others."""
        return replace(
            self, number=-self.number, weight=-self.weight, squares=-self.squares
        )  # fmt: skip

    def take(self, some: IntArray) -> CellMoments:
        """Return some of the cells."""
        return CellMoments(
            self.keys.iloc[some].reset_index(drop=True), self.number[some], self.weight[some],
            self.mean[some], self.squares[some],
        )  # fmt: skip

    def in_order(self) -> CellMoments:
        """Return the cells in the order of their keys."""
        ranks = [_ranks(self.keys[name]) for name in self.keys]
        return self.take(np.lexsort(ranks[::-1])) if ranks else self

    def around(self, here: Origin, there: Origin) -> CellMoments:
        """Return the moments counted from another origin."""
        return self.moved(*here.step(there))

    def moved(self, T: FloatArray, shift: FloatArray) -> CellMoments:
        """Return the moments of columns c T + shift."""
        return replace(self, mean=self.mean @ T + shift, squares=T.T @ self.squares @ T)

    def some_columns(self, places: Sequence[int]) -> CellMoments:
        """Return the moments of some columns; the fit must have no others."""
        return self.columns([*places, -1])

    def columns(self, places: Sequence[int]) -> CellMoments:
        """Return the moments of some columns, the response among them or not."""
        at = np.array(places, dtype=np.int64)
        return replace(self, mean=self.mean[:, at], squares=self.squares[:, at[:, None], at])

    def whole(self) -> tuple[FloatArray, FloatArray]:
        """Return means of all rows, and mean squares around them."""
        total = max(float(self.weight.sum()), np.finfo(float).tiny)
        mean = self.weight @ self.mean / total
        away = self.mean - mean
        return mean, (self.squares.sum(axis=0) + (away.T * self.weight) @ away) / total

    def near(self, here: Origin, best: Origin) -> bool:
        """Tell whether an origin keeps the digits of the moments nearly as the best does."""
        mean, square = self.whole()
        there = self.around(here, best).whole()[1]
        size = np.diag(square) + mean**2
        return bool(np.all(size <= NEAR * np.maximum(np.diag(there), 1e-300) + 1e-12 * size))

    def check_digits(self, after: CellMoments) -> None:
        """Raise where next to nothing is left of these moments in others, but rounding."""
        was, left = (np.einsum("jcc->c", each.squares) for each in (self, after))
        shares = left[was > 0] / was[was > 0]
        check_digits(np.append(shares, after.weight.sum() / self.weight.sum()))

    def fitted(self, here: Origin, places: Sequence[int]) -> Origin:
        """Return an origin with the least-squares fit of some columns."""
        mean, square = self.whole()
        at = np.array(places, dtype=np.int64)
        slopes = np.zeros_like(here.slopes)
        slopes[at] = here.slopes[at] + solve_symmetric(square[np.ix_(at, at)], square[at, -1])
        level = here.level + mean[-1] + mean[:-1] @ (here.slopes - slopes)
        return Origin(here.center, float(level), slopes)

    def centred(self, here: Origin, places: Sequence[int]) -> Origin:
        """Return an origin with the least-squares fit, at the means of columns far from zero."""
        mean, square = self.whole()
        center = far_means(here.center + mean[:-1], np.sqrt(np.diag(square)[:-1]))
        best = self.fitted(here, places)
        level = best.level + float((center - here.center) @ best.slopes)
        return replace(best, center=center, level=level)


def far_means(mean: FloatArray, sd: FloatArray) -> FloatArray:
    """Return the means of columns that lie far from zero, and zeros for others.

    Numbers that are zero stay zero, so that columns without any other are found.
    """
    return np.where(np.abs(mean) > _FAR * sd, mean, 0.0)


def _ranks(column: pd.Series) -> IntArray:
    codes, uniques = pd.factorize(column)
    ranks = np.empty(len(uniques), dtype=np.int64)
    ranks[ordering(list(uniques))] = np.arange(len(uniques))
    return ranks[codes]


def key_frame(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the columns of keys, categories as their values."""
    values = {name: kinds.as_values(frame[name]).array for name in names}
    return pd.DataFrame(values, index=range(len(frame)))


def of_rows(keys: pd.DataFrame, columns: FloatArray, weight: FloatArray | None) -> CellMoments:
    """Return the moments of rows (n, K + 1)."""
    cell, first = _cells(keys)
    factor = Factor(cell, len(first))
    w = np.ones(len(columns)) if weight is None else weight
    total = factor.scatter(w)
    mean = _over(factor.scatter(w[:, None] * columns), total)
    away = columns - factor.gather(mean)
    weighed = away if weight is None else away * w[:, None]
    squares = (weighed.T @ away)[None] if len(first) == 1 else factor.squares(weighed, away)
    return CellMoments(
        keys.iloc[first].reset_index(drop=True), factor.counts(), total, mean, squares
    )


def together(parts: Sequence[CellMoments], names: Sequence[str] | None = None) -> CellMoments:
    """Return the moments of the rows of all parts; cells are told apart by some of their keys."""
    keys = stacked([each.keys for each in parts])
    keys = keys if names is None else keys[list(names)]
    cell, first = _cells(keys)
    if len(parts) == 1 and len(first) == len(keys):
        return replace(parts[0], keys=keys)
    number, weight, mean, squares = (
        np.concatenate([getattr(each, name) for each in parts])
        for name in ("number", "weight", "mean", "squares")
    )
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(len(first)))

    def summed(values: np.ndarray) -> Any:
        return np.add.reduceat(values[order], starts, axis=0)

    total = summed(weight)
    middle = _over(summed(weight[:, None] * mean), total)
    away = mean - middle[cell]
    between = summed(weight[:, None, None] * away[:, :, None] * away[:, None, :])
    return CellMoments(
        keys.iloc[first].reset_index(drop=True), summed(number), total, middle,
        summed(squares) + between,
    )  # fmt: skip


def _cells(keys: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Return the cell of each row, and a row of each cell."""
    return kinds_of([np.zeros(len(keys)), *(keys[name] for name in keys)])


def _over(sums: FloatArray, total: FloatArray) -> FloatArray:
    some = total != 0
    return np.where(some[:, None], sums / np.where(some, total, 1.0)[:, None], 0.0)


def stand_ins(cells: CellMoments) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return the cell, columns and weight of few rows that have the moments of all.

    The k rows of a cell have equal weights; each row of an orthonormal U (k, k - 1) without means
    takes a share of the rows B of the cell's squares B'B.
    """
    size = np.sqrt(np.einsum("jcc->c", cells.squares) / max(cells.weight.sum(), 1e-300))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh(cells.squares / np.outer(size, size))
    usual = np.maximum(values.max(axis=1, initial=0.0), cells.weight)
    rank = (values > _NOTHING * usual[:, None]).sum(axis=1)
    rank = np.minimum(np.maximum(rank, 1), cells.number - 1)  # two rows at least where there were
    cell = np.repeat(np.arange(len(cells)), rank + 1)
    start = np.cumsum(rank + 1) - (rank + 1)
    columns = np.repeat(cells.mean, rank + 1, axis=0)
    weight = np.repeat(cells.weight / (rank + 1), rank + 1)
    for r in np.unique(rank[rank > 0]):
        some = np.flatnonzero((rank == r) & (cells.weight > 0))
        root = np.sqrt(np.maximum(values[some, -r:] * (r + 1) / cells.weight[some, None], 0.0))
        B = root[:, :, None] * vectors[some, :, -r:].swapaxes(1, 2) * size
        columns[start[some][:, None] + np.arange(r + 1)] += _without_mean(r + 1) @ B
    return cell, columns, weight


def _without_mean(k: int) -> FloatArray:
    """Return an orthonormal matrix (k, k - 1) whose columns add up to nothing: Helmert's."""
    n = np.arange(1, k)
    found = np.triu(np.ones((k, k - 1)))
    found[n, n - 1] = -n
    return found / np.sqrt(n * (n + 1))

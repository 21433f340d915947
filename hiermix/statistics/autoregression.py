"""Correlations of residuals that are an autoregression of the first order in each series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.factor import Factor
from hiermix.design.series import Series
from hiermix.statistics.patterns import Mixed, Pairs
from hiermix.statistics.strata import kinds_of
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class AutoRegression:
    """Rows of sd one, those d steps apart in a series with the correlation rho^d.

    The precision is the identity and, for each distinct gap between rows that follow each other,
    the squares of both and their product: (30).
    """

    weight: FloatArray
    """(rows,) of each: one, or none or more where rows stand for others."""
    row: IntArray
    """(pairs,) rows that follow another of their series."""
    last: IntArray
    """(pairs,) that other."""
    pairs_of: FloatArray
    """(pairs,) how many pairs these are."""
    which: IntArray
    """(pairs,) their gap among the distinct ones."""
    gaps: FloatArray
    """(G,) distinct ones, in steps."""
    number: FloatArray
    """(G,) how often there is each."""
    even: bool

    @property
    def size(self) -> float:
        """Number of rows."""
        return float(self.weight.sum())

    @property
    def patterns(self) -> int:
        """Identity, and two for each gap."""
        return 1 + 2 * len(self.gaps)

    def without_rows(self) -> AutoRegression:
        """Return the same gaps of no rows."""
        none = np.zeros(0, dtype=np.int64)
        return replace(
            self, weight=np.zeros(0), row=none, last=none, pairs_of=np.zeros(0), which=none,
            number=0 * self.number,
        )  # fmt: skip

    def pairs(self) -> list[Pairs]:
        """Return the patterns."""
        every = np.flatnonzero(self.weight)
        squares, products = 1 + 2 * self.which, 2 + 2 * self.which
        return [
            Pairs(every, every, self.weight[every], np.zeros(len(every), dtype=np.int64)),
            Pairs(self.row, self.row, self.pairs_of, squares),
            Pairs(self.last, self.last, self.pairs_of, squares),
            Pairs(self.row, self.last, 2 * self.pairs_of, products),
        ]

    def mixed(self, own: Mapping[str, FloatArray]) -> Mixed:
        """Return the mix under rho (S,)."""
        c = powers(own["rho"], self.gaps, even=self.even)
        left = 1 - c**2
        weights = np.ones((len(c), self.patterns))
        weights[:, 1::2], weights[:, 2::2] = c**2 / left, -c / left
        return Mixed(weights, np.log(left) @ self.number)

    def start(self) -> FloatArray:
        """Return the coordinate of rho where it is nearly nothing."""
        return np.array([0.1 if self.even else -1.0])

    def guess(self) -> FloatArray:
        """Rough posterior sd of the same."""
        return np.array([2 / np.sqrt(self.number.sum() + 1)])


def powers(rho: FloatArray, gaps: FloatArray, *, even: bool) -> FloatArray:
    """Correlations (S, n) of rows so many steps apart; whole numbers of steps where they are even.

    A negative rho has whole powers alone.
    """
    return np.asarray(np.power(rho[:, None], np.round(gaps) if even else gaps))


def autoregression(series: Series, weights: FloatArray | None = None) -> AutoRegression:
    """Find the rows that follow each other; `weights` are of rows that stand for others."""
    row, last, gap = series.before()
    which, first = kinds_of([np.round(gap, 9)])
    pairs_of = np.ones(len(row)) if series.weight is None else series.weight[row]
    number = Factor(which, len(first)).scatter(pairs_of)
    weight = np.ones(len(series.unit)) if weights is None else weights
    return AutoRegression(
        weight, row, last, pairs_of, which, gap[first], number, even=series.even
    )  # fmt: skip

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

    size: int
    """Number of rows."""
    row: IntArray
    """(pairs,) rows that follow another of their series."""
    last: IntArray
    """(pairs,) that other."""
    which: IntArray
    """(pairs,) their gap among the distinct ones."""
    gaps: FloatArray
    """(G,) distinct ones, in steps."""
    number: FloatArray
    """(G,) how often there is each."""
    even: bool

    @property
    def patterns(self) -> int:
        """Identity, and two for each gap."""
        return 1 + 2 * len(self.gaps)

    def without_rows(self) -> AutoRegression:
        """Return the same gaps of no rows."""
        none = np.zeros(0, dtype=np.int64)
        return replace(self, size=0, row=none, last=none, which=none, number=0 * self.number)

    def pairs(self) -> list[Pairs]:
        """Return the patterns."""
        every = np.arange(self.size)
        squares, products = 1 + 2 * self.which, 2 + 2 * self.which
        one = np.ones(len(self.row))
        return [
            Pairs(every, every, np.ones(self.size), np.zeros(self.size, dtype=np.int64)),
            Pairs(self.row, self.row, one, squares),
            Pairs(self.last, self.last, one, squares),
            Pairs(self.row, self.last, 2 * one, products),
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
        return np.array([2 / np.sqrt(len(self.row) + 1)])


def powers(rho: FloatArray, gaps: FloatArray, *, even: bool) -> FloatArray:
    """Correlations (S, n) of rows so many steps apart; whole numbers of steps where they are even.

    A negative rho has whole powers alone.
    """
    return np.asarray(np.power(rho[:, None], np.round(gaps) if even else gaps))


def autoregression(series: Series) -> AutoRegression:
    """Find the rows that follow each other."""
    row, last, gap = series.before()
    which, first = kinds_of([np.round(gap, 9)])
    number = Factor(which, len(first)).scatter(np.ones(len(row)))
    return AutoRegression(len(series.unit), row, last, which, gap[first], number, even=series.even)

"""Residuals of units with a row at each of some positions: any correlations of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.series import Series
from hiermix.families.correlations import matrix_of
from hiermix.statistics.patterns import Mixed, Pairs
from hiermix.statistics.scaled_residuals import PositionSds
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Unstructured:
    """Units by the positions that they have; the pairs of each kind are patterns: (31)."""

    T: int
    """Number of positions."""
    kinds: tuple[IntArray, ...]
    """Positions that units of a kind have, in order."""
    number: FloatArray
    """(kinds,) units of each."""
    first: IntArray
    """(pairs,) rows of a unit, the later one of two; see `Pairs`."""
    second: IntArray
    pattern: IntArray
    units_of: FloatArray
    """(pairs,) how many units these are of."""

    @property
    def patterns(self) -> int:
        """Pairs of positions of each kind, those of one with itself among them."""
        return sum(len(each) * (len(each) + 1) // 2 for each in self.kinds)

    def without_rows(self) -> Unstructured:
        """Return the same kinds of no rows."""
        none = np.zeros(0, dtype=np.int64)
        return replace(
            self, first=none, second=none, pattern=none, units_of=np.zeros(0),
            number=0 * self.number,
        )  # fmt: skip

    def pairs(self) -> list[Pairs]:
        """Return the patterns: both entries of two positions count."""
        weight = np.where(self.first == self.second, 1.0, 2.0) * self.units_of
        return [Pairs(self.first, self.second, weight, self.pattern)]

    def mixed(self, own: Mapping[str, FloatArray]) -> Mixed:
        """Return the entries of the inverse of each kind, under correlations (S, pairs)."""
        R = matrix_of(own["cor_residual"], self.T)
        sizes = np.array([len(each) for each in self.kinds])
        ends = np.cumsum(sizes * (sizes + 1) // 2)
        weights, log_det = np.empty((len(R), self.patterns)), np.zeros(len(R))
        for n in np.unique(sizes).tolist():  # kinds of as many positions together
            some, (rows, columns) = np.flatnonzero(sizes == n), np.tril_indices(n)
            here = np.array([self.kinds[kind] for kind in some])
            parts = R[:, here[:, :, None], here[:, None]]
            at = (ends[some] - len(rows))[:, None] + np.arange(len(rows))
            weights[:, at] = np.linalg.inv(parts)[:, :, rows, columns]
            log_det += np.linalg.slogdet(parts)[1] @ self.number[some]
        return Mixed(weights, log_det)

    def start(self) -> FloatArray:
        """Return coordinates of no correlation."""
        return np.zeros(self.T * (self.T - 1) // 2)

    def guess(self) -> FloatArray:
        """Rough posterior sds of the same."""
        return np.full(len(self.start()), 1 / np.sqrt(float(self.number.sum()) + 1))


def unstructured(series: Series) -> Unstructured:
    """Find the kinds of units, and the pairs of rows of each unit."""
    order, T = series.in_order(), len(series.positions)
    unit, place = series.unit[order], series.place[order].astype(np.int64)
    present = np.zeros((unit.max() + 1, T), dtype=bool)
    present[unit, place] = True
    has_rows = present.any(axis=1)
    kinds, kind = np.unique(present[has_rows], axis=0, return_inverse=True)
    weight = np.ones(len(order)) if series.weight is None else series.weight
    of_unit = np.zeros(len(present))
    of_unit[series.unit] = weight
    number = np.bincount(kind.ravel(), of_unit[has_rows], minlength=len(kinds))
    positions = tuple(np.flatnonzero(each) for each in kinds)
    # Units of one kind stand as rows of a matrix, and so do the pairs of their rows.
    unit_kind = np.full(len(present), -1)
    unit_kind[has_rows] = kind.ravel()
    first, second, pattern, before = [], [], [], 0
    for which, each in enumerate(positions):
        rows = order[unit_kind[unit] == which].reshape(-1, len(each))
        later, earlier = np.tril_indices(len(each))
        first.append(rows[:, later].ravel())
        second.append(rows[:, earlier].ravel())
        pattern.append(np.tile(before + np.arange(len(later)), len(rows)))
        before += len(later)
    later_rows = np.concatenate(first)
    return Unstructured(
        T, positions, number, later_rows, np.concatenate(second), np.concatenate(pattern),
        weight[later_rows],
    )  # fmt: skip


def position_sds(series: Series, unit: FloatArray | None = None) -> PositionSds:
    """Find the rows of each position; `unit` is what they were divided by, if they were."""
    stratum, T = series.place.astype(np.int64), len(series.positions)
    rows = np.bincount(stratum, series.weight, T).astype(np.float64)
    return PositionSds(stratum, rows, np.ones(T) if unit is None else unit)

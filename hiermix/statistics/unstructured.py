"""Residuals of units with a row at each of some positions: any sds and correlations of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.series import Series
from hiermix.families.correlations import matrix_of
from hiermix.statistics.patterns import Mixed, Pairs
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
    unit: FloatArray
    """(T,) what the rows of each position were divided by."""

    @property
    def patterns(self) -> int:
        """Pairs of positions of each kind, those of one with itself among them."""
        return sum(len(each) * (len(each) + 1) // 2 for each in self.kinds)

    @property
    def constant(self) -> float:
        """Return the log of what densities of divided rows are times those of the rows."""
        each = zip(self.kinds, self.number, strict=True)
        return -float(sum(n * np.log(self.unit[at]).sum() for at, n in each))

    @property
    def x_mean(self) -> FloatArray:
        """No further equation has columns."""
        return np.zeros(0)

    def without_rows(self) -> Unstructured:
        """Return the same kinds of no rows."""
        none = np.zeros(0, dtype=np.int64)
        return replace(self, first=none, second=none, pattern=none, number=0 * self.number)

    def pairs(self) -> list[Pairs]:
        """Return the patterns: both entries of two positions count."""
        weight = np.where(self.first == self.second, 1.0, 2.0)
        return [Pairs(self.first, self.second, weight, self.pattern)]

    def mixed(self, further: FloatArray, own: Mapping[str, FloatArray]) -> Mixed:
        """Return the entries of the inverse of each kind, under sds (S, T) and correlations."""
        sd, R = own["sd_residual"] / self.unit, matrix_of(own["cor_residual"], self.T)
        covariance = sd[:, :, None] * R * sd[:, None, :]
        weights, log_det = [], np.zeros(len(sd))
        for positions, number in zip(self.kinds, self.number, strict=True):
            part = covariance[:, positions[:, None], positions]
            rows, columns = np.tril_indices(len(positions))
            weights.append(np.linalg.inv(part)[:, rows, columns])
            log_det += number * np.linalg.slogdet(part)[1]
        return Mixed(np.concatenate(weights, axis=1), log_det)

    def start(self, sigma: float) -> tuple[FloatArray, FloatArray]:
        """Return coordinates of equal sds and no correlation."""
        return np.zeros(0), np.concatenate([np.log(sigma * self.unit), self._none()])

    def guess(self) -> FloatArray:
        """Rough posterior sds of the same."""
        units = float(self.number.sum())
        sd = np.full(self.T, 1 / np.sqrt(2 * units + 1))
        return np.concatenate([sd, self._none() + 1 / np.sqrt(units + 1)])

    def _none(self) -> FloatArray:
        return np.zeros(self.T * (self.T - 1) // 2)


def unstructured(series: Series, unit_of: FloatArray | None = None) -> Unstructured:
    """Find the kinds of units, and the pairs of rows of each unit.

    `unit_of` is what the rows of each position were divided by, if they were.
    """
    order, T = series.in_order(), len(series.positions)
    unit, place = series.unit[order], series.place[order].astype(np.int64)
    present = np.zeros((unit.max() + 1, T), dtype=bool)
    present[unit, place] = True
    has_rows = present.any(axis=1)
    kinds, kind = np.unique(present[has_rows], axis=0, return_inverse=True)
    number = np.bincount(kind.ravel(), minlength=len(kinds)).astype(np.float64)
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
    size = np.ones(T) if unit_of is None else unit_of
    return Unstructured(
        T, positions, number, np.concatenate(first), np.concatenate(second),
        np.concatenate(pattern), size,
    )  # fmt: skip

"""Densities of rows whose residuals go together: of some given others, and of all at once.

Rows of a series are turned into independent ones of sd one: with R = L L', the covariance of their
residuals, `L^-1 x` of residuals x, and of what enters them, one step after the other in time and by
a small matrix for each unit at positions.
"""

from collections.abc import Callable, Iterator
from itertools import batched
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hiermix.design.series import Series
from hiermix.prediction.residual_laws import Law, OfRows
from hiermix.typing import FloatArray, IntArray

type Columns = Callable[[IntArray], FloatArray]
"""Columns (S, n, k) of some rows."""

_ENTRIES = 1_000_000


# One row given others ----------------------------------------------------------------------------


def log_density_given_others(
    law: Law, rows: IntArray, residuals: OfRows, known: NDArray[np.bool_] | None = None
) -> FloatArray:
    """Log density (n, S) of the residual of each row given others (Bürkner et al., 2021).

    With Q the precision of it and those, that is a normal of mean ``e_i - (Q e)_i / Q_ii`` and
    variance 1 / Q_ii. All others are `known`, or some: (rows,).
    """

    def standard(some: IntArray) -> FloatArray:
        return residuals(some) / law.sd(some)

    find = _in_time if law.series.in_time else _at_positions
    pull, precision = find(law, rows, standard, known)
    found = 0.5 * (np.log(precision / (2 * np.pi)) - pull**2 / precision)
    return np.asarray(found - np.log(law.sd(rows)))


def _in_time(
    law: Law, rows: IntArray, standard: OfRows, known: NDArray[np.bool_] | None
) -> tuple[FloatArray, FloatArray]:
    """(Q e)_i and Q_ii of some rows, in units of sds, from the next known ones on each side."""
    series, e = law.series, standard(rows)
    pull, precision = e.copy(), np.ones_like(e)
    for beside in _neighbours(series, known):
        some = np.flatnonzero(beside[rows] >= 0)
        there = beside[rows[some]]
        steps = np.abs(series.place[rows[some]] - series.place[there])
        c = law.powers(steps).T
        pull[some] += (c**2 * e[some] - c * standard(there)) / (1 - c**2)
        precision[some] += c**2 / (1 - c**2)
    return pull, precision


def _neighbours(series: Series, known: NDArray[np.bool_] | None) -> Iterator[IntArray]:
    """Yield the last known row before each row of its series, and the first behind; -1: none."""
    order = series.in_order()
    there = np.ones(len(order), dtype=bool) if known is None else known[order]
    for one in (order, order[::-1]):
        here = there if one is order else there[::-1]
        place = np.where(here, np.arange(len(one)), -1)
        last = np.concatenate([[-1], np.maximum.accumulate(place)[:-1]])
        beside = np.where(last >= 0, one[last], -1)
        beside[series.unit[beside] != series.unit[one]] = -1
        found = np.empty_like(one)
        found[one] = beside
        yield found


def _at_positions(
    law: Law, rows: IntArray, standard: OfRows, known: NDArray[np.bool_] | None
) -> tuple[FloatArray, FloatArray]:
    """Return the same by the inverse of each unit's correlations."""
    series, shape = law.series, (len(rows), law.size)
    pull, precision = np.empty(shape), np.empty(shape)
    for unit in np.unique(series.unit[rows]).tolist():
        every = np.flatnonzero(series.unit == unit)
        mine = np.flatnonzero(series.unit[rows] == unit)
        if known is None:
            each = [(every, mine)]
        else:
            kept = every[known[every]]
            each = [(np.union1d(kept, rows[at]), np.array([at])) for at in mine]
        for some, at in each:
            Q = np.linalg.inv(law.correlations(series.place[some]))
            Qe = np.einsum("sij,js->is", Q, standard(some))
            here = np.searchsorted(some, rows[at])
            pull[at], precision[at] = Qe[here], Q[:, here, here].T
    return pull, precision


# Whole series ------------------------------------------------------------------------------------


class Whitened(NamedTuple):
    """Sums over rows of a covariance R: with columns A, `A'R^-1 A`, and log det R."""

    products: FloatArray
    """(S, k, k)"""
    log_det: FloatArray
    """(S,)"""


def whitened(law: Law, rows: IntArray, columns: Columns, k: int) -> Whitened:
    """Add up the products of k columns of some rows, under the covariance of their residuals."""
    S = law.size
    products, log_det = np.zeros((S, k, k)), np.zeros(S)
    pieces = _steps if law.series.in_time else _units
    for white, part in pieces(law, rows, columns, max(1, _ENTRIES // (S * k))):
        products += np.swapaxes(white, 1, 2) @ white
        log_det += part
    return Whitened(products, log_det)


def _steps(
    law: Law, rows: IntArray, columns: Columns, size: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield rows less what the one before them has told, in units of what is left."""
    series = law.series
    rows = rows[np.lexsort((series.place[rows], series.unit[rows]))]
    unit, place = series.unit[rows], series.place[rows]
    for start in range(0, len(rows), size):
        part = np.arange(max(start - 1, 0), min(start + size, len(rows)))
        sd, first = law.sd(rows[part]).T, int(start > 0)
        x = columns(rows[part]) / sd[:, :, None]
        c = np.zeros((law.size, len(part)))
        follows = np.flatnonzero(unit[part[1:]] == unit[part[:-1]]) + 1
        gap = place[part[follows]] - place[part[follows - 1]]
        c[:, follows] = law.powers(gap)
        left = np.sqrt(1 - c**2)
        before = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
        white = (x - c[:, :, None] * before) / left[:, :, None]
        yield white[:, first:], 2 * np.log((left * sd)[:, first:]).sum(axis=1)


def _units(
    law: Law, rows: IntArray, columns: Columns, size: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield units of the same positions together, turned by the root of their correlations."""
    series = law.series
    rows = rows[np.lexsort((series.place[rows], series.unit[rows]))]
    ends = np.flatnonzero(np.diff(series.unit[rows])) + 1
    kinds: dict[bytes, list[IntArray]] = {}
    for each in np.split(rows, ends):
        kinds.setdefault(series.place[each].tobytes(), []).append(each)
    for alike in kinds.values():
        n = len(alike[0])
        C = np.linalg.cholesky(law.correlations(series.place[alike[0]]))
        one = 2 * np.log(np.diagonal(C, axis1=1, axis2=2)).sum(axis=1)
        for some in batched(alike, max(1, size // n)):
            here = np.concatenate(some)
            sd = law.sd(here).T
            x = columns(here) / sd[:, :, None]
            S, _, k = x.shape
            wide = x.reshape(S, len(some), n, k).swapaxes(1, 2).reshape(S, n, len(some) * k)
            white = np.linalg.solve(C, wide).reshape(S, n * len(some), k)
            yield white, len(some) * one + 2 * np.log(sd).sum(axis=1)


def log_density(law: Law, rows: IntArray, residuals: OfRows) -> FloatArray:
    """Log density (S,) of the residuals of some rows together."""

    def columns(some: IntArray) -> FloatArray:
        return np.asarray(residuals(some).T[:, :, None])

    found = whitened(law, rows, columns, 1)
    squares = found.products[:, 0, 0]
    return np.asarray(-0.5 * (squares + found.log_det + len(rows) * np.log(2 * np.pi)))


def log_density_beside(law: Law, rows: IntArray, known: IntArray, residuals: OfRows) -> FloatArray:
    """Log density (S,) of the residuals of some rows together, given those of known ones."""
    unit = law.series.unit
    known = known[np.isin(unit[known], unit[rows])]
    both = log_density(law, np.union1d(rows, known), residuals)
    return both - log_density(law, known, residuals) if len(known) else both

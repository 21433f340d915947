"""Laws of residuals that go together, under the draws of a fit: noise of series, rows given others.

Rows of one series are drawn together, each with the standard normals of its own stream, so that
what a row gets does not depend on the piece that asks for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from hiermix.design.design import Design
from hiermix.design.series import Series
from hiermix.errors import ArgumentError, DataError, at_rows
from hiermix.families.correlations import matrix_of
from hiermix.families.links import Own
from hiermix.families.residual_parameters import CORRELATIONS, RHO, SDS
from hiermix.keyed_streams import Streams
from hiermix.prediction.random_streams import Hashes
from hiermix.statistics.autoregression import powers
from hiermix.typing import FloatArray, IntArray

type Residuals = Callable[[IntArray], FloatArray]
"""Observed residuals (n, S) of some rows."""

_KEPT = 32
"""Series whose draws are held at a time."""


def covariance(series: Series, place: FloatArray, own: Own) -> FloatArray:
    """Covariances (S, n, n) of rows of one series at these places."""
    if series.in_time:
        apart = np.abs(place[:, None] - place)
        c = powers(own[RHO], apart.ravel(), even=series.even).reshape(-1, *apart.shape)
        return np.asarray(own["sigma"][:, None, None] ** 2 * c)
    at = place.astype(np.intp)
    R = matrix_of(own[CORRELATIONS], len(series.positions))
    sd = own[SDS]
    return np.asarray((sd[:, :, None] * R * sd[:, None, :])[:, at[:, None], at])


def needed(design: Design) -> Series:
    """Return the series of rows; raise where new rows lack their columns.

    Raises
    ------
    DataError
        They do.
    """
    if design.series is None:
        missing = [name for each in design.formula.specials for name in each.columns
                   if not design.has(name)]  # fmt: skip
        names = ", ".join(map(repr, missing))
        raise DataError(
            f"responses of {design.formula.specials[0]} go together: the new rows lack {names}"
        )
    return design.series


def independent_only(design: Design, what: str, of_several: str = "") -> None:
    """Raise where residuals go together, for what takes rows to be independent.

    `of_several` is what to do with several responses.

    Raises
    ------
    ArgumentError
        They do.
    """
    if design.parts:
        raise ArgumentError(f"{what} is for one response, and there are several: {of_several}")
    terms = [each.term for each in (design.series,) if each is not None]
    if terms:
        raise ArgumentError(
            f"{what} takes rows to be independent given the effects, and {terms[0]} says that they "
            "are not"
        )


@dataclass(frozen=True, eq=False)
class Before:
    """The fitted rows, whose residuals say something of later ones of their series."""

    series: Series
    residuals: Residuals

    def of(self, unit: int) -> IntArray:
        """Return the rows of a series, in order."""
        rows = np.flatnonzero(self.series.unit == unit)
        return rows[np.argsort(self.series.place[rows], kind="stable")]


@dataclass(frozen=True, eq=False)
class Noise:
    """Residuals of the rows of a design, drawn; given fitted ones, if there are some."""

    design: Design
    own: Own
    seed: int
    hashes: Hashes
    before: Before | None = None
    _of_unit: Callable[[int], tuple[FloatArray, FloatArray]] = field(init=False, repr=False)
    _place: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay out which row stands where in its series."""
        series = needed(self.design)
        order = series.in_order()
        starts = np.searchsorted(series.unit[order], series.unit[order])
        place = np.empty_like(order)
        place[order] = np.arange(len(order)) - starts
        object.__setattr__(self, "_place", place)
        object.__setattr__(self, "_of_unit", lru_cache(_KEPT)(self._drawn))

    def rows(self, rows: slice | IntArray) -> tuple[FloatArray, FloatArray]:
        """Return what is expected (n, S) of residuals of some rows, and draws of them."""
        unit, place = needed(self.design).unit[rows], self._place[rows]
        shape = len(unit), len(next(iter(self.own.values())))
        expected, drawn = np.empty(shape), np.empty(shape)
        for each in np.unique(unit).tolist():
            mine = unit == each
            one, other = self._of_unit(each)
            expected[mine], drawn[mine] = one[place[mine]], other[place[mine]]
        return expected, drawn

    def _drawn(self, unit: int) -> tuple[FloatArray, FloatArray]:
        series = needed(self.design)
        rows = np.flatnonzero(series.unit == unit)
        rows = rows[np.argsort(series.place[rows], kind="stable")]
        z = self._normals(rows)
        known = np.zeros(0, dtype=np.intp) if self.before is None else self.before.of(unit)
        if series.in_time:
            return self._in_time(rows, known, z)
        return self._at_positions(rows, known, z)

    def _normals(self, rows: IntArray) -> FloatArray:
        streams = Streams(self.seed, "residual")
        size = len(next(iter(self.own.values())))
        each = [streams.at((hash_, same)).standard_normal(size)
                for hash_, same in self.hashes[rows].tolist()]  # fmt: skip
        return np.array(each).reshape(len(rows), size)

    def _in_time(
        self, rows: IntArray, known: IntArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Go on from the last residual, step by step."""
        series, sigma = needed(self.design), np.asarray(self.own["sigma"])
        place = series.place[rows]
        expected, deviation = np.zeros(z.shape), np.zeros(z.shape)
        first, c = 0, np.zeros(z.shape[1])
        if len(known):
            assert self.before is not None
            last = self.before.series.place[known[-1]]
            _after(series, rows[place <= last], self.design)
            ahead = powers(self.own[RHO], place - last, even=series.even).T
            expected = ahead * self.before.residuals(known[-1:])
            c = ahead[0]
        for t in range(first, len(rows)):
            if t:
                c = powers(self.own[RHO], place[t : t + 1] - place[t - 1], even=series.even)[:, 0]
                deviation[t] = c * deviation[t - 1]
            deviation[t] += sigma * np.sqrt(1 - c**2) * z[t]
        return expected, expected + deviation

    def _at_positions(
        self, rows: IntArray, known: IntArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Draw from the normal law given what is known."""
        series, n = needed(self.design), len(known)
        before = np.zeros(0) if self.before is None else self.before.series.place[known]
        place = np.concatenate([before, series.place[rows]])
        _known_once(series, place, rows, self.design)
        C = np.linalg.cholesky(covariance(series, place, self.own))
        expected = np.zeros(z.shape)
        if n:
            assert self.before is not None
            e = self.before.residuals(known).T[:, :, None]
            expected = (C[:, n:, :n] @ np.linalg.solve(C[:, :n, :n], e))[:, :, 0].T
        return expected, expected + (C[:, n:, n:] @ z.T[:, :, None])[:, :, 0].T


def _after(series: Series, early: IntArray, design: Design) -> None:
    if len(early):
        raise DataError(
            f"times of {series.term.place!r} not after the last observed one of their series "
            f"{at_rows(np.sort(early), design.frame.index)}: residuals are carried on to later ones"
        )


def _known_once(series: Series, place: FloatArray, rows: IntArray, design: Design) -> None:
    if len(np.unique(place)) < len(place):
        raise DataError(
            f"positions of {series.term.place!r} that their units have already "
            f"{at_rows(np.sort(rows), design.frame.index)}"
        )


def log_density_given_others(
    series: Series, own: Own, rows: IntArray, residuals: Residuals
) -> FloatArray:
    """Log density (n, S) of the residual of each row given all others (Bürkner et al., 2021).

    With Q the precision, that is a normal of mean ``e_i - (Q e)_i / Q_ii`` and variance 1 / Q_ii.
    """
    pull, precision = (_in_time if series.in_time else _at_positions)(series, own, rows, residuals)
    return np.asarray(0.5 * (np.log(precision / (2 * np.pi)) - pull**2 / precision))


def _in_time(
    series: Series, own: Own, rows: IntArray, residuals: Residuals
) -> tuple[FloatArray, FloatArray]:
    """(Q e)_i and Q_ii of some rows, from those before and behind them."""
    e = residuals(rows)
    pull, precision = e.copy(), np.ones_like(e)
    later, last, gap = series.before()
    for here, there in ((later, last), (last, later)):
        beside, steps = np.full(len(series.unit), -1), np.zeros(len(series.unit))
        beside[here], steps[here] = there, gap
        some = np.flatnonzero(beside[rows] >= 0)
        c = powers(own[RHO], steps[rows[some]], even=series.even).T
        pull[some] += (c**2 * e[some] - c * residuals(beside[rows[some]])) / (1 - c**2)
        precision[some] += c**2 / (1 - c**2)
    scale = np.asarray(own["sigma"]) ** 2
    return pull / scale, precision / scale


def _at_positions(
    series: Series, own: Own, rows: IntArray, residuals: Residuals
) -> tuple[FloatArray, FloatArray]:
    """Return the same by the inverse of each unit's covariance."""
    size = len(np.asarray(own[SDS]))
    pull, precision = np.empty((len(rows), size)), np.empty((len(rows), size))
    for unit in np.unique(series.unit[rows]).tolist():
        every = np.flatnonzero(series.unit == unit)
        Q = np.linalg.inv(covariance(series, series.place[every], own))
        Qe = np.einsum("sij,js->is", Q, residuals(every))
        mine = np.flatnonzero(series.unit[rows] == unit)
        at = np.searchsorted(every, rows[mine])
        pull[mine], precision[mine] = Qe[at], Q[:, at, at].T
    return pull, precision

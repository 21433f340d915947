"""Laws of residuals that go together, under the draws of a fit: noise of series, rows given others.

Rows of one series are drawn together, each with the standard normals of its own stream, so that
what a row gets does not depend on the piece that asks for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hiermix.design.design import Design
from hiermix.design.series import Series
from hiermix.errors import ArgumentError, DataError, at_rows
from hiermix.families.links import Own
from hiermix.families.residual_parameters import RHO
from hiermix.formula.terms.residual_terms import Residuals as Together
from hiermix.keyed_streams import Streams
from hiermix.prediction.random_streams import Hashes
from hiermix.statistics.autoregression import powers
from hiermix.statistics.residual_correlations import correlations
from hiermix.typing import FloatArray, IntArray

type OfRows = Callable[[IntArray], FloatArray]
"""Numbers (n, S) of some rows: what is left of their responses, or sds of that."""

_KEPT = 32
"""Series whose draws are held at a time."""


@dataclass(frozen=True, eq=False)
class Law:
    """Under which residuals are normal: with sds of their rows, correlated within series."""

    series: Series
    own: Own
    sd: OfRows

    @property
    def size(self) -> int:
        """Number of draws."""
        return len(next(iter(self.own.values())))

    def powers(self, gaps: FloatArray) -> FloatArray:
        """Correlations (S, n) of rows so many steps apart."""
        return powers(self.own[RHO], gaps, even=self.series.even)

    def correlations(self, place: FloatArray) -> FloatArray:
        """Those (S, n, n) of rows of one series at these places."""
        return correlations(self.series, place, self.own)


def needed(design: Design) -> Series:
    """Return the series of rows; raise where new rows lack their columns.

    Raises
    ------
    DataError
        They do.
    """
    if design.series is None:
        terms = [each for each in design.formula.specials if isinstance(each, Together)]
        missing = [name for each in terms for name in each.columns if not design.has(name)]
        names = ", ".join(map(repr, missing))
        raise DataError(f"responses of {terms[0]} go together: the new rows lack {names}")
    return design.series


def one_response_only(design: Design, what: str, way: str) -> None:
    """Raise where there are several responses, with the way out.

    Raises
    ------
    ArgumentError
        There are.
    """
    if design.parts:
        raise ArgumentError(f"{what} is for one response, and there are several: {way}")


@dataclass(frozen=True, eq=False)
class Before:
    """Rows whose residuals are known, and say something of later ones of their series."""

    series: Series
    residuals: OfRows
    """In units of their sds."""
    known: NDArray[np.bool_] | None = None
    """(rows,) which of them; all by default."""

    def of(self, unit: int) -> IntArray:
        """Return the rows of a series, in order."""
        mine = self.series.unit == unit
        rows = np.flatnonzero(mine if self.known is None else mine & self.known)
        return rows[np.argsort(self.series.place[rows], kind="stable")]


@dataclass(frozen=True, eq=False)
class Noise:
    """Residuals of the rows of a design, drawn; given known ones, if there are some.

    All is worked out in units of the sds of rows.
    """

    design: Design
    law: Callable[[], Law]
    seed: int
    hashes: Hashes
    before: tuple[Before, ...] = ()
    """Those of the fit, and rows with a response of new series; each series is in one at most."""
    _of_unit: Callable[[int], FloatArray] = field(init=False, repr=False)
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

    def rows(self, rows: slice | IntArray) -> FloatArray:
        """Return what is expected (n, S) of residuals of some rows, its variance, and draws."""
        unit, place = needed(self.design).unit[rows], self._place[rows]
        found = np.empty((3, len(unit), self.law().size))
        for each in np.unique(unit).tolist():
            mine = unit == each
            found[:, mine] = self._of_unit(each)[:, place[mine]]
        return found

    def _drawn(self, unit: int) -> FloatArray:
        residuals = self.law()
        series = residuals.series
        rows = np.flatnonzero(series.unit == unit)
        rows = rows[np.argsort(series.place[rows], kind="stable")]
        law = self._in_time if series.in_time else self._at_positions
        z = self._normals(rows)
        before = next((each for each in self.before if len(each.of(unit))), None)
        found = np.empty((3, *z.shape))
        # Rows that are known themselves are drawn as if they weren't: once more.
        again = self._learned(rows, before)
        for some, given in ((again, None), (~again, before)):
            if some.any():
                found[:, some] = law(rows[some], given, z[some])
        sd = residuals.sd(rows)
        return found * np.stack([sd, sd**2, sd])

    def _learned(self, rows: IntArray, before: Before | None) -> NDArray[np.bool_]:
        """(n,) which of some rows are known themselves."""
        if before is None or before.series is not self.design.series or before.known is None:
            return np.zeros(len(rows), dtype=bool)
        return before.known[rows]

    def _normals(self, rows: IntArray) -> FloatArray:
        streams = Streams(self.seed, "residual")
        size = self.law().size
        each = [streams.at((hash_, same)).standard_normal(size)
                for hash_, same in self.hashes[rows].tolist()]  # fmt: skip
        return np.array(each).reshape(len(rows), size)

    def _in_time(self, rows: IntArray, before: Before | None, z: FloatArray) -> FloatArray:
        """Go on step by step: from the row or the known residual before, towards one behind."""
        place = needed(self.design).place[rows]
        known, e = self._around(rows, before)
        expected, variance, deviation = np.zeros((3, *z.shape))
        for t, behind in enumerate(np.searchsorted(known, place).tolist()):
            last, ahead = behind - 1, behind < len(known)
            of_row = t > 0 and (last < 0 or place[t - 1] > known[last])
            start = place[t - 1] if of_row else known[last] if last >= 0 else -np.inf
            prior = expected[t - 1] if of_row else e[last] if last >= 0 else 0.0
            c = self._power(place[t] - start)
            a = self._power(known[behind] - place[t] if ahead else np.inf)
            left, right = 1 - c**2, 1 - a**2
            whole = 1 - (c * a) ** 2
            back = c * right / whole
            expected[t] = back * prior + (a * left / whole * e[behind] if ahead else 0.0)
            variance[t] = left * right / whole
            deviation[t] = np.sqrt(left * right / whole) * z[t]
            if of_row:
                variance[t] += back**2 * variance[t - 1]
                deviation[t] += back * deviation[t - 1]
        return np.stack([expected, variance, expected + deviation])

    def _around(self, rows: IntArray, before: Before | None) -> tuple[FloatArray, FloatArray]:
        """Return places (k,) of known rows next to some of a series, and their residuals (k, S)."""
        series = needed(self.design)
        if before is None:
            return np.zeros(0), np.zeros((0, 0))
        known = before.of(int(series.unit[rows[0]]))
        at, place = before.series.place[known], series.place[rows]
        twice = rows[np.isin(place, at)]
        if len(twice):
            raise DataError(
                f"times of {series.term.place!r} at which their series have a row already "
                f"{at_rows(np.sort(twice), self.design.frame.index)}: residuals are carried on to "
                "other ones"
            )
        behind = np.searchsorted(at, place)
        beside = np.unique(np.concatenate([behind - 1, behind]))
        some = known[beside[(beside >= 0) & (beside < len(known))]]
        return before.series.place[some], before.residuals(some)

    def _power(self, gap: float) -> FloatArray:
        """Correlations (S,) of rows so many steps apart; none of rows without end apart."""
        law = self.law()
        return law.powers(np.array([gap]))[:, 0] if np.isfinite(gap) else np.zeros(law.size)

    def _at_positions(self, rows: IntArray, before: Before | None, z: FloatArray) -> FloatArray:
        """Draw from the normal law given what is known."""
        series = needed(self.design)
        known = np.zeros(0, dtype=np.intp)
        if before is not None:
            known = before.of(int(series.unit[rows[0]]))
        there = np.zeros(0) if before is None else before.series.place[known]
        place, n = np.concatenate([there, series.place[rows]]), len(known)
        _known_once(series, place, rows, self.design)
        C = np.linalg.cholesky(self.law().correlations(place))
        expected = np.zeros(z.shape)
        if before is not None:
            e = before.residuals(known).T[:, :, None]
            expected = (C[:, n:, :n] @ np.linalg.solve(C[:, :n, :n], e))[:, :, 0].T
        root = C[:, n:, n:]
        variance = np.sum(root**2, axis=2).T
        return np.stack([expected, variance, expected + (root @ z.T[:, :, None])[:, :, 0].T])


def _known_once(series: Series, place: FloatArray, rows: IntArray, design: Design) -> None:
    if len(np.unique(place)) < len(place):
        raise DataError(
            f"positions of {series.term.place!r} that their units have already "
            f"{at_rows(np.sort(rows), design.frame.index)}"
        )

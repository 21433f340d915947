"""Rows whose residuals go together: series in time, or units with rows at some positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import checks, times
from hiermix.design.codes import column_codes
from hiermix.design.kinds import KnownLabels
from hiermix.errors import DataError, FormulaError, at_rows, count, first_three
from hiermix.formula.equations import MU
from hiermix.formula.formula import Formula
from hiermix.formula.terms.residual_terms import AutoRegression, Residuals
from hiermix.typing import FloatArray, IntArray

_MOST_POSITIONS = 30
_ROUNDING = 1e-6
"""Of steps that are not written exactly, such as 0.1."""


@dataclass(frozen=True, eq=False)
class Series:
    """Which series or unit each row belongs to, and where it stands there."""

    term: Residuals
    unit: IntArray
    """(rows,)"""
    units: tuple[object, ...]
    """Their labels."""
    place: FloatArray
    """(rows,) times in steps, or positions counted from 0; NaN where a position is new."""
    positions: tuple[object, ...] = ()
    """Labels of positions; none of times."""
    step: float = 1.0
    """In the unit of the times, days of dates."""
    even: bool = True
    """Whether times are whole numbers of steps apart."""
    origin: float = 0.0
    monthly: bool = False
    """Whether dates count in months."""
    fitted: int | None = None
    """How many units the fit has, where rows are others than its own."""
    weight: FloatArray | None = None
    """(rows,) how many series or units each row's stands for, where rows stand for others."""
    form: times.Form | None = field(default=None, repr=False)

    @property
    def in_time(self) -> bool:
        """Whether rows have times, rather than positions."""
        return isinstance(self.term, AutoRegression)

    @property
    def dated(self) -> bool:
        """Whether times are dates or durations."""
        return self.form is not None and self.form.kind.what in ("dates", "durations")

    @property
    def least(self) -> float:
        """Least correlation of rows a step apart: with uneven steps it can't be negative."""
        return -1.0 if self.even else 0.0

    @property
    def new(self) -> NDArray[np.bool_]:
        """(rows,) whether a row is of a series that the fit never saw."""
        known = np.inf if self.fitted is None else self.fitted
        return np.asarray(self.unit >= known)

    def take(self, rows: NDArray[np.intp]) -> Series:
        """Return those of some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, unit=self.unit[rows], place=self.place[rows], weight=weight)

    def on(self, frame: pd.DataFrame) -> Series | None:
        """Return those of other rows, by label; None where a column is missing."""
        if any(name not in frame for name in self.term.columns):
            return None
        unit, units = np.zeros(len(frame), dtype=np.int64), self.units
        if self.term.by is not None:
            unit, units = _by_label(self.term.by, frame[self.term.by], self.units)
        if self.form is not None:
            dates = times.read(self.form, frame[self.term.place])
            place = (axis_of(dates, monthly=self.monthly) - self.origin) / self.step
        else:
            code, labels = _by_label(self.term.place, frame[self.term.place], self.positions)
            place = np.where(code < len(self.positions), code.astype(np.float64), np.nan)
            _known_positions(self.term.place, labels[len(self.positions) :])
        fitted = len(self.units) if self.term.by is not None else 1
        return replace(self, unit=unit, units=units, place=place, fitted=fitted, weight=None)

    def in_steps(self, gaps: FloatArray, number: FloatArray, origin: float) -> Series:
        """Return those of times on an axis, counted in steps.

        Parameters
        ----------
        gaps : array
            Some of the times between rows that follow each other, or all of them.
        number : array
            How often there is each.
        origin : float
            The first time.
        """
        least = float(gaps.min())
        share = gaps / least
        even = bool((np.abs(share - np.round(share)) < _ROUNDING * share).all())
        step = least if even else _median(gaps, number)
        return replace(self, place=(self.place - origin) / step, step=step, even=even,
                       origin=origin)  # fmt: skip

    def in_order(self) -> IntArray:
        """Return the rows series by series, in the order of time."""
        return np.lexsort((self.place, self.unit))

    def before(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Return rows that follow another of their series, that other, and the steps between."""
        order = self.in_order()
        same = self.unit[order[1:]] == self.unit[order[:-1]]
        row, last = order[1:][same], order[:-1][same]
        gap = self.place[row] - self.place[last]
        return row, last, np.round(gap) if self.even else gap


def series_of(formula: Formula, frame: pd.DataFrame) -> Series | None:
    """Return the series or units of the rows of a fit; None where residuals are independent.

    Raises
    ------
    FormulaError, DataError
        Several such terms, or one of another equation; times or positions that repeat within a
        series; series of one row.
    """
    terms = [each for each in formula.specials if isinstance(each, Residuals)]
    if not terms:
        return None
    term = terms[0]
    if len(terms) > 1 or term.equation != MU:
        raise FormulaError(
            "residuals go together in one way, said in the formula of the response: leave "
            f"{terms[-1]} out"
        )
    unit, units = np.zeros(len(frame), dtype=np.int64), list[object]()
    if term.by is not None:
        unit, units = column_codes(term.by, frame[term.by])
    make = _in_time if isinstance(term, AutoRegression) else _at_positions
    found = make(term, frame[term.place], unit, tuple(units))
    no_repeats(found, frame.index, np.arange(len(frame)))
    if not len(found.before()[0]):
        raise no_pairs(term)
    return found


def no_pairs(term: Residuals) -> DataError:
    """Return the error that no two rows go together."""
    return DataError(
        f"{term}: no series has two rows, so that their correlation can't be learned. Leave "
        "the term out, or name longer series"
    )


def _in_time(
    term: Residuals, values: pd.Series, unit: IntArray, units: tuple[object, ...]
) -> Series:
    form = times.form(term.place, values)
    dates = times_of(form, values)
    monthly = _is_monthly(dates)
    axis = axis_of(dates, monthly=monthly)
    plain = Series(term, unit, units, axis, form=form, even=False, monthly=monthly)
    gaps = plain.before()[2]
    gaps = gaps[gaps > 0]
    return plain.in_steps(gaps, np.ones(len(gaps)), float(axis.min())) if len(gaps) else plain


def times_of(form: times.Form, values: pd.Series) -> pd.Index:
    """Return the times of rows that a model is fitted to.

    Raises
    ------
    DataError
        Some are missing or infinite, or they are dates that are written as numbers.
    """
    dates = times.read(form, values)
    if times.are_written_dates(dates):
        raise DataError(
            f"column {form.name!r} holds dates that are written as numbers ({dates[0]}), which "
            f"are unevenly apart: use pd.to_datetime(data[{form.name!r}], format=...)"
        )
    checks.finite(form.name, pd.Series(axis_of(dates, monthly=False), index=values.index))
    return dates


def _median(values: FloatArray, number: FloatArray) -> float:
    """Return the median of values that are there so many times each."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(number[order])
    half = below[-1] / 2
    middle = order[np.searchsorted(below, [half, half + 0.5])]
    return float(values[middle].mean())


def _is_monthly(axis: pd.Index) -> bool:
    """Whether dates stand at one day of their months, or at the ends of these."""
    if not isinstance(axis, pd.DatetimeIndex) or not len(axis):
        return False
    return bool((axis.day == axis.day[0]).all() or axis.is_month_end.all())


def axis_of(axis: pd.Index, *, monthly: bool) -> FloatArray:
    """Return times as numbers: dates in months or, with durations, in days."""
    if isinstance(axis, pd.DatetimeIndex):
        if monthly:
            return np.asarray(12.0 * axis.year + axis.month)
        if axis.tz is not None:
            axis = axis.tz_convert("UTC").tz_localize(None)
        return np.asarray((axis - pd.Timestamp("2000-01-01")) / pd.Timedelta(1, "D"), dtype=float)
    if isinstance(axis, pd.TimedeltaIndex):
        return np.asarray(axis / pd.Timedelta(1, "D"), dtype=float)
    return np.asarray(axis, dtype=np.float64)


def _at_positions(
    term: Residuals, values: pd.Series, unit: IntArray, units: tuple[object, ...]
) -> Series:
    code, labels = column_codes(term.place, values)
    check_positions(term, labels)
    return Series(term, unit, units, code.astype(np.float64), tuple(labels))


def check_positions(term: Residuals, labels: Sequence[object]) -> None:
    """Raise where there are too many positions, or one.

    Raises
    ------
    DataError
        There are.
    """
    if not 1 < len(labels) <= _MOST_POSITIONS:
        raise DataError(
            f"{term} is for 2 to {_MOST_POSITIONS} positions, and column {term.place!r} has "
            f"{len(labels)}: {'write ar() for many times' if len(labels) > 1 else 'leave it out'}"
        )


def no_repeats(found: Series, index: pd.Index, rows: IntArray) -> None:
    """Raise where some of the rows have a time or position that others of their series have.

    Raises
    ------
    DataError
        They do.
    """
    frame = pd.DataFrame({"unit": found.unit[rows], "place": found.place[rows]})
    again = rows[frame.duplicated()]
    if not len(again):
        return
    what = "times" if found.in_time else "positions"
    within = f" within a level of {found.term.by!r}" if found.term.by else ""
    way = "" if found.term.by else ". Name the series: by="
    raise DataError(
        f"{found.term}: {what} of {found.term.place!r} repeat{within} "
        f"{at_rows(again, index)}: each has one row{way}"
    )


def _by_label(
    name: str, values: pd.Series, known: Sequence[object]
) -> tuple[IntArray, tuple[object, ...]]:
    """Return codes by the labels of the fit, those of others behind."""
    codes, labels = column_codes(name, values, KnownLabels(known))
    place = {label: code for code, label in enumerate(known)}
    new = [label for label in labels if label not in place]
    place |= {label: len(known) + code for code, label in enumerate(new)}
    table = np.array([*(place[label] for label in labels), -1], dtype=np.int64)
    return table[codes], (*known, *new)


def _known_positions(name: str, new: Sequence[object]) -> None:
    if new:
        raise DataError(
            f"{count(len(new), 'position')} of {name!r} not in the fit: "
            f"{first_three(new)}. There is no residual sd for them"
        )

"""A column of times: numbers, dates, durations, periods or text, as places on one axis and back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, override

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.kinds import Kind
from hiermix.errors import DataError, at_rows, count, first_three

_FORMATS = (
    "%Y-%m-%d", "%Y-%m", "%Y%m%d", "%Y/%m/%d", "%Y/%m", "%d.%m.%Y", "%Y", "%b %Y", "%B %Y",
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
    "%d/%m/%Y", "%m/%d/%Y",
)  # fmt: skip
_DAY_OR_LESS = ("D", "h", "min", "s", "ms", "us", "ns")


@dataclass(frozen=True)
class Form:
    """Times as they stand in a column: nothing to change."""

    name: str
    kind: Kind

    def read(self, values: pd.Series) -> pd.Index:
        """Return places on the axis."""
        axis: pd.Index = pd.Index(self.kind.read(values))
        return axis

    def write(self, axis: pd.Index) -> pd.Series:
        """Return places as the column has them."""
        if isinstance(axis, pd.DatetimeIndex):
            unit: Any = np.datetime_data(self.kind.dtype.base)[0]
            return pd.Series(axis.as_unit(unit))
        whole = self.kind.dtype.kind in "iu" and (axis == axis.astype(np.int64)).all()
        return pd.Series(axis.astype(self.kind.dtype) if whole else axis)

    def drawn(self, values: pd.Series) -> pd.Series:
        """Return times as matplotlib takes them."""
        axis: Any = pd.Series(self.read(values), index=values.index)
        if isinstance(axis.dtype, pd.DatetimeTZDtype):
            axis = axis.dt.tz_localize(None)
        found: pd.Series = axis / pd.Timedelta(1, "D") if axis.dtype.kind == "m" else axis
        return found


@dataclass(frozen=True)
class Periods(Form):
    """Periods: days and shorter ones as dates, that may leave out weekends; others counted."""

    @property
    def freq(self) -> str:
        """By the name that pandas reads."""
        return kinds.period_freq(self.kind.dtype)

    @override
    def read(self, values: pd.Series) -> pd.Index:
        periods = pd.PeriodIndex(self.kind.read(values))
        return periods.to_timestamp() if self.freq in _DAY_OR_LESS else pd.Index(periods.asi8)

    @override
    def write(self, axis: pd.Index) -> pd.Series:
        if isinstance(axis, pd.DatetimeIndex):
            return pd.Series(axis.to_period(self.freq))
        index: Any = pd.PeriodIndex
        return pd.Series(index.from_ordinals(axis.astype(np.int64), freq=self.freq))

    @override
    def drawn(self, values: pd.Series) -> pd.Series:
        starts = pd.PeriodIndex(self.kind.read(values)).to_timestamp()
        return pd.Series(starts, index=values.index)


@dataclass(frozen=True)
class Text(Form):
    """Dates as text of one format."""

    format: str

    @override
    def read(self, values: pd.Series) -> pd.Index:
        if kinds.what(values) == "dates":
            return pd.DatetimeIndex(kinds.moments(values))
        found = _parsed(values.astype(str), self.format)
        if found is None:
            shown = first_three(pd.unique(values.astype(object)).tolist())
            raise DataError(
                f"column {self.name!r} was text such as {self._example()!r} in the fit and holds "
                f"{shown} now: write times as they were"
            )
        return found

    def _example(self) -> str:
        return str(self.write(pd.DatetimeIndex(["2024-01-29"])).iloc[0])

    @override
    def write(self, axis: pd.Index) -> pd.Series:
        return pd.Series(_written(pd.DatetimeIndex(axis), self.format), dtype=object)


def form(name: str, values: pd.Series) -> Form:
    """Return the form of a column of the fit.

    Raises
    ------
    DataError
        It holds no times, lacks some, or is text that reads as several dates.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    values = kinds.stored(values)
    present(name, values)
    kind = Kind.of(name, values)
    if isinstance(values.dtype, pd.PeriodDtype):
        return Periods(name, kind)
    if kind.what in ("dates", "durations") or (kind.what == "numeric" and kind.dtype.kind in "iuf"):
        return Form(name, kind)
    if pd.api.types.infer_dtype(values) == "string":
        return Text(name, kind, _format(name, values.astype(str)))
    raise DataError(f"column {name!r} has dtype {values.dtype}: times are numbers or dates")


def read(form: Form, values: pd.Series) -> pd.Index:
    """Return the times of any rows as places on the axis of the fit."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    values = kinds.stored(values)
    present(form.name, values)
    return form.read(values)


def present(name: str, values: pd.Series) -> None:
    """Raise where a row has no time."""
    rows = np.flatnonzero(values.isna())
    if len(rows):
        raise DataError(
            f"column {name!r} lacks a time in {count(len(rows), 'row')} "
            f"{at_rows(rows, values.index)}: leave these rows out"
        )


# Text --------------------------------------------------------------------------------------------


def _format(name: str, texts: pd.Series) -> str:
    """Return the one format in which texts read as dates, and dates as the texts."""
    unique = pd.Series(texts.unique())
    found = [each for each in (*_FORMATS, "ISO", "Q", "-Q", "W") if _round_trip(unique, each)]
    if len(found) == 1:
        return found[0]
    shown = first_three(unique.tolist())
    way = f"use pd.to_datetime(data[{name!r}], format=...)"
    if not found:
        raise DataError(
            f"column {name!r} holds text that does not read as dates of one format ({shown}): "
            f"times are numbers or dates; {way}"
        )
    raise DataError(f"column {name!r} reads as dates in several ways ({shown}): {way}")


def _round_trip(texts: pd.Series, format_: str) -> bool:
    found = _parsed(texts, format_)
    return found is not None and bool((_written(found, format_) == texts.to_numpy()).all())


def _parsed(texts: pd.Series, format_: str) -> pd.DatetimeIndex | None:
    try:
        if format_ in ("Q", "-Q"):
            return pd.PeriodIndex(texts.str.replace("-", ""), freq="Q").to_timestamp()
        if format_ == "W":
            return pd.DatetimeIndex(pd.to_datetime(texts + "-1", format="%G-W%V-%u"))
        format_ = "ISO8601" if format_ == "ISO" else format_
        return pd.DatetimeIndex(pd.to_datetime(texts, format=format_))
    except (ValueError, TypeError, OverflowError):
        return None


def _written(dates: pd.DatetimeIndex, format_: str) -> np.ndarray:
    if format_ in ("Q", "-Q"):
        dash = format_[:-1]
        return np.array([f"{each.year}{dash}Q{each.quarter}" for each in dates], dtype=object)
    if format_ == "W":
        return dates.strftime("%G-W%V").to_numpy(dtype=object)
    if format_ == "ISO":  # what is written another way without a zone has a format of its own
        if dates.tz is None:
            return np.full(len(dates), "", dtype=object)
        return np.array([each.isoformat() for each in dates], dtype=object)
    return dates.strftime(format_).to_numpy(dtype=object)


# Whole numbers that are written dates ------------------------------------------------------------


def misread(known: pd.Index, later: pd.Index) -> Iterator[Any]:
    """Yield later numbers that are no dates where all known ones are, as 202313 after 202312."""
    if known.dtype.kind not in "iu" or isinstance(known, pd.DatetimeIndex):
        return
    for valid in (_month, _week, _day):
        if valid(known).all():
            yield from later[~valid(later)]
            return


def are_written_dates(known: pd.Index) -> bool:
    """Whether whole numbers are months or days as they are written, such as 202312."""
    if known.dtype.kind not in "iu" or isinstance(known, pd.DatetimeIndex):
        return False
    return bool(_month(known).all() or _day(known).all())


def _month(numbers: pd.Index) -> Any:
    year, month = np.divmod(np.asarray(numbers), 100)
    return (year >= 1900) & (year <= 2100) & (month >= 1) & (month <= 12)


def _week(numbers: pd.Index) -> Any:
    year, week = np.divmod(np.asarray(numbers), 100)
    return (year >= 1900) & (year <= 2100) & (week >= 1) & (week <= _weeks(year))


def _weeks(year: Any) -> Any:
    """Return how many weeks years have (ISO 8601): 53 if they begin or end with a Thursday."""
    since = np.clip(year, 1900, 2100) - 1970
    begins, next_ = (
        (since + more).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
        for more in (0, 1)
    )
    return np.where((begins % 7 == 0) | ((next_ - 1) % 7 == 0), 53, 52)  # 1970 began with one


def _day(numbers: pd.Index) -> Any:
    texts = pd.Series(np.asarray(numbers).astype(str))
    dates = pd.to_datetime(texts, format="%Y%m%d", errors="coerce")
    return (dates.dt.year >= 1900).to_numpy() & (dates.dt.year <= 2100).to_numpy()

"""What a column holds: numbers, truth values, dates, durations or categories; and what it may be.

`stored` brings the ways in which a frame can store one kind of value (nullable, Arrow, sparse,
Python objects) to one; `Kind.read` reads a column of new data as the kind that it was in the fit,
or says that it is another; `KnownLabels` finds a label however it is written.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

import numpy as np
import pandas as pd

from hiermix.errors import DataError, at_rows, first_three

type What = Literal["numeric", "truth values", "dates", "durations", "categories"]


# How a column is stored --------------------------------------------------------------------------


def stored(values: pd.Series) -> pd.Series:
    """Return a column in the one storage of its kind; numpy's numbers are not copied.

    Numbers and truth values are numpy's, where none is missing; dates and durations pandas' own.
    Categories are stored as their values would be.
    """
    dtype: Any = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = stored(pd.Series(dtype.categories)).array
        if categories.dtype == dtype.categories.dtype:
            return values
        return values.cat.rename_categories(pd.Index(categories))
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return values
    if isinstance(dtype, pd.SparseDtype):
        return stored(_like(values, np.asarray(values.array)))
    if isinstance(dtype, pd.ArrowDtype):
        return _from_arrow(values)
    if pd.api.types.is_object_dtype(dtype):
        return _unboxed(values)
    return _from_nullable(values)


def as_values(values: pd.Series) -> pd.Series:
    """Return categories as their values; other columns as they are."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return values.astype(dtype.categories.dtype)
    return values


def _like(values: pd.Series, array: Any) -> pd.Series:
    return pd.Series(array, index=values.index, name=values.name)


def _from_arrow(values: pd.Series) -> pd.Series:
    kind = values.dtype.kind
    if kind in "iub":  # whole numbers must not pass through floats, which may lack digits
        nullable: Any = {"b": "boolean", "i": "Int64", "u": "UInt64"}[kind]
        return _from_nullable(values.astype(nullable))
    plain = _like(values, values.array.__arrow_array__().to_pandas().array)
    if values.dtype.type.__name__ == "Decimal":
        return plain.astype(np.float64)
    return stored(plain)


def _from_nullable(values: pd.Series) -> pd.Series:
    dtype: Any = values.dtype
    if not isinstance(getattr(dtype, "numpy_dtype", None), np.dtype) or dtype.kind not in "biuf":
        return values
    if dtype.kind == "f":
        return _like(values, values.to_numpy(dtype=np.float64, na_value=np.nan))
    return values if values.hasnans else _like(values, values.to_numpy(dtype=dtype.numpy_dtype))


_BOXED = {
    "boolean": "boolean",
    "date": "dates",
    "datetime": "dates",
    "datetime64": "dates",
    "timedelta": "durations",
    "timedelta64": "durations",
    "period": "period",
    "interval": "interval",
}


def _unboxed(values: pd.Series) -> pd.Series:
    """Return Python objects of one kind, other than text and numbers, in pandas' own storage."""
    holds = _BOXED.get(pd.api.types.infer_dtype(values, skipna=True))
    try:
        if holds == "boolean":
            return _from_nullable(values.astype("boolean"))
        if holds == "dates":
            return pd.to_datetime(values)
        if holds == "durations":
            return pd.to_timedelta(values)
        if holds in ("period", "interval"):
            return _like(values, pd.array(values.to_numpy()))
    except (ValueError, TypeError, OverflowError):
        return values  # of several zones or calendars, or beyond them
    return values


# Kinds -------------------------------------------------------------------------------------------


def what(values: pd.Series) -> What:
    """Tell what a stored column holds."""
    dtype: Any = values.dtype
    if isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype):
        return "dates"
    if isinstance(dtype, np.dtype) or hasattr(dtype, "numpy_dtype"):
        by_letter: dict[str, What] = {"b": "truth values", "M": "dates", "m": "durations"}
        return by_letter.get(dtype.kind, "numeric" if dtype.kind in "iufc" else "categories")
    return "categories"


def words(values: pd.Series) -> str:
    """Say what a column holds."""
    found = what(values)
    if found == "numeric":
        return "complex numbers" if values.dtype.kind == "c" else "numbers"
    if found != "categories":
        return found
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "categories"
    return "text" if any(isinstance(value, str) for value in values) else "values of another kind"


def is_numeric(values: pd.Series) -> bool:
    """Tell whether a column holds real numbers or truth values, however they are stored."""
    return what(values) == "truth values" or (
        what(values) == "numeric" and values.dtype.kind != "c"
    )


def numbers(values: Any) -> Any:
    """Return an array of numbers without pandas' own types; what is no array as numpy has it."""
    if isinstance(values, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        values = stored(pd.Series(values))
        return values.to_numpy(dtype=np.float64, na_value=np.nan) if is_numeric(values) else values
    return np.asarray(values)


_WAYS: dict[What, str] = {
    "numeric": "use data[{name!r}].astype(float)",
    "truth values": "use data[{name!r}].astype(bool)",
    "dates": "give the dates themselves",
    "durations": "give the durations themselves, pd.to_timedelta(data[{name!r}], unit=...)",
    "categories": "use data[{name!r}].astype(str)",
}
_READ = {"numeric": "numbers", "categories": "categories"}


@dataclass(frozen=True)
class Kind:
    """What a column of the fit held."""

    name: str
    what: What
    dtype: Any
    """Of the values, those of the categories where the column has some."""

    @classmethod
    def of(cls, name: str, values: pd.Series) -> "Kind":
        """Return the kind of a stored column; that of its values where it has categories."""
        values = _values_of(values)
        return cls(name, what(values), values.dtype)

    def read(self, values: pd.Series, *, labels: bool = False) -> pd.Series:
        """Return a column of new data as this kind.

        Parameters
        ----------
        values
            The column.
        labels
            Whether the values are labels: then numbers, text and categories are one kind, and the
            others are looked at through their categories.

        Raises
        ------
        DataError
            It is of another kind, and text that does not read as this one.
        """
        values = stored(values)
        if not len(values):
            return _like(values, pd.array([], dtype=self.dtype))
        if values.isna().all():  # as a response may be that is not known yet
            numeric = self.what in ("numeric", "truth values") and not labels
            return _like(values, np.full(len(values), np.nan)) if numeric else values
        if labels and isinstance(values.dtype, pd.CategoricalDtype):
            return self._read_categories(values)
        now = what(values)
        if now == "numeric" and values.dtype.kind == "c":
            raise self.changed(values)
        if labels and self._labels_alike(now):
            return values
        if self.what == now == "dates":
            return self._in_calendar(values)
        if self.what == now:
            return values
        if self.what in ("dates", "durations") and _is_text(values):
            return self._from_text(values.astype(object))
        raise self.changed(values)

    def _labels_alike(self, now: What) -> bool:
        """Text can stand for any label, and any label for text of the fit."""
        if self.what in ("dates", "durations"):
            return False
        return now in ("categories", self.what) or self.what == "categories"

    def _read_categories(self, values: pd.Series) -> pd.Series:
        used = values.cat.remove_unused_categories()
        read = self.read(pd.Series(used.cat.categories), labels=True)
        return used.cat.rename_categories(pd.Index(read.array)) if read.is_unique else used

    def _from_text(self, texts: pd.Series) -> pd.Series:
        try:
            if self.what == "durations":
                return pd.to_timedelta(texts)
            if isinstance(self.dtype, pd.PeriodDtype):
                starts = texts.str.partition("/")[0]  # a week is written as its first and last day
                return _like(texts, pd.PeriodIndex(starts, freq=period_freq(self.dtype)).array)
            read = pd.to_datetime(texts, format="ISO8601")
        except (ValueError, TypeError, OverflowError):
            raise self.changed(texts) from None
        return self._in_calendar(read)

    def _in_calendar(self, values: pd.Series) -> pd.Series:
        """Return dates in the zone or the periods of the fit."""
        dtype: Any = values.dtype
        if isinstance(self.dtype, pd.DatetimeTZDtype):
            if not isinstance(dtype, pd.DatetimeTZDtype):
                raise self._other_zone(
                    "without a time zone", f"dt.tz_localize({str(self.dtype.tz)!r})"
                )
            return _like(values, values.dt.tz_convert(self.dtype.tz).array)
        if isinstance(dtype, pd.DatetimeTZDtype):
            raise self._other_zone("with a time zone", "dt.tz_localize(None)")
        if isinstance(self.dtype, pd.PeriodDtype):
            return self._in_periods(values)
        return moments(values)

    def _in_periods(self, values: pd.Series) -> pd.Series:
        if values.dtype == self.dtype:
            return values
        freq, starts = period_freq(self.dtype), moments(values)
        periods = starts.dt.to_period(freq)
        inside = (periods.dt.to_timestamp() != starts) & starts.notna()
        if inside.any():
            rows = np.flatnonzero(inside)
            raise DataError(
                f"column {self.name!r} was periods of {freq} in the fit and holds "
                f"dates within them now ({first_three(map(str, starts[inside]))} "
                f"{at_rows(rows, values.index)}): use "
                f"data[{self.name!r}].dt.to_period({freq!r})"
            )
        return _like(values, periods.array)

    def _other_zone(self, now: str, way: str) -> DataError:
        was = "without a time zone"
        if isinstance(self.dtype, pd.DatetimeTZDtype):
            was = f"in the time zone {self.dtype.tz}"
        return DataError(
            f"column {self.name!r} was dates {was} in the fit and holds dates {now} now: "
            f"use data[{self.name!r}].{way}"
        )

    def changed(self, values: pd.Series) -> DataError:
        """Return the error that says what the column was, and what it holds now."""
        now: str = what(values)
        shown = first_three(map(_shown, pd.unique(values.dropna())))
        if now == "categories" and not isinstance(values.dtype, pd.CategoricalDtype):
            now = "text" if _is_text(values) else "objects"
        if now == "numeric" and values.dtype.kind == "c":
            return DataError(f"column {self.name!r} holds complex numbers ({shown})")
        way = _WAYS[self.what].format(name=self.name)
        if self.what == "dates" and now == "numeric":
            way = (
                f"use pd.to_datetime(data[{self.name!r}], unit=...), with unit='ms' for what "
                "to_json() wrote"
            )
        elif self.what == "dates" and now == "text":
            iso = f"2024-01-31{_offset(self.dtype)}"
            way = f"write ISO dates, such as {iso}, or use pd.to_datetime(data[{self.name!r}])"
        elif self.what == "truth values" and now == "text":  # astype(bool) has any text as true
            way = f"say which text is true, such as data[{self.name!r}] == 'yes'"
        return DataError(
            f"column {self.name!r} was {self.what} in the fit and holds {_READ.get(now, now)} now "
            f"({shown}): {way}"
        )


def _offset(dtype: Any) -> str:
    return "T00:00:00+00:00" if isinstance(dtype, pd.DatetimeTZDtype) else ""


def _values_of(values: pd.Series) -> pd.Series:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return pd.Series(values.cat.categories)
    return values


def _is_text(values: pd.Series) -> bool:
    return pd.api.types.infer_dtype(_values_of(values), skipna=True) == "string"


def _shown(value: object) -> object:
    label = plain(value)
    return label if isinstance(label, str | int | float) else str(label)


def period_freq(dtype: Any) -> str:
    """Return the frequency of periods by the name that pandas reads."""
    return str(dtype).removeprefix("period[").removesuffix("]")


def moments(values: pd.Series) -> pd.Series:
    """Return dates as functions of time take them: by the wall's clock, or a period's start."""
    found: pd.Series = values
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        found = values.dt.tz_localize(None)
    elif isinstance(values.dtype, pd.PeriodDtype):
        found = values.dt.to_timestamp()
    return found


# Labels ------------------------------------------------------------------------------------------


def are_text(labels: Sequence[object]) -> bool:
    """Tell, in C and so quickly, whether all labels are text."""
    return pd.api.types.infer_dtype(list(labels), skipna=False) == "string"


def plain(label: object) -> object:
    """Return a label as a Python object; dates as ISO text."""
    if type(label) is str:  # most are, and there may be millions
        return label
    if isinstance(label, np.generic):
        return plain(label.item())
    if isinstance(label, datetime):  # pd.Timestamp is one
        midnight = label.time() == time() and label.tzinfo is None
        return label.date().isoformat() if midnight else label.isoformat()
    if isinstance(label, date):
        return label.isoformat()
    return str(label) if isinstance(label, pd.Period | pd.Timedelta) else label


def spelled(label: object) -> str:
    """Write a label: a whole number is the same label as integer and as float."""
    if type(label) is str:
        return label
    label = plain(label)
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


_WHOLE = re.compile(r"(-?\d+)\.0+")


def _spellings(label: object) -> Iterable[str]:
    """Yield the ways to write a label, the first its own: ``1`` may have been written ``1.0``."""
    text = spelled(label)
    yield text
    if found := _WHOLE.fullmatch(text):
        yield found[1]
    elif not isinstance(label, bool) and text.lstrip("-").isdecimal():
        yield f"{text}.0"
    yield str(plain(label))


class KnownLabels:
    """The labels of a column of the fit, found however they are written."""

    def __init__(self, labels: Iterable[object]) -> None:
        labels = list(labels)
        self._found = {spelled(label): label for label in labels}
        for label in labels:
            for text in _spellings(label):
                self._found.setdefault(text, label)

    def find(self, label: object) -> object:
        """Return the label of the fit that this one is, or the label itself where it is new."""
        for text in _spellings(label) if self._found else ():
            if text in self._found:
                return self._found[text]
        label = plain(label)
        return int(label) if isinstance(label, float) and label.is_integer() else label

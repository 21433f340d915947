"""A calendar: columns that are known for all times, such as holidays, joined to any rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design import checks, kinds
from hiermix.design.tables import Table
from hiermix.errors import DataError, at_rows, count, first_three

NONE = "none"
"""What text says of times that a calendar does not have."""


@dataclass(frozen=True, eq=False)
class Calendar:
    """Values by time, and perhaps by series."""

    frame: pd.DataFrame
    keys: tuple[str, ...]
    """Columns that rows are matched by."""

    @classmethod
    def of(cls, frame: pd.DataFrame, rows: Table) -> Calendar:
        """Match a calendar to data by the columns that both have.

        Raises
        ------
        DataError
            They share no column, or all; keys that repeat; or no row of the data is in it.
        """
        keys = tuple(str(name) for name in frame if name in rows)
        values = [str(name) for name in frame if name not in rows]
        if not keys or not values:
            what = "no column of the data" if not keys else "no column that the data lack"
            raise DataError(
                f"the calendar has {what}: it takes the column of times, perhaps that of series, "
                f"and others. Columns: {first_three(map(str, frame))}"
            )
        found = cls(frame, keys)
        again = np.flatnonzero(frame.duplicated(list(keys)))
        if len(again):
            shown = frame.iloc[again[0]][list(keys)].astype(str).tolist()
            raise DataError(
                f"the calendar has several rows of {', '.join(shown)} {at_rows(again, frame.index)}"
                ": one row has all that is known of a time, such as 'easter+sunday'"
            )
        if (found.places(rows) < 0).all():
            raise DataError(
                f"no row of the data is in the calendar, by {', '.join(map(repr, keys))}: "
                f"the data have {_example(rows, keys)}, the calendar {_example(frame, keys)}"
            )
        return found

    @property
    def columns(self) -> list[str]:
        """What it knows."""
        return [str(name) for name in self.frame if name not in self.keys]

    def joined_to(self, rows: Table) -> Table:
        """Put its columns beside rows, but for those that the rows have themselves.

        Times that it does not have are ``"none"`` in text and False; numbers are needed for all.
        """
        lacking = [name for name in self.columns if name not in rows]
        if not lacking or any(key not in rows for key in self.keys):
            return rows
        places = self.places(rows)
        self._say_where_it_ends(rows)
        for name in lacking:
            rows = rows.with_column(name, _values(name, self.frame[name], places, rows))
        return rows

    def places(self, rows: Table) -> np.ndarray:
        """Return the row of the calendar for each of some rows, -1 where it has none."""
        pairs = [_comparable(rows[key], self.frame[key]) for key in self.keys]
        theirs, ours = (pd.MultiIndex.from_arrays(list(each)) for each in zip(*pairs, strict=True))
        return np.asarray(ours.get_indexer(theirs))

    def _say_where_it_ends(self, rows: Table) -> None:
        """Warn of rows so late that the calendar seems not to know of them."""
        for key in self.keys:
            theirs, ours = _comparable(rows[key], self.frame[key])
            if not isinstance(ours, pd.DatetimeIndex):
                continue
            known = ours.unique().sort_values()
            gap = (known[1:] - known[:-1]).max() if len(known) > 1 else pd.Timedelta(0)
            late = int((theirs > known[-1] + gap).sum())
            if late:
                checks.warn(
                    f"the calendar ends at {known[-1].isoformat().removesuffix('T00:00:00')}: "
                    f"{count(late, 'row')} after it {'has' if late == 1 else 'have'} nothing of it"
                )


def _comparable(rows: pd.Series, calendar: pd.Series) -> tuple[pd.Index, pd.Index]:
    """Return keys of rows and of a calendar that compare equal where they mean the same."""
    one, other = kinds.stored(rows), kinds.stored(calendar)
    if "dates" in (kinds.what(one), kinds.what(other)):
        return _moments(one), _moments(other)
    if kinds.is_numeric(one) and kinds.is_numeric(other):
        return pd.Index(one.astype(float)), pd.Index(other.astype(float))
    return pd.Index(map(kinds.spelled, one)), pd.Index(map(kinds.spelled, other))


def _moments(values: pd.Series) -> pd.DatetimeIndex:
    """Return dates by the clock on the wall."""
    if isinstance(values.dtype, pd.PeriodDtype):
        return pd.PeriodIndex(values).to_timestamp()
    found = pd.DatetimeIndex(pd.to_datetime(values.array))
    return found.tz_localize(None) if found.tz is not None else found


def _values(name: str, known: pd.Series, places: np.ndarray, rows: Table) -> Any:
    """Return a column of a calendar for rows."""
    missing = places < 0
    values = known.iloc[np.where(missing, 0, places)].reset_index(drop=True)
    if pd.api.types.is_bool_dtype(known):
        return np.where(missing, False, values.to_numpy())
    if kinds.is_numeric(kinds.stored(known)):
        at = np.flatnonzero(missing)
        if len(at):
            raise DataError(
                f"the calendar has no {name!r} for {count(len(at), 'row')} "
                f"{at_rows(at, rows.index)}: numbers are needed for every time. Holidays are text, "
                "or True and False"
            )
        return values.to_numpy()
    texts = known.astype(str)
    levels = list(dict.fromkeys([NONE, *sorted(texts.unique())]))
    return pd.Categorical(np.where(missing, NONE, values.astype(str)), categories=levels)


def _example(rows: Table | pd.DataFrame, keys: tuple[str, ...]) -> str:
    return ", ".join(str(rows[key].iloc[0]) for key in keys if len(rows))

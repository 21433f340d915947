"""Later rows of every series of a fit: built from the fitted frame, or checked when given."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import checks, recurrences, times
from hiermix.design.design import Design
from hiermix.design.recurrences import Calendar
from hiermix.design.roles import Roles
from hiermix.errors import (
    ArgumentError,
    DataError,
    at_rows,
    count,
    did_you_mean,
    first_three,
    quoted,
)
from hiermix.forecasting import panel

type By = str | Sequence[str] | None


def series_columns(design: Design, by: By) -> list[str]:
    """Return the columns that name a series: by default as `ar()` does, or of the finest factor."""
    if by is not None:
        names = list(options.names("by", by))
        if isinstance(by, str) and not design.has(by):
            names = by.split(":")
        for name in names:
            _known(design, name, "by")
        return names
    if design.series is not None and design.series.term.by is not None:
        return [design.series.term.by]
    factors = [set(each.columns) for each in design.groupings]
    finest = max(design.groupings, key=lambda each: len(each.columns), default=None)
    if finest is None:
        return []
    if not set().union(*factors) <= set(finest.columns):
        known = " or ".join(f"by={each.name!r}" for each in design.groupings)
        raise ArgumentError(f"say which rows are one series: {known}")
    return list(finest.columns)


def _known(design: Design, name: str, argument: str) -> None:
    if not design.has(name):
        names = [*design.frame.columns, *design.others.columns]
        near = did_you_mean(str(name), names)
        listed = first_three(map(str, names))
        raise ArgumentError(
            f"{argument} names {quoted(name)}, not a column of the fit.{near} Columns: {listed}"
        )


def time_form(design: Design, time: str) -> times.Form:
    """Return how a column of the fit writes times; raise unless it holds some."""
    _known(design, time, "time")
    return times.form(time, design.column(time))


def keys_of(design: Design, names: Sequence[str]) -> pd.DataFrame:
    """Return some columns of the rows of a design, whether its formula uses them or not."""
    each = {name: design.column(name).reset_index(drop=True) for name in names}
    return pd.DataFrame(each, index=pd.RangeIndex(design.rows))


# Rows that are given -----------------------------------------------------------------------------


def check_later(design: Design, new_data: pd.DataFrame, time: str, by: list[str]) -> None:
    """Raise unless times are after the last observed one of their series, and there once."""
    form = time_form(design, time)
    for name in (time, *by):
        if name not in new_data:
            raise DataError(f"new data have no column {name!r}")
    checks.unique_columns(new_data, [time, *by])
    axis, keys = times.read(form, new_data[time]), _keys(new_data, by)
    again = np.flatnonzero(pd.DataFrame({"k": keys, "t": axis}).duplicated())
    if len(again):
        at = int(again[0])
        raise DataError(
            f"times of {time!r} repeat{_within(by, keys.iloc[at])}: {_shown(new_data[time], at)} "
            f"{at_rows(again, new_data.index)}. A forecast has each time once."
        )
    known = pd.Series(times.read(form, design.column(time)))
    last = known.groupby(_keys(keys_of(design, by), by).to_numpy()).max()
    before = pd.Index(last.reindex(keys.to_numpy()))
    early = np.flatnonzero(np.asarray(axis <= before, dtype=bool))
    if len(early):
        at = int(early[0])
        observed = form.write(before[early[:1]]).iloc[0]
        raise DataError(
            f"{count(len(early), 'time')} of {time!r} not after the last observed one"
            f"{_within(by, keys.iloc[at])}: {_shown(new_data[time], at)}, last observed "
            f"{_plain(observed)} {at_rows(early, new_data.index)}. predict() takes any time."
        )


def _keys(frame: pd.DataFrame, by: list[str]) -> pd.Series:
    """Return the name of the series of each row."""
    if not by:
        return pd.Series("", index=range(len(frame)))
    texts = [_texts(frame[name]) for name in by]
    return pd.Series([":".join(parts) for parts in zip(*texts, strict=True)], dtype=object)


def _texts(labels: pd.Series) -> list[str]:
    """Write labels: a whole number is the same label as integer and as float."""
    if labels.dtype.kind == "f" and (labels == labels.round()).all():
        labels = labels.astype(np.int64)
    return [str(label) for label in labels]


def series_names(frame: pd.DataFrame, by: list[str]) -> list[str]:
    """Return the name of the series of each row, ``"a:b"`` of several columns."""
    return [str(name) for name in _keys(frame, by)]


def _within(by: list[str], key: object) -> str:
    return f" within {':'.join(by)!r} {key!r}" if by else ""


def _shown(times: pd.Series, at: int) -> object:
    return _plain(times.iloc[at])


def _plain(value: object) -> object:
    if isinstance(value, pd.Timestamp):
        return value.isoformat().removesuffix("T00:00:00")
    return value.item() if isinstance(value, np.generic) else value


# Rows that are built -----------------------------------------------------------------------------


class Ahead(NamedTuple):
    """How far to go: so many times, or until one; along a calendar that is told, or said."""

    horizon: int | None
    until: Any = None
    freq: Any = None
    step: Any = None


def later_rows(
    design: Design, time: str, ahead: Ahead, by: list[str], first: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Build the next rows of every series, or of new series from their first rows.

    Times follow the calendar of the series, as `calendars.tell` finds it or `ahead` says it.
    Columns that are constant within every series are carried on.

    Raises
    ------
    DataError
        Another predictor changes within a series, or a calendar can't be told.
    """
    form = time_form(design, time)
    reach = _reach(form, ahead)
    wanted = _wanted(design)
    others = [name for name in wanted if name not in (time, *by)]
    frame = keys_of(design, [*dict.fromkeys([*by, time, *wanted])])
    old = 0 if first is None else len(frame)
    if first is not None:
        first = first.drop(columns=design.response_name).reset_index(drop=True)
        frame = pd.concat([frame, _first_rows(frame, first, by)], ignore_index=True)
    keys = _keys(frame, by)
    _check_carried(frame[others][old:], keys[old:], time, by)
    axis = times.read(form, frame[time])
    series = panel.series(axis, keys)
    next_ = panel.Reach(ahead.horizon, reach)
    said = _said(form, ahead, axis)
    chosen = panel.told(series, next_) if said is None else [next_(said, each) for each in series]
    ours = [pair for pair in zip(series, chosen, strict=True) if pair[0].place >= old]
    series, chosen = [each for each, _ in ours], [each for _, each in ours]
    _check_told(time, by, series, chosen)
    numbers = [0 if later is None else len(later) for later in chosen]
    places = np.repeat([each.place - old for each in series], numbers)
    later = _joined(chosen)
    if not len(later):
        raise DataError(
            f"until={quoted(ahead.until)} is not after the last observed {time!r} of a series"
        )
    if said is None:
        _check_numbers(time, axis, later)
    rows = (frame if first is None else first).iloc[places].reset_index(drop=True)
    return rows.assign(**{time: form.write(later).array})


def _first_rows(known: pd.DataFrame, first: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the columns of a fit for the first rows of series that it never saw."""
    checks.known_columns([str(name) for name in known], first)
    again = pd.Series(_keys(first, by)).isin(set(_keys(known, by)))
    if again.any():
        at = int(np.flatnonzero(again)[0])
        raise DataError(
            f"{count(int(again.sum()), 'row')} of series that were in the fit"
            f"{_within(by, _keys(first, by).iloc[at])}: new_groups='update' learns from rows of "
            "new series alone. Fit the model to all rows"
        )
    return first[list(known)]


def _joined(parts: Sequence[pd.Index | None]) -> pd.Index:
    filled = [part for part in parts if part is not None and len(part)]
    return filled[0].append(filled[1:]) if filled else pd.Index([])


def _reach(form: times.Form, ahead: Ahead) -> Any:
    """Return the last time, on the axis; or None for a number of times."""
    horizon = ahead.horizon
    if (horizon is None) == (ahead.until is None):
        raise ArgumentError("say either horizon=, how many times, or until=, the last of them")
    if horizon is not None:
        options.whole("horizon", horizon, 1)
        return None
    until = ahead.until
    zone = getattr(form.kind.dtype, "tz", None)
    try:
        if form.kind.what == "dates" and isinstance(until, str):
            until = pd.Timestamp(until)
        if zone is not None and until.tzinfo is None:
            until = until.tz_localize(zone)
        return times.read(form, pd.Series([until]))[0]
    except (ValueError, TypeError, AttributeError, DataError) as error:
        raise ArgumentError(
            f"until={quoted(ahead.until)} is no time of {form.name!r}"
            + (f": {error}" if isinstance(error, DataError) else ": write it as the column does")
        ) from error


def _said(form: times.Form, ahead: Ahead, axis: pd.Index) -> list[Calendar] | None:
    """Return the calendar that freq= or step= names."""
    if ahead.freq is not None and ahead.step is not None:
        raise ArgumentError("freq= and step= exclude each other")
    if ahead.step is not None:
        return [recurrences.Steps(axis[0], _step(form, ahead.step, axis))]
    if ahead.freq is None:
        return None
    if not isinstance(axis, pd.DatetimeIndex):
        held = "periods, of which step= says how many" if isinstance(form, times.Periods) else (
            "no dates: say step=")  # fmt: skip
        raise ArgumentError(f"freq= is of dates, and {form.name!r} holds {held}")
    try:
        offset = pd.tseries.frequencies.to_offset(ahead.freq)
    except (ValueError, TypeError) as error:
        raise ArgumentError(
            f"freq={quoted(ahead.freq)} is no frequency of pandas, such as 'D', 'B', 'W-MON', "
            "'MS', 'ME'"
        ) from error
    return [recurrences.named(offset, axis.tz)]


def _step(form: times.Form, step: Any, axis: pd.Index) -> Any:
    """Return a positive step on the axis."""
    spans = axis.dtype.kind in "mM"
    number = isinstance(step, int | float | np.number) and not isinstance(step, bool)
    try:
        found = (
            pd.Timedelta(step) if spans and not number else step if number and not spans else None
        )
        if found is not None and found > type(found)(0):
            return found
    except (ValueError, TypeError):
        pass
    what = "a duration above zero, such as '7D'" if spans else "a positive number"
    raise ArgumentError(f"step must be {what} for {form.name!r}, not {quoted(step)}")


def _check_told(
    time: str,
    by: list[str],
    series: Sequence[panel.Series],
    chosen: Sequence[pd.Index | None],
) -> None:
    """Raise for series whose calendar can't be told."""
    unknown = [each for each, later in zip(series, chosen, strict=True) if later is None]
    if not unknown:
        return
    one = unknown[0]
    others = f" (and of {len(unknown) - 1:,} more series)" if len(unknown) > 1 else ""
    dates = isinstance(one.times, pd.DatetimeIndex)
    way = "freq=, such as 'D', 'B' (weekdays), 'W-MON' or 'MS'," if dates else "step="
    raise DataError(
        f"the next times of {time!r}{_within(by, one.name)}{others} can't be told: "
        f"{panel.why(one)}. Say {way} or pass the later rows, forecast(new_data, "
        f"time={time!r})."
    )


def _check_numbers(time: str, known: pd.Index, later: pd.Index) -> None:
    wrong = list(dict.fromkeys(times.misread(known, later)))
    if wrong:
        raise DataError(
            f"column {time!r} holds numbers that read as dates, and the next ones "
            f"({first_three(map(int, wrong))}) don't: make it dates with pd.to_datetime(..., "
            f"format=...), say step=, or pass the later rows, forecast(new_data, time={time!r})"
        )


def _wanted(design: Design) -> list[str]:
    """Return the columns that a prediction of the response needs, but for those of a calendar."""
    formula, calendar = design.formula, design.calendar
    names = [*formula.predictors]
    names += Roles(formula, None).of_response
    if calendar is not None:
        names = [*calendar.keys, *(name for name in names if name not in calendar.columns)]
    return list(dict.fromkeys(names))


def _check_carried(others: pd.DataFrame, keys: pd.Series, time: str, by: list[str]) -> None:
    if others.empty:
        return
    different = others.reset_index(drop=True).groupby(keys.to_numpy()).nunique().gt(1)
    changing = [str(name) for name in others if different[name].any()]
    if changing:
        where = f" within {':'.join(by)!r}" if by else ""
        raise DataError(
            f"{first_three(changing)} {'changes' if len(changing) == 1 else 'change'}{where}: "
            f"later values are not known. Pass the later rows, forecast(new_data, time={time!r})."
        )

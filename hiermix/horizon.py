"""Later rows of every series of a fit: built from the fitted frame, or checked when given."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hiermix.design import Design
from hiermix.errors import (
    ArgumentError,
    DataError,
    at_rows,
    count,
    did_you_mean,
    first_three,
)
from hiermix.formula import Formula, columns

type By = str | Sequence[str] | None


def series_columns(design: Design, by: By) -> list[str]:
    """Return the columns whose values together name a series; of the finest factor by default."""
    if by is not None:
        names = [by] if isinstance(by, str) else list(by)
        if isinstance(by, str) and by not in design.frame:
            names = by.split(":")
        for name in names:
            _known(design, name, "by")
        return names
    factors = [set(each.columns) for each in design.groupings]
    finest = max(design.groupings, key=lambda each: len(each.columns), default=None)
    if finest is None:
        return []
    if not set().union(*factors) <= set(finest.columns):
        known = " or ".join(f"by={each.name!r}" for each in design.groupings)
        raise ArgumentError(f"say which rows are one series: {known}")
    return list(finest.columns)


def _known(design: Design, name: str, argument: str) -> None:
    if name not in design.frame:
        near = did_you_mean(str(name), design.frame.columns)
        listed = ", ".join(map(str, design.frame.columns))
        raise ArgumentError(
            f"{argument} names {name!r}, not a column of the fit.{near} Columns: {listed}"
        )


def check_time(design: Design, time: str) -> None:
    """Raise unless a column of the fit holds times: numbers or dates."""
    _known(design, time, "time")
    dtype = design.frame[time].dtype
    dates = pd.api.types.is_datetime64_any_dtype(dtype)
    if not dates and (
        pd.api.types.is_bool_dtype(dtype) or not pd.api.types.is_numeric_dtype(dtype)
    ):
        raise DataError(f"column {time!r} has dtype {dtype}: times are numbers or dates")


# Rows that are given -----------------------------------------------------------------------------


def check_later(design: Design, new_data: pd.DataFrame, time: str, by: list[str]) -> None:
    """Raise unless times are after the last observed one of their series, and there once."""
    check_time(design, time)
    for name in (time, *by):
        if name not in new_data:
            raise DataError(f"new data have no column {name!r}")
    keys = _keys(new_data, by)
    again = np.flatnonzero(pd.DataFrame({"k": keys, "t": new_data[time].array}).duplicated())
    if len(again):
        at = int(again[0])
        raise DataError(
            f"times of {time!r} repeat{_within(by, keys.iloc[at])}: {_shown(new_data[time], at)} "
            f"{at_rows(again, new_data.index)}. A forecast has each time once."
        )
    last = design.frame[time].groupby(_keys(design.frame, by).to_numpy()).max()
    known = last.reindex(keys.to_numpy()).array
    early = np.flatnonzero(np.asarray(new_data[time].array <= known, dtype=bool))
    if len(early):
        at = int(early[0])
        raise DataError(
            f"{count(len(early), 'time')} of {time!r} not after the last observed one"
            f"{_within(by, keys.iloc[at])}: {_shown(new_data[time], at)}, last observed "
            f"{_plain(known[at])} {at_rows(early, new_data.index)}. predict() takes any time."
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


def later_rows(design: Design, time: str, horizon: int, by: list[str]) -> pd.DataFrame:
    """Build the next `horizon` rows of every series.

    The step is the most common difference between the times of the series. Columns that are
    constant within every series are carried on.

    Raises
    ------
    DataError
        Another predictor changes within a series, or no series has two times.
    """
    check_time(design, time)
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        raise ArgumentError(f"horizon must be a whole number from 1 up, not {horizon!r}")
    frame = design.frame
    keys = _keys(frame, by)
    wanted = _wanted(design.formula)
    _check_carried(frame[[name for name in wanted if name not in (time, *by)]], keys, time, by)
    series = frame[time].reset_index(drop=True).groupby(keys.to_numpy(), sort=False)
    common = _step_of_all(series, time)
    places, times = [], []
    later_of: dict[bytes, list[object]] = {}  # most series of a panel have the same times
    for _, part in series:
        known = part.drop_duplicates().sort_values()
        key = known.to_numpy().tobytes()
        if key not in later_of:
            step = _step(known) if len(known) > 1 else common
            later_of[key] = [_after(known.iloc[-1], step, k) for k in range(1, horizon + 1)]
        places += [known.index[-1]] * horizon
        times += later_of[key]
    rows = frame[[*dict.fromkeys([*by, time, *wanted])]].iloc[places].reset_index(drop=True)
    later = pd.Series(times)
    whole = pd.api.types.is_integer_dtype(frame[time].dtype) and (later == later.round()).all()
    return rows.assign(**{time: later.astype(frame[time].dtype) if whole else later})


def _wanted(formula: Formula) -> list[str]:
    """Return the columns that a prediction of the response needs."""
    texts = [formula.population, *formula.offsets, *(term.effects for term in formula.groups)]
    names = [name for text in texts for name in columns(text)]
    names += [name for term in formula.groups for name in term.factor]
    if formula.trials is not None and not formula.trials.isdecimal():
        names.append(formula.trials)
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


type Step = int | float | pd.Timedelta | pd.offsets.BaseOffset


def _step_of_all(series: "pd.api.typing.SeriesGroupBy", time: str) -> Step:  # type: ignore[type-arg]
    """Return the step of the series with the most times, for those with one."""
    longest = max((part.drop_duplicates() for _, part in series), key=len)
    if len(longest) < 2:
        raise DataError(f"no series has two times of {time!r}: the step to later ones is not known")
    return _step(longest.sort_values())


def _step(times: pd.Series) -> Step:
    """Return the most common difference of sorted times; whole months where dates show them."""
    months = _months(times)
    if months is not None:
        return months
    differences = times.diff().dropna()
    return differences.mode().iloc[0]  # type: ignore[no-any-return]


def _months(times: pd.Series) -> Step | None:
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return None
    dates = times.dt
    ends = bool(dates.is_month_end.all())
    steps = (12 * dates.year + dates.month).diff().dropna()
    step = int(steps.mode().iloc[0])
    if step == 0 or not (ends or (dates.day == dates.day.iloc[0]).all()):
        return None
    return pd.offsets.MonthEnd(step) if ends else pd.DateOffset(months=step)


def _after(last: object, step: Step, k: int) -> object:
    return last + step * k  # type: ignore[operator]

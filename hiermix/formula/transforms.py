"""Functions of time for formulas: seasons by Fourier terms, and trends that bend."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hiermix.errors import DataError
from hiermix.typing import FloatArray

type Columns = dict[str, FloatArray]

DAYS_IN_YEAR = 365.25
_PERIODS = {"day": 1.0, "week": 7.0, "year": DAYS_IN_YEAR}


def fourier(time: Any, period: float | str, order: int = 1, **_: Any) -> Columns:
    """Return sines and cosines of time: a season of that period, smooth for a low order.

    Parameters
    ----------
    time : column
        Numbers, dates (of a zone: by its clocks; periods: their start) or durations.
    period : float or str
        In the units of numbers; of dates and durations in days, or ``"day"``, ``"week"``,
        ``"year"``.
    order : int
        How many waves to the period at most.

    Returns
    -------
    dict
        ``sin1``, ``cos1``, ..., a column each.
    """
    length = _PERIODS.get(period) if isinstance(period, str) else period
    if not isinstance(length, int | float) or not 0 < length < np.inf:
        raise DataError(f"fourier: period must be a positive number, day, week or year: {period!r}")
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise DataError(f"fourier: order must be a whole number from 1 up, not {order!r}")
    angle = 2 * np.pi * _days(time) / length
    waves = range(1, order + 1)
    columns = [(f"sin{k}", np.sin(k * angle)) for k in waves]
    columns += [(f"cos{k}", np.cos(k * angle)) for k in waves]
    return dict(columns)


def trend(
    time: Any,
    changepoints: int | Sequence[float | str] = 0,
    *,
    _state: dict[str, Any] | None = None,
    **_: Any,
) -> Columns:
    """Return a trend in pieces of straight lines that meet at the changepoints.

    Parameters
    ----------
    time : column
        Numbers, or dates or durations, which count as years.
    changepoints : int or sequence
        Times at which the slope may change, in the units of time or as dates; or how many, evenly
        spread over the times of the fit.

    Returns
    -------
    dict
        ``slope``, the first slope, and ``bend1``, ..., the changes of slope, a column each.
    """
    state = {} if _state is None else _state
    numbers = _years(time)
    if "points" not in state:
        state["points"] = _points(time, numbers, changepoints)
    bends = {f"bend{k}": np.maximum(numbers - point, 0.0)
             for k, point in enumerate(state["points"], start=1)}  # fmt: skip
    return {"slope": numbers, **bends}


# What formulaic looks for in a transform that remembers the fit.
trend.__is_stateful_transform__ = True  # type: ignore[attr-defined]
trend.get_required_variables = lambda *_, **__: ()  # type: ignore[attr-defined]


def _points(time: Any, numbers: FloatArray, changepoints: Any) -> list[float]:
    if isinstance(changepoints, int) and not isinstance(changepoints, bool):
        if changepoints < 0:
            raise DataError(f"trend: changepoints must not be negative: {changepoints}")
        return list(np.linspace(numbers.min(), numbers.max(), changepoints + 2)[1:-1])
    if isinstance(changepoints, list | tuple) and changepoints:
        text = any(isinstance(point, str) for point in changepoints)
        read = pd.to_timedelta if np.asarray(time).dtype.kind == "m" else pd.to_datetime
        points = read(list(changepoints)) if text else np.asarray(changepoints, float)
        return sorted(_years(points).tolist())
    raise DataError(
        f"trend: changepoints must be a whole number or a list of times, not {changepoints!r}"
    )


def _days(time: Any) -> FloatArray:
    """Return numbers as they are, dates as days since 1970, durations in days."""
    values = np.asarray(time)
    if values.dtype.kind == "M":
        values = values - np.datetime64("1970-01-01")
    if values.dtype.kind == "m":
        return np.asarray(values / np.timedelta64(1, "D"))
    return values.astype(np.float64)


def _years(time: Any) -> FloatArray:
    """Return numbers as they are, dates as years since 1970, durations in years."""
    return _days(time) / (DAYS_IN_YEAR if np.asarray(time).dtype.kind in "Mm" else 1.0)

"""The shape of Nixtla's tools: ``unique_id``, ``ds``, ``y``, and columns such as ``x-lo-95``."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from hiermix.design.design import Design
from hiermix.errors import ArgumentError, quoted
from hiermix.forecasting.horizon import By, series_names

SERIES, TIME, VALUE, CUTOFF = "unique_id", "ds", "y", "cutoff"


def columns(level: Sequence[float], name: str) -> list[tuple[str, float]]:
    """Return the columns of interval ends, outer ones outside, and their probabilities.

    Raises
    ------
    ArgumentError
        A level is no percentage between 0 and 100.
    """
    given = [level] if isinstance(level, int | float) else list(level)
    if not all(isinstance(each, int | float) and 0 < each < 100 for each in given):
        raise ArgumentError(
            f"level takes percentages between 0 and 100, such as [80, 95], not {quoted(level)}"
        )
    rising = sorted(set(given))
    low = [(f"{name}-lo-{each:g}", (1 - each / 100) / 2) for each in reversed(rising)]
    return [*low, *((f"{name}-hi-{each:g}", (1 + each / 100) / 2) for each in rising)]


def keys(rows: pd.DataFrame, time: str, by: list[str]) -> pd.DataFrame:
    """Return the columns that name series and times."""
    names = rows[by[0]].array if len(by) == 1 else series_names(rows, by)
    return pd.DataFrame({SERIES: names, TIME: rows[time].array})


def labels(rows: pd.DataFrame, by: list[str]) -> "pd.Series[Any]":
    """Return the labels of series as the data have them, by their names."""
    names = pd.Index(series_names(rows, by))
    found = pd.Series(rows[by[0]].array if len(by) == 1 else names, index=names)
    return found[~names.duplicated()]


def named(design: Design, time: str | None, by: By) -> tuple[str | None, By]:
    """Return columns of times and series: Nixtla's, where the data have them and none are named."""
    if time is None and design.has(TIME):
        time = TIME
    if by is None and time == TIME and design.has(SERIES):
        by = SERIES
    return time, by

"""Forecasts that need no model: the last value, or the one a season before."""

import numpy as np
import pandas as pd

from hiermix.design import times
from hiermix.errors import DataError
from hiermix.fit import Fit
from hiermix.forecasting.errors_of_points import changes, places
from hiermix.forecasting.horizon import series_names
from hiermix.typing import FloatArray

_QUANTILES = 999


def so_far(fit: Fit, past: pd.DataFrame, form: times.Form, by: list[str]) -> pd.DataFrame:
    """Return ``series``, ``time`` and ``value`` of the rows up to an origin, in order."""
    observed = fit.design.on(past).observed
    assert observed is not None
    found = pd.DataFrame({
        "series": series_names(past, by), "time": times.read(form, past[form.name]),
        "value": observed,
    })  # fmt: skip
    return found.sort_values("time", kind="stable")


def quantiles(past: pd.DataFrame, keys: pd.DataFrame, season: int) -> FloatArray:
    """Quantiles of a random walk from the last values, a season before each row.

    With the spread of the series' own steps over a season (Hyndman and Athanasopoulos, 2021).
    """
    from scipy.special import ndtri

    squares = changes(past, season) ** 2
    if squares.isna().all():
        raise DataError(f"season={season} needs a series of more rows than that up to the origin")
    by_series = squares.groupby(past["series"])
    # A series of one or two steps has no spread of its own: that of all stands in.
    spread = by_series.mean().mask(by_series.count() < 2, float(squares.mean())) ** 0.5
    names, step = keys["series"], keys["step"].to_numpy()
    ordered = past.set_index([past["series"], places(past, season)])["value"]
    before = (step - 1) % season - season + 1
    last = ordered.reindex(pd.MultiIndex.from_arrays([names, before])).set_axis(names)
    last = last.fillna(past.groupby("series")["value"].last())  # none: the last one stands in
    normal = ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    wide = spread[names].to_numpy() * np.sqrt((step - 1) // season + 1)
    return np.asarray(last.to_numpy()[:, None] + wide[:, None] * normal)

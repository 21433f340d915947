"""Forecasts that need no model: last values, and steps' own spread, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.studies.random_walks import quantiles


def past(**series: list[float]) -> pd.DataFrame:
    rows = [(name, time, value) for name, values in series.items()
            for time, value in enumerate(values)]  # fmt: skip
    return pd.DataFrame(rows, columns=["series", "time", "value"]).sort_values("time")


def keys(name: str, steps: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"series": name, "step": steps})


def normal(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds of rows of quantiles, which are those of a normal distribution."""
    middle = found[:, found.shape[1] // 2]
    upper = found[:, int(found.shape[1] * stats.norm.cdf(1))]
    return middle, upper - middle


def test_the_naive_forecast_is_the_last_value_ever_less_sure() -> None:
    given = past(a=[1.0, 3.0, 2.0, 5.0], b=[10.0, 10.0, 11.0, 11.0])
    spread = np.sqrt((4 + 1 + 9) / 3)
    middle, sd = normal(quantiles(given, keys("a", [1, 4]), 1))
    np.testing.assert_allclose(middle, 5)
    np.testing.assert_allclose(sd, spread * np.array([1, 2]), rtol=0.01)
    middle, sd = normal(quantiles(given, keys("b", [2]), 1))
    np.testing.assert_allclose((middle[0], sd[0]), (11, np.sqrt(2 / 3)), rtol=0.01)


def test_the_seasonal_one_is_the_value_a_season_before() -> None:
    given = past(a=[1.0, 2.0, 3.0, 2.0, 4.0, 7.0])
    middle, sd = normal(quantiles(given, keys("a", [1, 2, 3, 4, 7]), 3))
    np.testing.assert_allclose(middle, [2, 4, 7, 2, 2])
    spread = np.sqrt((1 + 4 + 16) / 3)
    np.testing.assert_allclose(sd, spread * np.sqrt([1, 1, 1, 2, 3]), rtol=0.01)


def test_a_short_series_has_the_spread_of_all() -> None:
    given = past(a=[0.0, 2.0, 0.0, 2.0], b=[5.0, 6.0])
    _, sd = normal(quantiles(given, keys("b", [1]), 1))
    np.testing.assert_allclose(sd, np.sqrt((3 * 4 + 1) / 4), rtol=0.01)


def test_no_series_of_a_season_is_told() -> None:
    with pytest.raises(hm.DataError, match="season=4 needs a series of more rows than that"):
        quantiles(past(a=[1.0, 2.0, 3.0]), keys("a", [1]), 4)

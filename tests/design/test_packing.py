"""Columns as plain arrays and back: values, dtypes, categories, zones."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hiermix.design.packing import decode, encode

ZONED = pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Paris")
COLUMNS: dict[str, Any] = {
    "whole": np.array([1, 2, 3], dtype=np.int16),
    "unsigned": np.array([0, 2**63, 5], dtype=np.uint64),
    "real": [0.1, np.nan, np.inf],
    "half": np.array([0.5, 1.5, -2], dtype=np.float16),
    "truth": [True, False, True],
    "text": ["a", "ü", ""],
    "string": pd.array(["a", "b", "c"], dtype="string"),
    "days": pd.to_datetime(["1600-01-01", "2024-02-29", "2262-01-01"]).astype("datetime64[s]"),
    "zoned": ZONED,
    "durations": pd.to_timedelta([1, -2, 3], unit="h"),
    "periods": pd.period_range("2023-11", periods=3, freq="M"),
    "categories": pd.Categorical(["b", None, "a"], categories=["b", "a", "c"], ordered=True),
    "numbers as categories": pd.Categorical([2, 1, 2]),
    "days as categories": pd.Categorical(pd.to_datetime(["2024-01-02", "2024-01-01", None])),
    "zoned categories": pd.Categorical(list(ZONED)),
    "intervals": pd.interval_range(0.0, 3.0, periods=3, closed="left"),
    "bands of days": pd.arrays.IntervalArray.from_breaks(pd.date_range("2024", periods=4)),
    "bands as categories": pd.cut([1, 5, 9], [0, 4, 8, 12]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back(name: str) -> None:
    frame = pd.DataFrame({"before": [1, 2, 3], name: COLUMNS[name]})
    arrays, kinds = encode(frame)
    assert all(each.dtype.kind in "biufUSO" for each in arrays.values())
    data = xr.Dataset({key: (f"dim_{key}", each) for key, each in arrays.items()})
    pd.testing.assert_frame_equal(decode(data, kinds), frame, check_dtype=name != "half")


def test_objects_come_back_as_json_has_them() -> None:
    column = [1, "1", None, 2.5, datetime.date(2024, 1, 2), Decimal("1.5")]
    frame = pd.DataFrame({"x": pd.Series(column, dtype=object)})
    arrays, kinds = encode(frame)
    found = decode(xr.Dataset({key: ("row", each) for key, each in arrays.items()}), kinds)
    assert found["x"].tolist() == [1, "1", None, 2.5, "2024-01-02", "1.5"]


def test_of_ten_columns_and_more_each_has_its_own_arrays() -> None:
    frame = pd.DataFrame({f"c{k}": pd.interval_range(k, k + 2) for k in range(12)})
    arrays, kinds = encode(frame)
    data = xr.Dataset({key: ("row", each) for key, each in arrays.items()})
    pd.testing.assert_frame_equal(decode(data, kinds), frame)

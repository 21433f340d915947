"""Rows beside a curve: to which one each belongs, and averages of many."""

import numpy as np
import pandas as pd
import pytest

from hiermix.plots import observed_values


@pytest.mark.parametrize(
    ("column", "values", "places"),
    [
        ([0.1, 0.9, 2.2, 9.0], [0.0, 2.0], [0, 0, 1, 1]),
        (["a", "c", "b"], ["a", "b"], [0, -1, 1]),
        ([1, 2, 1], [1, 2], [0, 1, 0]),
        ([True, False], [False, True], [1, 0]),
        (pd.array([1, None], dtype="Int64"), [1], [0, -1]),
        ([0.1, np.nan, 2.2], [0.0, 2.0], [0, -1, 1]),
        ([1.0, np.nan], [1.0], [0, -1]),
    ],
)
def test_rows_are_beside_the_nearest_value_or_their_own(
    column: object, values: list[object], places: list[int]
) -> None:
    found = observed_values.nearest(pd.Series(column), values)  # type: ignore[arg-type]
    assert found.tolist() == places


def frame(x: object, y: object, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"x": x, "y": y, "series": 0, **more})


def test_few_values_have_weighted_means_each() -> None:
    given = frame([1, 1, 2], [1.0, 4.0, 5.0], weight_=[1.0, 3.0, 2.0])
    found = observed_values._averages(given, ["series"])
    assert found["x"].tolist() == [1, 2]
    np.testing.assert_allclose(found["y"], [3.25, 5])
    assert found["averaged"].all()


def test_many_values_go_to_bins_of_as_many_rows() -> None:
    x = np.random.default_rng(1).exponential(size=1_200)
    found = observed_values._averages(frame(x, 2 * x), ["series"])
    assert len(found) == 12
    np.testing.assert_allclose(found["y"], 2 * found["x"])
    ordered = np.sort(x).reshape(12, 100).mean(axis=1)
    np.testing.assert_allclose(found["x"], ordered, rtol=0.02)


def test_bins_of_days_and_of_labels() -> None:
    days = pd.date_range("2024-01-01", periods=360)
    found = observed_values._averages(frame(days, np.arange(360.0)), ["series"])
    assert len(found) == 36
    np.testing.assert_allclose(found["y"], 4.5 + 10 * np.arange(36))
    assert found["x"].iloc[0] == pd.Timestamp("2024-01-05 12:00")
    labels = observed_values._averages(frame(list("baab"), [1, 0, 1, 1]), ["series"])
    assert labels["x"].tolist() == ["a", "b"]
    assert labels["y"].tolist() == [0.5, 1.0]


def test_series_are_averaged_apart() -> None:
    given = frame([1, 1, 1], [1.0, 3.0, 8.0]).assign(series=[0, 0, 1])
    assert observed_values._averages(given, ["series"])["y"].tolist() == [2.0, 8.0]

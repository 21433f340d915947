"""Panels: totals against the covariance of their parts, Nixtla's shape, scores, new series."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SAMPLE: dict[str, Any] = {"seed": 1, "chains": 2, "draws": 500, "progress": False}
MONTHS = pd.date_range("2023-01-01", periods=30, freq="MS")


def shops(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frames = [
        pd.DataFrame({
            "unique_id": f"s{k}", "region": "north" if k < 5 else "south", "ds": MONTHS,
            "y": 10 + k + 0.1 * np.arange(30) + rng.normal() + rng.normal(0, 0.5, 30),
        })
        for k in range(8)
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ trend(ds) + (1 | unique_id)", shops()).fit(**SAMPLE)


@pytest.fixture(scope="module")
def forecast(fit: hm.Fit) -> hm.Forecast:
    return fit.forecast(horizon=3)


def test_columns_of_nixtla_need_no_names(fit: hm.Fit, forecast: hm.Forecast) -> None:
    assert (forecast.time, forecast.by) == ("ds", ("unique_id",))
    later = shops().tail(1).assign(ds=pd.Timestamp("2025-08-01"))
    assert fit.forecast(later).by == ("unique_id",)
    regions = hm.Model("y ~ trend(ds) + (1 | region)", shops()).fit(**SAMPLE | {"draws": 50})
    assert regions.forecast(horizon=1).by == ("unique_id",)


def test_the_shape_of_nixtla(forecast: hm.Forecast) -> None:
    found = forecast.to_nixtla(level=[80, 95])
    assert list(found) == ["unique_id", "ds", "hiermix", "hiermix-lo-95", "hiermix-lo-80",
                           "hiermix-hi-80", "hiermix-hi-95"]  # fmt: skip
    draws = forecast.data["predictions"]["y"].to_numpy().reshape(1000, 24)
    np.testing.assert_allclose(found["hiermix"], draws.mean(axis=0))
    np.testing.assert_allclose(found["hiermix-lo-95"], np.quantile(draws, 0.025, axis=0))
    np.testing.assert_allclose(found["hiermix-hi-80"], np.quantile(draws, 0.9, axis=0))
    assert found["ds"].dtype == shops()["ds"].dtype
    assert list(forecast.to_nixtla(level=90, name="x").columns[2:]) == ["x", "x-lo-90", "x-hi-90"]
    with pytest.raises(hm.ArgumentError, match=r"percentages between 0 and 100, .* not \[0.8"):
        forecast.to_nixtla(level=[0.8, 100])


def test_totals_are_sums_of_draws(forecast: hm.Forecast) -> None:
    parts = forecast.data["predictions"]["y"]
    total = forecast.total(by="region")
    assert total.rows["region"].tolist() == ["north"] * 3 + ["south"] * 3
    north = [f"s{k}" for k in range(5)]
    for row, when in enumerate(total.rows["ds"][:3]):
        here = (parts["ds"] == np.datetime64(when)) & parts["unique_id"].isin(north)
        np.testing.assert_allclose(total.draws[..., row], parts.where(here, 0.0).sum("row"))
    whole = forecast.total()
    np.testing.assert_allclose(whole.draws, total.draws[..., :3] + total.draws.to_numpy()[..., 3:])
    assert list(whole.table().columns[:3]) == ["mean", "sd", "median"]
    history = shops().groupby(["region", "ds"])["y"].sum()
    np.testing.assert_allclose(total.observed.set_index(["region", "ds"])["y"], history)


def test_the_spread_of_a_total_is_that_of_what_its_parts_share() -> None:
    """A common trend that is poorly known: sds don't add up as if the series were independent."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(10), 4), "t": np.tile(np.arange(4.0), 10)})
    data["y"] = data["g"] + rng.normal(0, 1, 40)
    fit = hm.Model("y ~ t + (1 | g)", data).fit(**SAMPLE)
    forecast = fit.forecast(time="t", horizon=30)
    last = forecast.total().table().loc[33.0, "sd"]
    apart = np.sqrt((forecast.table().xs(33.0, level="t")["sd"] ** 2).sum())
    assert last > 2 * apart
    slope = fit.data.posterior["b"].std().item()
    assert last == pytest.approx(np.hypot(10 * (33 - 1.5) * slope, np.sqrt(10)), rel=0.1)


def test_series_that_end_early_join_the_total_with_what_was_observed() -> None:
    data = shops()
    short = data[(data["unique_id"] != "s0") | (data["ds"] < MONTHS[-1])]
    forecast = hm.Model("y ~ trend(ds) + (1 | unique_id)", short).fit(**SAMPLE).forecast(horizon=2)
    with pytest.warns(hm.HiermixWarning, match="1 total left out.*'north' at 2025-08-01"):
        total = forecast.total(by="region")
    assert total.rows.query("region == 'north'")["ds"].tolist() == [
        pd.Timestamp("2025-06-01"), pd.Timestamp("2025-07-01"),
    ]  # fmt: skip
    june = data[(data["ds"] == MONTHS[-1]) & data["unique_id"].isin(["s1", "s2", "s3", "s4"])]
    parts = forecast.data["predictions"]["y"]
    mine = parts.isel(row=int(np.flatnonzero(parts["unique_id"] == "s0")[0]))
    np.testing.assert_allclose(total.draws[..., 0], mine + june["y"].sum())


def test_totals_say_what_they_lack(fit: hm.Fit, forecast: hm.Forecast) -> None:
    with pytest.raises(hm.ArgumentError, match=r"by names 'regio', .* mean 'region'"):
        forecast.total(by="regio")
    with pytest.raises(hm.DataError, match="'y' has several values within series 's0', 's1'"):
        forecast.total(by="y")
    new = pd.DataFrame({"unique_id": ["new"], "ds": pd.to_datetime(["2025-07-01"])})
    with pytest.raises(hm.DataError, match="series 'new' has no value in column 'region'"):
        fit.forecast(new, new_groups="sample").total(by="region")


def test_totals_are_scored_and_drawn(forecast: hm.Forecast) -> None:
    total = forecast.total(by="region")
    actual = total.rows.assign(y=total.table()["median"].to_numpy())
    assert total.score(actual)["in_50"].all()
    found = total.score(actual, by="region")
    np.testing.assert_allclose(found["wape"], 0, atol=1e-12)
    assert total.to_nixtla()["unique_id"].tolist() == ["north"] * 3 + ["south"] * 3
    assert len(total.plot().figure.axes) == 2
    assert repr(total) == "Total of y by region: 6 rows"


def test_scores_by_series_are_those_of_the_definitions(forecast: hm.Forecast) -> None:
    table, data = forecast.table(), shops()
    rng = np.random.default_rng(1)
    actual = forecast.rows.assign(y=table["mean"].to_numpy() + rng.normal(size=24))
    found = forecast.score(actual, by="series")
    rows = forecast.score(actual)
    for name in ("s0", "s6"):
        y = actual.loc[actual["unique_id"] == name, "y"].to_numpy()
        mine = table.loc[name]
        so_far = data.loc[data["unique_id"] == name, "y"].to_numpy()
        off = np.abs(y - mine["median"].to_numpy())
        assert found.loc[name, "mase"] == pytest.approx(off.mean() / np.abs(np.diff(so_far)).mean())
        assert found.loc[name, "wape"] == pytest.approx(off.sum() / np.abs(y).sum())
        error = (mine["mean"].to_numpy() - y).sum()
        assert found.loc[name, "bias"] == pytest.approx(error / np.abs(y).sum())
        assert found.loc[name, "crps"] == pytest.approx(rows.loc[name, "crps"].mean())
        assert found.loc[name, "rows"] == 3
    assert forecast.score(actual, by=())["rows"].tolist() == [24]
    assert forecast.score(actual, by="ds").index.tolist() == list(forecast.rows["ds"][:3])
    with pytest.raises(hm.ArgumentError, match="by names 'region', not a column of the forecast's"):
        forecast.score(actual, by="region")


def test_new_series_are_forecast_from_their_first_rows(fit: hm.Fit) -> None:
    first = pd.DataFrame(
        {"unique_id": "new", "region": "north", "ds": MONTHS[-3:], "y": [17.0, 17.5, 17.2]}
    )
    found = fit.forecast(first, horizon=4, new_groups="update")
    assert found.rows["ds"].tolist() == list(pd.date_range("2025-07-01", periods=4, freq="MS"))
    later = first.tail(1).loc[[2] * 4].assign(ds=found.rows["ds"].array, y=np.nan)
    by_hand = fit.forecast(pd.concat([first, later]), new_groups="update")
    pd.testing.assert_frame_equal(found.table(), by_hand.table())
    assert found.total(by="region").rows["region"].unique().tolist() == ["north"]
    assert (found.observed["unique_id"] == "new").sum() == 3
    with pytest.raises(hm.DataError, match="3 rows of series that were in the fit within 'unique"):
        fit.forecast(
            first.assign(unique_id="s1", ds=MONTHS[-3:] + pd.DateOffset(years=1)), horizon=4,
            new_groups="update",
        )  # fmt: skip
    with pytest.raises(hm.ArgumentError, match="both with new_groups='update'"):
        fit.forecast(first, horizon=4)


def test_totals_are_in_the_order_of_time_whatever_series_ends_when() -> None:
    data = shops()
    last = data["unique_id"].map({f"s{k}": 30 - 2 * (k % 3) for k in range(8)})
    short = data[data["ds"] < MONTHS[0] + last.map(lambda n: pd.DateOffset(months=n))]
    fit = hm.Model("y ~ trend(ds) + (1 | unique_id)", short).fit(**SAMPLE | {"draws": 50})
    total = fit.forecast(until="2025-08-01").total(by="region")
    for _, rows in total.rows.groupby("region"):
        assert rows["ds"].is_monotonic_increasing
    assert total.rows["region"].is_monotonic_increasing
    parts = fit.forecast(until="2025-08-01").data["predictions"]["y"]
    whole = fit.forecast(until="2025-08-01").total()
    here = parts["ds"] == np.datetime64("2025-08-01")
    np.testing.assert_allclose(whole.draws[..., -1], parts.where(here, 0.0).sum("row"))

"""A calendar of holidays: joined to rows at every door, by time and by series."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SAMPLE: dict[str, Any] = {"seed": 1, "chains": 2, "draws": 200, "progress": False}
DAYS = pd.date_range("2024-01-01", periods=60)
HOLIDAYS = pd.DataFrame({
    "ds": ["2024-01-10", "2024-01-20", "2024-02-10", "2024-02-20", "2024-03-05", "2024-03-09"],
    "holiday": ["feast", "fair"] * 3, "closed": [False, True] * 3,
})  # fmt: skip


def visits(days: pd.DatetimeIndex = DAYS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = dict(zip(pd.to_datetime(HOLIDAYS["ds"]), HOLIDAYS["holiday"], strict=True))
    size = np.array([{"feast": 3.0, "fair": -2.0}.get(names.get(day, ""), 0.0) for day in days])
    frames = [
        pd.DataFrame({"g": f"g{k}", "ds": days, "y": k + size + rng.normal(0, 0.3, len(days))})
        for k in range(4)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ holiday + (1 | g)", visits(), calendar=HOLIDAYS).fit(**SAMPLE)


def test_it_is_joined_as_by_hand(fit: hm.Fit) -> None:
    table = HOLIDAYS.assign(ds=pd.to_datetime(HOLIDAYS["ds"])).drop(columns="closed")
    by_hand = visits().merge(table, on="ds", how="left").fillna({"holiday": "none"})
    levels = pd.CategoricalDtype(["none", "fair", "feast"])
    other = hm.Model("y ~ holiday + (1 | g)", by_hand.astype({"holiday": levels}))
    assert list(fit.data.posterior["term"].to_numpy()) == ["holiday[T.fair]", "holiday[T.feast]"]
    np.testing.assert_array_equal(fit.design.X(), other.design.X())


def test_forecasts_pick_it_up(fit: hm.Fit, tmp_path: Path) -> None:
    found = fit.forecast(horizon=12).table()["mean"].loc["g0"]
    march = pd.to_datetime(["2024-03-05", "2024-03-09"])
    assert found[march[0]] - found["2024-03-04"] == pytest.approx(3, abs=0.3)
    assert found[march[1]] - found["2024-03-04"] == pytest.approx(-2, abs=0.3)
    fit.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc").forecast(horizon=12)
    np.testing.assert_allclose(loaded.table()["mean"].loc["g0"], found)


def test_other_rows_need_no_column_of_it_and_keep_their_own(fit: hm.Fit) -> None:
    rows = pd.DataFrame({"g": "g0", "ds": pd.to_datetime(["2024-03-04", "2024-03-05"])})
    plain, feast = fit.predict(rows).mean(("chain", "draw")).to_numpy()
    assert feast - plain == pytest.approx(3, abs=0.3)
    own = fit.predict(rows.assign(holiday=["feast", "none"])).mean(("chain", "draw"))
    np.testing.assert_allclose(own, [feast, plain])


def test_back_tests_and_poolings_have_it() -> None:
    found = hm.backtest(
        "y ~ holiday + (1 | g)", visits(), calendar=HOLIDAYS, horizon=3, origins=["2024-02-18"],
        seed=1, chains=1, warmup=100, draws=100,
    )  # fmt: skip
    rows = found.forecasts.query("method == 'partial' and series == 'g0'").set_index("time")
    assert rows.loc["2024-02-20", "mean"] - rows.loc["2024-02-19", "mean"] < -1.5


def test_it_may_be_of_series_and_of_numbers() -> None:
    data = visits()
    promo = data[["g", "ds"]].assign(price=np.arange(240) % 7 / 2.0)
    data["y"] += promo["price"]
    later = promo.assign(ds=promo["ds"] + pd.Timedelta(60, "D"))
    model = hm.Model("y ~ price + (1 | g)", data, calendar=pd.concat([promo, later]))
    fit = model.fit(**SAMPLE)
    np.testing.assert_array_equal(model.design.frame["price"], promo["price"])
    slope = fit.data.posterior["b"].mean().item()
    assert slope == pytest.approx(1, abs=0.2)
    means = fit.forecast(horizon=2).data["predictions"]["mean"].mean(("chain", "draw")).to_numpy()
    steps = later.groupby("g")["price"].apply(lambda each: each.iloc[1] - each.iloc[0])
    np.testing.assert_allclose(means[1::2] - means[::2], slope * steps)
    with pytest.raises(hm.DataError, match=r"no 'price' for 4 rows .* every time"):
        hm.Model("y ~ price + (1 | g)", data, calendar=promo).fit(**SAMPLE).forecast(horizon=1)


@pytest.mark.parametrize(
    ("calendar", "message"),
    [
        (pd.concat([HOLIDAYS, HOLIDAYS]), r"several rows of 2024-01-10 \(rows 6, 7, 8, ...;"),
        (
            HOLIDAYS.assign(ds="1999-01-01").head(1),
            "no row of the data is in the calendar, by 'ds'",
        ),
        (HOLIDAYS.rename(columns={"ds": "date"}), "the calendar has no column of the data"),
        (HOLIDAYS[["ds"]], "no column that the data lack"),
    ],
)
def test_calendars_that_do_not_fit_are_refused(calendar: pd.DataFrame, message: str) -> None:
    with pytest.raises(hm.DataError, match=message):
        hm.Model("y ~ 1 + (1 | g)", visits(), calendar=calendar)


def test_rows_long_after_its_end_are_said(fit: hm.Fit) -> None:
    with pytest.warns(hm.HiermixWarning, match="the calendar ends at 2024-03-09: 120 rows after"):
        fit.forecast(horizon=60)

"""Back-tests: what is trained on what, baselines by hand, partial pooling against the others."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.forecasting import errors_of_points, scores

SAMPLE = {"seed": 1, "chains": 2, "draws": 250, "warmup": 250}
RAIN = "rainfall ~ year_numeric + (year_numeric || state)"


@pytest.fixture(scope="module")
def rain() -> hm.Backtest:
    data = hm.load_dataset("rainfall")
    return hm.backtest(RAIN, data, time="year_numeric", horizon=2, origins=2, **SAMPLE)


def test_partial_pooling_is_no_worse_on_rainfall(rain: hm.Backtest) -> None:
    table = rain.table()
    assert set(table.index) == {"partial", "no", "complete", "naive"}
    assert table.index[0] == "partial"
    assert table.loc["partial", "crps"] <= table.loc["no", "crps"]
    assert table.loc["partial", "pinball"] <= table.loc["no", "pinball"]
    assert (table["rows"] == 51 * 2 * 2).all()


def test_partial_pooling_is_no_worse_on_sleepstudy() -> None:
    data = hm.load_dataset("sleepstudy")
    found = hm.backtest(
        "Reaction ~ Days + (Days | Subject)", data, time="Days", horizon=3, origins=[4, 6], **SAMPLE
    )
    table = found.table()
    assert table.loc["partial", "crps"] <= table.loc["no", "crps"]
    assert set(found.scores["origin"]) == {4, 6}


def test_origins_steps_and_series(rain: hm.Backtest) -> None:
    frame = rain.scores
    assert set(frame["origin"]) == {7, 8}
    assert (frame["time"] - frame["origin"] == frame["step"]).all()
    one = frame[(frame["series"] == "CA") & (frame["origin"] == 7) & (frame["method"] == "no")]
    data = hm.load_dataset("rainfall").query("state == 'CA'").set_index("year_numeric")["rainfall"]
    assert one.set_index("time")["actual"].to_dict() == {8: data[8], 9: data[9]}


def test_the_model_is_fitted_to_the_past_alone(rain: hm.Backtest) -> None:
    """The scores of the model are those of a forecast by a fit to the rows up to the origin."""
    data = hm.load_dataset("rainfall")
    fit = hm.Model(RAIN, data[data["year_numeric"] <= 8]).fit(**SAMPLE, progress=False)
    later = data[data["year_numeric"] > 8]
    expected = fit.forecast(time="year_numeric", horizon=2).score(later)
    mine = rain.scores.query("origin == 8 and method == 'partial'")
    mine = mine.set_index(["series", "time"])["crps"]
    assert np.allclose(mine.loc[list(expected.index)], expected["crps"])


def test_the_naive_forecast_by_hand(rain: hm.Backtest) -> None:
    values = hm.load_dataset("rainfall").query("state == 'TX' and year_numeric <= 8")
    values = values.sort_values("year_numeric")["rainfall"].to_numpy()
    spread = np.sqrt(np.mean(np.diff(values) ** 2))
    row = rain.scores.query("origin == 8 and method == 'naive' and series == 'TX' and step == 2")
    z = (row["actual"].item() - values[-1]) / (spread * np.sqrt(2))
    crps = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    assert np.isclose(row["crps"].item(), spread * np.sqrt(2) * crps, rtol=2e-3)


def test_tables_are_means_of_the_scores(rain: hm.Backtest) -> None:
    frame, table = rain.scores, rain.table()
    means = frame.groupby("method")[["crps", "in_80"]].mean()
    assert np.allclose(table.loc[means.index, ["crps", "in_80"]].astype(float), means.astype(float))
    assert np.allclose(table["more"], table["crps"] - table.loc["partial", "crps"])
    steps = rain.table(by="step")
    assert np.isclose(
        steps.loc[(2, "naive"), "crps"],
        frame.query("step == 2 and method == 'naive'")["crps"].mean(),
    )
    with pytest.raises(hm.ArgumentError, match="by must be one of step, origin, series"):
        rain.table(by="state")
    assert "2 origins, 51 series" in repr(rain)


def test_the_figure_shows_the_table(rain: hm.Backtest) -> None:
    plot = rain.plot()
    left, right = plot.figure.axes
    found = {line.get_label(): line.get_ydata() for line in left.get_lines()}
    steps = rain.table(by="step")
    assert np.allclose(found["partial pooling"], steps.xs("partial", level="method")["crps"])
    assert len(right.get_lines()) == 3 * 4


def test_series_that_start_late_are_left_out() -> None:
    data = hm.load_dataset("sleepstudy")
    late = data[(data["Subject"] != "308") | (data["Days"] > 6)]
    formula = "Reaction ~ Days + (1 | Subject)"
    found = hm.backtest(formula, late, time="Days", horizon=2, origins=[6], **SAMPLE)
    assert "308" not in set(found.scores["series"])
    assert found.scores["series"].nunique() == 17


def test_two_factors_stand_beside_complete_pooling() -> None:
    data = hm.load_dataset("sleepstudy")
    data["half"] = np.where(data["Subject"].astype(int) % 2, "odd", "even")
    data["team"] = data["Subject"].str[:2] + data["half"]
    formula = "Reaction ~ Days + (1 | Subject) + (1 | team)"
    found = hm.backtest(formula, data, time="Days", by="Subject", horizon=2, origins=1, **SAMPLE)
    assert set(found.table().index) == {"partial", "complete", "naive"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 5, "origins": 6}, "6 origins and a horizon of 5 need 12 times or more"),
        ({"horizon": 0, "origins": 1}, "horizon must be a whole number"),
        ({"horizon": 1, "origins": [10]}, "origins 10 leave no times"),
        ({"horizon": 1, "origins": 0}, "0 origins"),
    ],
)
def test_options_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(hm.ArgumentError, match=message):
        hm.backtest(RAIN, hm.load_dataset("rainfall"), time="year_numeric", **options)


def test_coverage_counts_the_ends() -> None:
    found = scores.scores(np.array([0.0, 5.0]), np.tile(np.linspace(-1, 1, 101), (2, 1)))
    assert found[["in_50", "in_80", "in_95"]].to_numpy().tolist() == [[True] * 3, [False] * 3]


def test_origins_may_be_dates() -> None:
    dates = pd.date_range("2020-01-01", periods=8, freq="MS")
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"date": np.tile(dates, 6), "g": np.repeat(np.arange(6), 8)})
    data["y"] = data["g"] + rng.standard_normal(len(data))
    origin = pd.Timestamp("2020-06-01")
    found = hm.backtest(
        "y ~ trend(date) + (1 | g)", data, time="date", horizon=2, origins=[origin], **SAMPLE
    )
    assert sorted(found.scores["time"].unique()) == list(dates[6:])


def weekly() -> pd.DataFrame:
    """Eight series of 15 times; ``late`` and ``promo`` begin at time 10, ``cell`` at 12."""
    rng = np.random.default_rng(0)
    t = np.arange(120) // 8
    return pd.DataFrame({
        "y": rng.normal(size=120), "t": t, "g": np.arange(120) % 8,
        "late": np.where(t < 5, "a", np.where(t < 10, "b", "c")), "promo": 1.0 * (t >= 10),
        "up": np.arange(120) % 2,
        "cell": np.where(t >= 12, np.arange(120) % 4 // 2, np.arange(120) % 2),
        "rating": np.where(t > 12, 3, 1 + np.arange(120) % 5 // 3),
    })  # fmt: skip


SHORT: dict[str, Any] = {
    "time": "t", "horizon": 3, "seed": 1, "chains": 1, "warmup": 60, "draws": 20,
}  # fmt: skip


def test_levels_that_no_row_had_before_are_not_scored() -> None:
    with pytest.warns(
        hm.HiermixWarning, match="8 rows after origin 7 not scored: .* 1 level .*'c'"
    ):
        found = hm.backtest("y ~ late + (1 | g)", weekly(), origins=[7, 10], **SHORT)
    rows = found.scores[found.scores["method"] == "partial"]
    assert rows.groupby("origin")["time"].unique().map(list).to_dict() == {
        7: [8, 9], 10: [11, 12, 13],
    }  # fmt: skip
    with (
        pytest.warns(hm.HiermixWarning, match="not scored"),
        pytest.raises(hm.DataError, match="rows after it that can be scored"),
    ):
        hm.backtest("y ~ C(t) + (1 | g)", weekly(), origins=1, **SHORT)


def test_cells_that_no_row_had_before_are_not_scored() -> None:
    with pytest.warns(hm.HiermixWarning) as said:
        found = hm.backtest("y ~ C(up) * C(cell) + (1 | g)", weekly(), origins=[11], **SHORT)
    texts = [str(each.message) for each in said]
    empty = [text for text in texts if "left out" in text]
    assert len(empty) == 1  # of the rows up to the origin; all rows have every combination
    assert any("after origin 11 not scored: up:cell has" in text for text in texts)
    partial = found.scores[found.scores["method"] == "partial"]
    assert 0 < len(partial) < 24


@pytest.mark.parametrize(
    ("formula", "family", "message"),
    [
        ("y ~ promo + (1 | g)", "gaussian", "from origin 8: column 'promo' is constant"),
        ("rating ~ t + (1 | g)", "ordinal", "from origin 11: column 'rating' has categories"),
    ],
)
@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_an_origin_that_can_not_be_fitted_is_named(formula: str, family: str, message: str) -> None:
    origin = 8 if family == "gaussian" else 11
    with pytest.raises(hm.DataError, match=f"{message}.*leave this origin out"):
        hm.backtest(formula, weekly(), origins=[origin], family=family, **SHORT)


@pytest.fixture(scope="module")
def seasons() -> hm.Backtest:
    """Five series with a season of four rows."""
    return hm.backtest("y ~ t + (1 | g)", four(), origins=[15], season=4, **SHORT | {"horizon": 6})


def four() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    t = np.tile(np.arange(24), 5)
    y = 20 + 3 * np.sin(t * np.pi / 2) + np.repeat(np.arange(5), 24) + rng.normal(0, 0.2, 120)
    return pd.DataFrame({"y": y, "t": t, "g": np.repeat(np.arange(5), 24)})


def test_the_seasonal_naive_forecast_by_hand(seasons: hm.Backtest) -> None:
    past = four().query("g == 3 and t <= 15")["y"].to_numpy()
    mine = seasons.forecasts.query("method == 'seasonal' and series == '3'").set_index("step")
    spread = np.sqrt(np.mean((past[4:] - past[:-4]) ** 2))
    for step in range(1, 7):
        last = past[-4 + (step - 1) % 4]
        wide = spread * np.sqrt((step - 1) // 4 + 1)
        row = mine.loc[step]
        assert row["mean"] == pytest.approx(last)
        assert row["q97.5"] - last == pytest.approx(1.96 * wide, rel=0.01)


def test_scaled_and_relative_errors_by_hand(seasons: hm.Backtest) -> None:
    data, table = four(), seasons.table()
    rows = seasons.forecasts.query("method == 'partial'")
    off = (rows["actual"] - rows["median"]).abs()
    past = data[data["t"] <= 15]
    scale = past.groupby("g")["y"].apply(lambda each: each.diff(4).abs().mean())
    scaled = off.to_numpy() / scale.loc[rows["series"].astype(int)].to_numpy()
    assert table.loc["partial", "mase"] == pytest.approx(scaled.mean())
    size = rows["actual"].abs().sum()
    assert table.loc["partial", "wape"] == pytest.approx(off.sum() / size)
    assert table.loc["partial", "bias"] == pytest.approx(
        (rows["mean"] - rows["actual"]).sum() / size
    )
    assert seasons.table(by="series").loc[("0", "naive"), "rows"] == 6
    assert table.loc["seasonal", "mase"] < table.loc["naive", "mase"]


def test_forecasts_in_the_shape_of_nixtla(seasons: hm.Backtest) -> None:
    found = seasons.to_nixtla(level=[80])
    assert list(found)[:7] == ["unique_id", "ds", "cutoff", "y", "hiermix", "hiermix-lo-80",
                               "hiermix-hi-80"]  # fmt: skip
    assert len(found) == 30
    assert found["unique_id"].dtype == four()["g"].dtype
    together = found.merge(four(), left_on=["unique_id", "ds"], right_on=["g", "t"])
    np.testing.assert_array_equal(together["y_x"], together["y_y"])
    rows = seasons.forecasts.query("method == 'seasonal'")
    np.testing.assert_allclose(found["hiermix-seasonal-lo-80"], rows["q10"])
    with pytest.raises(hm.ArgumentError, match=r"keeps the 50, 80 and 95 % intervals, not \[90\]"):
        seasons.to_nixtla(level=[90])


def test_a_season_needs_rows() -> None:
    with pytest.raises(hm.DataError, match="season=20 needs a series of more rows"):
        hm.backtest("y ~ t + (1 | g)", four(), origins=[15], season=20, **SHORT)
    with pytest.raises(hm.ArgumentError, match="time="):
        hm.backtest("y ~ t + (1 | g)", four(), origins=[15], horizon=1)


def test_a_season_before_is_so_in_series_with_gaps_and_other_ends() -> None:
    """Months missing in some series move no other month; without a season rows follow rows."""
    data = four()
    lost = (data["g"].eq(1) & data["t"].isin([6, 13])) | (data["g"].eq(2) & data["t"].gt(13))
    lost &= data["t"] <= 15
    rest = data[~lost | data["g"].eq(0)]
    found = hm.backtest("y ~ t + (1 | g)", rest, origins=[15], season=4, **SHORT | {"horizon": 4})
    rows = found.forecasts.query("method == 'seasonal'").set_index(["series", "time"])["mean"]
    values = data.set_index(["g", "t"])["y"]
    for g, time, before in ((1, 16, 12), (1, 18, 14), (2, 16, 12), (2, 17, 13), (0, 19, 15)):
        assert rows[str(g), time] == pytest.approx(values[g, before])
    # Nothing is known a season before these: the last value stands in.
    assert rows["1", 17] == pytest.approx(values[1, 15])
    assert rows["2", 18] == pytest.approx(values[2, 13])
    naive = found.forecasts.query("method == 'naive'").set_index(["series", "time"])["mean"]
    assert naive["2", 18] == pytest.approx(values[2, 13])


def test_the_scale_of_errors_is_that_of_a_season_of_times() -> None:
    times = [0, 1, 2, 3, 5, 6, 0, 1, 2, 3, 4, 5, 6, 7]
    values = np.array([1.0, 2, 4, 8, 16, 32, *range(8)])
    panel = pd.DataFrame({"series": list("aaaaaabbbbbbbb"), "time": times, "value": values})
    scale = errors_of_points.naive_scale(panel, 2)
    assert scale["a"] == pytest.approx(np.mean([3, 6, 8]))  # 2 - 0, 3 - 1, 5 - 3
    assert scale["b"] == 2
    alone = errors_of_points.naive_scale(panel[panel["series"] == "a"], 2)
    assert alone["a"] == pytest.approx(np.mean([3, 6, 12, 24]))  # no other time is known

"""Forecasts: later rows, tables, the textbook's normal, scores, figures; N9."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.design.build import build
from hiermix.forecasting import horizon, scores
from hiermix.formula.formula import parse

RAIN = "rainfall ~ year_numeric + (year_numeric || state)"
SAMPLE = {"seed": 1, "chains": 2, "warmup": 300, "progress": False}


@pytest.fixture(scope="module")
def rain() -> hm.Fit:
    return hm.Model(RAIN, hm.load_dataset("rainfall")).fit(**SAMPLE, draws=1500)


@pytest.fixture(scope="module")
def forecast(rain: hm.Fit) -> hm.Forecast:
    return rain.forecast(time="year_numeric", horizon=6, by="state")


def panel(dates: pd.DatetimeIndex, groups: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frames = [
        pd.DataFrame(
            {"y": rng.standard_normal(len(dates)) + k, "date": dates, "g": f"g{k}", "z": k}
        )
        for k in range(groups)
    ]
    return pd.concat(frames, ignore_index=True)


# The rainfall example ---------------------------------------------------------------------------


def grid_posterior(data: pd.DataFrame, state: str) -> np.ndarray:
    """Posterior means of a state's intercept and slope and of sigma, by summing over a grid.

    Apart from hiermix: flat priors on intercept and slope, and those of the sds as the model prints
    them, student_t(3, 0, 18.74), student_t(3, 0, 6.525) and exponential(0.1334).
    """
    wide = data.pivot_table(index="state", columns="year_numeric", values="rainfall")
    Y, ours = wide.to_numpy(), list(wide.index).index(state)
    Z = np.column_stack([np.ones(10), np.arange(1.0, 11.0)])
    logs, values = [], []
    for a in np.linspace(2, 8, 19):
        for b in np.linspace(0, 0.6, 21):
            for sigma in np.linspace(4.6, 5.8, 17):
                D = np.diag([a * a, b * b])
                V = sigma**2 * np.eye(10) + Z @ D @ Z.T
                inverse = np.linalg.inv(V)
                A = 51 * Z.T @ inverse @ Z
                mean = np.linalg.solve(A, Z.T @ inverse @ Y.sum(axis=0))
                rest = Y - Z @ mean
                fit = 51 * np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1]
                fit += np.einsum("ji,ik,jk", rest, inverse, rest)
                prior = -2 * np.log1p((a / 18.74) ** 2 / 3) - 2 * np.log1p((b / 6.525) ** 2 / 3)
                logs.append(prior - 0.1334 * sigma - 0.5 * fit)
                values.append([*(mean + D @ Z.T @ inverse @ rest[ours]), sigma])
    weights = np.exp(np.array(logs) - max(logs))
    return weights @ np.array(values) / weights.sum()


def test_the_textbook_normal_of_california(rain: hm.Fit, forecast: hm.Forecast) -> None:
    own = rain.coefficients("state").loc["CA"]
    intercept, slope = own["mean"]
    sigma = rain.data.posterior["sigma"].to_numpy()
    found = np.array([intercept, slope, sigma.mean()])
    sd = np.array([*own["sd"], sigma.std()])
    # An independent fit: five Monte-Carlo errors at half the draws' effective size.
    independent = grid_posterior(hm.load_dataset("rainfall"), "CA")
    assert (np.abs(found - independent) < 5 * sd / np.sqrt(1500)).all()
    # The numbers in print, from a fit with other priors: a quarter of a posterior sd.
    assert (np.abs(found - [19.97, 1.084, 5.14]) < 0.25 * sd).all()
    row = forecast.table(plug_in=True).loc[("CA", 16)]
    assert np.isclose(row["plug_in_mean"], intercept + 16 * slope, rtol=1e-10)
    assert np.isclose(row["plug_in_sd"], sigma.mean())


def test_the_whole_predictive_is_wider_than_the_plug_in(forecast: hm.Forecast) -> None:
    table = forecast.table(plug_in=True)
    assert (table["sd"] > table["plug_in_sd"]).mean() > 0.97
    assert table.loc[("CA", 16), "sd"] > 1.05 * table.loc[("CA", 16), "plug_in_sd"]


def test_the_table_is_that_of_the_draws(forecast: hm.Forecast) -> None:
    table = forecast.table()
    assert table.index.names == ["state", "year_numeric"]
    assert list(table) == [
        *("mean", "sd", "median", "q2.5", "q10", "q25", "q75", "q90", "q97.5"),
    ]
    predictions = forecast.data["predictions"]
    is_row = (predictions["state"] == "TX") & (predictions["year_numeric"] == 12)
    draws = predictions["rainfall"].to_numpy()[..., is_row.to_numpy()].ravel()
    row = table.loc[("TX", 12)]
    assert np.allclose(row[["mean", "sd"]], [draws.mean(), draws.std(ddof=1)])
    probs = [0.5, 0.025, 0.1, 0.25, 0.75, 0.9, 0.975]
    assert np.allclose(row.iloc[2:], np.quantile(draws, probs))


def test_built_rows_and_given_rows_are_one_forecast(rain: hm.Fit, forecast: hm.Forecast) -> None:
    states = hm.load_dataset("rainfall")["state"].unique()
    later = pd.DataFrame(
        {"state": np.repeat(states, 6), "year_numeric": np.tile(range(11, 17), 51)}
    )
    shuffled = later.sample(frac=1, random_state=0)
    given = rain.forecast(shuffled, time="year_numeric").table().sort_index()
    pd.testing.assert_frame_equal(given, forecast.table().sort_index())


def test_a_forecast_of_a_new_group(rain: hm.Fit) -> None:
    rows = pd.DataFrame({"state": ["Atlantis", "CA"], "year_numeric": [16, 16]})
    with pytest.raises(hm.DataError, match="not in the fit: 'Atlantis'"):
        rain.forecast(rows, time="year_numeric")
    table = rain.forecast(rows, time="year_numeric", new_groups="sample").table()
    assert table.loc[("Atlantis", 16), "sd"] > table.loc[("CA", 16), "sd"]


def test_a_forecast_says_what_it_is(forecast: hm.Forecast) -> None:
    assert repr(forecast) == ("Forecast of rainfall: 306 rows, 51 of state, year_numeric 11 to 16")


def test_quantiles_that_are_asked_for(rain: hm.Fit, forecast: hm.Forecast) -> None:
    draws = forecast.data["predictions"]["rainfall"].transpose("row", ...).to_numpy()
    draws = draws.reshape(len(draws), -1)
    table = forecast.table(probs=[0.05, 0.5])
    assert list(table) == ["mean", "sd", "median", "q5", "q50"]
    assert np.allclose(table["q5"], np.quantile(draws, 0.05, axis=1))
    same = rain.forecast(time="year_numeric", horizon=6, by="state", probs=[0.05, 0.5]).table()
    pd.testing.assert_frame_equal(same, table)
    with pytest.raises(hm.ArgumentError, match="quantiles must be between 0 and 1"):
        forecast.table(probs=[5, 95])


def test_tables_and_scores_hold_few_draws_at_once(rain: hm.Fit) -> None:
    """Of 8,160 rows and 3,000 draws: 196 MB for each of response and mean."""
    forecast = rain.forecast(time="year_numeric", horizon=160, by="state")
    actual = np.zeros(51 * 160)
    rain.forecast(time="year_numeric", horizon=1, by="state").score(np.zeros(51))  # imports
    tracemalloc.start()
    table, scored = forecast.table(), forecast.score(actual)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(table) == len(scored) == 8_160
    assert peak < 50e6


def test_rows_that_new_groups_learn_from_are_no_forecast(rain: hm.Fit) -> None:
    seen = [49.0, 39.0, 47.0, 42.0, 52.0, 40.0, 46.0]
    known = pd.DataFrame({"state": "Atlantis", "year_numeric": range(1, 8), "rainfall": seen})
    later = pd.DataFrame({"state": ["Atlantis", "Atlantis", "CA"], "year_numeric": [8, 9, 11]})
    rows = pd.concat([later.iloc[:1], known, later.iloc[1:]], ignore_index=True)
    found = rain.forecast(rows, time="year_numeric", new_groups="update")
    table = found.table()
    assert list(table.index) == list(later.itertuples(index=False, name=None))
    past = found.plot().data.query("series == 'Atlantis'")["observed"].dropna()
    assert past.tolist() == seen
    # Seven rows near 45 leave little of the states' spread (sd about 19, sigma 5).
    assert 40 < table.loc[("Atlantis", 8), "mean"] < 50
    assert table.loc[("Atlantis", 8), "sd"] < 9
    predicted = rain.predict(rows, kind="response", new_groups="update")
    draws = predicted.isel(row=[0, 8, 9]).transpose("row", ...).to_numpy().reshape(3, -1)
    assert np.allclose(table["mean"], draws.mean(axis=1))
    assert len(found.score(later.assign(rainfall=45.0))) == 3
    with pytest.raises(hm.DataError, match="every row has a value of 'rainfall'"):
        rain.forecast(known, time="year_numeric", new_groups="update")


# Later rows -------------------------------------------------------------------------------------


def built(
    data: pd.DataFrame, formula: str, time: str, by: list[str], steps: int = 2
) -> pd.DataFrame:
    return horizon.later_rows(build(parse(formula), data), time, horizon.Ahead(steps), by)


@pytest.mark.parametrize(
    ("start", "freq", "expected"),
    [
        ("2020-01-31", "ME", ["2021-01-31", "2021-02-28"]),
        ("2020-01-01", "MS", ["2021-01-01", "2021-02-01"]),
        ("2020-01-01", "QS", ["2023-01-01", "2023-04-01"]),
        ("2020-03-01", "D", ["2020-03-13", "2020-03-14"]),
        ("2020-03-01", "W", ["2020-05-24", "2020-05-31"]),
        ("2012-06-30", "YE-JUN", ["2024-06-30", "2025-06-30"]),
    ],
)
def test_steps_of_dates(start: str, freq: str, expected: list[str]) -> None:
    data = panel(pd.date_range(start, periods=12, freq=freq))
    rows = built(data, "y ~ trend(date) + (1 | g)", "date", ["g"])
    assert list(rows["g"]) == [f"g{k}" for k in range(4) for _ in range(2)]
    assert list(rows["date"]) == list(pd.to_datetime(expected * 4))


def test_constant_columns_are_carried_and_changing_ones_are_asked_for() -> None:
    data = panel(pd.date_range("2020-01-01", periods=6, freq="MS"))
    rows = built(data, "y ~ trend(date) + z + (1 | g)", "date", ["g"])
    assert list(rows["z"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    data["price"] = np.arange(len(data)) % 5.0
    with pytest.raises(
        hm.DataError, match="'price' changes within 'g': later values are not known"
    ):
        built(data, "y ~ trend(date) + price + (1 | g)", "date", ["g"])


def test_a_nested_factor_names_the_series() -> None:
    data = panel(pd.date_range("2020-01-01", periods=6, freq="MS")).assign(part="p")
    data.loc[::2, "part"] = "q"
    design = build(parse("y ~ trend(date) + (1 | g / part)"), data)
    assert horizon.series_columns(design, None) == ["g", "part"]
    assert horizon.series_columns(design, "g:part") == ["g", "part"]
    crossed = build(parse("y ~ trend(date) + (1 | g) + (1 | part)"), data)
    with pytest.raises(
        hm.ArgumentError, match="say which rows are one series: by='g' or by='part'"
    ):
        horizon.series_columns(crossed, None)


def test_times_are_numbers_or_dates(rain: hm.Fit) -> None:
    with pytest.raises(
        hm.DataError, match=r"column 'state' holds text .*: times are numbers or dates"
    ):
        rain.forecast(time="state", horizon=2)
    with pytest.raises(hm.ArgumentError, match="time names 'yeer', not a column of the fit"):
        rain.forecast(time="yeer", horizon=2)
    for wrong in (0, 1.5, True):
        with pytest.raises(hm.ArgumentError, match="horizon must be a whole number"):
            rain.forecast(time="year_numeric", horizon=wrong)
    with pytest.raises(hm.ArgumentError, match="either new_data, the later rows, or time= and hor"):
        rain.forecast()
    with pytest.raises(hm.ArgumentError, match="say which column holds the times"):
        rain.forecast(horizon=2)


def test_n9_times_that_repeat(rain: hm.Fit) -> None:
    rows = pd.DataFrame({"state": ["CA", "TX", "CA"], "year_numeric": [12, 12, 12]})
    with pytest.raises(
        hm.DataError, match=r"'year_numeric' repeat within 'state' 'CA': 12 \(row 2\)"
    ):
        rain.forecast(rows, time="year_numeric")


def test_n9_times_that_are_not_later(rain: hm.Fit) -> None:
    rows = pd.DataFrame({"state": ["CA", "TX"], "year_numeric": [11, 10]})
    message = (
        r"1 time of 'year_numeric' not after the last observed one within 'state' 'TX': 10, last "
        r"observed 10 \(row 1\)"
    )
    with pytest.raises(hm.DataError, match=message):
        rain.forecast(rows, time="year_numeric")


# Scores -----------------------------------------------------------------------------------------


def test_scores_equal_closed_forms() -> None:
    """A large ensemble of normal quantiles against the closed form of the CRPS of a normal."""
    y = np.array([-1.5, 0.0, 0.3, 4.0])
    S = 20_000
    ensemble = np.tile(stats.norm.ppf((np.arange(S) + 0.5) / S, 1.0, 2.0), (4, 1))
    found = scores.scores(y, ensemble)
    z = (y - 1) / 2
    crps = 2 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert np.allclose(found["crps"], crps, atol=1e-3)
    levels = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
    quantiles = stats.norm.ppf(levels, 1, 2)[:, None]
    losses = np.where(y < quantiles, (1 - levels[:, None]) * (quantiles - y),
                      levels[:, None] * (y - quantiles))  # fmt: skip
    assert np.allclose(found["pinball"], losses.mean(axis=0), atol=1e-3)
    assert found["in_50"].tolist() == [False, True, True, False]
    assert found["in_80"].tolist() == [True, True, True, False]
    assert found["in_95"].tolist() == [True, True, True, True]


def test_actual_values_are_matched_by_group_and_time(forecast: hm.Forecast) -> None:
    table = forecast.table().reset_index()
    actual = table[["state", "year_numeric", "mean"]].rename(columns={"mean": "rainfall"})
    actual["rainfall"] += np.arange(len(actual)) % 7
    some = actual.sample(frac=0.5, random_state=1)
    found = forecast.score(some)
    assert len(found) == len(some)
    expected = actual.set_index(["state", "year_numeric"])["rainfall"]
    assert np.allclose(found["actual"], expected.loc[found.index])
    whole = forecast.score(actual["rainfall"])
    assert np.allclose(whole.loc[found.index, "crps"], found["crps"])
    with pytest.raises(hm.DataError, match="several rows of CA, 12"):
        forecast.score(actual[actual["state"] == "CA"].iloc[[1, 1]])
    with pytest.raises(hm.DataError, match="no row of the forecast"):
        forecast.score(actual.query("year_numeric == 12").assign(year_numeric=99))
    with pytest.raises(hm.DataError, match="actual has no column 'rainfall'"):
        forecast.score(actual.drop(columns="rainfall"))


# Figures ----------------------------------------------------------------------------------------


def test_fans_show_the_numbers_and_say_how_many(forecast: hm.Forecast) -> None:
    plot = forecast.plot()
    axes = [ax for ax in plot.figure.axes if ax.get_visible()]
    assert len(axes) == plot.data["series"].nunique() == 20
    assert "20 of 51" in plot.figure.get_suptitle()
    state = axes[3].get_title()
    past, median = axes[3].get_lines()
    table, data = forecast.table(), hm.load_dataset("rainfall")
    assert np.allclose(median.get_ydata(), table.loc[state, "median"])
    own = data[data["state"] == state].sort_values("year_numeric")
    assert np.allclose(past.get_ydata(), own["rainfall"])
    whole = forecast.plot(panels=51)
    assert "of" not in whole.figure.get_suptitle().split(": ")[-1].replace("Forecast of", "")


def test_named_series_and_dates(rain: hm.Fit, forecast: hm.Forecast) -> None:
    plot = forecast.plot(levels=["CA", "TX"])
    assert [ax.get_title() for ax in plot.figure.axes] == ["CA", "TX"]
    with pytest.raises(hm.ArgumentError, match="no series 'XX' in the forecast"):
        forecast.plot(levels=["XX"])
    with pytest.raises(hm.ArgumentError, match="panels must be a whole number from 1 to 100"):
        forecast.plot(panels=0)
    rows = pd.DataFrame({"state": ["CA"], "year_numeric": [12]})
    with pytest.raises(hm.ArgumentError, match="plot needs times"):
        rain.forecast(rows).plot()


def test_seasons_and_dates_from_fit_to_figure() -> None:
    dates = pd.date_range("2018-01-01", periods=48, freq="MS")
    rng = np.random.default_rng(3)
    data = panel(dates, groups=5)
    season = 3 * np.sin(2 * np.pi * (data["date"].dt.month - 1) / 12)
    data["y"] = data["z"] + season + 0.3 * rng.standard_normal(len(data))
    model = hm.Model("y ~ fourier(date, 'year', 2) + trend(date, 1) + (1 | g)", data)
    found = model.fit(**SAMPLE, draws=300).forecast(time="date", horizon=12)
    table = found.table().loc["g2"]
    expected = 2 + 3 * np.sin(2 * np.pi * np.arange(12) / 12)
    assert np.abs(table["median"].to_numpy() - expected).max() < 0.5
    assert list(table.index[:2]) == list(pd.to_datetime(["2022-01-01", "2022-02-01"]))
    found.plot().figure.canvas.draw()


# Transforms -------------------------------------------------------------------------------------


def test_fourier_and_trend_by_hand() -> None:
    t = np.arange(24.0)
    data = pd.DataFrame({"y": np.sin(t) + t % 5, "t": t, "g": np.arange(24) % 4})
    design = build(parse("y ~ fourier(t, 12, 2) + trend(t, [6, 15]) + (1 | g)"), data)
    angle = 2 * np.pi * t / 12
    waves = [np.sin(angle), np.sin(2 * angle), np.cos(angle), np.cos(2 * angle)]
    bends = [np.maximum(t - point, 0) for point in (6, 15)]
    assert np.allclose(design.X(), np.column_stack([np.ones(24), *waves, t, *bends]))
    later = design.on(pd.DataFrame({"t": [24.0], "g": [0]}))
    assert np.allclose(later.X()[0, -3:], [24, 18, 9])


def test_changepoints_are_those_of_the_fit() -> None:
    data = pd.DataFrame(
        {"y": np.arange(30) % 7, "t": np.linspace(0, 9, 30), "g": np.arange(30) % 3}
    )
    design = build(parse("y ~ trend(t, 2) + (1 | g)"), data)
    later = design.on(pd.DataFrame({"t": [10.0, 100.0], "g": [0, 1]}))
    assert np.allclose(later.X(), [[1, 10, 7, 4], [1, 100, 97, 94]])


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("fourier(t, 0)", "period must be a positive number"),
        ("fourier(t, 'month')", "period must be a positive number, day, week or year"),
        ("fourier(t, 12, 0)", "order is a whole number from 1 up"),
        ("trend(t, -1)", "changepoints must not be negative"),
        ("trend(t, 1.5)", "changepoints must be a whole number or a list"),
    ],
)
def test_bad_transforms(term: str, message: str) -> None:
    data = pd.DataFrame({"y": np.arange(30) % 7, "t": np.arange(30.0), "g": np.arange(30) % 3})
    with pytest.raises((hm.FormulaError, hm.DataError), match=message):
        build(parse(f"y ~ {term} + (1 | g)"), data)

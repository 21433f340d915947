"""Which times come next: calendars that times tell, those that are said, and those asked for; N13.

Expected times are written down, by a printed calendar, or are what was cut off the same series.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.design.build import build
from hiermix.design.calendars import agreed, tell
from hiermix.forecasting import horizon
from hiermix.formula.formula import parse


def days(first: str, last: str, freq: str = "D", zone: str | None = None) -> pd.DatetimeIndex:
    return pd.date_range(first, last, freq=freq, tz=zone)


YEARS = days("2023-01-01", "2024-12-31")
HALF_HOURS = days("2024-01-01", "2024-03-29 23:30", "30min")
HOLIDAYS = pd.to_datetime(["2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29"])
TRADING = HALF_HOURS[(HALF_HOURS.day_of_week < 5) & (HALF_HOURS.hour >= 9) & (HALF_HOURS.hour < 16)]

TOLD: dict[str, pd.Index] = {
    "weekdays": YEARS[YEARS.day_of_week < 5][:60],
    "weekdays with holidays": YEARS[(YEARS.day_of_week < 5) & ~YEARS.isin(HOLIDAYS)][255:345],
    "shop days": YEARS[np.isin(YEARS.day_of_week, [1, 3, 5])][:40],
    "closed on Mondays": YEARS[YEARS.day_of_week != 0][:80],
    "trading half hours": TRADING[:150],
    "trading in New York over the change of clocks": TRADING[600:].tz_localize("America/New_York"),
    "30th, the last of February": pd.to_datetime(
        ["2023-11-30", "2023-12-30", "2024-01-30", "2024-02-29", "2024-03-30", "2024-04-30",
         "2024-05-30", "2024-06-30", "2024-07-30", "2024-08-30", "2024-09-30", "2024-10-30",
         "2024-11-30", "2024-12-30", "2025-01-30", "2025-02-28", "2025-03-30"]
    ),
    "30th, none in February": YEARS[YEARS.day == 30],
    "31st, where there is one": YEARS[YEARS.day == 31],
    "ends of months": YEARS[YEARS.is_month_end],
    "1st and 15th": YEARS[(YEARS.day == 1) | (YEARS.day == 15)][:20],
    "15th and end": YEARS[(YEARS.day == 15) | YEARS.is_month_end][:20],
    "starts of quarters": YEARS[YEARS.is_quarter_start],
    "ends of quarters": YEARS[YEARS.is_quarter_end],
    "15th of each second month of a quarter": YEARS[(YEARS.day == 15) & (YEARS.month % 3 == 2)],
    "ISO weeks": days("2023-11-06", "2024-02-05", "W-MON"),
    "every other Wednesday": days("2024-01-03", "2024-06-05", "2W-WED"),
    "third Fridays": days("2023-01-20", "2023-12-31", "WOM-3FRI"),
    "last weekdays of months": days("2023-01-01", "2023-12-31", "BME"),
    "days over a leap day": days("2024-02-10", "2024-03-03"),
    "leap days left out": (every := days("2019-02-01", "2024-03-03"))[
        ~((every.month == 2) & (every.day == 29))
    ],
    "29 February": pd.to_datetime([f"{year}-02-29" for year in range(2008, 2025, 4)]),
    "ends of February": days("2015-02-28", "2024-02-29", "YE-FEB"),
    "days in Berlin over the change of clocks": days(
        "2024-03-20", "2024-04-04", zone="Europe/Berlin"
    ),
    "hours in Berlin over the change of clocks": days(
        "2024-10-26", "2024-10-27 06:00", "h", "Europe/Berlin"
    ),
    "weeks in Sydney": days("2024-03-04", "2024-05-06", "W-MON", "Australia/Sydney"),
    "integers": pd.Index([3, 4, 5, 6, 7, 8, 9]),
    "integers with gaps": pd.Index([1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13]),
    "every tenth": pd.Index([0, 10, 20, 30, 40, 50]),
    "quarters as fractions": pd.Index(np.arange(2020, 2023, 0.25)),
    "tenths": pd.Index(np.arange(12) / 10),
    "durations": pd.to_timedelta(np.arange(6) * 12, "h"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_the_rest_of_a_series_is_found(name: str) -> None:
    times, ahead = TOLD[name][:-2], TOLD[name][-2:]
    found = agreed(tell(times), times[-1], 2)
    assert found is not None
    if ahead.dtype.kind in "iuf":
        np.testing.assert_allclose(np.asarray(found), np.asarray(ahead), rtol=1e-12)
    else:
        assert list(found) == list(ahead)


UNKNOWN: dict[str, Sequence[Any]] = {
    "irregular visits": pd.to_datetime(["2024-01-02", "2024-01-16", "2024-02-13", "2024-05-14"]),
    "irregular days": [0, 3, 11, 12, 40, 45],
    "weeks 0, 4, 8, 12, 24, 52": [0, 4, 8, 12, 24, 52],
    "two times": [1, 2],
    "one week of weekdays": days("2024-01-01", "2024-01-05"),
    "weekdays and one Saturday": YEARS[YEARS.day_of_week < 5][260:280].union(
        pd.to_datetime(["2024-01-13"])
    ),
    "four weeks apart, or third Fridays": days("2024-01-19", "2024-03-15", "4W-FRI"),
    "30th, no February seen": YEARS[(YEARS.day == 30) & (YEARS.year == 2023)][1:],
    "months as numbers": [202310, 202311, 202312, 202401, 202402],
}  # fmt: skip


def panel(times: Sequence[Any] | pd.Index, groups: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    parts = [
        pd.DataFrame({"t": pd.Series(times), "g": f"g{k}", "y": rng.normal(k, 1, len(times))})
        for k in range(groups)
    ]
    return pd.concat(parts, ignore_index=True)


def later(data: pd.DataFrame, by: str = "g", **ahead: Any) -> pd.DataFrame:
    """Build later rows; the time is no part of the formula."""
    design = build(parse("y ~ 1 + (1 | g)"), data)
    return horizon.later_rows(design, "t", horizon.Ahead(**{"horizon": None} | ahead), [by])


@pytest.mark.parametrize("name", UNKNOWN)
def test_n13_a_calendar_that_cant_be_told_is_asked_for(name: str) -> None:
    with pytest.raises(hm.DataError, match=r"can't be told: .* Say (freq|step)=.*the later rows"):
        later(panel(UNKNOWN[name]), horizon=4)


def test_what_possible_calendars_have_in_common_is_told() -> None:
    """Whether a month of 28 days has a 30th matters in February alone."""
    times = UNKNOWN["30th, no February seen"]
    found = agreed(tell(pd.Index(times)), times[-1], 1)
    assert found is not None
    assert list(found) == [pd.Timestamp("2024-01-30")]


def forms() -> dict[str, pd.Series]:
    weekdays = pd.Series(YEARS[YEARS.day_of_week < 5][:30])
    months = pd.Series(days("2023-01-01", "2024-06-01", "MS"))
    weeks = pd.Series(days("2023-10-02", "2024-01-15", "W-MON"))
    return {
        "dates": weekdays,
        "seconds": weekdays.astype("datetime64[s]"),
        "zoned": weekdays.dt.tz_localize("Europe/Berlin"),
        "Python dates": weekdays.dt.date,
        "ISO text": weekdays.dt.strftime("%Y-%m-%d"),
        "text with times": weekdays.dt.strftime("%Y-%m-%d %H:%M"),
        "months as text": months.dt.strftime("%Y-%m"),
        "days of the year 2023 first": weekdays.dt.strftime("%d.%m.%Y"),
        "weeks as text": weeks.dt.strftime("%G-W%V"),
        "quarters as text": pd.Series(["2022Q3", "2022Q4", "2023Q1", "2023Q2", "2023Q3", "2023Q4"]),
        "categories": weekdays.dt.strftime("%Y-%m-%d").astype("category"),
        "days": weekdays.dt.to_period("D"),
        "weeks": weeks.dt.to_period("W"),
        "months": months.dt.to_period("M"),
        "nullable integers": pd.Series([4, 5, 6, 7, 8, 9], dtype="Int64"),
        "floats": pd.Series([4.0, 5.0, 6.0, 7.0, 8.0, 9.0]),
    }


@pytest.mark.parametrize("name", forms())
def test_times_keep_the_form_of_their_column(name: str) -> None:
    times = forms()[name]
    rows = later(panel(times[:-2]), horizon=2)
    built = rows.loc[rows["g"] == "g1", "t"]
    assert list(built.astype(str).str.removesuffix(" 00:00:00")) == [
        str(each).removesuffix(" 00:00:00") for each in times[-2:]
    ]
    assert built.is_monotonic_increasing


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["01/02/2024", "02/02/2024", "03/02/2024"], "reads as dates in several ways"),
        (["spring", "summer", "autumn"], "does not read as dates of one format"),
        ([True, False, True], "dtype bool: times are numbers or dates"),
        ([1.0, None, 3.0], r"lacks a time in 3 rows \(rows 1, 4, 7\)"),
        ([20240129, 20240130, 20240131], r"the next ones \(20240132"),
        ([202310, 202311, 202312], r"the next ones \(202313"),
    ],
)
def test_times_that_are_none(times: Sequence[Any], message: str) -> None:
    with pytest.raises(hm.DataError, match=message):
        later(panel(times), horizon=2)


@pytest.mark.parametrize(
    ("times", "ahead", "expected"),
    [
        (
            ["2024-01-01", "2024-01-08"],
            {"horizon": 2, "freq": "W-MON"},
            ["2024-01-15", "2024-01-22"],
        ),
        (["2024-01-04", "2024-01-05"], {"horizon": 2, "freq": "B"}, ["2024-01-08", "2024-01-09"]),
        (["2024-01-01", "2024-01-02"], {"horizon": 2, "step": "3D"}, ["2024-01-05", "2024-01-08"]),
        (
            ["2024-01-01", "2024-01-02", "2024-01-04"],
            {"until": "2024-01-08", "freq": pd.offsets.CustomBusinessDay(weekmask="Mon Thu Sat")},
            ["2024-01-06", "2024-01-08"],
        ),
        (
            ["2023-12-31", "2024-01-31"],
            {"horizon": 3, "freq": pd.DateOffset(months=1)},
            ["2024-02-29", "2024-03-31", "2024-04-30"],
        ),
    ],
)  # fmt: skip
def test_what_is_said_overrules_what_is_told(
    times: list[str], ahead: dict[str, Any], expected: list[str]
) -> None:
    rows = later(panel(pd.to_datetime(times)), **ahead)
    assert list(rows["t"]) == list(pd.to_datetime(expected * 3))


def test_numbers_go_by_a_step_and_until_a_number() -> None:
    assert list(later(panel([1, 2, 7]), horizon=2, step=5)["t"]) == [12, 17] * 3
    assert list(later(panel([1, 2, 3]), until=5)["t"]) == [4, 5] * 3
    assert list(later(panel([1, 2, 7]), until=11.5, step=2)["t"]) == [9, 11] * 3


@pytest.mark.parametrize(
    ("ahead", "message"),
    [
        ({}, "either horizon=, how many times, or until="),
        ({"horizon": 2, "until": 9}, "either horizon=, how many times, or until="),
        ({"horizon": 2, "freq": "D"}, "freq= is of dates"),
        ({"horizon": 2, "freq": "D", "step": 1}, "exclude each other"),
        ({"horizon": 2, "step": -1}, "step must be a positive number"),
        ({"horizon": 2, "step": "1D"}, "step must be a positive number"),
        ({"until": "later"}, "until='later' is no time of 't'"),
    ],
)
def test_what_can_not_be_said(ahead: dict[str, Any], message: str) -> None:
    with pytest.raises(hm.ArgumentError, match=message):
        later(panel([1, 2, 3]), **ahead)
    if "step" not in ahead:
        return
    with pytest.raises(hm.ArgumentError, match=r"step must be a duration|exclude"):
        later(panel(days("2024-01-01", "2024-01-20")), **ahead | {"step": 2})


def test_until_a_day_that_was_observed_builds_nothing() -> None:
    with pytest.raises(hm.DataError, match="until=3 is not after the last observed 't'"):
        later(panel([1, 2, 3]), until=3)


# Panels -----------------------------------------------------------------------------------------


def of_series(series: dict[str, Sequence[Any]], horizon_: int = 2) -> dict[str, list[Any]]:
    parts = [pd.DataFrame({"t": list(times), "g": name}) for name, times in series.items()]
    data = pd.concat(parts, ignore_index=True)
    data["y"] = np.random.default_rng(3).normal(size=len(data))
    rows = later(data, horizon=horizon_)
    return {str(name): part["t"].tolist() for name, part in rows.groupby("g")}


def test_series_with_other_starts_and_ends_share_a_calendar() -> None:
    """Three weekdays don't tell that Saturdays are none; the panel does."""
    weekdays = list(YEARS[YEARS.day_of_week < 5][:40])
    series = {"long": weekdays[:30], "late": weekdays[9:20], "short": weekdays[16:19],
              "new": weekdays[33:34], "with a gap": [*weekdays[:12], *weekdays[13:24]]}  # fmt: skip
    assert of_series(series) == {
        "long": weekdays[30:32], "late": weekdays[20:22], "short": weekdays[19:21],
        "new": weekdays[34:36], "with a gap": weekdays[24:26],
    }  # fmt: skip


def test_a_series_may_have_a_calendar_of_its_own() -> None:
    found = of_series({
        "daily": days("2024-01-01", "2024-02-29"),
        "weekly": days("2024-01-01", "2024-02-19", "W-MON"),
        "closed on Sundays": [day for day in days("2024-01-02", "2024-02-10") if day.weekday() < 6],
    })  # fmt: skip
    assert found == {
        "daily": list(days("2024-03-01", "2024-03-02")),
        "weekly": list(days("2024-02-26", "2024-03-04", "W-MON")),
        "closed on Sundays": list(days("2024-02-12", "2024-02-13")),
    }
    assert of_series({"a": [1, 2, 3, 4], "b": [0, 10, 20, 30]}) == {"a": [5, 6], "b": [40, 50]}


def test_visits_of_many_do_not_make_days_of_one() -> None:
    """All visits together fill every day; nobody comes every day."""
    rng = np.random.default_rng(5)
    visits = {f"p{k}": np.sort(rng.choice(40, 6, replace=False)) for k in range(40)}
    with pytest.raises(
        hm.DataError, match=r"'g' 'p0' \(and of 39 more series\) can't be told: steps"
    ):
        of_series(visits)
    one_differs = {"a": range(30), "b": range(30), "c": [0, 11, 29]}
    with pytest.raises(hm.DataError, match=r"'g' 'c' can't be told: steps differ \(11, 18\)"):
        of_series(one_differs)
    with pytest.raises(hm.DataError, match="'g' 'c' can't be told: it has one time"):
        of_series({"a": range(30), "b": range(0, 50, 5), "c": [4]})


# A time that is no predictor --------------------------------------------------------------------


WEEKS = days("2023-01-02", "2024-06-24", "W-MON")


def sales(write: Any = None) -> pd.DataFrame:
    """Weekly sales of shops: 100 + shop, and 20 more in weeks with a holiday."""
    rng = np.random.default_rng(11)
    rows = [(week, f"shop {s}", int(k % 6 == 0), 100 + 5 * s) for k, week in enumerate(WEEKS)
            for s in range(5)]  # fmt: skip
    data = pd.DataFrame(rows, columns=["week", "shop", "holiday", "mean"])
    data["mean"] += 20 * data["holiday"]
    data["sales"] = data["mean"] + rng.normal(0, 2, len(data))
    return data if write is None else data.assign(week=write(data["week"]))


SETTINGS: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 200, "draws": 200, "progress": False}
FORMULA = "sales ~ holiday + (holiday | shop)"


@pytest.mark.parametrize(
    "write",
    [
        None,
        lambda weeks: weeks.dt.strftime("%Y-%m-%d"),
        lambda weeks: weeks.dt.to_period("W"),
        lambda weeks: weeks.dt.tz_localize("Europe/Berlin"),
        lambda weeks: (weeks - weeks.min()).dt.days // 7,
    ],
    ids=["dates", "text", "periods", "zoned", "numbers"],
)
def test_a_time_outside_of_the_formula(write: Any, tmp_path: Any) -> None:
    data = sales(write).sample(frac=1, random_state=2)
    order = sales(write)["week"].unique()
    ahead = data[data["week"].isin(order[-6:])]
    fit = hm.Model(FORMULA, data.drop(ahead.index)).fit(**SETTINGS)
    found = fit.forecast(ahead.drop(columns=["sales", "mean"]), time="week")
    table = found.table()
    assert table.index.names == ["shop", "week"]
    want = ahead.set_index(["shop", "week"])["mean"].reindex(table.index)
    # Five standard errors of a shop's mean of 70 weeks, and of its lift of 12 holidays.
    assert (table["mean"] - want).abs().max() < 5 * 2 * np.sqrt(1 / 70 + 1 / 12)
    scored = found.score(ahead)
    assert len(scored) == len(ahead)
    assert scored["actual"].tolist() == ahead["sales"].tolist()
    assert found.plot().data["series"].nunique() == 5
    found.plot(history=4).figure.canvas.draw()
    early = ahead.assign(week=[order[3]] * len(ahead)).drop_duplicates("shop")
    with pytest.raises(hm.DataError, match="5 times of 'week' not after the last observed one"):
        fit.forecast(early, time="week")
    with pytest.raises(hm.DataError, match="'holiday' changes within 'shop'"):
        fit.forecast(time="week", horizon=2)


def test_a_saved_fit_keeps_dates_and_columns_that_are_named(tmp_path: Any) -> None:
    data = sales().assign(step=lambda frame: (frame["week"] - frame["week"].min()).dt.days // 7)
    fit = hm.Model("sales ~ (1 | shop)", data).fit(**SETTINGS)
    fit.save(tmp_path / "fit.nc", keep=["step"])
    loaded = hm.load(tmp_path / "fit.nc")
    for time in ("week", "step"):
        expected = fit.forecast(time=time, horizon=2).table()
        pd.testing.assert_frame_equal(loaded.forecast(time=time, horizon=2).table(), expected)
    with pytest.raises(hm.ArgumentError, match="keep names 'stepp', not a column of the data"):
        fit.save(tmp_path / "fit.nc", keep=["stepp"])


def test_a_back_test_by_a_time_outside_of_the_formula() -> None:
    data = sales(lambda weeks: weeks.dt.strftime("%Y-%m-%d")).query("week > '2023-10'")
    found = hm.backtest(FORMULA, data, time="week", horizon=3, origins=["2024-05-27"], **SETTINGS)
    later_weeks = ["2024-06-03", "2024-06-10", "2024-06-17"]
    mine = found.scores.query("method == 'partial' and series == 'shop 2'")
    assert mine["time"].tolist() == later_weeks
    assert mine["step"].tolist() == [1, 2, 3]
    assert set(found.scores["origin"]) == {"2024-05-27"}
    # Predictions from the right fit: errors of sd 2, so a mean CRPS near 2 / sqrt(pi).
    assert found.table().loc["partial", "crps"] < 2

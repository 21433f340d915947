"""Whole numbers that are written dates, and the next ones that are none."""

import datetime

import numpy as np
import pandas as pd
import pytest

from hiermix.design import times

MONTHS, WEEKS, DAYS = [202311, 202312], [202050, 202051, 202052], [20231230, 20231231]


@pytest.mark.parametrize(
    ("known", "later", "wrong"),
    [
        (MONTHS, [202313, 202401], [202313]),
        (MONTHS, [202401], []),
        (WEEKS, [202053, 202054], [202054]),  # a year of 53 weeks
        ([202350, 202352], [202353], [202353]),  # and one of 52
        ([202050, 202053], [202054, 202101], [202054]),
        (DAYS, [20231232, 20240101], [20231232]),
        ([20240228], [20240229, 20240230], [20240230]),
        ([1, 2, 3], [4, 5], []),
        ([189912], [189913], []),  # too long ago for a date
        ([202311.0], [202313.0], []),
    ],
)
def test_the_next_numbers_are_dates_or_told(
    known: list[float], later: list[float], wrong: list[int]
) -> None:
    assert list(times.misread(pd.Index(known), pd.Index(later))) == wrong


def test_dates_are_never_misread() -> None:
    days = pd.DatetimeIndex(["2024-01-01"])
    assert list(times.misread(days, days)) == []
    assert not times.are_written_dates(days)


@pytest.mark.parametrize(
    ("numbers", "written"),
    [(MONTHS, True), (DAYS, True), (WEEKS, False), ([1, 2], False), ([202311.0], False)],
)
def test_months_and_days_may_be_written_as_numbers(numbers: list[float], written: bool) -> None:
    assert times.are_written_dates(pd.Index(numbers)) is written


def test_weeks_of_years_are_those_of_the_calendar() -> None:
    years = np.arange(1900, 2101)
    last = [datetime.date(year, 12, 28).isocalendar().week for year in years.tolist()]
    np.testing.assert_array_equal(times._weeks(years), last)


@pytest.mark.parametrize(
    ("texts", "day"),
    [
        (["2024-Q1", "2024-Q3"], "2024-07-01"), (["2024Q1", "2024Q3"], "2024-07-01"),
        (["2020-W53", "2021-W01"], "2021-01-04"), (["Jan 2024", "Mar 2024"], "2024-03-01"),
        (["2024-01-05 10:30", "2024-01-29 23:15"], "2024-01-29 23:15"),
        (["2024-01-05T10:00:00+02:00", "2024-01-29T10:00:00+02:00"], "2024-01-29T10:00+02:00"),
        (["31.12.2023", "29.01.2024"], "2024-01-29"),
    ],
)  # fmt: skip
def test_texts_are_read_and_written_as_they_stand(texts: list[str], day: str) -> None:
    column = pd.Series(texts)
    form = times.form("t", column)
    axis = times.read(form, column)
    assert axis[-1] == pd.Timestamp(day)
    assert form.write(axis).tolist() == texts

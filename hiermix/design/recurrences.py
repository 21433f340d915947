"""Places in time that recur: steps, weekdays, days of a month, offsets of pandas."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, override

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.errors import ignored_warnings

FULL = 0.75
"""A calendar with gaps is one that fills at least this share of its places."""


DAY = pd.Timedelta(1, "D")


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


type Axis = Any
"""A pandas index of dates, numbers or durations."""


class Calendar:
    """Places in time, some of which a series fills."""

    def filled(self, times: Axis, *, evenly: bool = True) -> float:
        """Return the share of its places from first to last that times fill; 0 if some are off.

        Evenly: 0 too where gaps are no chance, but always on the same days or times of day.
        """
        raise NotImplementedError

    def after(self, last: Any, number: int) -> Axis:
        """Return the next places after a time."""
        raise NotImplementedError


@dataclass(frozen=True)
class Steps(Calendar):
    """Equal steps of numbers, dates or durations."""

    first: Any
    step: Any

    @override
    def filled(self, times: Axis, *, evenly: bool = True) -> float:
        places = np.asarray((times - self.first) / self.step, dtype=np.float64)
        whole: NDArray[np.float64] = np.round(places)
        if np.abs(places - whole).max() > 1e-6 * max(1.0, np.abs(whole).max() ** 0.5):
            return 0.0
        share = float(len(times) / (whole[-1] - whole[0] + 1))
        # Steps of irregular times have a divisor too: most are to be a single one.
        if evenly and share < 1 and np.mean(np.diff(whole) == 1) <= 0.5:
            return 0.0
        if not evenly or share == 1 or share < FULL or not isinstance(times, pd.DatetimeIndex):
            return share
        every = pd.DatetimeIndex(self.first + self.step * np.arange(whole[0], whole[-1] + 1))
        return share if _evenly(every, (whole - whole[0]).astype(np.intp)) else 0.0

    @override
    def after(self, last: Any, number: int) -> Axis:
        return pd.Index([last + self.step * k for k in range(1, number + 1)])

    def __str__(self) -> str:
        return f"steps of {self.step}".removesuffix(" 00:00:00")


def _evenly(places: pd.DatetimeIndex, at: NDArray[np.intp]) -> bool:
    """Tell whether each day of the week and time of day is filled more often than not."""
    there = pd.Series(np.bincount(at, minlength=len(places)) > 0)
    clock = (places - places.normalize()).asi8
    shares = [there.groupby(np.asarray(kind)).mean().min() for kind in (places.day_of_week, clock)]
    return bool(min(shares) >= 0.5)


def steps_of(times: pd.Index) -> Iterator[Steps]:
    """Yield the steps that times may follow: their smallest difference, if all are multiples."""
    """Yield the step of times: a whole number of them, if any, makes every difference."""
    differences = times[1:] - times[:-1]
    smallest = differences.min()
    places = np.round(np.asarray(differences / smallest, dtype=np.float64))
    # The mean has fewer rounding errors than one difference.
    step = (times[-1] - times[0]) / places.sum() if times.dtype.kind == "f" else smallest
    yield Steps(times[0], step.item() if isinstance(step, np.generic) else step)


@dataclass(frozen=True)
class WithoutWeekends(Calendar):
    """Other times, those of Saturdays and Sundays left out: what a few weekdays can't exclude."""

    inner: Steps

    @override
    def filled(self, times: Axis, *, evenly: bool = True) -> float:
        return self.inner.filled(times, evenly=evenly) if (times.day_of_week < 5).all() else 0.0

    @override
    def after(self, last: Any, number: int) -> Axis:
        later = self.inner.after(last, 4 * number + int(3 * DAY / self.inner.step))
        return later[later.day_of_week < 5][:number]

    def __str__(self) -> str:
        return f"{self.inner} without weekends"


def within_a_week(times: pd.DatetimeIndex) -> bool:
    """Tell whether times are weekdays of less than a week: weekends may or may not be left out."""
    return bool((times.day_of_week < 5).all() and times[-1] - times[0] < 5 * DAY)


@dataclass(frozen=True)
class _Listed(Calendar):
    """A calendar that lists its places between two times."""

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        """Return its places from one time to another."""
        raise NotImplementedError

    @override
    def filled(self, times: Axis, *, evenly: bool = True) -> float:
        places = self.between(times[0], times[-1])
        at = places.get_indexer(times)
        if (at < 0).any():
            return 0.0
        full = not evenly or len(places) == len(times)
        return len(times) / len(places) if full or self._even(places, at) else 0.0

    def _even(self, places: pd.DatetimeIndex, at: NDArray[np.intp]) -> bool:
        """Whether the gaps may be chance."""
        return True

    @override
    def after(self, last: Any, number: int) -> Axis:
        """Return the next places, from a span that doubles until it holds enough."""
        span = pd.Timedelta(max(number, 7) * 2, "D")
        while True:
            places = self.between(last, last + span)
            later = places[places > last]
            if len(later) >= number:
                return later[:number]
            span *= 4


@dataclass(frozen=True)
class Days(_Listed):
    """Days of the week at times of day; with or without leap days."""

    weekdays: tuple[int, ...]
    times: tuple[pd.Timedelta, ...]
    leap_days: bool = True

    @override
    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        days = pd.date_range(first.normalize(), last.normalize(), freq="D", unit="us")
        days = days[np.isin(days.day_of_week, self.weekdays)]
        if not self.leap_days:
            days = days[~((days.month == 2) & (days.day == 29))]
        shifts = pd.TimedeltaIndex(self.times).as_unit("us").asi8
        found = _dates((days.asi8[:, None] + shifts).ravel())
        return found[(found >= first) & (found <= last)]

    @override
    def _even(self, places: pd.DatetimeIndex, at: NDArray[np.intp]) -> bool:
        return _evenly(places, at)

    def __str__(self) -> str:
        named = "every day" if len(self.weekdays) == 7 else ", ".join(
            _WEEKDAYS[day] for day in self.weekdays
        )  # fmt: skip
        return named + ("" if self.leap_days else ", no leap days")


def _dates(microseconds: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(microseconds.view("datetime64[us]"))


def days_of(times: pd.DatetimeIndex) -> Iterator[Days]:
    """Yield days of the week and times of day that were seen twice and more."""
    days = times.normalize().unique()
    clock = (times - times.normalize()).unique().sort_values()
    weekdays = tuple(sorted(set(days.day_of_week)))
    span = int((days[-1] - days[0]) / DAY) + 1
    twice = len(days) >= 2 * len(weekdays) or weekdays == (0, 1, 2, 3, 4)
    enough = twice and span > 7 and len(times) >= 2 * len(clock)
    if not enough or span * len(clock) > 20 * len(times) + 1000:
        return
    yield Days(weekdays, tuple(clock))
    if span > 365 and len(weekdays) == 7 and not ((times.month == 2) & (times.day == 29)).any():
        yield Days(weekdays, tuple(clock), leap_days=False)


@dataclass(frozen=True)
class Months(_Listed):
    """Days of the month, every so many months; a day that a month lacks is its last, or none."""

    anchor: int
    every: int
    days: tuple[int, ...]
    last_instead: bool
    time: pd.Timedelta

    @override
    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        start = _month(first) - (_month(first) - self.anchor) % self.every
        ordinals = np.arange(start, _month(last) + 1, self.every) - 12 * 1970
        months = pd.PeriodIndex.from_ordinals(ordinals, freq="M")  # type: ignore[attr-defined]
        days, lengths = np.array(self.days), months.days_in_month.to_numpy()[:, None]
        there = np.ones((len(months), len(days)), dtype=bool)
        if not self.last_instead:
            there = days <= lengths
        starts = months.to_timestamp().as_unit("us")
        day, clock = pd.TimedeltaIndex([DAY, self.time]).as_unit("us").asi8
        found = starts.asi8[:, None] + (np.minimum(days, lengths) - 1) * day + clock
        places = _dates(found[there]).unique()
        return places[(places >= first) & (places <= last)]

    def __str__(self) -> str:
        days = ["the last day" if day == 31 and self.last_instead else f"day {day}"
                for day in self.days]  # fmt: skip
        often = "every month" if self.every == 1 else f"every {self.every} months"
        lacking = "or its last" if self.last_instead else "if it has one"
        note = f" ({lacking})" if self.days[-1] > 28 and "last day" not in days[-1] else ""
        return f"{' and '.join(days)} of {often}{note}"


def _month(time: pd.Timestamp) -> int:
    return 12 * time.year + time.month - 1


def months_of(times: pd.DatetimeIndex) -> Iterator[Months]:
    """Yield days of the month that were seen twice and more."""
    clock = (times - times.normalize()).unique()
    seen = times.day.to_numpy()
    highest = int(seen.max())
    shortened = {int(day) for day in set(seen) if times[seen == day].is_month_end.all()}
    days = tuple(sorted({int(day) for day in seen} - (shortened - {highest})))
    if len(clock) > 1 or len(days) > 4 or len(times) < max(3, 2 * len(days)):
        return
    months = (12 * times.year + times.month - 1).to_numpy()
    gaps = np.diff(np.unique(months))
    if not len(gaps):
        return
    anchor, every = int(months[0]), int(np.gcd.reduce(gaps))
    yield Months(anchor, every, days, True, clock[0])
    if highest in shortened and highest < 31:
        yield Months(anchor, every, (*days[:-1], 31), True, clock[0])
    if highest > 28 and set(days) == set(seen.tolist()):
        yield Months(anchor, every, days, False, clock[0])


@dataclass(frozen=True)
class Offset(Calendar):
    """An offset of pandas."""

    offset: pd.offsets.BaseOffset

    @override
    def filled(self, times: Axis, *, evenly: bool = True) -> float:
        places = pd.date_range(times[0], times[-1], freq=self.offset)
        return len(times) / len(places) if times.isin(places).all() else 0.0

    @override
    def after(self, last: Any, number: int) -> Axis:
        # From the last time each: a month later twice is not two months later on the 31st.
        return pd.DatetimeIndex([last + self.offset * k for k in range(1, number + 1)])

    def __str__(self) -> str:
        return str(self.offset.freqstr)


def named(offset: pd.offsets.BaseOffset, zone: Any) -> Calendar:
    """Return the calendar of an offset: days and longer keep the clock on the wall of a zone."""
    hours = isinstance(offset, pd.offsets.Tick) and not isinstance(offset, pd.offsets.Day)
    return Offset(offset) if zone is None or hours else OnTheWall(Offset(offset), zone)


def inferred(times: pd.DatetimeIndex) -> list[Any]:
    """Return the offset that pandas infers from the times, if any."""
    with ignored_warnings():  # that it will give offsets instead of their names
        found = pd.infer_freq(times)
    if found is None or (found == "B" and len(set(times.day_of_week)) < 5):
        return []  # a weekday that never came may be one that never comes
    return [found]


def offsets_of(names: Sequence[Any]) -> Iterator[Offset]:
    """Yield the offsets of pandas with these names."""
    for name in names:
        yield Offset(pd.tseries.frequencies.to_offset(name))


@dataclass(frozen=True)
class OnTheWall(Calendar):
    """A calendar by the clock on the wall of a time zone."""

    local: Calendar
    zone: Any

    @override
    def filled(self, times: Axis, *, evenly: bool = True) -> float:
        local = times.tz_localize(None).unique().sort_values()
        return self.local.filled(local, evenly=evenly)

    @override
    def after(self, last: Any, number: int) -> Axis:
        later = pd.DatetimeIndex(self.local.after(last.tz_localize(None), number))
        first = np.ones(len(later), dtype=bool)  # of an hour that comes twice, the first
        return later.tz_localize(self.zone, ambiguous=first, nonexistent="shift_forward")

    def __str__(self) -> str:
        return str(self.local)

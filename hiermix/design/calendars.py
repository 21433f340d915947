"""Which times come next: the calendars that a series' own times tell, and what pandas' names say.

Every calendar that could have made the times is a candidate: a step, days of the week and times of
day, days of the month, an offset of pandas. What they agree upon is known; where they disagree, the
calendar can't be told, and nobody guesses.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design.recurrences import (
    DAY,
    FULL,
    Axis,
    Calendar,
    OnTheWall,
    WithoutWeekends,
    days_of,
    inferred,
    months_of,
    offsets_of,
    steps_of,
    within_a_week,
)


def tell(times: pd.Index) -> list[Calendar]:
    """Return the calendars that sorted times without repeats may follow, the simplest first.

    Only what all of them agree upon is told by the times: see `agreed`.
    """
    if len(times) < 3:
        return []
    found = [(each, each.filled(times)) for each in _candidates(times)]
    exact = [each for each, share in found if share == 1]
    if exact:
        return exact
    gaps = [(each, len(times) / share - len(times)) for each, share in found if share >= FULL]
    if len(times) < 4 or not gaps:
        return []
    # One that explains most of what the others miss wins; others stay as its rivals.
    fewest = min(missing for _, missing in gaps)
    return [each for each, missing in gaps if missing <= 2 * fewest]


def agreed(calendars: Sequence[Calendar], last: Any, number: int) -> Axis | None:
    """Return the next times if all calendars have the same ones, and there are any."""
    each = [calendar.after(last, number) for calendar in calendars]
    if not each or any(not _same(each[0], other) for other in each[1:]):
        return None
    return each[0]


def _same(one: pd.Index, other: pd.Index) -> bool:
    if isinstance(one, pd.DatetimeIndex):
        return bool((one == other).all())
    return bool(np.allclose(np.asarray(one, float), np.asarray(other, float), rtol=1e-9))


def _candidates(times: pd.Index) -> Iterator[Calendar]:
    if not isinstance(times, pd.DatetimeIndex):
        yield from steps_of(times)
        return
    if times.tz is not None:
        yield from _zoned(times)
        return
    months = list(months_of(times))
    if not any(each.filled(times) == 1 for each in months):
        for steps in steps_of(times):
            yield steps
            if within_a_week(times):
                yield WithoutWeekends(steps)
            if steps.step == 28 * DAY and times[0].day <= 28:  # also the third Friday of a month?
                yield from offsets_of([f"WOM-{(times[0].day + 6) // 7}{times[0]:%a}".upper()])
        yield from offsets_of(inferred(times))
    yield from months
    yield from days_of(times)


def _zoned(times: pd.DatetimeIndex) -> Iterator[Calendar]:
    """Days keep the clock on the wall over a change of clocks; hours and minutes pass evenly."""
    local = times.tz_localize(None).unique().sort_values()
    wall = [OnTheWall(each, times.tz) for each in _candidates(local)]
    even = list(steps_of(times))
    days = [each for each in wall if each.filled(times) == 1]
    step = even[0].step if even else DAY
    if days and step % DAY == pd.Timedelta(0):
        yield from days
    elif step <= pd.Timedelta(1, "h") and even and even[0].filled(times) == 1:
        yield from even
    else:
        yield from even
        yield from wall


def agreed_until(calendars: Sequence[Calendar], last: Any, until: Any) -> pd.Index | None:
    """Return the next times up to another, which counts, if all calendars have the same ones."""
    number = 16
    while True:
        each = [calendar.after(last, number) for calendar in calendars]
        if all(len(later) == 0 or later[-1] > until for later in each):
            cut = [later[later <= until] for later in each]
            same = cut and all(len(cut[0]) == len(other) and _same(cut[0], other) for other in cut)
            return cut[0] if same else None
        number *= 4

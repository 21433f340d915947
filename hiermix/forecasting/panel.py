"""The series of a panel, and the calendar that each follows: that of all, or one of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hiermix.design.calendars import agreed, agreed_until, tell
from hiermix.design.recurrences import FULL, Calendar
from hiermix.errors import first_three


class Series(NamedTuple):
    """A series: its name, where its last row stands, and its times in order, each once."""

    name: str
    place: int
    times: pd.Index


def series(axis: pd.Index, keys: pd.Series) -> list[Series]:
    """Return the series of rows, by the times and the names of their rows."""
    codes, names = pd.factorize(keys)
    rows = pd.DataFrame({"series": codes, "time": axis}).sort_values(
        ["series", "time"], kind="stable"
    )
    rows = rows[~rows.duplicated(keep="last")]
    ends = (np.flatnonzero(np.diff(rows["series"].to_numpy())) + 1).tolist()
    ordered, places = pd.Index(rows["time"]), rows.index.to_numpy()
    return [
        Series(str(name), int(places[stop - 1]), ordered[start:stop])
        for name, start, stop in zip(names, [0, *ends], [*ends, len(rows)], strict=True)
    ]


@dataclass(frozen=True)
class Reach:
    """How far to go: so many times, or up to one."""

    number: int | None
    until: Any = None

    def __call__(self, calendars: Sequence[Calendar], one: Series) -> pd.Index | None:
        """Return the later times of a series that all of some calendars have, or None."""
        last = one.times[-1]
        if self.number is None:
            return agreed_until(calendars, last, self.until)
        return agreed(calendars, last, self.number)


def told(each: Sequence[Series], reach: Reach) -> list[pd.Index | None]:
    """Return the later times of every series; None where its calendar can't be told."""
    common = tell(_union(each))
    found: dict[bytes, pd.Index | None] = {}  # most series of a panel have the same times
    followed: set[bytes] = set()
    own: set[bytes] = set()
    for one in each:
        key = _key(one)
        if key in found:
            continue
        found[key] = None
        for calendars, whose in _possible(one.times, common):
            found[key] = reach(calendars, one)
            if found[key] is not None:
                (followed if whose == "all" else own).add(key)
                break
    # Too short to tell, and nobody else has another calendar: that of all.
    for one in each if followed and not own else ():
        if found[_key(one)] is None and _fits(one.times, common):
            found[_key(one)] = reach(common, one)
    return [found[_key(one)] for one in each]


def _union(each: Sequence[Series]) -> pd.Index:
    whole = each[0].times.append([one.times for one in each[1:]])
    return whole.unique().sort_values()


def _key(one: Series) -> bytes:
    times: Any = one.times
    return np.asarray(times.asi8 if times.dtype.kind in "mM" else times).tobytes()


def _possible(times: pd.Index, common: list[Calendar]) -> Iterator[tuple[list[Calendar], str]]:
    """Yield calendars that a series may follow, those with the most evidence first."""
    if len(times) < 3:
        return
    shares = [each.filled(times) for each in common]
    if common and min(shares) == 1:
        yield common, "all"
    alone = tell(times)
    if len(times) > 3 and alone and alone[0].filled(times) == 1:
        yield alone, "own"
    if common and min(shares) >= FULL:
        yield common, "all"
    if alone and alone[0].filled(times) < 1:
        yield alone, "own"


def _fits(times: pd.Index, common: list[Calendar]) -> bool:
    return len(times) < 3 or all(each.filled(times, evenly=False) >= FULL for each in common)


def why(one: Series) -> str:
    """Say why the calendar of a series can't be told."""
    if len(one.times) < 3:
        return f"it has {('one time', 'two times')[len(one.times) - 1]}"
    possible = list(dict.fromkeys(map(str, tell(one.times))))
    if len(possible) > 1:
        return f"they may be {possible[0]} or {possible[1]}"
    steps = pd.Index(one.times[1:] - one.times[:-1]).unique()
    return f"steps differ ({first_three(_plainly(step) for step in steps)})"


def _plainly(step: Any) -> Any:
    if isinstance(step, pd.Timedelta):
        return str(step).removesuffix(" 00:00:00")
    return step.item() if isinstance(step, np.generic) else step

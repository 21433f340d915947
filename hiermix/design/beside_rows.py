"""Arrays, and what is known of times, put beside rows as columns."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from numpy.typing import ArrayLike

from hiermix.design import frames, kinds, response_checks
from hiermix.design.frames import Frame
from hiermix.design.groupings import Grouping, matrices
from hiermix.design.known_ahead import Calendar
from hiermix.design.tables import Table
from hiermix.errors import DataError


def with_calendar(rows: Table, calendar: Frame | Calendar | None) -> tuple[Table, Calendar | None]:
    """Put what is known of times beside the data."""
    if calendar is None:
        return rows, None
    if not isinstance(calendar, Calendar):
        calendar = Calendar.of(frames.frame(calendar), rows)
    return calendar.joined_to(rows), calendar


def again(calendar: Calendar | None, groupings: Sequence[Grouping]) -> dict[str, Any]:
    """Return what a model of other rows is given beside them."""
    return {"calendar": calendar, "data2": matrices(groupings)}


def name_of(what: str) -> str:
    """Name of the column that an array becomes: ``(offset)``."""
    return f"({what})"


def check_arrays(formula: str, weights: object, columns: Container[object]) -> None:
    """Raise where other rows lack what was an array beside the fitted ones.

    Raises
    ------
    DataError
        They do.
    """
    used = {"weights": weights == name_of("weights"), "offset": f"`{name_of('offset')}`" in formula}
    for what, by_array in used.items():
        if by_array and name_of(what) not in columns:
            raise DataError(
                f"{what} of the fit came as an array, which says nothing of other rows: make a "
                f"column of it, and fit with {what}='<column>'"
            )


def as_column(data: Table, name: str, values: str | ArrayLike | None) -> tuple[Table, str | None]:
    """Put an array beside the data, so that a saved fit has it too; return the column's name."""
    if values is None or isinstance(values, str):
        return data, values if isinstance(values, str) else None
    array = kinds.numbers(values)
    response_checks.numeric_array(name, array)
    response_checks.right_length(name, len(array), len(data))
    return data.with_column(name_of(name), array), name_of(name)

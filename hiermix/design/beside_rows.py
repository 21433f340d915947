"""Arrays, and what is known of times, put beside rows as columns."""

from __future__ import annotations

from hiermix.design import frames, kinds, response_checks
from hiermix.design.frames import Frame
from hiermix.design.known_ahead import Calendar
from hiermix.design.tables import Table
from hiermix.typing import FloatArray


def with_calendar(rows: Table, calendar: Frame | Calendar | None) -> tuple[Table, Calendar | None]:
    """Put what is known of times beside the data."""
    if calendar is None:
        return rows, None
    if not isinstance(calendar, Calendar):
        calendar = Calendar.of(frames.frame(calendar), rows)
    return calendar.beside(rows), calendar


def as_column(data: Table, name: str, values: str | FloatArray | None) -> tuple[Table, str | None]:
    """Put an array beside the data, so that a saved fit has it too; return the column's name."""
    if values is None or isinstance(values, str):
        return data, values if isinstance(values, str) else None
    array = kinds.numbers(values)
    response_checks.numeric_array(name, array)
    response_checks.right_length(name, len(array), len(data))
    return data.beside(f"({name})", array), f"({name})"

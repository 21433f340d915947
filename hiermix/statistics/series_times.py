"""What batches say of the times or positions of their rows, which adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hiermix.design import times
from hiermix.design.encoding import ordering
from hiermix.design.series import axis_of, times_of
from hiermix.design.times import Form
from hiermix.errors import DataError
from hiermix.typing import FloatArray

type Order = tuple[object, ...] | None
"""Of positions that are categories; None of others, which are sorted."""


@dataclass(frozen=True)
class Calendar:
    """How times are written, on which days of their months they lie; how positions are ordered."""

    form: Form | None = None
    least: int = 32
    most: int = 0
    ends: bool = True
    """Whether all are last days of months."""
    orders: frozenset[Order] = frozenset()

    @property
    def monthly(self) -> bool:
        """Whether dates stand at one day of their months, or at the ends of these."""
        return self.most > 0 and (self.least == self.most or self.ends)

    def __add__(self, other: Calendar) -> Calendar:
        """Return what the rows of both say.

        Raises
        ------
        DataError
            Times are written otherwise.
        """
        one, two = self.form, other.form
        if one is not None and two is not None and _words(one) != _words(two):
            raise DataError(
                f"statistics with other times can't be added: column {one.name!r} holds "
                f"{_words(one)} here and {_words(two)} there"
            )
        return Calendar(
            one or two, min(self.least, other.least), max(self.most, other.most),
            self.ends and other.ends, self.orders | other.orders,
        )  # fmt: skip

    def read(self, name: str, values: pd.Series) -> tuple[Calendar, FloatArray, FloatArray]:
        """Return what rows say of times beside, and the times as numbers; those of dates in months.

        Raises
        ------
        DataError
            As in a model of the rows.
        """
        form = times.form(name, values) if self.form is None else self.form
        dates = times_of(form, values)
        axis = axis_of(dates, monthly=False)
        if not isinstance(dates, pd.DatetimeIndex):
            return replace(self, form=form), axis, np.zeros(len(axis))
        found = Calendar(
            form, int(dates.day.min()), int(dates.day.max()), bool(dates.is_month_end.all())
        )  # fmt: skip
        return self + found, axis, axis_of(dates, monthly=True)

    def ordered(self, values: pd.Series) -> Calendar:
        """Return this with the order of the positions of some rows."""
        dtype = values.dtype
        order = tuple(dtype.categories) if isinstance(dtype, pd.CategoricalDtype) else None
        return replace(self, orders=self.orders | {order})

    def in_order(self, positions: Sequence[object]) -> list[object]:
        """Return positions in the one order of their categories, or sorted."""
        order = next(iter(self.orders)) if len(self.orders) == 1 else None
        if order is not None and set(positions) <= set(order):
            return [each for each in order if each in set(positions)]
        return [positions[place] for place in ordering(positions)]


def _words(form: Form) -> str:
    text = f", {form.format}" if isinstance(form, times.Text) else ""
    kind = f"periods, {form.freq}" if isinstance(form, times.Periods) else form.kind.what
    return f"{'text' if text else kind}{text}"

"""Limits of responses: ends of intervals they are known to lie in, bounds of what can be seen."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import response_checks
from hiermix.errors import DataError
from hiermix.formula.response_terms import Amount, ResponseTerms
from hiermix.typing import FloatArray

INTERVAL = 2.0
"""The code of a response that lies above its value and not above its end."""


@dataclass(frozen=True)
class Limits:
    """What rows bring of these, each (rows,); None where the formula has none."""

    end: FloatArray | None = None
    """Upper end of an interval; it matters where the response is censored into one."""
    least: FloatArray | None = None
    most: FloatArray | None = None
    """No response beyond them is seen."""
    rate: FloatArray | None = None
    """How long, or over how much, events were counted."""
    se: FloatArray | None = None
    """Standard errors that are known."""
    item: FloatArray | None = None
    """Which item they are of, from 0, where items have thresholds of their own."""

    @property
    def truncated(self) -> bool:
        """Whether some responses could not have been seen."""
        return self.least is not None or self.most is not None

    def take(self, rows: NDArray[np.intp]) -> Limits:
        """Return those of some of the rows, by position."""
        each = {one.name: getattr(self, one.name) for one in fields(self)}
        return Limits(**{name: None if x is None else x[rows] for name, x in each.items()})


def limits_of(terms: ResponseTerms, frame: pd.DataFrame) -> Limits:
    """Return the limits of some rows; None where their column is not there."""
    found = Limits(
        end=_numbers("cens", terms.end, frame),
        least=_numbers("trunc", terms.least, frame),
        most=_numbers("trunc", terms.most, frame),
        rate=_numbers("rate", terms.rate, frame),
        se=_numbers("se", terms.se, frame),
    )
    for name, values in (("lb", found.least), ("ub", found.most)):
        if values is not None:
            _refuse(np.isnan(values), values, frame, f"trunc({name}=) must be numbers")
    if found.rate is not None:
        wrong = ~(found.rate > 0) | np.isinf(found.rate)
        _refuse(wrong, found.rate, frame, f"rate({terms.rate}) must be finite and above 0")
    if found.se is not None:
        wrong = ~(found.se > 0) | np.isinf(found.se)
        _refuse(wrong, found.se, frame, f"se({terms.se}) must be finite and above 0")
    if found.least is not None and found.most is not None:
        empty = ~(found.least < found.most)
        _refuse(empty, found.most, frame, "trunc(lb=, ub=): ub must be above lb")
    return found


def _numbers(what: str, amount: Amount | None, frame: pd.DataFrame) -> FloatArray | None:
    if amount is None:
        return None
    if not isinstance(amount, str):
        return np.full(len(frame), amount)
    if amount not in frame:
        return None
    response_checks.numeric_column(amount, frame[amount], what)
    return frame[amount].to_numpy(dtype=np.float64, na_value=np.nan)


def _refuse(wrong: np.ndarray, values: FloatArray, frame: pd.DataFrame, rule: str) -> None:
    found = response_checks.rows_that_break(wrong, values, frame.index)
    if found:
        raise DataError(f"{rule}: there is {found}")


def check_errors(terms: ResponseTerms, limits: Limits) -> None:
    """Raise where the standard errors of new rows are not there.

    Raises
    ------
    DataError
        With the column.
    """
    if terms.se is not None and limits.se is None:
        raise DataError(
            f"the new rows lack column {terms.se!r} of se(): a response is as uncertain as its "
            "standard error says"
        )


def check_seen(
    response: FloatArray, censored: FloatArray | None, limits: Limits, index: pd.Index
) -> None:
    """Raise for an interval without an end above it, or a response that could not be seen.

    Raises
    ------
    DataError
        With the rows.
    """
    codes = np.zeros(len(response)) if censored is None else censored
    interval = codes == INTERVAL
    if limits.end is None and interval.any():
        found = response_checks.rows_that_break(interval, response, index)
        raise DataError(f"interval-censored responses need their upper end, cens(c, y2): {found}")
    end = response if limits.end is None else limits.end
    found = response_checks.rows_that_break(interval & ~(end > response), end, index)
    if found:
        raise DataError(
            f"an interval ends above the response it starts from: there is {found} that does not"
        )
    _check_bounds(response, np.where(interval, end, response), codes, limits, index)


def _check_bounds(
    low: FloatArray, high: FloatArray, codes: FloatArray, limits: Limits, index: pd.Index
) -> None:
    """Raise where nothing of what is known of a response lies within its bounds."""
    left, right = codes == -1, codes == 1
    if limits.least is not None:
        below = np.where(right, False, high < limits.least) | (left & (high <= limits.least))
        _refuse_unseen(below, low, limits.least, "below its lower", index)
    if limits.most is not None:
        above = np.where(left, False, low > limits.most) | (right & (low >= limits.most))
        _refuse_unseen(above, low, limits.most, "above its upper", index)


def _refuse_unseen(
    wrong: np.ndarray, response: FloatArray, bound: FloatArray, where: str, index: pd.Index
) -> None:
    found = response_checks.rows_that_break(wrong, response, index)
    if found:
        at = bound[np.flatnonzero(wrong)[0]]
        raise DataError(
            f"a response {where} bound of truncation ({at:g}) can't have been seen: there is "
            f"{found}. trunc() is for values that were never recorded; those known to lie beyond "
            "a limit are censored, cens(c)"
        )

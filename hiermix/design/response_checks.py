"""What the response and what stands beside it must be, one rule a function."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import kinds
from hiermix.design.column_checks import not_complex, not_numbers_in_disguise, read_as_numbers
from hiermix.errors import ArgumentError, DataError, at_rows, count, quoted
from hiermix.typing import FloatArray


def numeric_response(values: pd.Series, name: str) -> None:
    """Raise unless the response is numeric."""
    if kinds.is_numeric(values):
        return
    not_complex(name, values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        raise DataError(f"column {name!r} holds categories: the response must be numbers")
    uniques = pd.unique(values.dropna())
    not_numbers_in_disguise(name, values.dtype, list(uniques))
    raise DataError(f"column {name!r} holds {kinds.words(values)}: the response must be numbers")


def constant_response(name: str, response: FloatArray) -> None:
    """Raise for a constant response: it leaves nothing to model."""
    if len(response) and (response == response[0]).all():
        raise DataError(f"response {name!r} is constant ({float(response[0])})")


def rows_that_break(
    broken: NDArray[np.bool_], values: Sequence[object] | NDArray[np.generic], index: pd.Index
) -> str:
    """Return ``"-1, -2 (rows 2, 5)"`` for a rule about values, ``""`` if no row breaks it."""
    rows = np.flatnonzero(broken)
    if not len(rows):
        return ""
    some = [_shown(values[int(row)]) for row in rows[:3]]
    return ", ".join(some) + (", ..." if len(rows) > 3 else "") + " " + at_rows(rows, index)


def _shown(value: object) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        return str(int(plain))
    return repr(plain)


def usable_trials(name: str, trials: FloatArray, index: pd.Index) -> None:
    """Raise unless the trials of new rows are whole numbers from 0 up."""
    found = rows_that_break(
        ~(trials >= 0) | (trials != np.floor(trials)) | np.isinf(trials), trials, index
    )
    if found:
        raise DataError(f"trials must be whole numbers from 0 up: column {name!r} has {found}")


def known_totals(name: str, totals: FloatArray | None, index: pd.Index) -> None:
    """Raise unless the counts of new rows say how many were counted."""
    known = np.zeros(len(index)) if totals is None else totals
    found = rows_that_break(np.isnan(known), known, index)
    if found:
        raise DataError(
            f"expected counts of a row need its total, that of {name}, which is {found}: fill in "
            "the counts, write '| trials(n)' in the formula, or ask for kind='probability'"
        )


def usable_weights(name: str, weights: FloatArray, index: pd.Index) -> None:
    """Raise unless weights are numbers from 0 up."""
    found = rows_that_break(~(weights >= 0) | np.isinf(weights), weights, index)
    if found:
        raise DataError(f"weights must be finite and not negative: {name} has {found}")


def some_weight(column: str | None, weights: FloatArray | None) -> None:
    """Raise where all weights of the rows of a fit are zero."""
    if weights is not None and not weights.any():
        name = "the array" if column is None else f"column {column!r}"
        raise DataError(f"weights must not all be zero: {name} has no other value")


def usable_offset(name: str, offset: FloatArray, index: pd.Index) -> None:
    """Raise unless an offset is finite."""
    found = rows_that_break(~np.isfinite(offset), offset, index)
    if found:
        raise DataError(f"an offset must be finite: {name} has {found}")


def right_length(what: str, length: int, rows: int, of: str = "the data") -> None:
    """Raise unless there is one value per row."""
    if length != rows:
        raise DataError(f"{what} has {count(length, 'value')}, {of} {count(rows, 'row')}")


def numeric_column(name: str, values: pd.Series, what: str) -> None:
    """Raise unless weights, offsets and trials are numbers."""
    if kinds.is_numeric(values):
        return
    if kinds.what(values) == "categories" and read_as_numbers(list(values.dropna())):
        raise DataError(
            f"{what}: column {name!r} has dtype {values.dtype} but holds numbers: "
            f"use data[{name!r}].astype(float)"
        )
    raise DataError(f"{what}: column {name!r} holds {kinds.words(values)}, not numbers")


def numeric_array(what: str, values: NDArray[np.generic] | pd.Series) -> None:
    """Raise unless weights and offsets that are no columns are arrays of numbers."""
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise DataError(
            f"{what} must be the name of a column or one number per row, not {_shape_of(values)}"
        )


def _shape_of(values: NDArray[np.generic] | pd.Series) -> str:
    """Return in words what an array is that is no list of numbers."""
    if values.ndim == 0:
        return f"one value, {quoted(values.item())}"
    if values.ndim > 1:
        return f"a table of {' x '.join(map(str, values.shape))}"
    return kinds.words(pd.Series(values))


def known_censoring(name: str, values: pd.Series, broken: NDArray[np.bool_]) -> None:
    """Raise unless censoring is coded as brms does."""
    found = rows_that_break(broken, values.to_numpy(), values.index)
    if found:
        raise DataError(
            f"censoring column {name!r} has {found}: write 'none' or 0, 'right' or 1, 'left' or "
            "-1, 'interval' or 2"
        )


def one_column(text: str, found: int) -> None:
    """Raise unless a response or an offset is one column of numbers."""
    if found != 1:
        raise DataError(f"{text} gives {count(found, 'column')}, not one column of numbers")


def trials_argument(trials: object) -> None:
    """Raise unless trials are a column's name or a whole number."""
    if isinstance(trials, bool) or not isinstance(trials, str | int | np.integer):
        raise ArgumentError(
            f"trials is {quoted(trials)}: pass the name of a column, or a whole number"
        )

"""What columns of predictors must be, one rule a function."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design.checks import warn
from hiermix.design.group_checks import is_mixed
from hiermix.errors import DataError, UnseenError, at_rows, count, first_three, quoted
from hiermix.formula.arguments import usage


def not_complex(name: str, values: pd.Series) -> None:
    """Raise for complex numbers."""
    dtype = values.dtype
    boxed = (
        pd.api.types.is_object_dtype(dtype)
        and pd.api.types.infer_dtype(values, skipna=True) == "complex"
    )
    if boxed or (isinstance(dtype, np.dtype) and dtype.kind == "c"):
        raise DataError(
            f"column {name!r} holds complex numbers: model data[{name!r}].abs(), or the real and "
            "the imaginary part"
        )


def hashable(name: str, values: pd.Series) -> None:
    """Raise for values, such as lists, that can't be looked up."""
    for value in values if is_mixed(values) else ():
        if getattr(value, "__hash__", None) is None:
            raise DataError(
                f"column {name!r} holds {type(value).__name__}s, such as {value!r}: give each of "
                "their elements a column, or a row"
            )


def not_numbers_in_disguise(name: str, dtype: object, uniques: Sequence[object]) -> None:
    """Raise for numbers stored as object or text: each would become a dummy."""
    if read_as_numbers(uniques):
        raise DataError(
            f"column {name!r} has dtype {dtype} but holds numbers: "
            f"use data[{name!r}].astype(float), or C({name}) for categories"
        )


def read_as_numbers(uniques: Sequence[object]) -> bool:
    """Whether all values of a column that is not numeric are numbers, or text of such."""
    return len(uniques) > 0 and all(_reads_as_number(value) for value in uniques)


def _reads_as_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def one_kind(name: str, uniques: Sequence[object]) -> None:
    """Raise where a predictor holds something else than text, beside text or alone."""
    texts = [value for value in uniques if isinstance(value, str)]
    others = [value for value in uniques if not isinstance(value, str)]
    if texts and others:
        raise DataError(
            f"column {name!r} mixes text ({first_three(texts)}) and other values "
            f"({first_three(others)}): make it one or the other"
        )
    if others:
        raise DataError(
            f"column {name!r} holds values of type {type(others[0]).__name__}, such as "
            f"{others[0]!r}: make them numbers, or write C({name}) for categories"
        )


def not_text(name: str, function: str, uniques: Sequence[object]) -> None:
    """Raise because a function of numbers gets text."""
    try:
        pd.to_datetime(pd.Series(list(uniques), dtype=object), format="ISO8601")
    except (ValueError, TypeError):
        raise DataError(f"column {name!r} holds text, and {function}() needs numbers") from None
    raise DataError(
        f"column {name!r} holds text that reads as dates, and {function}() needs "
        f"{'dates' if function in ('fourier', 'trend') else 'numbers'}: use "
        f"pd.to_datetime(data[{name!r}])"
    )


def not_categories(name: str, function: str) -> None:
    """Raise because a function of numbers gets categories."""
    raise DataError(f"column {name!r} holds categories, and {function}() needs numbers")


def not_times(name: str, values: pd.Series, what: str) -> None:
    """Raise because dates and durations are no numbers of their own accord."""
    column = f"data[{name!r}]"
    if what == "durations":
        number = f"days with {column}.astype('timedelta64[ns]').dt.total_seconds() / 86400"
    else:
        if not isinstance(values.dtype, pd.DatetimeTZDtype):
            column += ".astype('datetime64[ns]')"
        number = f"days since the first with ({column} - {column}.min()).dt.days"
    raise DataError(
        f"column {name!r} holds {what}: write trend({name}), which counts years, or C({name}) for "
        f"categories; or make it a number, for example {number}"
    )


def mixed_dates(name: str) -> None:
    """Raise because dates are of several time zones or calendars."""
    raise DataError(
        f"column {name!r} holds dates of several kinds, such as several time zones: use "
        f"pd.to_datetime(data[{name!r}], utc=True)"
    )


def constant_term(label: str, value: float, *, intercept: bool) -> None:
    """Raise because a predictor is constant beside an intercept, or zero."""
    if intercept and value != 0:
        raise DataError(
            f"column {label!r} is constant ({value}) and the model has an intercept: "
            "drop one of them"
        )
    raise DataError(f"column {label!r} is constant ({value}): it says nothing. Drop it.")


def one_level(name: str, level: object) -> None:
    """Raise because a factor of the population part has one level."""
    raise DataError(
        f"column {name!r} has one level ({level!r}) and the model has an intercept: drop it"
    )


def dependent_term(label: str, others: Sequence[str]) -> None:
    """Raise because a population column is a linear combination of others."""
    shown = list(others) if len(others) <= 4 else [*others[:3], f"{len(others) - 3} others"]
    *most, last = shown
    named = f"{', '.join(most)} and {last}" if most else last
    if re.match(r"(cr|cs|cc)\(.*constraints=None", label):
        raise DataError(
            f"the columns of {label.rpartition('[')[0]} add up to the intercept: leave out "
            "constraints=None, or write 0 +"
        )
    raise DataError(f"{label} is a linear combination of {named}: drop one")


def more_terms_than_rows(terms: int, rows: int) -> None:
    """Raise because there are more population columns than rows."""
    raise DataError(
        f"{count(rows, 'row')} can't tell {terms} population coefficients apart, whatever their "
        "priors: horseshoe and r2d2 shrink slopes of which there are fewer than rows, too. Drop "
        "terms, add rows, or summarise predictors before"
    )


def empty_cells(name: str, number: int, shown: Sequence[str], left_out: Sequence[str]) -> None:
    """Warn of combinations without rows, and of the columns that are left out for it."""
    more = "; ..." if number > len(shown) else ""
    gone = ", ".join(left_out[:3]) + (", ..." if len(left_out) > 3 else "")
    warn(
        f"{count(number, 'combination')} of {name} {'has' if number == 1 else 'have'} no rows "
        f"({'; '.join(shown)}{more}): {count(len(left_out), 'column')} can't be told from the "
        f"others and {'is' if len(left_out) == 1 else 'are'} left out: {gone}"
    )


def cells_seen(name: str, unseen: Sequence[str], rows: NDArray[np.intp], index: pd.Index) -> None:
    """Raise for combinations that the fit never saw: nothing is known of them."""
    more = "; ..." if len(unseen) > 3 else ""
    raise UnseenError(
        f"{name} has {count(len(unseen), 'combination')} that the fit never saw: "
        f"{'; '.join(unseen[:3])}{more} {at_rows(rows, index)}. Leave those rows out, or make the "
        f"combinations a grouping factor, (1 | {name}), which has a policy for new ones.",
        rows,
    )


def levels_seen(name: str, values: pd.Series, unseen: NDArray[np.bool_], levels: object) -> None:
    """Raise for a level that the fit never saw: it has no coefficient."""
    rows = np.flatnonzero(unseen)
    if not len(rows):
        return
    found = list(dict.fromkeys(values.iloc[rows].tolist()))
    allowed = list(levels)  # type: ignore[call-overload]
    raise UnseenError(
        f"column {name!r} has {count(len(found), 'level')} that the fit never saw: "
        f"{first_three(found)} {at_rows(rows, values.index)}. Allowed: "
        + ", ".join(repr(level) for level in allowed),
        rows,
    )


def base_seen(name: str, base: object, levels: Sequence[object]) -> None:
    """Raise for contrasts with a level that no row has."""
    if base not in levels:
        raise DataError(
            f"contrasts of C({name}) are to {quoted(base)}, which is no level of {name!r}: "
            f"{', '.join(map(quoted, levels))}"
        )


def no_columns(text: str, functions: Sequence[str]) -> DataError:
    """Return the error of an expression that can't be worked out, for want of right arguments."""
    how = "".join(f" {usage(each)}" for each in functions)
    return DataError(
        f"{text!r} can't be worked out for these columns and arguments." + (how and f" Known:{how}")
    )


def no_state(expression: str) -> DataError:
    """Return the error of a function whose state nobody has worked out."""
    return DataError(
        f"{expression} was not in the formula of the statistics, and what it needs of all rows is "
        "not known: build statistics with it"
    )


def distinct_terms(labels: Sequence[str]) -> None:
    """Raise if two columns of the population design have one name."""
    twice = next((label for label in labels if list(labels).count(label) > 1), None)
    if twice is not None:
        raise DataError(f"two terms are called {twice!r}: rename a column")

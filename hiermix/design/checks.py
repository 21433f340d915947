"""The rules that data must keep: one small function each, that raises or warns.

None changes data.
A message says what is wrong, in which column or argument, how often, the first three places, then
the way out. Rows are positions counted from 0.
"""

import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import kinds
from hiermix.errors import (
    ArgumentError,
    DataError,
    HiermixWarning,
    at_rows,
    count,
    did_you_mean,
    first_three,
)
from hiermix.formula.foreign import NONLINEAR
from hiermix.typing import FloatArray

_PACKAGE = str(Path(__file__).parents[1])

type Labels = NDArray[np.object_]

FEW_LEVELS = 5
RESERVED = {"chain": "ArviZ", "draw": "ArviZ"}
"""Names that a grouping factor can't take, and who takes them."""


# The frame ---------------------------------------------------------------------------------------


def enough_rows(data: pd.DataFrame, when: str = "") -> None:
    """Raise if there are fewer than two rows."""
    if len(data) == 0:
        raise DataError(f"data has no rows{when}")
    if len(data) == 1:
        raise DataError(f"data has 1 row{when}; 2 or more are needed")


def unique_columns(data: pd.DataFrame, used: Iterable[str] | None = None) -> None:
    """Raise if a column name appears twice (in new data: one of those used)."""
    twice = data.columns[data.columns.duplicated()].unique()
    for name in twice if used is None else twice.intersection(pd.Index(list(used), dtype=object)):
        times = int((data.columns == name).sum())
        raise DataError(
            f"column {name!r} appears {times} times: drop or rename all but one, "
            "for example data.loc[:, ~data.columns.duplicated()]"
        )


def known_columns(
    names: Iterable[str],
    data: pd.DataFrame,
    who: str = "formula",
    parameters: Collection[str] = (),
) -> None:
    """Raise if a name is no column, or is one whose name is not text.

    `parameters` are names that would be those of a non-linear curve, were they no columns.
    """
    for name in names:
        if name in data.columns:
            continue
        texts = {str(column): column for column in data.columns if not isinstance(column, str)}
        if name in texts:
            raise DataError(
                f"{who} names {name!r}, but that column's name is "
                f"{type(texts[name]).__name__} {texts[name]!r}, not text: "
                "use data.rename(columns=str)"
            )
        listed = ", ".join(map(str, data.columns[:20])) + (", ..." if data.shape[1] > 20 else "")
        curve = f" If it is a parameter: {NONLINEAR}." if name in parameters else ""
        raise DataError(
            f"{who} names {name!r}, not a column.{did_you_mean(name, data.columns)}{curve} "
            f"Columns: {listed}"
        )


# Missing and infinite values ---------------------------------------------------------------------


def missing_values(
    missing: Mapping[str, NDArray[np.bool_]], index: pd.Index, *, drop: bool
) -> None:
    """Raise if a value is missing, unless rows may be dropped and some are left.

    `missing` maps each column with missing values to its mask.
    """
    if not missing:
        return
    incomplete = np.logical_or.reduce(list(missing.values()))
    left = int((~incomplete).sum())
    if left == 0:
        worst = max(missing, key=lambda name: int(missing[name].sum()))
        raise DataError(
            f"every row has a missing value: {_missing(worst, missing[worst], index)} "
            f"of {count(len(incomplete), 'row')}. Leave that column out or fill it."
        )
    if not drop:
        found = "; ".join(_missing(name, mask, index) for name, mask in missing.items())
        raise DataError(
            f"{found}. Rows are never dropped unasked: pass missing='drop' to fit the other {left}."
        )


def _missing(name: str, mask: NDArray[np.bool_], index: pd.Index) -> str:
    rows = np.flatnonzero(mask)
    return f"column {name!r} has {count(len(rows), 'missing value')} {at_rows(rows, index)}"


def no_missing(name: str, values: pd.Series) -> None:
    """Raise if a predictor of new data has a missing value."""
    mask = values.isna().to_numpy()
    if mask.any():
        raise DataError(
            f"{_missing(name, mask, values.index)}: no prediction can be made there. "
            "Fill them, or leave those rows out."
        )


def finite(name: str, values: pd.Series, what: str = "column") -> None:
    """Raise if a number is infinite."""
    numbers = values.to_numpy()
    if numbers.dtype.kind != "f":
        return
    # A sum is cheap and not finite if any value isn't; only then look for the place.
    with np.errstate(all="ignore"):
        if np.isfinite(numbers.sum()):
            return
    rows = np.flatnonzero(np.isinf(numbers))
    if len(rows):
        raise DataError(
            f"{what} {name!r} has {count(len(rows), 'infinite value')} "
            f"{at_rows(rows, values.index)}"
        )


def finite_terms(
    labels: Sequence[str], matrix: NDArray[np.floating], start: int, index: pd.Index
) -> None:
    """Raise where a transform gives no number, as the log of a negative one does."""
    with np.errstate(all="ignore"):
        if np.isfinite(matrix.sum()):
            return
    for label, column in zip(labels, matrix.T, strict=True):
        rows = start + np.flatnonzero(~np.isfinite(column))
        if len(rows):
            raise DataError(
                f"term {label!r} is not a finite number in {count(len(rows), 'row')} "
                f"{at_rows(rows, index)}"
            )


def groups_left(name: str, before: Iterable[object], after: Iterable[object]) -> None:
    """Warn of groups that have no row left after rows were dropped."""
    kept = set(after)
    lost = [label for label in before if label not in kept]
    if len(lost) == 1:
        warn(f"group {lost[0]!r} has no rows left in {name!r} without the incomplete rows")
    elif lost:
        warn(
            f"{len(lost):,} groups have no rows left in {name!r} without the incomplete rows: "
            f"{first_three(lost)}"
        )


# Predictors --------------------------------------------------------------------------------------


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
    for value in values if _is_mixed(values) else ():
        if getattr(value, "__hash__", None) is None:
            raise DataError(
                f"column {name!r} holds {type(value).__name__}s, such as {value!r}: give each of "
                "their elements a column, or a row"
            )


def not_numbers_in_disguise(name: str, dtype: object, uniques: Sequence[object]) -> None:
    """Raise for numbers stored as object or text: each would become a dummy."""
    if len(uniques) and all(_reads_as_number(value) for value in uniques):
        raise DataError(
            f"column {name!r} has dtype {dtype} but holds numbers: "
            f"use data[{name!r}].astype(float), or C({name}) for categories"
        )


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
            f"column {name!r} holds {type(others[0]).__name__}s, such as {others[0]!r}: make them "
            f"numbers, or write C({name}) for categories"
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
    raise DataError(
        f"{name} has {count(len(unseen), 'combination')} that the fit never saw: "
        f"{'; '.join(unseen[:3])}{more} {at_rows(rows, index)}. Leave those rows out, or make the "
        f"combinations a grouping factor, (1 | {name}), which has a policy for new ones."
    )


def levels_seen(name: str, values: pd.Series, unseen: NDArray[np.bool_], levels: object) -> None:
    """Raise for a level that the fit never saw: it has no coefficient."""
    rows = np.flatnonzero(unseen)
    if not len(rows):
        return
    found = list(dict.fromkeys(values.iloc[rows].tolist()))
    allowed = list(levels)  # type: ignore[call-overload]
    raise DataError(
        f"column {name!r} has {count(len(found), 'level')} that the fit never saw: "
        f"{first_three(found)} {at_rows(rows, values.index)}. Allowed: "
        + ", ".join(repr(level) for level in allowed)
    )


def term_levels_seen(text: str, found: Warning) -> None:
    """Raise because a term met a level that it has no column for."""
    levels = re.search(r"\{.*\}", str(found))
    raise DataError(f"{text!r} has levels that the fit never saw: {levels[0] if levels else found}")


# The response and what stands beside it ----------------------------------------------------------


def numeric_response(values: pd.Series, name: str) -> None:
    """Raise unless the response is numeric."""
    if kinds.is_numeric(values):
        return
    if isinstance(values.dtype, pd.CategoricalDtype):
        raise DataError(f"column {name!r} holds categories: the response must be numbers")
    uniques = pd.unique(values.dropna())
    not_numbers_in_disguise(name, values.dtype, list(uniques))
    what = "text" if any(isinstance(value, str) for value in uniques) else f"{values.dtype} values"
    raise DataError(f"column {name!r} holds {what}: the response must be numbers")


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


def usable_weights(name: str, weights: FloatArray, index: pd.Index) -> None:
    """Raise unless weights are numbers from 0 up, and not all 0."""
    found = rows_that_break(~(weights >= 0) | np.isinf(weights), weights, index)
    if found:
        raise DataError(f"weights must be finite and not negative: {name} has {found}")
    if len(weights) and not weights.any():
        raise DataError(f"weights must not all be zero: {name} has no other value")


def usable_offset(name: str, offset: FloatArray, index: pd.Index) -> None:
    """Raise unless an offset is finite."""
    found = rows_that_break(~np.isfinite(offset), offset, index)
    if found:
        raise DataError(f"an offset must be finite: {name} has {found}")


def right_length(what: str, length: int, rows: int) -> None:
    """Raise unless there is one value per row."""
    if length != rows:
        raise DataError(f"{what} has {count(length, 'value')}, the data {count(rows, 'row')}")


def numeric_column(name: str, values: pd.Series, what: str) -> None:
    """Raise unless weights, offsets and trials are numbers."""
    if not kinds.is_numeric(values):
        raise DataError(f"{what}: column {name!r} has dtype {values.dtype}, not numbers")


def numeric_array(what: str, values: NDArray[np.generic] | pd.Series) -> None:
    """Raise unless weights and offsets that are no columns are arrays of numbers."""
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise DataError(
            f"{what} must be the name of a column or one number per row, not an array of "
            f"{values.dtype} with shape {values.shape}"
        )


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


# Grouping factors --------------------------------------------------------------------------------


def plain_label(name: str, label: object) -> None:
    """Raise because a label is no text, number, truth value or date."""
    kind = type(label).__name__
    raise DataError(
        f"labels of {name!r} are {kind.removesuffix('s')}s, such as {label!r}: make them text with "
        f"data[{name!r}].astype(str)"
    )


def labels_read_apart(name: str, labels: Iterable[object]) -> None:
    """Raise if two labels are written the same way, as 1 and '1' are."""
    seen: dict[str, object] = {}
    for label in labels:
        other = seen.setdefault(kinds.spelled(label), label)
        if other is not label:
            raise DataError(
                f"labels {_typed(other)} and {_typed(label)} of {name!r} read the same: "
                "make all of them one type"
            )


def no_mixed_truth(name: str, values: pd.Series) -> None:
    """Raise where True stands beside 1, or False beside 0: to Python they are one label."""
    if not _is_mixed(values):
        return
    first: dict[int, object] = {}
    for label in values:
        if isinstance(label, bool | int | float) and label in (0, 1):
            other = first.setdefault(int(label), label)
            if isinstance(other, bool) != isinstance(label, bool):
                raise DataError(
                    f"labels {_typed(other)} and {_typed(label)} of {name!r} read the same: "
                    "make all of them one type"
                )


def _is_mixed(values: pd.Series) -> bool:
    """Tell, in C and so quickly, whether a column holds Python objects of several types."""
    boxed = pd.api.types.is_object_dtype(values.dtype)
    return boxed and pd.api.types.infer_dtype(values, skipna=True).startswith("mixed")


def _typed(label: object) -> str:
    kind = "text" if isinstance(label, str) else type(label).__name__
    return f"{label!r} ({kind})"


def several_levels(name: str, levels: Sequence[object], term: str) -> None:
    """Raise for one level: the spread between groups needs two or more."""
    if len(levels) == 1:
        raise DataError(
            f"grouping column {name!r} has one level ({levels[0]!r}): the spread between groups "
            f"can't be learned. Drop {term}."
        )


def is_grouping(name: str, values: pd.Series, levels: int) -> bool:
    """Warn of a continuous column, seldom a group; return whether it passed."""
    rows = len(values)
    continuous = isinstance(values.dtype, np.dtype) and values.dtype.kind == "f"
    if not continuous or 2 * levels <= rows or (values == values.round()).all():
        return True
    warn(f"column {name!r} has {levels:,} different values in {count(rows, 'row')}: is it a group?")
    return False


def fewer_levels_than_rows(name: str, levels: int, rows: int) -> None:
    """Warn of one row per group: the spread between groups and sigma are one."""
    if levels == rows:
        warn(
            f"{name!r} has as many levels as rows ({rows:,}): its sd can't be told from sigma, "
            "only the priors tell them apart"
        )


def not_in_both_parts(name: str) -> None:
    """Warn of a grouping factor that is a population factor too."""
    warn(
        f"{name!r} is a grouping factor and a population factor: it is in the model twice, "
        "and only the priors tell the two apart. Keep one."
    )


def few_levels(name: str, levels: int) -> str:
    """Return a remark for the summary where a spread is learned from few groups, or ``""``."""
    if levels >= FEW_LEVELS:
        return ""
    return (
        f"{name!r} has {count(levels, 'level')}: with fewer than {FEW_LEVELS} the spread between "
        f"groups is learned mostly from the prior of sd_{name}"
    )


def free_names(names: Sequence[str]) -> None:
    """Raise for names of grouping factors that can't be names of dimensions."""
    for name in names:
        if name in RESERVED:
            raise DataError(
                f"grouping column {name!r}: the name is reserved by {RESERVED[name]}. "
                f"Rename the column, for example to {name + '_id'!r}."
            )
    for name in names:
        for taken in (f"{name}_effect", f"sd_{name}", f"cor_{name}", f"r_{name}"):
            if taken in names:
                raise DataError(
                    f"grouping columns {name!r} and {taken!r}: {taken!r} is reserved for the "
                    f"effects of {name!r}. Rename one of them."
                )


def names_apart(shown: Sequence[str], columns: Sequence[str]) -> None:
    """Raise for two columns whose names are one in results."""
    seen: dict[str, str] = {}
    for name, column in zip(shown, columns, strict=True):
        other = seen.setdefault(name, column)
        if other != column:
            raise DataError(
                f"columns {other!r} and {column!r} have one name in results, {name!r}, where / is "
                "no letter: rename one of them"
            )


def distinct_effects(name: str, labels: Sequence[str]) -> None:
    """Raise if an effect varies over a factor twice."""
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            raise DataError(f"group terms repeat {label!r} for {name!r}: keep it in one term")
        seen.add(label)


def distinct_terms(labels: Sequence[str]) -> None:
    """Raise if two columns of the population design have one name."""
    twice = next((label for label in labels if list(labels).count(label) > 1), None)
    if twice is not None:
        raise DataError(f"two terms are called {twice!r}: rename a column")


# New groups --------------------------------------------------------------------------------------


def unseen_levels(name: str, new_levels: Sequence[object] | Labels, new_groups: str) -> None:
    """Raise, under the policy ``"error"``, for labels that were not in the fit."""
    if new_groups != "error" or not len(new_levels):
        return
    were = "label" if len(new_levels) == 1 else "labels"
    raise DataError(
        f"{len(new_levels):,} {were} of {name!r} {'was' if len(new_levels) == 1 else 'were'} not "
        f"in the fit: {first_three(new_levels)}. "
        "new_groups='population' sets their effect to zero, 'sample' draws it from the fitted "
        "spread."
    )


def missing_labels(
    name: str, missing: NDArray[np.bool_], new_groups: str, index: pd.Index | None = None
) -> None:
    """Raise for missing labels unless the policy says what a group without data does."""
    rows = np.flatnonzero(missing)
    if len(rows) and new_groups not in ("population", "sample"):
        raise DataError(
            f"column {name!r} has {count(len(rows), 'missing label')} {at_rows(rows, index)}. "
            "new_groups='population' sets their effect to zero, 'sample' draws it from the fitted "
            "spread."
        )


def trials_argument(trials: object) -> None:
    """Raise unless trials are a column's name or a whole number."""
    if isinstance(trials, bool) or not isinstance(trials, str | int | np.integer):
        raise ArgumentError(f"trials is {trials!r}: pass the name of a column, or a whole number")


def missing_policy(missing: str) -> Literal["error", "drop"]:
    """Return the option `missing`, which has two values."""
    if missing == "drop":
        return "drop"
    if missing == "error":
        return "error"
    raise ArgumentError(f"missing is {missing!r}: write missing='error' or missing='drop'")


def warn(message: str) -> None:
    """Warn, pointing at the first caller outside the package."""
    warnings.warn(message, HiermixWarning, skip_file_prefixes=(_PACKAGE,))

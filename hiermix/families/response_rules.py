"""What a family asks of its response: rules that turn a column into numbers or raise."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design import checks, kinds, response_checks
from hiermix.design.plan import Given, Labels, Outcomes
from hiermix.errors import ArgumentError, DataError, first_three, quoted
from hiermix.typing import FloatArray

_HALF_TURN = float(np.float32(np.pi))
"""Of which numbers of half the precision have a little more."""
_SMALLEST = 1e-70
"""Of responses whose sums of squares, and variances of these, are numbers."""


def _numbers(given: Given) -> FloatArray:
    response_checks.numeric_response(given.column, given.name)
    checks.finite(given.name, given.column)
    return given.column.to_numpy(dtype=np.float64, na_value=np.nan)


def _keep(broken: np.ndarray, y: FloatArray, given: Given, need: str) -> Outcomes:
    """Return the response unless a row that is not missing breaks the rule."""
    found = response_checks.rows_that_break(broken & ~np.isnan(y), y, given.column.index)
    if found:
        raise DataError(f"{need}: column {given.name!r} has {found}")
    return Outcomes(y)


def real(given: Given, family: str) -> Outcomes:
    """Any number that has a square of a square."""
    y = _numbers(given)
    largest = float(np.nanmax(np.abs(y), initial=0.0))
    if largest and not _SMALLEST < largest < 1 / _SMALLEST:
        raise DataError(
            f"column {given.name!r} goes up to {largest:.3g}, of which squares are no numbers any "
            f"more: use other units, such as {given.name} / {largest:.0e}"
        )
    return Outcomes(y)


def positive(given: Given, family: str) -> Outcomes:
    """Numbers above zero."""
    y = _numbers(given)
    broken = (y <= 0) & ~_starts(given, y, 0.0)
    return _keep(broken, y, given, f"family {family!r} needs numbers above 0")


def _starts(given: Given, y: FloatArray, least: float) -> np.ndarray:
    """Tell where an interval starts at the end of all values that a response may have."""
    return np.zeros(len(y), bool) if given.interval is None else given.interval & (y == least)


def not_negative(given: Given, family: str) -> Outcomes:
    """Numbers from zero up."""
    y = _numbers(given)
    return _keep(y < 0, y, given, f"family {family!r} needs numbers from 0 up")


def share_or_zero(given: Given, family: str) -> Outcomes:
    """Numbers between 0 and 1, or 0."""
    y = _numbers(given)
    need = f"family {family!r} needs numbers from 0 up and below 1"
    return _keep((y < 0) | (y >= 1), y, given, need)


def share_or_end(given: Given, family: str) -> Outcomes:
    """Numbers from 0 to 1."""
    y = _numbers(given)
    return _keep((y < 0) | (y > 1), y, given, f"family {family!r} needs numbers from 0 to 1")


def share(given: Given, family: str) -> Outcomes:
    """Numbers between 0 and 1, without the ends."""
    y = _numbers(given)
    need = f"family {family!r} needs numbers between 0 and 1, without 0 and 1"
    return _keep(((y <= 0) & ~_starts(given, y, 0.0)) | (y >= 1), y, given, need)


def angle(given: Given, family: str) -> Outcomes:
    """Angles from -pi to pi."""
    y, name = _numbers(given), given.name
    need = (
        f"family {family!r} needs angles from -pi to pi, in radians (write "
        f"np.mod({name} + np.pi, 2 * np.pi) - np.pi of others, np.deg2rad of degrees)"
    )
    return _keep(np.abs(y) > _HALF_TURN, y, given, need)


def count(given: Given, family: str) -> Outcomes:
    """Whole numbers from 0 up, however they are stored."""
    y = _numbers(given)
    need = f"family {family!r} needs counts 0, 1, 2, ..."
    broken = ((y < 0) & ~_starts(given, y, -1.0)) | (y != np.floor(y))
    return _keep(broken, y, given, need)


def successes(given: Given, family: str) -> Outcomes:
    """Whole numbers that are not above the trials of their row."""
    counted = count(given, family)
    y, trials, index = counted.numbers, given.trials, given.column.index
    if trials is None:
        raise DataError(
            f"family {family!r} needs the number of trials: write {given.name} | trials(size) or "
            "trials='size'"
        )
    whole = (trials >= 1) & (trials == np.floor(trials))
    found = response_checks.rows_that_break(~whole & ~np.isnan(y), trials, index)
    if found:
        raise DataError(f"trials must be whole numbers from 1 up: there is {found}")
    found = response_checks.rows_that_break(y > trials, y, index)
    if found:
        raise DataError(
            f"successes can't be more than the trials of the row: {given.name!r} has {found}"
        )
    return counted


def binary(given: Given, family: str) -> Outcomes:
    """0 and 1, or truth values; see `success` for labels."""
    if not kinds.is_numeric(given.column):
        _refuse_labels(given.column, given.name, family)
    y = _numbers(given)
    return _keep((y != 0) & (y != 1), y, given, f"family {family!r} needs 0 or 1")


def _refuse_labels(values: pd.Series, name: str, family: str) -> None:
    labels = list(pd.unique(values.dropna()))
    # The label that reads like one is the likelier success.
    said = [label for label in labels if str(label).lower() in ("yes", "true", "success", "1")]
    ways = [
        f"success={quoted(label)}"
        for label in sorted(labels[:3], key=lambda label: label not in said)
    ]
    raise DataError(
        f"family {family!r} needs 0 or 1: column {name!r} holds labels ({first_three(labels)}): "
        f"say which is success: {' or '.join(ways)}"
    )


def success(given: Given, success: Any) -> Outcomes:
    """Two labels, those of the rows that were fitted, of which one counts as 1."""
    labels = given.labels or _two_labels(given.column, given.name, success)
    one = kinds.KnownLabels(labels).find(success)
    return _coded(given, {each: float(each == one) for each in labels})


def _two_labels(values: pd.Series, name: str, success: Any) -> Labels:
    if not pd.api.types.is_scalar(success):
        raise ArgumentError(f"success= is one label, not {quoted(success)}")
    labels = list(pd.unique(values.dropna()))
    if len(labels) > 2:
        raise DataError(
            f"column {name!r} has {len(labels)} different values ({first_three(labels)}), and "
            "success= needs two"
        )
    if len(labels) == 2 and kinds.KnownLabels(labels).find(success) not in labels:
        raise ArgumentError(f"success={quoted(success)} is no value of column {name!r}: "
                            f"{first_three(labels)}")  # fmt: skip
    return tuple(labels)


def _coded(given: Given, codes: Mapping[object, float]) -> Outcomes:
    """Return the code of each label, however it is written; NaN where it is missing."""
    values = given.column
    places, uniques = pd.factorize(values)
    known = kinds.KnownLabels(codes)
    found = np.array([*(codes.get(known.find(label), np.nan) for label in uniques), np.nan])[places]
    unseen = np.isnan(found) & ~values.isna().to_numpy()
    broken = response_checks.rows_that_break(unseen, values.to_numpy(), values.index)
    if broken:
        raise DataError(f"column {given.name!r} has categories that the fit never saw: {broken}")
    return Outcomes(found, tuple(codes))


def unordered(given: Given, family: str) -> Outcomes:
    """Categories of any kind, counted from 1 in the order of the rows that were fitted."""
    return _places(given, given.labels or _unordered_labels(given.column, given.name))


def ordered(given: Given, family: str) -> Outcomes:
    """Ordered categories, counted from 1."""
    return _places(given, given.labels or _ordered_labels(given, family))


def _places(given: Given, labels: Labels) -> Outcomes:
    if len(labels) < 2:
        raise DataError(f"response {given.name!r} is constant ({quoted(labels[0])})")
    return _coded(given, {label: i + 1.0 for i, label in enumerate(labels)})


def _unordered_labels(values: pd.Series, name: str) -> Labels:
    """Return the categories of a response: those of the dtype, or its values in order."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        labels = values.cat.remove_unused_categories().cat.categories.tolist()
    else:
        labels = values.dropna().unique().tolist()
        try:
            labels = sorted(labels)
        except TypeError:
            labels = sorted(labels, key=lambda label: (type(label).__name__, str(label)))
    if not all(isinstance(label, str | int | float | pd.Timestamp) for label in labels):
        raise DataError(
            f"categories of column {name!r} are of type {type(labels[0]).__name__}: write them as "
            f"text, data[{name!r}].astype(str)"
        )
    if len(set(map(str, labels))) < len(labels):
        raise DataError(f"column {name!r} has different categories that read alike: make them text")
    return tuple(labels)


def _ordered_labels(given: Given, family: str) -> Labels:
    """Return the ordered categories of a response: those of the dtype, or its whole numbers."""
    values, name = given.column, given.name
    if isinstance(values.dtype, pd.CategoricalDtype):
        if not values.cat.ordered:
            raise DataError(
                f"family {family!r} needs ordered categories: column {name!r} is not ordered. "
                f"Use data[{name!r}].cat.as_ordered()"
            )
        return tuple(values.cat.remove_unused_categories().cat.categories)
    if not kinds.is_numeric(values):
        raise DataError(
            f"family {family!r} needs whole numbers or ordered categories: column {name!r} holds "
            f"labels. Use pd.Categorical(data[{name!r}], categories=[...], ordered=True)"
        )
    y = _numbers(given)
    need = f"family {family!r} needs whole numbers or ordered categories"
    _keep(y != np.floor(y), y, given, need)
    return tuple(int(value) for value in np.unique(y[~np.isnan(y)]))

"""What a family asks of its response: rules that turn a column into numbers or raise."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design import checks, kinds, response_checks
from hiermix.errors import ArgumentError, DataError, first_three, quoted
from hiermix.typing import FloatArray


def _numbers(values: pd.Series, name: str) -> FloatArray:
    response_checks.numeric_response(values, name)
    checks.finite(name, values)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _keep(broken: np.ndarray, y: FloatArray, values: pd.Series, name: str, need: str) -> FloatArray:
    """Return the response unless a row that is not missing breaks the rule."""
    found = response_checks.rows_that_break(broken & ~np.isnan(y), y, values.index)
    if found:
        raise DataError(f"{need}: column {name!r} has {found}")
    return y


def real(values: pd.Series, name: str, trials: FloatArray | None, family: str) -> FloatArray:
    """Any number."""
    return _numbers(values, name)


def positive(values: pd.Series, name: str, trials: FloatArray | None, family: str) -> FloatArray:
    """Numbers above zero."""
    y = _numbers(values, name)
    return _keep(y <= 0, y, values, name, f"family {family!r} needs numbers above 0")


def share(values: pd.Series, name: str, trials: FloatArray | None, family: str) -> FloatArray:
    """Numbers between 0 and 1, without the ends."""
    y = _numbers(values, name)
    need = f"family {family!r} needs numbers between 0 and 1, without 0 and 1"
    return _keep((y <= 0) | (y >= 1), y, values, name, need)


def count(values: pd.Series, name: str, trials: FloatArray | None, family: str) -> FloatArray:
    """Whole numbers from 0 up, however they are stored."""
    y = _numbers(values, name)
    need = f"family {family!r} needs counts 0, 1, 2, ..."
    return _keep((y < 0) | (y != np.floor(y)), y, values, name, need)


def successes(values: pd.Series, name: str, trials: FloatArray | None, family: str) -> FloatArray:
    """Whole numbers that are not above the trials of their row."""
    y = count(values, name, trials, family)
    if trials is None:
        raise DataError(
            f"family {family!r} needs the number of trials: write {name} | trials(size) or "
            "trials='size'"
        )
    whole = (trials >= 1) & (trials == np.floor(trials))
    found = response_checks.rows_that_break(~whole & ~np.isnan(y), trials, values.index)
    if found:
        raise DataError(f"trials must be whole numbers from 1 up: there is {found}")
    found = response_checks.rows_that_break(y > trials, y, values.index)
    if found:
        raise DataError(f"successes can't be more than the trials of the row: {name!r} has {found}")
    return y


def binary(values: pd.Series, name: str, trials: FloatArray | None, family: str) -> FloatArray:
    """0 and 1, or truth values; see `Success` for labels."""
    if not kinds.is_numeric(values):
        _refuse_labels(values, name, family)
    y = _numbers(values, name)
    return _keep((y != 0) & (y != 1), y, values, name, f"family {family!r} needs 0 or 1")


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


class Success:
    """Two labels, those of the rows that were fitted, of which one counts as 1."""

    def __init__(self, success: Any) -> None:
        if not pd.api.types.is_scalar(success):
            raise ArgumentError(f"success= is one label, not {quoted(success)}")
        self.success = success
        self.labels: tuple[object, ...] = ()

    def __call__(self, values: pd.Series, name: str, trials: FloatArray | None) -> FloatArray:
        """Return 1 for success, 0 for the other label; the first call sets the labels."""
        self.labels = self.labels or self._found(values, name)
        success = kinds.KnownLabels(self.labels).find(self.success)
        return _coded(values, name, {label: float(label == success) for label in self.labels})

    def _found(self, values: pd.Series, name: str) -> tuple[object, ...]:
        labels = list(pd.unique(values.dropna()))
        if len(labels) > 2:
            raise DataError(
                f"column {name!r} has {len(labels)} different values ({first_three(labels)}), and "
                "success= needs two"
            )
        if len(labels) == 2 and kinds.KnownLabels(labels).find(self.success) not in labels:
            raise ArgumentError(f"success={quoted(self.success)} is no value of column {name!r}: "
                                f"{first_three(labels)}")  # fmt: skip
        return tuple(labels)


def _coded(values: pd.Series, name: str, codes: Mapping[object, float]) -> FloatArray:
    """Return the code of each label, however it is written; NaN where it is missing."""
    places, uniques = pd.factorize(values)
    known = kinds.KnownLabels(codes)
    found = np.array([*(codes.get(known.find(label), np.nan) for label in uniques), np.nan])[places]
    unseen = np.isnan(found) & ~values.isna().to_numpy()
    broken = response_checks.rows_that_break(unseen, values.to_numpy(), values.index)
    if broken:
        raise DataError(f"column {name!r} has categories that the fit never saw: {broken}")
    return found


def unordered_categories(values: pd.Series, name: str) -> tuple[object, ...]:
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


def ordered_categories(values: pd.Series, name: str, family: str) -> tuple[object, ...]:
    """Return the ordered categories of a response: those of the dtype, or its whole numbers."""
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
    y = _numbers(values, name)
    need = f"family {family!r} needs whole numbers or ordered categories"
    _keep(y != np.floor(y), y, values, name, need)
    return tuple(int(value) for value in np.unique(y[~np.isnan(y)]))


class Categories:
    """Categories counted from 1, in the order of the rows that were fitted."""

    def __init__(self, family: str, *, ordered: bool) -> None:
        self.family = family
        self.ordered = ordered
        self.labels: tuple[object, ...] = ()

    def __call__(self, values: pd.Series, name: str, trials: FloatArray | None) -> FloatArray:
        """Return the place of each category; the first call, on the fitted rows, sets them."""
        self.labels = self.labels or self._found(values, name)
        if len(self.labels) < 2:
            raise DataError(f"response {name!r} is constant ({quoted(self.labels[0])})")
        return _coded(values, name, {label: i + 1.0 for i, label in enumerate(self.labels)})

    def _found(self, values: pd.Series, name: str) -> tuple[object, ...]:
        if self.ordered:
            return ordered_categories(values, name, self.family)
        return unordered_categories(values, name)


def ordered(family: str) -> Categories:
    """Ordered categories."""
    return Categories(family, ordered=True)


def unordered(family: str) -> Categories:
    """Categories of any kind."""
    return Categories(family, ordered=False)

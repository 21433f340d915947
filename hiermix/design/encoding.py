"""Numbers or levels: how each column goes to formulaic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import checks, column_checks, group_checks, kinds
from hiermix.design.expressions import by_row
from hiermix.design.kinds import KnownLabels
from hiermix.formula.names import alias
from hiermix.formula.tokens import Use


@dataclass(frozen=True)
class Encoding:
    """How a column goes to formulaic: as numbers, or as categories with these levels."""

    name: str
    levels: tuple[object, ...] | None
    """None: numbers."""
    seen: tuple[object, ...] | None = None
    """The levels of numbers that stand in C() as well."""

    def encode(self, values: pd.Series) -> pd.Series:
        """Return a column as formulaic gets it: numbers, or categories in the order of the fit."""
        if self.levels is None:
            numbers = _numbers(self.name, values, whole=self.seen is not None)
            if self.seen is not None:
                self._codes(numbers, self.seen)
            return numbers
        codes = self._codes(values, self.levels)
        return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(self.levels)))

    def _codes(self, values: pd.Series, levels: Sequence[object]) -> NDArray[np.int64]:
        """Return the position of each row's level, found by value."""
        codes, uniques = pd.factorize(values)
        place = {level: position for position, level in enumerate(levels)}
        known = KnownLabels(levels)
        table = np.array([*(place.get(known.find(unique), -1) for unique in uniques), -1])
        column_checks.levels_seen(self.name, values, (table[codes] == -1) & (codes != -1), levels)
        return table[codes]


def encoding_of(name: str, values: pd.Series, found: Sequence[Use]) -> Encoding:
    """Decide how a column of the fit is encoded; raise if it can't be what the formula makes it."""
    column_checks.not_complex(name, values)
    how = {use.how for use in found}
    if isinstance(values.dtype, pd.CategoricalDtype):
        used = values.cat.remove_unused_categories().cat.categories
        if not pd.api.types.is_numeric_dtype(used.dtype):
            _check_not_numbers(name, found)
        return Encoding(name, _plain_levels(name, used))
    if how == {"category"}:
        return Encoding(name, _levels(name, values))
    what = kinds.what(values)
    if what in ("dates", "durations"):
        _check_times(name, values, found)
    if what != "categories":
        return Encoding(name, None, _levels(name, values) if "category" in how else None)
    return _boxed_encoding(name, values, found)


def _check_not_numbers(name: str, found: Sequence[Use]) -> None:
    """Raise where categories that are no numbers would be taken for numbers."""
    for use in found:
        if use.how == "number":
            column_checks.not_categories(name, use.function)


def _check_times(name: str, values: pd.Series, found: Sequence[Use]) -> None:
    """Raise where dates or durations would be taken for numbers: only some functions know them."""
    for use in found:
        knows = use.how != "number" or by_row(use.function) or use.function in ("fourier", "trend")
        if use.how == "bare" or not knows:
            column_checks.not_times(name, values, kinds.what(values))


def _levels(name: str, values: pd.Series) -> tuple[object, ...]:
    return _plain_levels(name, _in_order(values.unique()))


def _plain_levels(name: str, levels: Iterable[object]) -> tuple[object, ...]:
    plain = tuple(kinds.plain(level) for level in levels)
    group_checks.labels_read_apart(name, plain)
    return plain


def _boxed_encoding(name: str, values: pd.Series, found: Sequence[Use]) -> Encoding:
    """Decide for columns of text and of Python objects."""
    uniques = [kinds.plain(value) for value in values.unique()]
    column_checks.not_numbers_in_disguise(name, values.dtype, uniques)
    if any(isinstance(value, date) for value in values.unique()):
        column_checks.mixed_dates(name)
    column_checks.one_kind(name, uniques)
    for use in found:
        if use.how == "number":
            column_checks.not_text(name, use.function, uniques)
    return Encoding(name, _levels(name, values))


def encoded_frame(encodings: Mapping[str, Encoding], frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame that formulaic gets: plain types, identifiers for names, no index."""
    encoded = {alias(name): each.encode(frame[name]).array for name, each in encodings.items()}
    return pd.DataFrame(encoded, index=pd.RangeIndex(len(frame)), copy=False)


def _numbers(name: str, values: pd.Series, *, whole: bool) -> pd.Series:
    """Return numbers as float64, truth values as they are, dates by the clock on the wall.

    Whole numbers would overflow in products and powers, and in silence; they stay whole where they
    are categories too, so that their labels do.
    """
    what = kinds.what(values)
    if what == "dates":
        return kinds.moments(values)
    if what != "numeric" or (whole and values.dtype.kind in "iu"):
        return values
    numbers = values.to_numpy(dtype=np.dtype(np.float64), na_value=np.nan)
    values = pd.Series(numbers, index=values.index, copy=False)
    checks.finite(name, values)
    return values


def _in_order(labels: Iterable[Any]) -> list[Any]:
    """Sort labels; labels of several types by type first."""
    labels = list(labels)
    return [labels[place] for place in ordering(labels)]


def ordering(labels: Iterable[Any]) -> NDArray[np.intp]:
    """Return the positions of labels in order."""
    labels = list(labels)
    places = range(len(labels))
    try:
        found = sorted(places, key=lambda place: labels[place])
    except TypeError:
        found = sorted(places, key=lambda place: (type(labels[place]).__name__, str(labels[place])))
    return np.array(found, dtype=np.intp)

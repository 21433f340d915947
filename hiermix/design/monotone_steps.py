"""Monotonic effects: a column for each step from a level of an ordered predictor to the next.

Their coefficients are ``b D share`` (Buerkner and Charpentier, 2020): b, the mean of the D steps,
and how the way from the first level to the last is shared among them, positive numbers that add up
to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hiermix.design.encoding import Encoding
from hiermix.design.kinds import spelled
from hiermix.errors import DataError, at_rows, count, first_three
from hiermix.formula.formula import Formula
from hiermix.formula.names import alias, in_results
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.typing import FloatArray

_MOST = 100


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of one monotonic effect."""

    term: str
    """``mo(x)``"""
    equation: str
    column: str
    levels: tuple[object, ...]
    """In order."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns: of the step up to each level but the first."""
        return tuple(f"{self.term}[{spelled(level)}]" for level in self.levels[1:])

    def matrix(self, part: pd.DataFrame) -> FloatArray:
        """(n, D) which steps rows of an encoded frame have behind them."""
        values = part[alias(self.column)]
        known = pd.Index(self.levels, dtype=object)
        place = known.get_indexer(pd.Index(values.astype(object)))
        unseen = np.flatnonzero(place < 0)
        if len(unseen):
            raise DataError(
                f"{self.term}: {count(len(unseen), 'value')} of {self.column!r} "
                f"{at_rows(unseen)} that no row of the fit had: "
                f"{first_three(values.iloc[unseen].unique().tolist())}. It knows "
                f"{', '.join(map(spelled, self.levels))}"
            )
        return np.asarray(place[:, None] > np.arange(len(self.levels) - 1), dtype=np.float64)


def steps_of(
    formula: Formula, encodings: Mapping[str, Encoding], frame: pd.DataFrame, encoded: pd.DataFrame
) -> tuple[Steps, ...]:
    """Return the monotonic effects of a formula, with the levels of the rows."""
    found: list[Steps] = []
    for term in formula.specials:
        if isinstance(term, Monotonic):
            levels = _levels(term, encodings[term.column], frame[term.column], encoded)
            found.append(Steps(in_results(str(term)), term.equation, term.column, levels))
    names = [(each.equation, each.term) for each in found]
    for equation, name in names:
        if names.count((equation, name)) > 1:
            raise DataError(f"{name} stands in the formula twice: keep one")
    return tuple(found)


def _levels(
    term: Monotonic, encoding: Encoding, column: pd.Series, encoded: pd.DataFrame
) -> tuple[object, ...]:
    name, dtype = term.column, column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        if not dtype.ordered:
            raise DataError(
                f"{term}: the categories of {name!r} have no order: write "
                f"data[{name!r}].cat.as_ordered(), or pd.Categorical(..., ordered=True)"
            )
        levels = encoding.levels or ()
    elif pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        numbers = np.unique(encoded[alias(name)].to_numpy(dtype=np.float64))
        if (numbers != np.round(numbers)).any():
            raise DataError(
                f"{term}: {name!r} has numbers that are not whole, such as "
                f"{numbers[numbers != np.round(numbers)][0]:g}: a monotonic effect is of ordered "
                "categories or of whole numbers"
            )
        levels = tuple(numbers.tolist())
    else:
        raise DataError(
            f"{term}: {name!r} has no order: make it pd.Categorical(data[{name!r}], "
            "categories=[...], ordered=True), or whole numbers"
        )
    if not 2 <= len(levels) <= _MOST:
        raise DataError(
            f"{term}: {name!r} has {count(len(levels), 'level')}, and a monotonic effect takes 2 "
            f"to {_MOST}"
        )
    return levels

"""Curves of a column: straight lines in the population, and columns of normal coefficients.

Every smooth of a formula is one curve, or one for each level of a column. What it is made of is
said in a file a kind: `natural_splines`, `hilbert_spaces`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design import column_checks
from hiermix.design.encoding import Encoding
from hiermix.design.specs import BROUGHT, brought
from hiermix.errors import DataError, count, quoted
from hiermix.formula.equations import MU, qualified
from hiermix.formula.names import alias, in_results
from hiermix.formula.terms.smooths import CurveTerm
from hiermix.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Part:
    """Which rows a curve is for, and how much of it they have."""

    column: str | None = None
    """None: all rows have it."""
    level: object = None
    """None: as much as the column says."""

    def of(self, part: pd.DataFrame) -> FloatArray:
        """(n,) share of some rows, of an encoded frame."""
        if self.column is None:
            return np.ones(len(part))
        values = part[alias(self.column)]
        if self.level is None:
            return values.to_numpy(dtype=np.float64)
        return np.asarray(values == self.level, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve, with all that puts new rows through it."""

    label: str
    """In its equation."""
    equation: str
    column: str
    part: Part

    @property
    def name(self) -> str:
        """Its label among those of all equations."""
        return qualified(self.label, self.equation)

    @property
    def size(self) -> int:
        """K, the number of columns that bend it."""
        raise NotImplementedError

    @property
    def lines(self) -> tuple[str, ...]:
        """Labels of the columns of the straight line; none where it has none."""
        return ()

    @property
    def bends(self) -> tuple[str, ...]:
        """Labels of the columns whose coefficients are normal."""
        return tuple(f"{self.name}[{place}]" for place in range(1, self.size + 1))

    @property
    def described(self) -> str:
        """What a model says of it."""
        return f"{count(self.size, 'column')} beside a line"

    @property
    def state(self) -> dict[str, Any]:
        """What it knows of all rows."""
        raise NotImplementedError

    def straight(self, part: pd.DataFrame) -> FloatArray:
        """(n, lines) of some rows of an encoded frame."""
        return np.empty((len(part), 0))

    def bent(self, part: pd.DataFrame) -> FloatArray:
        """(n, K) columns that bend it, of some rows."""
        if BROUGHT in part and self.equation == MU:
            return brought(part, self.bends)
        return self.part.of(part)[:, None] * self.functions(part)

    def functions(self, part: pd.DataFrame) -> FloatArray:
        """(n, K) the same for rows that have the whole of it."""
        raise NotImplementedError

    def along(self, x: FloatArray) -> FloatArray:
        """(n, lines and bends) all columns at some values, for a row that has the whole of it."""
        whole = replace(self, part=Part())
        part = pd.DataFrame({alias(self.column): x})
        constant = np.ones((len(x), len(self.lines) - len(whole.lines)))
        return np.hstack([constant, whole.straight(part), whole.bent(part)])


def parts_of(term: CurveTerm, encodings: Mapping[str, Encoding]) -> Iterator[tuple[str, Part]]:
    """Yield the label and the rows of each curve of a term: one, or one for each level."""
    if term.by is None:
        yield term.label, Part()
        return
    levels = encodings[term.by].levels
    if levels is None:
        yield term.label, Part(term.by)
        return
    for level in levels:
        yield f"{term.label}[{level}]", Part(term.by, level)


def known_state(term: CurveTerm, label: str, states: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a curve that was fitted before knows of its rows."""
    found: Mapping[str, Any] | None = states.get(qualified(in_results(label), term.equation))
    if found is None:
        raise column_checks.no_state(str(term))
    return found


def distinct_values(label: str, column: str, part: Part, x: FloatArray, least: int) -> None:
    """Raise where the rows of a level have too few values for a curve."""
    distinct = len(np.unique(x))
    if distinct < least:
        raise DataError(
            f"{label}: where {part.column!r} is {quoted(part.level)}, {column!r} has "
            f"{count(distinct, 'distinct value')}, and a curve takes {least} or more"
        )


def numbers(part: pd.DataFrame, column: str) -> FloatArray:
    """Return a column of an encoded frame."""
    return np.asarray(part[alias(column)].to_numpy(dtype=np.float64))

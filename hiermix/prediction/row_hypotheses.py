"""Questions about the rows of an answer: pairs, differences to the first, an expression of rows."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.posterior.arithmetic import Read, Reader, taken_out
from hiermix.prediction.scales import Contrast
from hiermix.typing import FloatArray

_MOST = 5_000
"""Contrasts of one answer."""
_ROW = "b{}"
"""How expressions call a row."""
type Pairs = Iterator[tuple[int, int]]


def _pairwise(number: int) -> Pairs:
    return ((j, i) for i, j in combinations(range(number), 2))


def _reference(number: int) -> Pairs:
    return ((j, 0) for j in range(1, number))


def _sequential(number: int) -> Pairs:
    return ((j, j - 1) for j in range(1, number))


_PAIRS: dict[str, Callable[[int], Pairs]] = {
    "pairwise": _pairwise, "reference": _reference, "sequential": _sequential,
}  # fmt: skip
_WRITTEN = re.compile(
    r"^\s*(?:(?:difference)?\s*~)?\s*(rev)?(pairwise|reference|sequential)\s*(?:\|(.*))?$"
)


def pairs_of(how: str, number: int) -> list[tuple[int, int]]:
    """Return pairs of positions: which is compared, and with which."""
    back, name = how.startswith("rev"), how.removeprefix("rev")
    return [(low, high) if back else (high, low) for high, low in _PAIRS[name](number)]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of an answer."""

    labels: pd.DataFrame
    draws: FloatArray
    """(R, S, ...)"""
    contrast: Contrast
    written: str
    """How a contrast is written: ``"{high} - {low}"``."""

    @property
    def names(self) -> list[str]:
        """What each row is called in an expression and in a label: by what tells rows apart."""
        telling = [name for name in self.labels if len(self.labels[name].unique()) > 1]
        values = self.labels[telling or list(self.labels)].astype(object)
        return [", ".join(map(_text, row)) for row in values.itertuples(index=False)]


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, eq=False)
class Contrasts:
    """What became of the rows."""

    labels: pd.DataFrame
    draws: FloatArray
    paired: bool = False
    """Whether rows were compared by the scale's own contrast."""


def apply(hypothesis: Any, rows: Rows) -> Contrasts:
    """Return contrasts of the rows of an answer.

    Parameters
    ----------
    hypothesis
        ``"pairwise"``, ``"reference"`` or ``"sequential"``, ``"rev"`` before them to turn the
        sign, ``"| column"`` after them to compare within; an expression such as
        ``"b1 - b0 = 0"``, or several; or weights of the rows.
    """
    if isinstance(hypothesis, str):
        if found := _WRITTEN.match(hypothesis):
            return _of_pairs(f"{found[1] or ''}{found[2]}", found[3], rows)
        return _of_expressions([hypothesis], rows)
    if isinstance(hypothesis, list | tuple) and all(isinstance(each, str) for each in hypothesis):
        if not hypothesis:
            raise ArgumentError("hypothesis is an empty list: name what is to be compared")
        return _of_expressions(hypothesis, rows)
    return _of_weights(hypothesis, rows)


def _of_pairs(how: str, within: str | None, rows: Rows) -> Contrasts:
    column = None if within is None else within.strip()
    if column is not None and column not in rows.labels:
        known = ", ".join(map(repr, rows.labels)) or "none"
        raise ArgumentError(
            f"hypothesis compares within {column!r}, no column of the answer."
            f"{did_you_mean(column, rows.labels)} Known: {known}"
        )
    apart = rows if column is None else replace(rows, labels=rows.labels.drop(columns=column))
    names, places = apart.names, _places(rows.labels, column)
    number = sum(len(pairs_of(how, len(each))) for each in places if len(each) < 2 * _MOST)
    if number > _MOST or max(map(len, places)) >= 2 * _MOST:
        raise ArgumentError(
            f"hypothesis={how!r} of {len(names):,} rows makes too many contrasts: average rows "
            "first, with by="
        )
    found = [(each[high], each[low]) for each in places for high, low in pairs_of(how, len(each))]
    if not found:
        raise ArgumentError(
            f"hypothesis={how!r} compares rows, and there is one: average by a column, by=..."
        )
    high, low = map(np.array, zip(*found, strict=True))
    contrast = [rows.written.format(high=names[one], low=names[other]) for one, other in found]
    labels = pd.DataFrame({"contrast": contrast})
    if column is not None:
        labels[column] = rows.labels[column].to_numpy()[high]
    return Contrasts(labels, rows.contrast(rows.draws[high], rows.draws[low]), paired=True)


def _places(labels: pd.DataFrame, column: str | None) -> list[np.ndarray]:
    """Return the positions of rows that are compared with each other."""
    if column is None:
        return [np.arange(len(labels))]
    groups = labels.groupby(column, sort=False, observed=True, dropna=False)
    return list(map(np.asarray, groups.indices.values()))


# Expressions -------------------------------------------------------------------------------------


def _of_expressions(statements: Sequence[str], rows: Rows) -> Contrasts:
    draws = [_value(statement, rows) for statement in statements]
    labels = pd.DataFrame({"contrast": [" ".join(each.split()) for each in statements]})
    return Contrasts(labels, np.stack(draws))


def _value(statement: str, rows: Rows) -> FloatArray:
    """Return the left side less the right side of an equation, or an expression as it is."""
    names = _names(rows)
    text, found = taken_out(statement, partial(_at, names, rows.draws))
    known = [_ROW.format(place) for place in range(len(rows.draws))]
    reader = Reader(statement, "", found, known, "names no row")
    left, *right = re.split(r"==?", text)
    if len(right) > 1 or re.search(r"[<>!]", text):
        raise ArgumentError(
            f"hypothesis {statement!r}: write an expression of rows, such as 'b1 - b0', or one "
            "equation; the table has the probability of its sign"
        )
    sides = [reader.value(_parsed(side, statement)) for side in (left, *right)]
    value = sides[0] - sides[1] if right else sides[0]
    if np.ndim(value) == 0:
        raise ArgumentError(
            f"hypothesis {statement!r} names no row: rows are {known[0]} to {known[-1]}"
        )
    return np.asarray(value, dtype=np.float64)


def _names(rows: Rows) -> dict[str, int]:
    """Return the rows by what they can be called: b0, b1, ..., and labels that are no number."""
    found = {_ROW.format(place): place for place in range(len(rows.draws))}
    labels = rows.names if len(rows.labels.columns) else []
    for place, label in enumerate(labels):
        if labels.count(label) == 1 and not re.fullmatch(r"[\d.e+-]*", label):
            found.setdefault(label, place)
    return found


def _at(
    names: dict[str, int], draws: FloatArray, statement: str, at: int
) -> tuple[Read, int] | None:
    """Return what reads the row whose name starts here, and where the name ends."""
    for name in sorted(names, key=len, reverse=True):
        end = at + len(name)
        if statement.startswith(name, at) and not re.match(r"\w", statement[end : end + 1]):
            return partial(draws.__getitem__, names[name]), end
    return None


def _parsed(side: str, statement: str) -> ast.expr:
    try:
        return ast.parse(side.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise ArgumentError(
            f"hypothesis {statement!r} is no expression of rows: write 'pairwise', 'reference', "
            "'sequential', or such as 'b1 - b0 = 0', where b0 is the first row"
        ) from None


# Weights -----------------------------------------------------------------------------------------


def _of_weights(hypothesis: Any, rows: Rows) -> Contrasts:
    number = len(rows.draws)
    try:
        weights = np.asarray(hypothesis, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.empty(0)
    fits = weights.ndim in (1, 2) and len(weights) == number and np.isfinite(weights).all()
    if isinstance(hypothesis, Real) or not fits:
        raise ArgumentError(
            "hypothesis is 'pairwise', 'reference', 'sequential', an expression of rows such as "
            f"'b1 - b0 = 0', or {number} weights, one a row; not {quoted(hypothesis)}"
        )
    columns = weights.reshape(number, -1)
    names = ["custom"] if weights.ndim == 1 else [f"custom {k}" for k in range(columns.shape[1])]
    draws = np.tensordot(columns.T, rows.draws, axes=1)
    return Contrasts(pd.DataFrame({"contrast": names}), draws)

"""Rows that repeat, found and added up exactly before an engine sees them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import kinds
from hiermix.design.design import Design
from hiermix.design.factor import Factor
from hiermix.typing import FloatArray, IntArray

_WORTH = 0.8
"""Rows are merged where fewer than this share of them remains."""


@dataclass(frozen=True)
class Repeats:
    """Which rows stand for others."""

    first: IntArray
    """(n,) a row of each kind, in the order of the frame."""
    kind: IntArray | None
    """(rows,) the kind of each row; None where each stands for itself, or none is used."""

    def total(self, values: FloatArray) -> FloatArray:
        """Sum of values over the rows of each kind."""
        if self.kind is None:
            return values[self.first]
        return Factor(self.kind, len(self.first)).scatter(values)


def no_rows() -> Repeats:
    """Return the rows of a program that samples its prior."""
    return Repeats(np.zeros(0, dtype=np.int64), None)


def each_alone(design: Design) -> Repeats:
    """Return the rows, each for itself."""
    return Repeats(np.arange(design.rows), None)


def find(design: Design, X: FloatArray, *, added_up: bool) -> Repeats:
    """Find the rows that share linear predictor and, unless responses are added up, response."""
    kind, number = np.zeros(design.rows, dtype=np.int64), 1
    for column in _columns(design, X, added_up):
        codes, values = pd.factorize(column)
        kind, kinds = pd.factorize(kind * len(values) + codes)
        number = len(kinds)
        if number > _WORTH * design.rows:
            return each_alone(design)
    first = np.full(number, design.rows)
    np.minimum.at(first, kind, np.arange(design.rows))
    return Repeats(first, kind)


def _columns(design: Design, X: FloatArray, added_up: bool) -> Iterator[NDArray[Any]]:
    """Everything in which rows of one kind are equal; the cheap and telling first."""
    known = design.limits
    beside = [design.trials, design.censored, known.end, known.least, known.most, known.rate,
              known.se, known.item, design.response]  # fmt: skip
    for each in design.groupings:
        yield from each.factor.marks()
    if not added_up:
        yield from (each for each in beside if each is not None)
    yield from X.T
    yield from (each.offset for each in design.equations if each.offset is not None)
    for each in design.groupings:
        yield from design.Z(each.name).T


def stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Stack rows; categories keep their order where all have the same, else they are values."""
    if len(parts) == 1:
        return parts[0]
    columns = {}
    for name in parts[0]:
        each = [part[name] for part in parts]
        if len({part.dtype for part in each}) > 1:
            each = [*map(kinds.as_values, each)]
        columns[name] = pd.concat(each, ignore_index=True)
    return pd.DataFrame(columns, index=range(sum(map(len, parts))))

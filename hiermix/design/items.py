"""``y | thres(gr=item)``: items each of which has thresholds of its own between categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hiermix.design.codes import column_codes
from hiermix.design.kinds import KnownLabels, spelled
from hiermix.errors import DataError, at_rows, count, first_three
from hiermix.formula.response_terms import ResponseTerms
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Items:
    """The items of a fit, and how many categories each has."""

    column: str
    labels: tuple[object, ...]
    """In order."""
    sizes: tuple[int, ...] = ()
    """Categories of each: up to the highest that one of its rows has."""

    def codes(self, frame: pd.DataFrame) -> FloatArray | None:
        """(rows,) item of each row, from 0; None where the rows lack the column."""
        if self.column not in frame:
            return None
        known = KnownLabels(self.labels)
        codes, labels = column_codes(self.column, frame[self.column], known)
        place = {label: code for code, label in enumerate(self.labels)}
        return np.array([place[label] for label in labels], dtype=np.float64)[codes]

    def sized(self, codes: FloatArray, category: FloatArray, categories: Sequence[object]) -> Items:
        """Return the items with their numbers of categories, by the responses of the fit."""
        most = np.zeros(len(self.labels), dtype=np.int64)
        known = ~np.isnan(category)
        np.maximum.at(most, codes[known].astype(np.int64), category[known].astype(np.int64))
        alone = np.flatnonzero(most < 2)
        if len(alone):
            names = [self.labels[k] for k in alone.tolist()]
            raise DataError(
                f"thres(gr={self.column}): {count(len(alone), 'item')} with responses in the "
                f"lowest category alone, {spelled(categories[0])}: {first_three(names)}. They have "
                "no threshold to learn: leave their rows out"
            )
        return replace(self, sizes=tuple(most.tolist()))

    def check(self, codes: FloatArray, category: FloatArray, index: pd.Index) -> None:
        """Raise for responses in categories that an item doesn't have."""
        sizes = np.array(self.sizes)[codes.astype(np.int64)]
        wrong = np.flatnonzero(np.nan_to_num(category) > sizes)
        if len(wrong):
            names = [self.labels[int(codes[k])] for k in wrong]
            raise DataError(
                f"{count(len(wrong), 'response')} {at_rows(wrong, index)} above the highest "
                f"category that their items had in the fit: {first_three(names)}"
            )


def places(sizes: Sequence[int]) -> IntArray:
    """(items, most thresholds) places of the thresholds of items of so many categories among all.

    Beyond an item's own, their number.
    """
    found = np.full((len(sizes), max(sizes) - 1), sum(sizes) - len(sizes))
    start = 0
    for row, size in zip(found, sizes, strict=True):
        row[: size - 1] = np.arange(start, start + size - 1)
        start += size - 1
    return found


def items_of(terms: ResponseTerms, frame: pd.DataFrame) -> Items | None:
    """Return the items of the rows of a fit; None where the formula has none."""
    if terms.items is None:
        return None
    return Items(terms.items, tuple(column_codes(terms.items, frame[terms.items])[1]))

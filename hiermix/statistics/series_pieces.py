"""Pieces of series, as they come in batches: which rows follow each other, and what joins pieces.

Of each piece its first and last row are kept, so that the pair of rows that joins it to the next
one can be added when all pieces are there, whatever the order in which they came. A unit with rows
at positions is a piece of its own, which can't be joined to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import group_checks
from hiermix.errors import DataError, first_three
from hiermix.formula.names import in_results
from hiermix.formula.terms.residual_terms import AutoRegression, Residuals
from hiermix.statistics import bundles
from hiermix.statistics.cell_moments import CellMoments
from hiermix.statistics.repeated_rows import stacked
from hiermix.typing import FloatArray, IntArray

GAP, MONTHS = "(gap)", "(months)"
"""Keys of pairs: the time between two rows, in days of dates, and in months."""
PAIR = ("last", "next")
"""Places of two rows that follow each other."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that go together, series by series and in order."""

    label: NDArray[np.object_]
    """(rows,) of the series."""
    keys: pd.DataFrame
    time: FloatArray
    """(rows,) places on an axis; codes of positions."""
    month: FloatArray
    """(rows,) the same of dates in months."""
    columns: FloatArray
    """(rows, K + 1)"""
    own: tuple[str, ...]
    """Keys that may differ within a series."""

    def __len__(self) -> int:
        return len(self.label)

    def take(self, some: IntArray) -> Rows:
        """Return some rows."""
        return Rows(
            self.label[some], self.keys.iloc[some].reset_index(drop=True), self.time[some],
            self.month[some], self.columns[some], self.own,
        )  # fmt: skip

    def followed(self) -> NDArray[np.bool_]:
        """Whether each row but the last is followed by one of its series."""
        code = pd.factorize(self.label)[0]
        return np.asarray(code[1:] == code[:-1])

    def moved(self, T: FloatArray, shift: FloatArray) -> Rows:
        """Return the rows with other columns, if they have some."""
        return replace(self, columns=self.columns @ T + shift) if self.columns.size else self


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of series: their first rows and their last ones."""

    first: Rows
    last: Rows

    def __len__(self) -> int:
        return len(self.first)

    @property
    def labels(self) -> list[object]:
        """Labels of the series."""
        return list(pd.unique(self.first.label))

    def take(self, some: IntArray) -> Pieces:
        """Return some pieces."""
        return Pieces(self.first.take(some), self.last.take(some))

    def moved(self, T: FloatArray, shift: FloatArray) -> Pieces:
        """Return the pieces with other columns."""
        return Pieces(self.first.moved(T, shift), self.last.moved(T, shift))

    def without(self, others: Pieces) -> Pieces:
        """Return these pieces but for others, which must be among them.

        Raises
        ------
        DataError
            They aren't.
        """
        mine, theirs = (
            pd.MultiIndex.from_arrays([each.first.label, each.first.time, each.last.time])
            for each in (self, others)
        )
        lacking = np.flatnonzero(~theirs.isin(mine))
        if len(lacking):
            raise DataError(
                "the statistics to take away have rows of series "
                f"{first_three(others.first.label[lacking])} that were not added as one piece: "
                "subtract what was added"
            )
        return self.take(np.flatnonzero(~mine.isin(theirs)))


def put_together(parts: Sequence[Pieces], term: Residuals) -> Pieces:
    """Return the pieces of all parts, series by series and in order.

    Raises
    ------
    DataError
        Two of one series lie at one time, or a unit comes in two.
    """
    some = [each for each in parts if len(each)] or list(parts)
    first, last = (_stacked([getattr(each, end) for each in some]) for end in ("first", "last"))
    if term.by is not None:
        group_checks.labels_read_apart(term.by, pd.unique(first.label).tolist())
    code = pd.factorize(first.label)[0]
    order = np.lexsort((first.time, code))
    found = Pieces(first.take(order), last.take(order))
    again = found.first.followed() & (found.first.time[1:] <= found.last.time[:-1])
    if again.any():
        shown = first_three(pd.unique(found.first.label[1:][again]))
        raise DataError(_in_pieces(term, shown))
    return found


def _in_pieces(term: Residuals, shown: str) -> str:
    if isinstance(term, AutoRegression):
        return (
            f"{term}: rows of series {shown} come in pieces whose times overlap or repeat. Pieces "
            f"follow each other: sort the rows by {term.place!r}, each part of them as a whole"
        )
    return (
        f"{term}: rows of unit {shown} come in several pieces, or at one position twice. All rows "
        f"of a unit stand together: sort the rows, or partition them, by {term.by!r}"
    )


def _stacked(parts: Sequence[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    label, time, month, columns = (
        np.concatenate([getattr(each, name) for each in parts])
        for name in ("label", "time", "month", "columns")
    )
    keys = stacked([each.keys for each in parts])
    return Rows(label, keys, time, month, columns, parts[0].own)


def in_order(rows: Rows) -> Rows:
    """Return rows series by series, in the order of time."""
    return rows.take(np.lexsort((rows.time, pd.factorize(rows.label)[0])))


def pieces_of(rows: Rows) -> Pieces:
    """Return rows in order as one piece of each series."""
    follows = rows.followed()
    first = np.flatnonzero(np.append(True, ~follows)[: len(rows)])
    last = np.flatnonzero(np.append(~follows, True)[-len(rows) :]) if len(rows) else first
    return Pieces(rows.take(first), rows.take(last))


def of_units(rows: Rows) -> Pieces:
    """Return rows in order as one piece of each unit, of which nothing but the label is kept."""
    first = pieces_of(rows).first
    none = np.zeros(len(first))
    bare = Rows(first.label, first.keys.iloc[:, :0], none, none, np.zeros((len(first), 0)), ())
    return Pieces(bare, bare)


def no_repeats(rows: Rows, term: Residuals) -> None:
    """Raise where two rows in order are of one series and one time."""
    again = rows.followed() & (rows.time[1:] == rows.time[:-1])
    if again.any():
        what = "times" if isinstance(term, AutoRegression) else "positions"
        within = f" within a level of {term.by!r}" if term.by else ""
        way = "" if term.by else ". Name the series: by="
        shown = f" (series {first_three(pd.unique(rows.label[1:][again]))})" if term.by else ""
        raise DataError(
            f"{term}: {what} of {term.place!r} repeat{within}{shown}: each has one row{way}"
        )


def pairs(rows: Rows, term: Residuals) -> CellMoments | None:
    """Return the moments of pairs of rows in order that follow each other, if there are some."""
    follows = np.flatnonzero(rows.followed())
    return _pairs(rows.take(follows), rows.take(follows + 1), term)


def joints(pieces: Pieces, term: Residuals) -> CellMoments | None:
    """Return the moments of pairs of rows that join pieces in order, if there are some."""
    follows = np.flatnonzero(pieces.first.followed())
    return _pairs(pieces.last.take(follows), pieces.first.take(follows + 1), term)


def joined(pieces: Pieces) -> Pieces:
    """Return pieces in order, those of each series as one."""
    return Pieces(pieces_of(pieces.first).first, pieces_of(pieces.last).last)


def _pairs(last: Rows, following: Rows, term: Residuals) -> CellMoments | None:
    within_one_level(last, following, term)
    if not len(last):
        return None
    gap = np.round(following.month - last.month)
    keys = bundles.side_by_side([last.keys, following.keys], last.own)
    keys = keys.assign(**{GAP: following.time - last.time, MONTHS: gap})
    return bundles.of_rows(keys, np.hstack([last.columns, following.columns]))


def within_one_level(one: Rows, other: Rows, term: Residuals) -> None:
    """Raise where rows of one series have different levels of groups.

    Raises
    ------
    DataError
        They have.
    """
    for name in one.keys.columns.drop(list(one.own)):
        both = stacked([one.keys[[name]], other.keys[[name]]])[name]
        code = pd.factorize(both)[0]
        apart = np.flatnonzero(code[: len(one)] != code[len(one) :])
        if len(apart):
            way = "" if term.by else ": name series inside of them, by="
            raise DataError(
                f"{term}: a series has rows of several levels of {in_results(str(name))!r} (series "
                f"{first_three(pd.unique(one.label[apart]))}); it must lie within one{way}"
            )

"""Adds up batches of rows whose residuals go together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hiermix.design.codes import column_codes
from hiermix.design.coding import Coding, complete
from hiermix.design.encoding import ordering
from hiermix.design.tables import Table
from hiermix.formula.terms.residual_terms import AutoRegression, Residuals
from hiermix.statistics import bundles, series_pieces
from hiermix.statistics.bundles import Bundles, Kind
from hiermix.statistics.cell_coding import SummedColumns, key_columns, own_columns
from hiermix.statistics.cell_moments import CellMoments, Origin, key_frame
from hiermix.statistics.cell_sums import columns_of, without_factors
from hiermix.statistics.gaussian_sums import encoded
from hiermix.statistics.series_pieces import PAIR, Pieces, Rows
from hiermix.statistics.series_times import Calendar
from hiermix.typing import FloatArray, IntArray

ROW = "row"
"""Place of a row by itself."""


def residuals_of(coding: Coding) -> Residuals | None:
    """Return the term of residuals that go together, if the formula has one."""
    terms = (each for each in coding.formula.specials if isinstance(each, Residuals))
    return next(terms, None)


@dataclass(eq=False)
class Summing:
    """Sums over the rows so far."""

    coding: Coding
    origin: Origin
    missing: str
    calendar: Calendar = field(default_factory=Calendar)
    rows: int = 0
    dropped: int = 0
    _moments: list[Bundles] = field(default_factory=list)
    _pieces: list[Pieces] = field(default_factory=list)

    @property
    def term(self) -> Residuals:
        """What ties the rows together."""
        found = residuals_of(self.coding)
        assert found is not None
        return found

    def take(self, batches: Iterable[Table]) -> Summing:
        """Add the rows of batches; a unit may go on in the next one."""
        held: list[pd.DataFrame] = []
        for found in complete(self.coding.roles, batches, self.missing):
            self.dropped += found.dropped
            self.rows += len(found.frame)
            if not len(found.frame):
                continue
            frame = pd.concat([*held, found.frame])
            held = []
            if not isinstance(self.term, AutoRegression):
                frame, last = _all_but_last(frame, self.term)
                held = [last]
            self._add(frame)
        for frame in held:
            self._add(frame)
        return self

    def _add(self, frame: pd.DataFrame) -> None:
        if not len(frame):
            return
        in_time = isinstance(self.term, AutoRegression)
        moments, pieces = (self._in_time if in_time else self._at_positions)(frame)
        self._moments = [bundles.together([*self._moments, moments])]
        self._pieces.append(pieces)

    def total(self) -> tuple[Bundles, Pieces]:
        """Return the moments and what pieces of series they are of."""
        if not self._pieces:
            return {}, self._nothing()
        return self._moments[0], series_pieces.put_together(self._pieces, self.term)

    def _in_time(self, frame: pd.DataFrame) -> tuple[Bundles, Pieces]:
        """Return pairs of rows that follow each other, and rows by themselves."""
        self.calendar, time, month = self.calendar.read(self.term.place, frame[self.term.place])
        rows = series_pieces.in_order(self._rows(frame, time, month))
        series_pieces.no_repeats(rows, self.term)
        keys = bundles.side_by_side([rows.keys], rows.own)
        found: dict[Kind, CellMoments] = {(ROW,): bundles.of_rows(keys, rows.columns)}
        pairs = series_pieces.pairs(rows, self.term)
        if pairs is not None:
            found[PAIR] = pairs
        return found, series_pieces.pieces_of(rows)

    def _at_positions(self, frame: pd.DataFrame) -> tuple[Bundles, Pieces]:
        """Return units, by the positions that they have."""
        place = self.term.place
        self.calendar = self.calendar.ordered(frame[place])
        code, labels = column_codes(place, frame[place])
        order = ordering(labels)
        position = np.empty(len(labels), dtype=np.int64)
        position[order] = np.arange(len(labels))
        rows = self._rows(frame, position[code].astype(np.float64), np.zeros(len(frame)))
        rows = series_pieces.in_order(rows)
        series_pieces.no_repeats(rows, self.term)
        follows = np.flatnonzero(rows.followed())
        series_pieces.within_one_level(rows.take(follows), rows.take(follows + 1), self.term)
        found = {
            tuple(labels[order[each]] for each in at): bundles.of_rows(
                bundles.side_by_side([rows.keys.iloc[one] for one in which.T], rows.own),
                rows.columns[which].reshape(len(which), -1),
            )
            for at, which in _by_positions(rows, len(labels))
        }
        return found, series_pieces.of_units(rows)

    def _rows(self, frame: pd.DataFrame, time: FloatArray, month: FloatArray) -> Rows:
        design = encoded(self.coding, without_factors(self.coding), frame)
        names, own = key_columns(self.coding.roles), own_columns(self.coding.roles)
        columns = columns_of(design, slice(None), SummedColumns(self.coding), self.origin)
        return Rows(
            _labels(frame, self.term), key_frame(design.frame, names), time, month, columns,
            own,
        )  # fmt: skip

    def _nothing(self) -> Pieces:
        keys = key_frame(self.coding.shown.iloc[:0], key_columns(self.coding.roles))
        none, wide = np.zeros(0), len(SummedColumns(self.coding).labels) + 1
        own = own_columns(self.coding.roles)
        rows = Rows(np.empty(0, dtype=object), keys, none, none, np.zeros((0, wide)), own)
        return Pieces(rows, rows) if isinstance(self.term, AutoRegression) else (
            series_pieces.of_units(rows)
        )  # fmt: skip


def _labels(frame: pd.DataFrame, term: Residuals) -> np.ndarray:
    """Return the label of the series of each row; one for all without a column of them."""
    if term.by is None:
        return np.full(len(frame), "", dtype=object)
    code, labels = column_codes(term.by, frame[term.by])
    found = np.empty(len(labels), dtype=object)
    found[:] = labels
    return np.asarray(found[code])


def _all_but_last(frame: pd.DataFrame, term: Residuals) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows without those of the unit of the last one, which may go on, and these."""
    labels = frame[str(term.by)]
    last = (labels == labels.iloc[-1]).to_numpy(dtype=bool)
    return frame[~last], frame[last]


def _by_positions(rows: Rows, T: int) -> Iterable[tuple[IntArray, IntArray]]:
    """Yield which positions units of a kind have, and the rows (units, positions) of each."""
    unit, place = pd.factorize(rows.label)[0], rows.time.astype(np.int64)
    present = np.zeros((unit.max() + 1, T), dtype=bool)
    present[unit, place] = True
    kinds, kind = np.unique(present, axis=0, return_inverse=True)
    for which, each in enumerate(kinds):
        at = np.flatnonzero(each)
        mine = np.flatnonzero(kind.ravel()[unit] == which)
        yield at, mine.reshape(-1, len(at))

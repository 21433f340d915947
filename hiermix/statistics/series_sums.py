"""Sums of rows whose residuals go together: an autoregression of series, or units at positions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hiermix.design.coding import Coding
from hiermix.design.design import Design
from hiermix.design.level_covariance import Matrices
from hiermix.design.tables import Table
from hiermix.files import read_tree
from hiermix.formula.terms.residual_terms import AutoRegression, Residuals
from hiermix.statistics import bundles, series_design, series_pieces, series_tree
from hiermix.statistics.bundles import Bundles
from hiermix.statistics.cell_coding import key_columns, own_columns
from hiermix.statistics.cell_moments import CellMoments, Origin
from hiermix.statistics.gaussian_sums import as_given, check_left
from hiermix.statistics.moment_sums import MomentSums
from hiermix.statistics.series_pieces import PAIR, Pieces
from hiermix.statistics.series_rows import ROW, Summing, residuals_of
from hiermix.statistics.series_times import Calendar

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False, repr=False)
class SeriesSums(MomentSums):
    """Moments of rows that go together by ``ar()`` or ``unstr()``; see `statistics`.

    They add and subtract as `Statistics` do. Rows of one series may come in pieces that follow
    each other in time; all rows of a unit of ``unstr()`` come in one.

    Attributes
    ----------
    rows, dropped : int
        Rows that were added up, and those left out for a missing value.
    """

    coding: Coding
    origin: Origin
    bundles: Bundles
    """Pairs of rows that follow each other, and rows alone; or units, by their positions."""
    pieces: Pieces
    calendar: Calendar
    rows: int
    dropped: int = 0

    @classmethod
    def of(
        cls, coding: Coding, origin: Origin, missing: str, batches: Iterable[Table]
    ) -> SeriesSums:
        """Add up the rows of batches."""
        total = Summing(coding, origin, missing).take(batches)
        found = cls(coding, origin, *total.total(), total.calendar, total.rows, total.dropped)
        return found.joined()

    @property
    def term(self) -> Residuals:
        """What ties the rows together."""
        found = residuals_of(self.coding)
        assert found is not None
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of the sums."""
        moments = sum(each.mean.nbytes + each.squares.nbytes for each in self.bundles.values())
        return moments + self.pieces.first.columns.nbytes + self.pieces.last.columns.nbytes

    def __repr__(self) -> str:
        dropped = f" ({self.dropped:,} dropped)" if self.dropped else ""
        in_time = isinstance(self.term, AutoRegression)
        pieces = f", in {len(self.pieces):,} pieces" if in_time else ""
        return "\n".join(
            [
                f"Statistics of {self.formula}",
                f"rows     {self.rows:,}{dropped}",
                f"terms    {', '.join(self.coding.plan.population.labels)}",
                f"{'series' if in_time else 'units':<9}{len(self.pieces.labels):,}{pieces}",
                f"cells    {sum(map(len, self.bundles.values())):,}",
                f"size     {self.nbytes / 1e6:,.2f} MB",
            ]
        )

    @property
    def every(self) -> CellMoments:
        """Moments of all rows, one by one."""
        only = (ROW,) if isinstance(self.term, AutoRegression) else None
        names, own = key_columns(self.coding.roles), own_columns(self.coding.roles)
        return bundles.rows_of(self.bundles, self._from, names, own, only)

    def _from(self, place: object) -> Origin:
        return self.origin

    def joined(self) -> SeriesSums:
        """Return the sums with all pieces of each series as one: no other lies between them."""
        if not isinstance(self.term, AutoRegression):
            return self
        joints = series_pieces.joints(self.pieces, self.term)
        if joints is None:
            return self
        moments = bundles.together([self.bundles, {PAIR: joints}])
        return replace(self, bundles=moments, pieces=series_pieces.joined(self.pieces))

    def design(self, formula: str | None = None, data2: Matrices | None = None) -> Design:
        """Return the design of weighted rows that have the moments of all, for a model.

        Raises
        ------
        DataError
            The formula has a column that these sums don't have.
        """
        whole = self.joined()
        sums = series_design.Sums(
            whole.coding, whole.origin, whole.bundles, whole.every, whole.rows
        )  # fmt: skip
        found = series_design.design_of(sums, whole.pieces, whole.calendar, formula, data2)
        return as_given(self.coding, found)

    # A vector space ------------------------------------------------------------------------------

    def __add__(self, other: SeriesSums) -> SeriesSums:
        """Return the sums of the rows of both.

        Raises
        ------
        DataError
            They are of other formulas, or columns are coded otherwise; with what differs. Pieces
            of a series overlap in time, or a unit is in both.
        """
        if not isinstance(other, SeriesSums):
            return NotImplemented
        coding = self.coding.with_cells_of(other.coding)
        moments, pieces = other._around(self.origin)
        return replace(
            self,
            coding=coding,
            bundles=bundles.together([self.bundles, moments]),
            pieces=series_pieces.put_together([self.pieces, pieces], self.term),
            calendar=self.calendar + other.calendar,
            rows=self.rows + other.rows,
            dropped=self.dropped + other.dropped,
        )

    def __sub__(self, other: SeriesSums) -> SeriesSums:
        """Return the sums of these rows without those of the other.

        Raises
        ------
        DataError
            As for a sum; there are rows that these don't have, or pieces of series that were not
            added as such; or so little is left that the difference would not keep ten digits.
        """
        if not isinstance(other, SeriesSums):
            return NotImplemented
        self.coding.with_cells_of(other.coding)
        moments, pieces = other._around(self.origin)
        left = self.pieces.without(pieces)
        check_left(self.rows, other.rows, "")
        found = replace(
            self, bundles=bundles.without(self.bundles, moments), pieces=left,
            rows=self.rows - other.rows, dropped=max(self.dropped - other.dropped, 0),
        )  # fmt: skip
        self.every.check_digits(found.every)
        return found

    def _around(self, there: Origin) -> tuple[Bundles, Pieces]:
        moments = bundles.around(self.bundles, self._from, lambda place: there)
        return moments, self.pieces.moved(*self.origin.step(there))

    # Files ---------------------------------------------------------------------------------------

    def tree(self) -> xr.DataTree:
        """Return the sums as a tree of arrays; see `of_tree`."""
        parts = self.coding, self.origin, self.bundles, self.pieces, self.calendar
        return series_tree.tree_of(*parts, self.rows, self.dropped)

    @classmethod
    def of_tree(cls, tree: xr.DataTree) -> SeriesSums:
        """Return the sums that a tree holds."""
        return cls(*series_tree.parts_of(tree))

    @classmethod
    def load(cls, path: str | Path) -> SeriesSums:
        """Read sums that `save` wrote."""
        return cls.of_tree(
            read_tree(path, "a set of sums of series", series_tree.MARK, series_tree.FORMAT)
        )

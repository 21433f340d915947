"""Sums of cells: what Gaussian models of several factors, strata and smooths need of their rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.design.batches import slices
from hiermix.design.coding import Coding, complete
from hiermix.design.design import Design
from hiermix.design.level_covariance import Matrices
from hiermix.design.packing import decode, encode
from hiermix.design.tables import Table
from hiermix.errors import DataError, count
from hiermix.families.linear_scale import less_offset
from hiermix.files import read_tree
from hiermix.statistics import cell_moments
from hiermix.statistics.as_tree import add_coding, coding_of
from hiermix.statistics.cell_coding import SummedColumns, key_columns
from hiermix.statistics.cell_design import design_of
from hiermix.statistics.cell_moments import CellMoments, Origin, far_means, key_frame, together
from hiermix.statistics.gaussian_sums import as_given, check_left, encoded
from hiermix.statistics.moment_sums import MomentSums
from hiermix.statistics.moments import fitted_pilot
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 1
_MOST = 200_000_000
"""Numbers that moments of cells may be: they stand in memory."""


@dataclass(frozen=True, eq=False, repr=False)
class CellSums(MomentSums):
    """Moments of the rows of each combination of groups and strata; see `statistics`.

    They add and subtract as `Statistics` do, and no rows are in them. The model of them is an
    ordinary one, of a few weighted rows a cell that have the same moments.

    Attributes
    ----------
    rows, dropped : int
        Rows that were added up, and those left out for a missing value.
    """

    coding: Coding
    origin: Origin
    cells: CellMoments
    rows: int
    dropped: int = 0

    @classmethod
    def of(cls, coding: Coding, origin: Origin, missing: str, batches: Iterable[Table]) -> CellSums:
        """Add up the rows of batches."""
        return CellSumming(coding, origin, missing).take(batches).total()

    @property
    def every(self) -> CellMoments:
        """Moments of all rows."""
        return self.cells

    @property
    def nbytes(self) -> int:
        """Bytes of the sums."""
        each = self.cells.number, self.cells.weight, self.cells.mean, self.cells.squares
        keys = self.cells.keys.memory_usage(index=False).sum()
        return int(sum(values.nbytes for values in each) + keys)

    def __repr__(self) -> str:
        dropped = f" ({self.dropped:,} dropped)" if self.dropped else ""
        keys = ", ".join(self.cells.names)
        return "\n".join(
            [
                f"Statistics of {self.formula}",
                f"rows     {self.rows:,}{dropped}",
                f"terms    {', '.join(self.coding.plan.population.labels)}",
                f"cells    {len(self.cells):,}" + (f": {keys}" if keys else ""),
                f"size     {self.nbytes / 1e6:,.2f} MB",
            ]
        )

    def design(self, formula: str | None = None, data2: Matrices | None = None) -> Design:
        """Return the design of weighted rows that have the moments of all, for a model.

        Raises
        ------
        DataError
            The formula has a column that these sums don't have.
        """
        found = design_of(self.coding, self.cells, self.origin, self.rows, formula, data2)
        return as_given(self.coding, found)

    # A vector space ------------------------------------------------------------------------------

    def __add__(self, other: CellSums) -> CellSums:
        """Return the sums of the rows of both.

        Raises
        ------
        DataError
            They are of other formulas, or columns are coded otherwise; with what differs.
        """
        if not isinstance(other, CellSums):
            return NotImplemented
        coding = self.coding.with_cells_of(other.coding)
        theirs = other.cells.around(other.origin, self.origin)
        cells = together([self.cells, theirs]).in_order()
        return replace(
            self, coding=coding, cells=cells, rows=self.rows + other.rows,
            dropped=self.dropped + other.dropped,
        )  # fmt: skip

    def __sub__(self, other: CellSums) -> CellSums:
        """Return the sums of these rows without those of the other.

        Raises
        ------
        DataError
            As for a sum; there are rows that these don't have; or so little is left that the
            difference would not keep ten digits.
        """
        if not isinstance(other, CellSums):
            return NotImplemented
        self.coding.with_cells_of(other.coding)
        theirs = other.cells.around(other.origin, self.origin)
        cells = together([self.cells, theirs.negative()]).in_order()
        lacking = int((cells.number < 0).sum())
        check_left(self.rows, other.rows, f" of {count(lacking, 'cell')}" if lacking else "")
        cells = cells.take(np.flatnonzero(cells.number > 0))
        self.cells.check_digits(cells)
        return replace(
            self, cells=cells, rows=self.rows - other.rows,
            dropped=max(self.dropped - other.dropped, 0),
        )  # fmt: skip

    # Files ---------------------------------------------------------------------------------------

    def tree(self) -> xr.DataTree:
        """Return the sums as a tree of arrays; see `of_tree`."""
        import xarray as xr

        keys, how = encode(self.cells.keys)
        arrays = {
            "number": (("cell",), self.cells.number),
            "weight": (("cell",), self.cells.weight),
            "mean": (("cell", "column"), self.cells.mean),
            "squares": (("cell", "column", "column_"), self.cells.squares),
            "center": (("term",), self.origin.center),
            "slopes": (("term",), self.origin.slopes),
        }
        found = xr.DataTree.from_dict(
            {
                "/": xr.Dataset(arrays),
                "/keys": xr.Dataset({name: (("cell_",), array) for name, array in keys.items()}),
            }
        )
        add_coding(found, self.coding)
        found.attrs |= {
            "hiermix_cells": FORMAT, "keys": json.dumps(how), "level": self.origin.level,
            "rows": self.rows, "dropped": self.dropped,
        }  # fmt: skip
        return found

    @classmethod
    def of_tree(cls, tree: xr.DataTree) -> CellSums:
        """Return the sums that a tree holds."""
        attrs, found = tree.attrs, tree.to_dataset()
        number, weight, mean, squares, center, slopes = (
            found[name].to_numpy()
            for name in ("number", "weight", "mean", "squares", "center", "slopes")
        )
        keys = decode(tree["keys"].to_dataset(), json.loads(attrs["keys"]))
        keys = keys if len(keys.columns) else keys.reindex(range(len(number)))
        return cls(
            coding_of(tree), Origin(center, float(attrs["level"]), slopes),
            CellMoments(keys, number, weight, mean, squares),
            int(attrs["rows"]), int(attrs["dropped"]),
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> CellSums:
        """Read sums that `save` wrote."""
        return cls.of_tree(read_tree(path, "a set of sums of cells", "hiermix_cells", FORMAT))


@dataclass(eq=False)
class CellSumming:
    """The moments of the rows so far."""

    coding: Coding
    origin: Origin
    missing: str
    held: list[CellMoments] = field(default_factory=list)
    rows: int = 0
    dropped: int = 0

    def take(self, batches: Iterable[Table]) -> CellSumming:
        """Add the rows of batches, and merge whenever as many cells came as there are."""
        design, what = without_factors(self.coding), SummedColumns(self.coding)
        names = key_columns(self.coding.roles)
        for found in complete(self.coding.roles, batches, self.missing):
            self.dropped += found.dropped
            self.rows += len(found.frame)
            if len(found.frame):
                rows = encoded(self.coding, design, found.frame)
                self._add(rows, key_frame(rows.frame, names), what)
        self.held = [together(self.held)] if self.held else []
        return self

    def _add(self, design: Design, keys: pd.DataFrame, what: SummedColumns) -> None:
        for rows in slices(design.rows):
            columns = columns_of(design, rows, what, self.origin)
            weight = None if design.weights is None else design.weights[rows]
            with np.errstate(over="ignore", invalid="ignore"):  # said when all rows are in
                self.held.append(cell_moments.of_rows(keys.iloc[rows], columns, weight))
            if sum(map(len, self.held[1:])) > len(self.held[0]):
                self.held = [together(self.held)]
            _check_size(self.held[0], self.rows)

    def total(self) -> CellSums:
        """Return what was added up."""
        cells = self.held[0].in_order() if self.held else _nothing(self.coding)
        return CellSums(self.coding, self.origin, cells, self.rows, self.dropped)


def _nothing(coding: Coding) -> CellMoments:
    wide = len(SummedColumns(coding).labels) + 1
    keys = key_frame(coding.shown.iloc[:0], key_columns(coding.roles))
    none = np.zeros(0, dtype=np.int64)
    return CellMoments(keys, none, np.zeros(0), np.zeros((0, wide)), np.zeros((0, wide, wide)))


def _check_size(cells: CellMoments, rows: int) -> None:
    if cells.squares.size > _MOST:
        keys = ", ".join(map(repr, cells.names))
        raise DataError(
            f"{len(cells):,} cells (combinations of {keys}) of {rows:,} rows so far: their sums "
            "take more memory than is sensible. Round or bin numbers among these, leave some out, "
            "or fit a sample of the rows"
        )


def without_factors(coding: Coding) -> Design:
    """Return a design of no rows that encodes all columns but labels of groups."""
    return replace(coding.design({}), groupings=())


def columns_of(design: Design, rows: slice, what: SummedColumns, origin: Origin) -> FloatArray:
    """(n, K + 1) columns, counted from an origin, and the response."""
    X = what.matrix(design, rows) - origin.center
    y = _response(design)[rows] - origin.level - X @ origin.slopes
    return np.column_stack([X, y])


def _response(design: Design) -> FloatArray:
    assert design.response is not None
    return less_offset(design.response, design)


def first_origin(coding: Coding, batches: Iterable[Table], missing: str) -> Origin:
    """Return means and a least-squares fit of some rows; zeros where there are none."""
    design, what = without_factors(coding), SummedColumns(coding)
    each = [encoded(coding, design, rows.frame)
            for rows in complete(coding.roles, batches, missing) if len(rows.frame)]  # fmt: skip
    K = len(what.labels)
    slopes = np.zeros(K)
    if not each:
        return Origin(np.zeros(K), 0.0, slopes)
    X = np.concatenate([what.matrix(rows, slice(None)) for rows in each])
    y = np.concatenate([_response(rows) for rows in each])
    some = what.population
    with np.errstate(over="ignore", invalid="ignore"):  # said when all rows are in
        center = far_means(X.mean(axis=0), X.std(axis=0))
        one = np.column_stack([np.ones(len(X)), X[:, some]])
        fit = fitted_pilot(one, y, np.append(0.0, center[some])).b
    slopes[some] = fit[1:]
    return Origin(center, float(fit[0]), slopes)

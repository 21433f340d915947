"""Statistics: what a Gaussian model needs of its rows, and what adds up; no rows are in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiermix.design import group_checks
from hiermix.design.coding import Coding
from hiermix.design.encoding import ordering
from hiermix.errors import count, first_three
from hiermix.files import netcdf, read_tree, write_tree
from hiermix.statistics import moved
from hiermix.statistics.as_tree import FORMAT, Parts, parts_of, tree_of
from hiermix.statistics.gaussian_sums import NEAR, GaussianSums, check_digits, check_left
from hiermix.statistics.moments import Moments
from hiermix.statistics.moved import Centre, placed
from hiermix.statistics.summing import Summing
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr


type Levels = NDArray[np.object_]


@dataclass(frozen=True, eq=False, repr=False)
class Statistics(GaussianSums):
    """Sums over rows, from which a Gaussian model is fitted without them; see `statistics`.

    ``a + b`` are the statistics of the rows of both, ``a - b`` of those of ``a`` without those of
    ``b``. Levels of the grouping factor that only one of them has are taken in, and dropped where
    no row of them is left.

    Attributes
    ----------
    rows, dropped : int
        Rows that were added up, and those left out for a missing value.
    """

    coding: Coding
    centre: Centre
    sums: Moments
    levels: Levels
    counts: IntArray
    """(J,) rows of each level."""
    rows: int
    dropped: int = 0

    @classmethod
    def of(cls, total: Summing) -> Statistics:
        """Return what was added up, levels in order."""
        labels = list(total.place)
        names = list(total.coding.roles.factors)
        if names:
            group_checks.labels_read_apart(names[0], labels)
        order = ordering(labels)
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        levels = _objects([labels[place] for place in order])
        return cls(
            total.coding, total.centre, placed(total.sums, places, len(order)), levels,
            total.counts[order], total.rows, total.dropped,
        )  # fmt: skip

    # Rows, terms, groups ---------------------------------------------------------------------

    @property
    def factor(self) -> str | None:
        """Name of the grouping factor."""
        return next(iter(self.coding.roles.factors), None)

    @property
    def nbytes(self) -> int:
        """Bytes of the sums."""
        each = (*vars(self.sums).values(), self.counts)
        return sum(
            int(np.asarray(values).nbytes) for values in each if values is not self.sums.pilot
        )

    def __repr__(self) -> str:
        plan = self.coding.plan
        lines = [
            f"Statistics of {self.formula}",
            f"rows     {self.rows:,}" + (f" ({self.dropped:,} dropped)" if self.dropped else ""),
            f"terms    {', '.join(plan.population.labels)}",
        ]
        for name, specs in plan.effects.items():
            effects = ", ".join(label for spec in specs for label in spec.labels)
            lines.append(f"group    {name}: {count(len(self.levels), 'level')}; {effects}")
        return "\n".join([*lines, f"size     {self.nbytes / 1e6:,.2f} MB"])

    # Files -------------------------------------------------------------------------------------

    def _parts(self) -> Parts:
        return (
            self.coding, self.centre, self.sums, self.levels, self.counts, self.rows, self.dropped
        )  # fmt: skip

    def tree(self) -> xr.DataTree:
        """Return the statistics as a tree of arrays; see `of_tree`."""
        return tree_of(self._parts())

    @classmethod
    def of_tree(cls, tree: xr.DataTree) -> Statistics:
        """Return the statistics that a tree holds."""
        return cls(*parts_of(tree))

    def save(self, path: str | Path) -> None:
        """Write the statistics as netCDF, to a temporary name first.

        Raises
        ------
        DataError
            The file can't be written; nothing half-written is left.
        """
        write_tree(self.tree(), netcdf(path, "a set of statistics"))

    @classmethod
    def load(cls, path: str | Path) -> Statistics:
        """Read statistics that `save` wrote.

        Raises
        ------
        DataError
            The file is missing, truncated, foreign or from a newer version.
        """
        what = "a set of statistics"
        return cls.of_tree(read_tree(path, what, "hiermix_statistics", FORMAT))

    # A vector space ----------------------------------------------------------------------------

    def __add__(self, other: Statistics) -> Statistics:
        """Return the statistics of the rows of both.

        Raises
        ------
        DataError
            They are of other formulas, or columns are coded otherwise; with what differs.
        """
        if not isinstance(other, Statistics):
            return NotImplemented
        one, two, levels, counts = self._together(other)
        return replace(
            self,
            coding=self.coding.with_cells_of(other.coding),
            sums=one + two,
            levels=levels,
            counts=counts[0] + counts[1],
            rows=self.rows + other.rows,
            dropped=self.dropped + other.dropped,
        )

    def __sub__(self, other: Statistics) -> Statistics:
        """Return the statistics of these rows without those of the other.

        Raises
        ------
        DataError
            As for a sum; there are rows that these don't have; or so little is left that the
            difference would not keep ten digits.
        """
        if not isinstance(other, Statistics):
            return NotImplemented
        self.coding.with_cells_of(other.coding)
        one, two, levels, counts = self._together(other)
        left = counts[0] - counts[1]
        self._check_rows(other, left, levels)
        sums = one - two
        kept = np.flatnonzero(left > 0)
        self._check_digits(one, sums, kept)
        return replace(
            self,
            sums=replace(sums, ZtZ=sums.ZtZ[kept], ZtX=sums.ZtX[kept], Zte=sums.Zte[kept]),
            levels=levels[kept],
            counts=left[kept],
            rows=self.rows - other.rows,
            dropped=max(self.dropped - other.dropped, 0),
        )

    def _together(
        self, other: Statistics
    ) -> tuple[Moments, Moments, Levels, tuple[IntArray, IntArray]]:
        """Return the moments and counts of both around one centre, for the levels of both."""
        self.coding.with_cells_of(other.coding)
        theirs = moved.around(other.sums, other.centre, self.centre)
        if np.array_equal(self.levels, other.levels):
            return self.sums, theirs, self.levels, (self.counts, other.counts)
        union = list(dict.fromkeys([*self.levels.tolist(), *other.levels.tolist()]))
        if self.factor is not None:
            group_checks.labels_read_apart(self.factor, union)
        levels = _objects([union[place] for place in ordering(union)])
        place = {level: position for position, level in enumerate(levels.tolist())}
        found = []
        for each, sums in ((self, self.sums), (other, theirs)):
            places = np.array([place[level] for level in each.levels.tolist()], dtype=np.int64)
            counts = np.zeros(len(levels), dtype=np.int64)
            counts[places] = each.counts
            found.append((placed(sums, places, len(levels)), counts))
        (one, mine), (two, others) = found
        return one, two, levels, (mine, others)

    def _check_rows(self, other: Statistics, left: IntArray, levels: Levels) -> None:
        lacking = np.flatnonzero(left < 0)
        which = f" of {self.factor} {first_three(levels[lacking])}" if len(lacking) else ""
        check_left(self.rows, other.rows, which)

    def _check_digits(self, before: Moments, after: Moments, kept: IntArray) -> None:
        """Raise where next to nothing is left of a sum, so that rounding of the whole counts."""
        shares = [after.n / before.n, after.ete / before.ete if before.ete else 1.0]
        shares += list(_share(np.diag(after.XtX), np.diag(before.XtX)))
        diagonal = "jqq->jq"
        left = np.einsum(diagonal, after.ZtZ)[kept]
        shares += list(_share(left, np.einsum(diagonal, before.ZtZ)[kept]).ravel())
        check_digits(np.array(shares))


def near(found: Statistics) -> bool:
    """Tell whether sums are around a centre that keeps their digits."""
    best = moved.least_squares(found.sums, found.centre)
    there = moved.around(found.sums, found.centre, best)
    here = np.append(np.diag(found.sums.XtX), found.sums.ete)
    least = np.append(np.diag(there.XtX), there.ete)
    return bool(np.all(here <= NEAR * np.maximum(least, 1e-300) + 1e-12 * here))


def _share(after: FloatArray, before: FloatArray) -> FloatArray:
    return np.where(before > 0, after / np.where(before > 0, before, 1.0), 1.0)


def _objects(labels: Sequence[object]) -> Levels:
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array

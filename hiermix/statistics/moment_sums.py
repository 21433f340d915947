"""What sums of moments have in common: an origin, which may be moved to where digits are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hiermix.design.coding import Coding
from hiermix.design.tables import Table
from hiermix.files import netcdf, write_tree
from hiermix.statistics.cell_coding import SummedColumns
from hiermix.statistics.cell_moments import CellMoments, Origin
from hiermix.statistics.gaussian_sums import GaussianSums

if TYPE_CHECKING:
    import xarray as xr


class MomentSums(GaussianSums, ABC):
    """Sums of rows for Gaussian models, kept as moments of cells."""

    origin: Origin

    @classmethod
    @abstractmethod
    def of(cls, coding: Coding, origin: Origin, missing: str, batches: Iterable[Table]) -> Self:
        """Add up the rows of batches."""

    @property
    @abstractmethod
    def every(self) -> CellMoments:
        """Moments of all rows, one by one."""

    @abstractmethod
    def __add__(self, other: Any) -> Self:
        """Return the sums of the rows of both."""

    @abstractmethod
    def tree(self) -> xr.DataTree:
        """Return the sums as a tree of arrays."""

    def joined(self) -> Self:
        """Return the sums when all rows of a source are in."""
        return self

    def centred(self) -> Origin:
        """Return an origin that keeps the digits of the sums."""
        return self.every.centred(self.origin, SummedColumns(self.coding).population)

    def near(self) -> bool:
        """Tell whether the origin keeps the digits of the sums."""
        return self.every.near(self.origin, self.centred())

    def save(self, path: str | Path) -> None:
        """Write the sums as netCDF, to a temporary name first."""
        write_tree(self.tree(), netcdf(path, "a set of statistics"))

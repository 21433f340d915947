"""Levels of rows, with two verbs: what a row gets of its level, what a level gets of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hiermix.design.batches import Rows
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Factor:
    """Which of `size` levels each row has.

    Everything that goes from levels to rows or back goes through here, so that nobody else needs to
    know that a row has one level.
    """

    codes: NDArray[np.integer]
    """(rows,) from 0."""
    size: int

    def on(self, rows: Rows) -> Factor:
        """Return the levels of some of the rows."""
        return Factor(self.codes[rows], self.size)

    def gather(self, effects: NDArray[Any], rows: Rows = ALL) -> NDArray[Any]:
        """Return the effects (size, ...) of the levels of some rows, (n, ...)."""
        return np.asarray(effects[self.codes[rows]])

    def scatter(self, values: FloatArray, rows: Rows = ALL) -> FloatArray:
        """Sum values (n,) or (n, k) of some rows over each level, (size,) or (size, k)."""
        codes = self.codes[rows]
        if values.ndim == 1:
            return np.bincount(codes, values, self.size)
        return np.stack([np.bincount(codes, column, self.size) for column in values.T], axis=-1)

    def scatter_by(
        self, cell: NDArray[np.intp], cells: int, values: FloatArray, rows: Rows = ALL
    ) -> csr_array:
        """Sum values (n,) of some rows, each in a cell, over cells and levels, (cells, size)."""
        from scipy.sparse import coo_array

        return coo_array((values, (cell, self.codes[rows])), (cells, self.size)).tocsr()

    def products(
        self, A: FloatArray, B: FloatArray, rows: Rows = ALL, *, symmetric: bool = False
    ) -> FloatArray:
        """A_j'B_j of each level, (size, a, b), of matrices (n, a) and (n, b) of some rows."""
        codes = self.codes[rows]
        found = np.zeros((self.size, A.shape[1], B.shape[1]))
        for k in range(A.shape[1]):
            column = np.ascontiguousarray(A[:, k])
            for m in range(k + 1 if symmetric else B.shape[1]):
                found[:, k, m] = np.bincount(codes, column * B[:, m], self.size)
                if symmetric:
                    found[:, m, k] = found[:, k, m]
        return found

    def counts(self, rows: Rows = ALL) -> IntArray:
        """(size,) number of rows of each level."""
        return np.bincount(self.codes[rows], minlength=self.size)

    def greatest(self, values: FloatArray) -> FloatArray:
        """(size,) greatest value (rows,) of each level, or zero."""
        found = np.zeros(self.size)
        np.maximum.at(found, self.codes, values)
        return found

    def one_of(self, values: NDArray[Any]) -> NDArray[Any]:
        """(size,) the value (rows,) that a row of each level has; zero for levels without rows."""
        found = np.zeros(self.size, dtype=values.dtype)
        found[self.codes] = values
        return found

    def above(self, outer: Factor) -> IntArray | None:
        """(size,) the level of `outer` that each level lies in; None where one lies in several."""
        found = self.one_of(outer.codes.astype(np.int64))
        return found if np.array_equal(self.gather(found), outer.codes) else None

    def members(self) -> list[IntArray]:
        """Return the rows of each level, in the order of the frame."""
        return np.split(np.argsort(self.codes, kind="stable"), np.cumsum(self.counts())[:-1])

    def at(self, level: int) -> NDArray[np.bool_]:
        """(rows,) whether a row has this level."""
        return np.asarray(self.codes == level)

    def picked(
        self, most: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.integer], IntArray, IntArray]:
        """Pick rows of each level at random: level, row, and its place among those of the level."""
        mixed = rng.permutation(len(self.codes))
        ordered = mixed[np.argsort(self.codes[mixed], kind="stable")]
        sizes = self.counts()
        place = np.arange(len(ordered)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = ordered[place < most]
        return self.codes[rows], rows, place[place < most]

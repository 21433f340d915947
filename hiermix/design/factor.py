"""Levels of rows, with two verbs: what a row gets of its level, what a level gets of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, override

import numpy as np
from numpy.typing import NDArray

from hiermix.design.batches import Rows
from hiermix.errors import DataError
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Factor:
    """Which of `size` levels each row has.

    Everything that goes from levels to rows or back goes through here, so that nobody else needs to
    know that a row has one level; of a `Mixture` it has more.
    """

    partitions: ClassVar[bool] = True
    """Whether every row has one level, and that alone."""
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
        self, cell: NDArray[np.intp], cells: int, values: FloatArray, rows: Rows = ALL,
        effect: int = 0,
    ) -> csr_array:  # fmt: skip
        """Sum values (n,) of some rows, each in a cell, over cells and levels, (cells, size).

        They are those of an effect, by its place, where effects differ in what rows have of levels.
        """
        from scipy.sparse import coo_array

        return coo_array((values, (cell, self.codes[rows])), (cells, self.size)).tocsr()

    def squares(self, A: FloatArray, B: FloatArray, rows: Rows = ALL) -> FloatArray:
        """A_j'B_j of each level, (size, a, a), where it is symmetric.

        Of a `Mixture`, whose levels share rows, as much more as keeps levels apart: see there.
        """
        return self.products(A, B, rows, symmetric=True)

    def gather_squared(self, values: NDArray[Any], rows: Rows = ALL) -> NDArray[Any]:
        """Return variances (size, ...) of levels as those of some rows, (n, ...)."""
        return self.gather(values, rows)

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

    def sized(self, Z: FloatArray, rows: Rows = ALL) -> FloatArray:
        """Return Z (n, Q) of some rows times the root of the squares of what they have of levels.

        Its square is what independent effects of levels make of the variance of a row.
        """
        return Z

    def level_of_rows(self) -> IntArray:
        """(rows,) the one level that each row has."""
        return np.asarray(self.codes, dtype=np.int64)

    def parts(self, rows: Rows = ALL) -> csr_array:
        """(n, size) how much some rows have of each level."""
        from scipy.sparse import csr_array

        codes = self.codes[rows]
        n = len(codes)
        return csr_array((np.ones(n), codes, np.arange(n + 1)), (n, self.size))

    def columns(self, Z: FloatArray, rows: Rows = ALL) -> list[csr_array]:
        """Return Z (n, Q) of some rows times what they have of each level: (n, size) an effect."""
        levels = self.parts(rows)
        return [levels.multiply(column[:, None]) for column in Z.T]

    def marks(self) -> NDArray[Any]:
        """Return columns (k, rows) in which rows are equal that have the same of each level."""
        return self.gather(np.arange(self.size))[None]

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
        if not (self.partitions and outer.partitions):
            return None
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


@dataclass(frozen=True, eq=False)
class Whole(Factor):
    """One level that every row is of, which is around no other factor and inside none."""

    partitions: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class Mixture(Factor):
    """Levels of which a row has several, each with a weight; or, of a basis, all of them.

    The codes count for nothing.
    """

    matrix: Callable[[Rows], Any]
    """How much some rows have of each level, (n, size): an array, or scipy's rows of few."""
    partitions: ClassVar[bool] = False

    @override
    def on(self, rows: Rows) -> Mixture:
        part = self.matrix(rows)
        return Mixture(self.codes[rows], self.size, lambda inside: part[inside])

    @override
    def gather(self, effects: NDArray[Any], rows: Rows = ALL) -> NDArray[Any]:
        flat = self.matrix(rows) @ effects.reshape(self.size, -1)
        return np.asarray(flat.reshape(-1, *effects.shape[1:]))

    @override
    def scatter(self, values: FloatArray, rows: Rows = ALL) -> FloatArray:
        return np.asarray(self.matrix(rows).T @ values)

    @override
    def scatter_by(
        self, cell: NDArray[np.intp], cells: int, values: FloatArray, rows: Rows = ALL,
        effect: int = 0,
    ) -> csr_array:  # fmt: skip
        from scipy.sparse import csr_array

        of_cells = csr_array((values, (cell, np.arange(len(cell)))), (cells, len(cell)))
        return csr_array(of_cells @ self.matrix(rows))

    @override
    def squares(self, A: FloatArray, B: FloatArray, rows: Rows = ALL) -> FloatArray:
        """Return the least that a matrix without products between levels has to be.

        Levels share rows, so that products between them aren't zero. What is worked out level by
        level takes in their place the sum of their sizes: the form is then never too small, and
        steps that it makes never too long.
        """
        M = self.matrix(rows)
        if A.shape[1] == 1:
            within = np.abs(M.T @ _times(A * B, M))
            return np.asarray(within.sum(axis=1)).reshape(self.size, 1, 1)
        size = np.abs(M)
        whole = np.asarray(size.sum(axis=1)).reshape(-1, 1)
        columns = [size.T @ (whole * A[:, k : k + 1] * B) for k in range(A.shape[1])]
        return np.stack(columns, axis=1)

    @override
    def gather_squared(self, values: NDArray[Any], rows: Rows = ALL) -> NDArray[Any]:
        flat = _squared(self.matrix(rows)) @ values.reshape(self.size, -1)
        return np.asarray(flat.reshape(-1, *values.shape[1:]))

    @override
    def products(
        self, A: FloatArray, B: FloatArray, rows: Rows = ALL, *, symmetric: bool = False
    ) -> FloatArray:
        M = self.matrix(rows)
        columns = [M.T @ (A[:, k : k + 1] * B) for k in range(A.shape[1])]
        return np.stack(columns, axis=1) if columns else np.zeros((self.size, 0, B.shape[1]))

    @override
    def sized(self, Z: FloatArray, rows: Rows = ALL) -> FloatArray:
        squares: Any = _squared(self.matrix(rows)).sum(axis=1)
        return np.asarray(Z * np.sqrt(np.asarray(squares).reshape(-1, 1)))

    @override
    def level_of_rows(self) -> IntArray:
        raise _shared()

    @override
    def parts(self, rows: Rows = ALL) -> csr_array:
        from scipy.sparse import csr_array

        return csr_array(self.matrix(rows))

    @override
    def greatest(self, values: FloatArray) -> FloatArray:
        raise _shared()

    @override
    def one_of(self, values: NDArray[Any]) -> NDArray[Any]:
        raise _shared()

    @override
    def members(self) -> list[IntArray]:
        raise _shared()

    @override
    def at(self, level: int) -> NDArray[np.bool_]:
        raise _shared()

    @override
    def marks(self) -> NDArray[Any]:
        # Rows that differ have one sum of numbers drawn at random by no chance.
        return self.gather(np.random.default_rng(0).standard_normal((self.size, 2))).T

    @override
    def counts(self, rows: Rows = ALL) -> IntArray:
        """(size,) number of rows that have something of each level."""
        some: Any = self.matrix(rows) != 0
        return np.asarray(some.sum(axis=0), dtype=np.int64).ravel()


def _shared() -> DataError:
    return DataError(
        "rows have several levels of this factor, each with a part: what asks for the rows of a "
        "level alone has no answer"
    )


def _times(column: FloatArray, M: Any) -> Any:
    """Return a matrix, dense or not, with each row times a number of the column (n, 1)."""
    return M.multiply(column).tocsr() if hasattr(M, "multiply") else column * M


def _squared(M: Any) -> Any:
    return M.power(2) if hasattr(M, "power") else M**2

"""Weighted sums of expectations over the rows of each cell, added up in pieces on all cores.

Draws of rows are never held at once: memory is that of cells x draws. Where what is expected is
linear in the coefficients, rows are summed first and draws enter last; elsewhere a few rows may
stand for many.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design.design import Design
from hiermix.prediction.fewer_rows import Expect, Membership, fewer
from hiermix.prediction.linear_sums import is_linear, linear_sums
from hiermix.prediction.pieces import cores
from hiermix.prediction.predictor import PIECE, Matrices, Predictor
from hiermix.typing import FloatArray

_ROWS = 65_536
_CELLS = 2_000_000
"""Cells times draws of a block."""


class Source(Protocol):
    """What is expected of the rows of a design."""

    @property
    def design(self) -> Design:
        """The rows."""

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of what is expected of one row."""

    @property
    def linear_source(self) -> Predictor:
        """What gives the linear predictor that is expected."""

    def matrices(self, rows: slice) -> Matrices:
        """Evaluate the formula for some rows."""

    def values(self, kind: str, rows: slice, matrices: Matrices | None = None) -> FloatArray:
        """Return what is expected of some rows."""


@dataclass(frozen=True, eq=False)
class Through:
    """A source whose expectations go through a function."""

    source: Source
    to: Callable[[FloatArray], FloatArray]

    @property
    def design(self) -> Design:
        """The rows."""
        return self.source.design

    @property
    def linear_source(self) -> Predictor:
        """What gives the linear predictor that is expected."""
        return self.source.linear_source

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of what is expected of one row."""
        return self.source.shape(kind)

    def matrices(self, rows: slice) -> Matrices:
        """Evaluate the formula for some rows."""
        return self.source.matrices(rows)

    def values(self, kind: str, rows: slice, matrices: Matrices | None = None) -> FloatArray:
        """Return the function of what is expected of some rows."""
        return self.to(self.source.values(kind, rows, matrices))


def weighted_sums(
    frame: pd.DataFrame, expect: Expect[Source], kind: str, rows: Membership
) -> FloatArray:
    """Sum what is expected of the rows of each cell, times their weights: (cells, S, ...)."""
    source = expect(frame)
    linear = source.linear_source
    if is_linear(linear, kind):
        return linear_sums(linear, rows.cell, rows.weight, rows.cells)
    source, rows = fewer(source, kind, rows, frame, expect)
    out = np.zeros((rows.cells, *source.shape(kind)))
    jobs = (
        partial(_block, source, kind, rows, each, source.matrices(each))
        for each in _blocks(source, kind, rows)
    )
    for first, part in in_turn(jobs):
        out[first : first + len(part)] += part
    return out


def in_turn[T](jobs: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Yield results of jobs in their order; few are under way at a time."""
    number = cores()
    with ThreadPoolExecutor(number) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(job))
                if len(waiting) > 2 * number:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:  # so that Ctrl-C doesn't wait for the jobs still to come
            pool.shutdown(cancel_futures=True)
            raise


def _blocks(source: Source, kind: str, rows: Membership) -> Iterator[slice]:
    """Yield slices of rows that have not too many cells."""
    n = len(rows.cell)
    most = max(1, _CELLS // int(np.prod(source.shape(kind))))
    size = max(1, min(_ROWS, -(-n // (2 * cores()))))
    turns = np.flatnonzero(np.diff(rows.cell // most)) + 1
    edges = np.unique(np.concatenate([np.arange(0, n, size), turns, [n]])).astype(int).tolist()
    for start, stop in pairwise(edges):
        yield slice(start, stop)


def _block(
    source: Source, kind: str, rows: Membership, block: slice, matrices: Matrices
) -> tuple[int, FloatArray]:
    """Sum over the rows of a block; the first cell, and the sums of it and those that follow."""
    shape = source.shape(kind)
    size = max(1, PIECE // max(int(np.prod(source.shape(each))) for each in ("linear", kind)))
    first = int(rows.cell[block.start])
    out = np.zeros((int(rows.cell[block.stop - 1]) - first + 1, *shape))
    for start in range(block.start, block.stop, size):
        piece = slice(start, min(start + size, block.stop))
        inside = slice(piece.start - block.start, piece.stop - block.start)
        values = source.values(kind, piece, matrices.rows(inside))
        _add(out, values, rows.cell[piece] - first, rows.weight[piece])
    return first, out


def _add(out: FloatArray, values: FloatArray, cell: NDArray[np.intp], weight: FloatArray) -> None:
    """Add weighted rows (n, S, ...) to their cells, which come in runs."""
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    if len(starts) == len(cell):
        out[cell] += weight.reshape(-1, *[1] * (values.ndim - 1)) * values
        return
    for start, stop in zip(starts, [*starts[1:], len(cell)], strict=True):
        out[cell[start]] += np.tensordot(weight[start:stop], values[start:stop], axes=1)

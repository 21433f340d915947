"""Rows in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hiermix.typing import FloatArray

type Rows = slice | NDArray[np.intp]

SLICE = 131_072
"""Rows of a pass over a design: few enough to stay in cache, many enough to hide the overhead."""


BATCH = 4 * SLICE
"""Rows of a source that are encoded at a time: many enough that levels cost less than rows."""


def slices(rows: int) -> Iterator[slice]:
    """Yield the rows of a pass, a slice at a time."""
    for start in range(0, rows, SLICE):
        yield slice(start, min(start + SLICE, rows))


def by_slices(rows: int, of_rows: Callable[[slice], FloatArray]) -> FloatArray:
    """Return numbers (rows,), from matrices that never stand in memory as a whole."""
    out = np.empty(rows)
    for part in slices(rows):
        out[part] = of_rows(part)
    return out

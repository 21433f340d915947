"""Arrays of which the part that is read is made. Imported late: by what puts them in a dataset.

They are xarray's own lazy arrays, which else stand for files that are not read yet: they take no
memory, and what is read of them is not kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from hiermix.typing import FloatArray, IntArray


@dataclass(eq=False)
class _Made(BackendArray):
    """An array of which places of one axis are made."""

    make: Callable[[IntArray], FloatArray]
    axis: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, outer, self._read)

    def _read(self, key: tuple[int | slice | IntArray, ...]) -> Any:
        places = np.arange(self.shape[self.axis])[key[self.axis]]
        values = self.make(np.atleast_1d(places)).astype(self.dtype, copy=False)
        here = 0 if np.ndim(places) == 0 else slice(None)
        each = [here if axis == self.axis else part for axis, part in enumerate(key)]
        for axis in reversed(range(len(each))):  # one after the other: they are independent
            values = values[(slice(None),) * axis + (each[axis],)]
        return values


def lazy(
    make: Callable[[IntArray], FloatArray], axis: int, shape: tuple[int, ...], dtype: Any = float
) -> indexing.LazilyIndexedArray:
    """Return an array whose places along an axis are made when they are read."""
    return indexing.LazilyIndexedArray(_Made(make, axis, shape, np.dtype(dtype)))

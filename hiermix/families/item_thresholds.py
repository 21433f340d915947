"""Thresholds of rows whose items have their own: those of its item, and then infinite ones."""

import numpy as np

from hiermix.design.items import Items, places
from hiermix.errors import DataError
from hiermix.families.links import Own
from hiermix.typing import FloatArray

THRESHOLDS_AT = "threshold_at"
"""What rows bring: places of their thresholds among those of all items."""


def at_rows(items: Items, codes: FloatArray | None) -> FloatArray:
    """(rows, most thresholds) places of the thresholds of rows; beyond the last one, infinity.

    Raises
    ------
    DataError
        The rows lack the column of items.
    """
    if codes is None:
        raise DataError(
            f"the new rows lack column {items.column!r} of thres(): categories are parted by the "
            "thresholds of an item"
        )
    return np.asarray(places(items.sizes)[codes.astype(np.int64)], dtype=np.float64)


def of_items(own: Own) -> Own:
    """Return own parameters with the thresholds that rows have."""
    if THRESHOLDS_AT not in own or "threshold" not in own:
        return own
    every, at = own["threshold"], own[THRESHOLDS_AT].astype(np.int64)
    every = np.concatenate([every, np.full_like(every[..., :1], np.inf)], axis=-1)
    shape = np.broadcast_shapes(every.shape[:-1], at.shape[:-1])
    found = np.take_along_axis(
        np.broadcast_to(every, (*shape, every.shape[-1])),
        np.broadcast_to(at, (*shape, at.shape[-1])),
        -1,
    )
    rest = {name: values for name, values in own.items() if name != THRESHOLDS_AT}
    return {**rest, "threshold": found}

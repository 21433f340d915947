"""Ranks in every draw: how sure an order is."""

import numpy as np

from hiermix import options
from hiermix.typing import FloatArray, IntArray

ORDERS = ("highest", "lowest")


def ranks(values: FloatArray, order: str) -> IntArray:
    """Return the rank of each along the first axis, from 1, the best one.

    Parameters
    ----------
    values
        (R, ...) numbers.
    order
        Which end is best: ``"highest"`` or ``"lowest"``.
    """
    options.one_of("order", order, ORDERS)
    signed = -values if order == "highest" else values
    places = np.argsort(signed, axis=0, kind="stable")
    found = np.empty(values.shape, dtype=np.int64)
    along = np.arange(1, len(values) + 1).reshape(-1, *[1] * (values.ndim - 1))
    np.put_along_axis(found, places, np.broadcast_to(along, values.shape), axis=0)
    return found

"""Equal-tailed intervals: a probability is checked once, and their columns have one name."""

from collections.abc import Sequence
from numbers import Real

import numpy as np

from hiermix.errors import ArgumentError, quoted
from hiermix.typing import FloatArray


def tails(prob: float, name: str = "prob") -> tuple[float, float]:
    """Return the two levels between which an interval of a probability lies."""
    if isinstance(prob, bool) or not isinstance(prob, Real) or not 0 < float(prob) < 1:
        raise ArgumentError(f"{name} must be between 0 and 1, not {quoted(prob)}")
    return (1 - prob) / 2, (1 + prob) / 2


def levels(probs: Sequence[float]) -> FloatArray:
    """Return probabilities of quantiles as an array; 0 and 1 are the ends."""
    given = np.atleast_1d(np.asarray(probs))
    fits = given.ndim == 1 and len(given) and given.dtype.kind in "iuf"
    if not fits or not np.all((given >= 0) & (given <= 1)):
        raise ArgumentError(f"quantiles must be between 0 and 1, not {quoted(probs)}")
    return given.astype(np.float64)


def names(prob: float) -> tuple[str, str]:
    """Return what the ends of an interval are called in every table: ``q2.5``, ``q97.5``."""
    low, high = tails(prob)
    return quantile_name(low), quantile_name(high)


def quantile_name(level: float) -> str:
    """Return what a quantile is called in every table: ``q2.5``."""
    return f"q{100 * level:g}"


def ends(draws: FloatArray, prob: float) -> dict[str, FloatArray]:
    """Return the ends of an interval over the first axis, by the names of their columns."""
    return dict(zip(names(prob), np.quantile(draws, tails(prob), axis=0), strict=True))


def sorted_quantiles(part: FloatArray, probs: FloatArray) -> FloatArray:
    """Return quantiles (len(probs), n) over the last axis, which is sorted in place.

    Sorting short contiguous rows is faster than selecting from them; the definition is numpy's.
    """
    part.sort(axis=1)
    at = probs * (part.shape[1] - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, part.shape[1] - 1)
    share = at - low
    return np.asarray((part[:, low] * (1 - share) + part[:, high] * share).T)

"""Numbers pushed away from the ends of where they lie, over a width s: themselves further inside.

``low + s log(1 + exp((t - low) / s))`` above a lower end, so below an upper one, and of an interval
this less ``s log(1 + exp((t - high) / s))``. What trades off with such a number does so along a
line then, as far as the ends allow; with its logit it would along a curve.
"""

import numpy as np
from numpy.typing import ArrayLike

from hiermix.typing import FloatArray

_NEAREST = 1e-6
"""Widths from an end that numbers are set to which are not inside."""


def inside(t: FloatArray, low: ArrayLike, high: ArrayLike, s: ArrayLike) -> FloatArray:
    """Return numbers inside from coordinates; ends are infinite where there is none."""
    low, high, s = map(np.asarray, (low, high, s))
    with np.errstate(invalid="ignore"):
        above = low + s * np.logaddexp(0.0, (t - low) / s)
        below = high - s * np.logaddexp(0.0, (high - t) / s)
        both = above - s * np.logaddexp(0.0, (t - high) / s)
    return _by_ends(low, high, above, below, both)


def outside(values: ArrayLike, low: ArrayLike, high: ArrayLike, s: ArrayLike) -> FloatArray:
    """Undo `inside`; numbers that are not inside come close."""
    low, high, s = map(np.asarray, (low, high, s))
    x = np.clip(values, low + _NEAREST * s, high - _NEAREST * s)
    with np.errstate(invalid="ignore", over="ignore"):
        from_low = x + s * np.log(-np.expm1(-(x - low) / s))
        from_high = x - s * np.log(-np.expm1(-(high - x) / s))
        # exp((x - low) / s) = (1 + exp(t_l)) / (1 + exp(t_l - range)), t_l from the lower end.
        both = from_low - s * np.log(-np.expm1(-(high - x) / s))
    return _by_ends(low, high, from_low, from_high, both)


def _by_ends(
    low: FloatArray, high: FloatArray, above: FloatArray, below: FloatArray, both: FloatArray
) -> FloatArray:
    """Choose by which ends there are."""
    lower, upper = np.isfinite(low), np.isfinite(high)
    return np.where(lower & upper, both, np.where(lower, above, below))


def log_slope(t: FloatArray, low: float, high: float, s: float) -> FloatArray:
    """Return the logarithm of the derivative of `inside`, of an interval."""
    above, below = (t - low) / s, (high - t) / s
    # 1 / (1 + exp(-above)) - 1 / (1 + exp(below)), without the difference of two like numbers
    room = np.log(-np.expm1(-(high - low) / s))
    return np.asarray(room - np.logaddexp(0.0, -above) - np.logaddexp(0.0, -below))

"""Numbers pushed away from the ends of an interval: themselves in its middle.

``s log(1 + exp((t - low) / s)) - s log(1 + exp((t - high) / s))`` above the lower end, s a fifth of
the length. What trades off with such a number does so along a line then, as far as the ends allow;
with its logit it would along a curve.
"""

import numpy as np

from hiermix.typing import FloatArray

WIDTH = 0.2
"""Of the interval: over which a number is pushed away from its ends."""
_NEAREST = 1e-6
"""Widths from an end that numbers are set to which are not inside."""


def inside(t: FloatArray, low: float, high: float) -> FloatArray:
    """Return numbers inside from coordinates."""
    s = WIDTH * (high - low)
    return np.asarray(
        low + s * np.logaddexp(0.0, (t - low) / s) - s * np.logaddexp(0.0, (t - high) / s)
    )


def outside(value: float, low: float, high: float) -> float:
    """Undo `inside`; numbers that are not inside come close."""
    s = WIDTH * (high - low)
    x = float(np.clip(value, low + _NEAREST * s, high - _NEAREST * s))
    from_low = x + s * np.log(-np.expm1(-(x - low) / s))
    return float(from_low - s * np.log(-np.expm1(-(high - x) / s)))


def log_slope(t: FloatArray, low: float, high: float) -> FloatArray:
    """Return the logarithm of the derivative of `inside`."""
    s = WIDTH * (high - low)
    above, below = (t - low) / s, (high - t) / s
    # 1 / (1 + exp(-above)) - 1 / (1 + exp(below)), without the difference of two like numbers
    room = np.log(-np.expm1(-1 / WIDTH))
    return np.asarray(room - np.logaddexp(0.0, -above) - np.logaddexp(0.0, -below))

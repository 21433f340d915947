"""The parabola that touches a log density: its slope and curvature, by central differences."""

from collections.abc import Callable
from typing import NamedTuple

from hiermix.typing import FloatArray


class Parabola(NamedTuple):
    """Pointwise value, slope and curvature of log densities; any shape."""

    value: FloatArray
    slope: FloatArray
    curvature: FloatArray
    """Minus the second derivative."""


def parabola(
    log_density: Callable[[FloatArray], FloatArray], at: FloatArray, step: FloatArray | float
) -> Parabola:
    """Touch pointwise log densities at linear predictors; steps broadcast."""
    low, here, high = log_density(at - step), log_density(at), log_density(at + step)
    return Parabola(here, (high - low) / (2 * step), (2 * here - low - high) / step**2)

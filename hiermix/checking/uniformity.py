"""Numbers that are uniform between 0 and 1 if all is right: a test, and what is wrong in words.

Each is a probability below what was seen: of a response under the rest of the data, or of a
parameter under a posterior. Two tests share the chance of an error: one of the order of the numbers
that allows for their dependence (Tesso and Vehtari, 2026; ArviZ), which sees what is odd at the
ends; and Neyman's smooth one (1937), which sees what all of them have a little of.
"""

import numpy as np

from hiermix.typing import FloatArray

ERROR_RATE = 0.002
"""About so many reports of right models have a doubt that chance alone has put there."""
_ORDER, _ENOUGH = 4, 40
"""Order of the smooth test, and how many numbers its limiting distribution takes."""
_CLEAR = 3.0
"""Standard errors from which on a mean, or a spread, tells what the deviation is."""


def p_value(u: FloatArray) -> float:
    """Probability of numbers that are as far from uniform, if they are uniform."""
    from arviz_stats.base import array_stats

    inside = np.clip(u, 1e-12, 1 - 1e-12)
    ordered = float(array_stats.uniformity_test(inside)[0])
    return min(1.0, 2 * min(ordered, _smooth(u))) if len(u) >= _ENOUGH else ordered


def _smooth(u: FloatArray) -> float:
    """Probability of sums of Legendre's polynomials as far from zero, if numbers are uniform."""
    from numpy.polynomial import legendre
    from scipy.special import chdtrc

    values = legendre.legvander(2 * u - 1, _ORDER)[:, 1:] * np.sqrt(
        2 * np.arange(1, _ORDER + 1) + 1
    )
    return float(chdtrc(_ORDER, np.sum(values.sum(axis=0) ** 2) / len(u)))


def largest_gap(u: FloatArray) -> float:
    """Largest distance between the share of numbers below a point and the point."""
    ordered, n = np.sort(u), len(u)
    above = np.arange(1, n + 1) / n - ordered
    return float(max(above.max(), (1 / n - above).max()))


def shape(u: FloatArray) -> str:
    """Say how numbers deviate: ``"high"``, ``"low"``, ``"wide"``, ``"narrow"`` or ``"other"``.

    High are numbers near one, wide are those near the ends.
    """
    place = (u.mean() - 0.5) * np.sqrt(12 * len(u))
    spread = (np.mean((u - 0.5) ** 2) - 1 / 12) * np.sqrt(180 * len(u))
    if max(abs(place), abs(spread)) < _CLEAR:
        return "other"
    if abs(place) > abs(spread):
        return "high" if place > 0 else "low"
    return "wide" if spread > 0 else "narrow"

"""Population coefficients that their priors bound: where they are, from where they are not bound.

What is sampled is t, without bounds; the coefficient is t pushed away from them, over a width s:
``lower + s log(1 + exp((t - lower) / s))`` above a lower bound, and so below an upper one. A few s
inside it is t itself, so that the coordinates of a model without bounds hold: (26) of
docs/how-it-samples.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiermix.families.prior import Prior
from hiermix.typing import FloatArray, IntArray

_NEAREST = 1e-6
"""Widths from a bound that coefficients are set to which are not inside."""
_OUTSIDE = 1.0
"""Widths outside of its bounds where a coordinate starts at most."""


@dataclass(frozen=True)
class Bounds:
    """Which coefficients are bounded, and how."""

    places: IntArray
    """(n,) among the population coefficients."""
    lower: FloatArray
    """(n,) infinite where there is none; so with `upper`."""
    upper: FloatArray
    width: FloatArray
    """(n,) s of each."""

    @classmethod
    def of(cls, priors: Sequence[Prior], spread: FloatArray) -> "Bounds":
        """Return those of priors, as wide as the coefficients spread (P,), or half of the range."""
        places = np.array([k for k, each in enumerate(priors) if each.bounded], dtype=np.int64)
        ends = np.array([priors[k].bounds for k in places.tolist()]).reshape(-1, 2)
        lower, upper = ends.T
        return cls(places, lower, upper, np.minimum(spread[places], (upper - lower) / 4))

    def started(self, b: FloatArray) -> FloatArray:
        """Return coordinates for coefficients, of which those outside come close."""
        found, away = b.copy(), _OUTSIDE * self.width
        found[self.places] = np.clip(b[self.places], self.lower - away, self.upper + away)
        return found

    def inside(self, t: FloatArray) -> FloatArray:
        """Return the coefficients (P,) of coordinates t (P,)."""
        b, x = t.copy(), t[self.places]
        low, high = np.isfinite(self.lower), np.isfinite(self.upper)
        s = self.width
        with np.errstate(invalid="ignore"):
            above = self.lower + s * np.logaddexp(0.0, (x - self.lower) / s)
            below = self.upper - s * np.logaddexp(0.0, (self.upper - x) / s)
            both = above - s * np.logaddexp(0.0, (x - self.upper) / s)
        b[self.places] = np.where(low & high, both, np.where(low, above, below))
        return b

    def outside(self, b: FloatArray) -> FloatArray:
        """Return the coordinates (P,) of coefficients b (P,); of those not inside, close by."""
        t, s = b.copy(), self.width
        x = np.clip(b[self.places], self.lower + _NEAREST * s, self.upper - _NEAREST * s)
        low, high = np.isfinite(self.lower), np.isfinite(self.upper)
        with np.errstate(invalid="ignore", over="ignore"):
            above, below = x - self.lower, self.upper - x
            from_lower = x + s * np.log(-np.expm1(-above / s))
            from_upper = x - s * np.log(-np.expm1(-below / s))
            # Of both: exp(above / s) = (1 + exp(t_l)) / (1 + exp(t_l - range)), t_l from the lower.
            both = from_lower - s * np.log(-np.expm1(-below / s))
        t[self.places] = np.where(low & high, both, np.where(low, from_lower, from_upper))
        return t

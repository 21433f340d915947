"""Population coefficients that their priors bound: where they are, from where they are not bound.

What is sampled is t, without bounds; the coefficient is t pushed away from them, over a width s, as
in `hiermix.families.soft_ends`. A few s inside it is t itself, so that the coordinates of a model
without bounds hold: (26) of docs/how-it-samples.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiermix.families import soft_ends
from hiermix.families.prior import Prior
from hiermix.typing import FloatArray, IntArray

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
        b = t.copy()
        b[self.places] = soft_ends.inside(t[self.places], self.lower, self.upper, self.width)
        return b

    def outside(self, b: FloatArray) -> FloatArray:
        """Return the coordinates (P,) of coefficients b (P,); of those not inside, close by."""
        t = b.copy()
        t[self.places] = soft_ends.outside(b[self.places], self.lower, self.upper, self.width)
        return t

"""Sds of effects from the spreads that programs sample: effects may share one.

A spread is an sd, or a lengthscale: effects of a Gaussian process are normal with the root of its
spectral density at their frequency as sd (Riutort-Mayol et al., 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiermix.typing import FloatArray, IntArray

_LONGEST = 300.0
"""Log of a lengthscale beyond which numbers end."""


@dataclass(frozen=True, eq=False)
class EffectSizes:
    """Which spreads the sds of E effects are made of."""

    of: IntArray
    """(E,) place of the sd of each."""
    length: IntArray
    """(E,) place of the lengthscale; -1: the effect has none."""
    frequency: FloatArray
    """(E,)"""
    spreads: int
    """S, how many there are."""

    @classmethod
    def shared(cls, of: Sequence[int]) -> EffectSizes:
        """Return those of effects whose sds have these places."""
        E = len(of)
        places = np.array(of, dtype=np.int64)
        return cls(places, np.full(E, -1), np.zeros(E), 1 + max(of, default=-1))

    @classmethod
    def of_process(cls, frequency: FloatArray) -> EffectSizes:
        """Return those of a process: an sd, then a lengthscale."""
        zero = np.zeros(len(frequency), dtype=np.int64)
        return cls(zero, zero + 1, frequency, 2)

    @classmethod
    def concatenated(cls, parts: Sequence[EffectSizes]) -> EffectSizes:
        """Return those of several factors, one after the other."""
        before = np.cumsum([0, *(each.spreads for each in parts)]).tolist()
        pairs = list(zip(parts, before, strict=False))
        none = np.zeros(0, dtype=np.int64)
        return cls(
            np.concatenate([none, *(each.of + start for each, start in pairs)]),
            np.concatenate([none, *(np.where(each.length < 0, -1, each.length + start)
                                    for each, start in pairs)]),
            np.concatenate([np.zeros(0), *(each.frequency for each in parts)]),
            before[-1],
        )  # fmt: skip

    @property
    def lengths(self) -> list[int]:
        """Places of the lengthscales."""
        return sorted(set(self.length.tolist()) - {-1})

    def told(self, levels: FloatArray) -> FloatArray:
        """(S,) number of numbers that tell of each, where effects (E,) have so many levels."""
        with_length = self.length >= 0
        every = np.concatenate([self.of, self.length[with_length]])
        return np.bincount(every, np.concatenate([levels, levels[with_length]]), self.spreads)

    def log_sds(self, log_spread: FloatArray) -> FloatArray:
        """Log sds (..., E) of the effects from log spreads (..., S)."""
        return np.asarray(log_spread[..., self.of] + self._falloff(log_spread))

    def over(self, squares: FloatArray, log_spread: FloatArray) -> FloatArray:
        """(S,) sum of squares (E,) that are of one spread, in units of it; of lengthscales none."""
        size = squares * np.exp(2 * self._falloff(log_spread))
        return np.bincount(self.of, size, self.spreads)

    def pooled(self, sd: FloatArray, log_spread: FloatArray) -> FloatArray:
        """(S,) spreads by what the sd of each effect (E,) would be; lengthscales as they are."""
        found = np.exp(log_spread)
        square = np.bincount(self.of, (sd * np.exp(-self._falloff(log_spread))) ** 2, self.spreads)
        mine = np.unique(self.of)
        found[mine] = np.sqrt(square[mine] / np.bincount(self.of)[mine])
        return np.asarray(found)

    def _falloff(self, log_spread: FloatArray) -> FloatArray:
        """Log sds of effects over the sd that they have."""
        if not self.lengths:
            return np.zeros(len(self.of))
        log_length = np.minimum(log_spread[..., self.length], _LONGEST)
        found = (
            0.25 * np.log(2 * np.pi) + 0.5 * log_length
            - 0.25 * self.frequency**2 * np.exp(2 * log_length)
        )  # fmt: skip
        return np.where(self.length < 0, 0.0, found)

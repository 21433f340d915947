"""Residuals that go together, each with the sd of its stratum: R = D C D.

With C the correlations, whose inverse mixes patterns, and D the sds, an entry of R^-1 is one of
C^-1 over the sds of its two rows. So the patterns of R^-1 are those of C^-1, taken apart by the
strata of both rows: (33) in docs/how-it-samples.md. Strata are rows of one value of sigma: all of
them, those of each position, or what an equation of sigma tells apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from hiermix.statistics.patterns import Mixed, Pairs
from hiermix.statistics.strata import Strata
from hiermix.typing import FloatArray, IntArray


class Correlations(Protocol):
    """How the inverse of the correlations of rows mixes patterns."""

    @property
    def patterns(self) -> int:
        """R, how many there are."""
        ...

    def without_rows(self) -> Correlations:
        """Return the same patterns of no rows."""
        ...

    def pairs(self) -> list[Pairs]:
        """Return the entries of the patterns."""
        ...

    def mixed(self, own: Mapping[str, FloatArray]) -> Mixed:
        """Return the mix under draws of the own parameters."""
        ...

    def start(self) -> FloatArray:
        """Return coordinates of nearly no correlation."""
        ...

    def guess(self) -> FloatArray:
        """Rough posterior sds of these."""
        ...


@dataclass(frozen=True, eq=False)
class PositionSds:
    """Rows at each position of their units, which have an sd: strata without an equation."""

    stratum: IntArray
    """(rows,) position."""
    rows: FloatArray
    """(T,) rows of each."""
    unit: FloatArray
    """(T,) what these were divided by."""

    @property
    def x_mean(self) -> FloatArray:
        """No further equation has columns."""
        return np.zeros(0)

    @property
    def constant(self) -> float:
        """Return the log of what densities of divided rows are times those of the rows."""
        return -float(self.rows @ np.log(self.unit))

    def without_rows(self) -> PositionSds:
        """Return the same positions of no rows."""
        return replace(self, stratum=self.stratum[:0], rows=0 * self.rows)

    def mixed(self, further: FloatArray, own: Mapping[str, FloatArray]) -> Mixed:
        """Return their precisions under sds (S, T)."""
        variance = (own["sd_residual"] / self.unit) ** 2
        return Mixed(1 / variance, np.log(variance) @ self.rows)

    def start(self, sigma: float) -> tuple[FloatArray, FloatArray]:
        """Return coordinates at which every sd is this one."""
        return np.zeros(0), np.log(sigma * self.unit)

    def guess(self) -> FloatArray:
        """Rough posterior sds of the same."""
        return np.full(len(self.unit), 1 / np.sqrt(2 * self.rows.max(initial=0.0) + 1))


@dataclass(frozen=True, eq=False)
class Scaled:
    """The precision of rows with correlations, and with the sds of their strata."""

    correlations: Correlations
    sds: Strata | PositionSds
    inner: IntArray
    """(R,) pattern of the correlations that each is a part of."""
    one: IntArray
    other: IntArray
    """(R,) strata of the rows of each."""
    entries: Sequence[Pairs]

    @property
    def patterns(self) -> int:
        """R, how many there are."""
        return len(self.inner)

    @property
    def x_mean(self) -> FloatArray:
        """What was subtracted from the columns of an equation of sigma."""
        return self.sds.x_mean

    @property
    def constant(self) -> float:
        """What is known of the log density beside it."""
        return self.sds.constant

    def without_rows(self) -> Scaled:
        """Return the same patterns of no rows."""
        return replace(self, correlations=self.correlations.without_rows(),
                       sds=self.sds.without_rows(), entries=())  # fmt: skip

    def pairs(self) -> list[Pairs]:
        """Return the entries of the patterns."""
        return list(self.entries)

    def mixed(self, further: FloatArray, own: Mapping[str, FloatArray]) -> Mixed:
        """Return the mix under coefficients (S, P') of sigma's equation and own parameters."""
        correlated, sds = self.correlations.mixed(own), self.sds.mixed(further, own)
        inverse = np.sqrt(sds.weights)
        weights = correlated.weights[:, self.inner] * inverse[:, self.one] * inverse[:, self.other]
        return Mixed(weights, correlated.log_det + sds.log_det)

    def start(self, sigma: float) -> tuple[FloatArray, FloatArray]:
        """Return coefficients, and coordinates of own parameters, where every sd is this one."""
        further, own = self.sds.start(sigma)
        return further, np.concatenate([own, self.correlations.start()])

    def guess(self) -> FloatArray:
        """Rough posterior sds of these."""
        return np.concatenate([self.sds.guess(), self.correlations.guess()])


def scaled(correlations: Correlations, sds: Strata | PositionSds) -> Scaled:
    """Take the patterns of correlations apart by the strata of both rows."""
    blocks, number = correlations.pairs(), int(sds.stratum.max(initial=0)) + 1
    codes = []
    for each in blocks:
        ends = np.sort([sds.stratum[each.first], sds.stratum[each.second]], axis=0)
        codes.append((each.pattern * number + ends[0]) * number + ends[1])
    kinds, kind = np.unique(np.concatenate(codes), return_inverse=True)
    parts = np.split(kind.ravel(), np.cumsum([len(each) for each in codes])[:-1])
    entries = [each._replace(pattern=part) for each, part in zip(blocks, parts, strict=True)]
    inner, ends = np.divmod(kinds, number**2)
    one, other = np.divmod(ends, number)
    return Scaled(correlations, sds, inner, one, other, entries)

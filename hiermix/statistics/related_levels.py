"""Related levels in coordinates in which what rows say of them is diagonal.

With effects ``r ~ N(0, sd^2 A)`` and information D of each level (its number of rows, or their
weights), ``D^1/2 A D^1/2 = V diag(told) V'`` (Lippert et al., 2011): u with ``r = root u`` and
``root = D^-1/2 V diag(told)^1/2`` are independent of each other a priori, and given the rows.
Levels without rows follow those that have some, and what is left of theirs is told nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hiermix.statistics.conditional_effects import OneFactor
from hiermix.statistics.gram import Gram
from hiermix.statistics.within_between import Within
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Turned:
    """Coordinates u of related levels: as many as there are levels."""

    root: FloatArray
    """(J, J) effects are root u; root root' = A."""
    told: FloatArray
    """(J,) information on each."""
    axes: FloatArray
    """(J, J) from the levels, in units of the root of their information, to the coordinates."""

    def gram(self, gram: Gram) -> Gram:
        """Return the statistics of the coordinates, of those of levels with an intercept alone."""
        ZtR = np.einsum("jk,jqc->kqc", self.root, gram.ZtR)
        return replace(gram, ZtZ=self.told[:, None, None], ZtR=ZtR)

    def within(self, within: Within) -> Within:
        """Return what lies within levels and between them, turned: squares stay what they are."""
        QtR = np.einsum("jk,jqc->kqc", self.axes, within.QtR)
        return replace(within, R=np.sqrt(self.told)[:, None, None], QtR=QtR)


@dataclass(frozen=True, eq=False)
class Related:
    """Statistics of the coordinates of related levels, and what makes effects of these."""

    gram: Gram
    root: FloatArray
    """(J, J)"""


@dataclass(frozen=True, eq=False)
class RelatedFactor:
    """The effects of related levels, drawn when they are asked for: all coordinates for each."""

    independent: OneFactor
    root: FloatArray
    """(J, J)"""

    def of_levels(self, name: str, levels: IntArray) -> FloatArray:
        """Return effects (Q, len(levels), S) of some levels, by their places."""
        u = self.independent.all_levels()[name]
        # A product a level: many at once would be rounded by who is beside whom.
        return np.stack([self.root[place] @ u for place in levels.tolist()], axis=1)

    def all_levels(self) -> dict[str, FloatArray]:
        """Return effects (Q, J, S) of all levels of the factor, by its name."""
        name = self.independent.name
        return {name: self.of_levels(name, np.arange(len(self.root)))}

    def drawn_with(self, name: str, levels: IntArray) -> int:
        """Return how many numbers a draw of some levels takes."""
        return self.independent.drawn_with(name, np.arange(len(self.root))) + len(levels)


def turn(covariance: FloatArray, information: FloatArray) -> Turned:
    """Find the coordinates, by one eigendecomposition.

    Parameters
    ----------
    covariance : array, shape (J, J)
        Of the levels.
    information : array, shape (J,)
        On each of them; zero where it has no row.
    """
    J = len(information)
    some, none = np.flatnonzero(information > 0), np.flatnonzero(information <= 0)
    K, size = len(some), np.sqrt(information[some])
    known = covariance[np.ix_(some, some)]
    values, V = np.linalg.eigh(size[:, None] * known * size)
    values = np.maximum(values, 0.0)
    root, told, axes = np.zeros((J, J)), np.zeros(J), np.zeros((J, J))
    told[:K], axes[some, :K] = values, V
    root[some, :K] = V * np.sqrt(values) / size[:, None]
    if len(none):
        across = covariance[np.ix_(some, none)]
        follow = np.linalg.solve(known, across).T if K else np.zeros((len(none), 0))
        root[none, :K] = follow @ root[some, :K]
        root[none, K:] = _root(covariance[np.ix_(none, none)] - follow @ across)
    return Turned(root, told, axes)


def _root(covariance: FloatArray) -> FloatArray:
    """Root of a covariance of which rounding may have left less than nothing."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

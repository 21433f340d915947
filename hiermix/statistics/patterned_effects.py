"""Effects of groups given everything else, under residuals whose precision mixes patterns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hiermix.keyed_streams import Streams
from hiermix.statistics.conditional_effects import Hyperdraws, level_by_level
from hiermix.statistics.patterns import Groups, Mixed, Patterned
from hiermix.statistics.small_matrices import crossed, factors, product, solve, solve_transposed
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class PatternedFactor:
    """The effects of a factor, drawn when they are asked for: (29), once for every other draw.

    A level has a stream of random numbers of its own, and its arithmetic is its own.
    """

    rows: Patterned
    draws: Hyperdraws
    """Population coefficients of further equations stand behind those of the response's."""
    name: str
    labels: Sequence[str]
    """(J,) names of its levels."""
    seed: int

    def of_levels(self, name: str, levels: IntArray) -> FloatArray:
        """Return effects (Q, len(levels), S) of some levels, by their places."""
        S, Q = self.draws.Lambda.shape[:2]
        streams = Streams(self.seed, "integrated", name)
        return level_by_level(levels, self.labels, streams, (Q, S), self._conditional)

    def all_levels(self) -> dict[str, FloatArray]:
        """Return effects (Q, J, S) of all levels of the factor, by its name."""
        return {self.name: self.of_levels(self.name, np.arange(len(self.labels)))}

    def drawn_with(self, name: str, levels: IntArray) -> int:
        """Return how many numbers a draw of some levels takes."""
        assert name == self.name
        return len(levels) * int(self.draws.Lambda.shape[1])

    def _conditional(self, levels: IntArray, noise: FloatArray) -> FloatArray:
        """Draw some levels, of normal numbers (n, Q, S); those without rows from the prior."""
        noise = noise.swapaxes(0, 1)[:, None]
        moved = np.moveaxis(self.draws.Lambda, 0, -1)[:, :, None]
        r = product(moved, noise)[:, 0]
        told = np.isin(levels, self.rows.levels)
        places = np.searchsorted(self.rows.levels, levels[told])
        if len(places):
            groups = some_groups(self.rows.groups, places)
            r[:, told] = _given(groups, self._mixed, self._one_d, moved, noise[:, :, told])
        return r

    @cached_property
    def _mixed(self) -> Mixed:
        P = len(self.rows.b_hat)
        return self.rows.precision.mixed(self.draws.b[:, P:], self.draws.own)

    @cached_property
    def _one_d(self) -> FloatArray:
        P = len(self.rows.b_hat)
        return np.column_stack([np.ones(len(self.draws.b)), self.draws.b[:, :P] - self.rows.b_hat])


def some_groups(groups: Groups, places: IntArray) -> Groups:
    """Return some groups, with their cells, in the order asked for."""
    first = np.searchsorted(groups.group, places)
    sizes = np.searchsorted(groups.group, places, side="right") - first
    cells = np.repeat(first - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
    return replace(
        groups, count=groups.count[places], C=groups.C[places],
        group=np.repeat(np.arange(len(places)), sizes), pattern=groups.pattern[cells],
        ZtKZ=groups.ZtKZ[cells], ZtKA=groups.ZtKA[cells],
    )  # fmt: skip


def _given(
    groups: Groups, mixed: Mixed, one_d: FloatArray, Lambda: FloatArray, noise: FloatArray
) -> FloatArray:
    """Draw those (Q, J, S) of groups with rows: small matrices entry by entry, draws last."""
    weights = mixed.weights[:, groups.pattern]
    # 1. Z'R^-1 Z, and Z'R^-1 of what is left without effects.
    G = np.moveaxis(groups.summed(groups.ZtKZ[..., None] * weights.T[:, None, None]), 0, 2)
    U = groups.summed(weights.T[:, None] * (groups.ZtKA @ one_d.T))
    start = (groups.C @ one_d.T).swapaxes(0, 1)[:, None]
    g = U.swapaxes(0, 1)[:, None] + product(G, start)
    # 2. v ~ N(M^-1 Lambda' g, M^-1), M = I + Lambda' G Lambda = T diag(d) T'.
    M = crossed(Lambda, product(G, np.broadcast_to(Lambda, (*Lambda.shape[:2], *G.shape[2:]))))
    T, d = factors(M + np.eye(len(M))[:, :, None, None])
    h = solve(T, crossed(Lambda, g))
    v = solve_transposed(T, h / d[:, None] + noise / np.sqrt(d)[:, None])
    return np.asarray(product(Lambda, v)[:, 0])

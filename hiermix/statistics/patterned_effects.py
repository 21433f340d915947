"""Effects of groups given everything else, under residuals whose precision mixes patterns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hiermix.keyed_streams import Streams
from hiermix.statistics.conditional_effects import Hyperdraws, level_by_level
from hiermix.statistics.pattern_forms import without_effects
from hiermix.statistics.patterns import Groups, Mixed, Patterned
from hiermix.statistics.small_matrices import crossed, factors, product, solve, solve_transposed
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class PatternedFactors:
    """The effects of a factor, drawn when they are asked for: (29), once for every other draw.

    A level has a stream of random numbers of its own, and its arithmetic is its own. Coefficients
    of a block are drawn before them, all at once.
    """

    rows: Patterned
    draws: Hyperdraws
    """Population coefficients of further equations stand behind those of the response's."""
    labels: Mapping[str, Sequence[str]]
    """Names of the levels of each factor."""
    seed: int

    def of_levels(self, name: str, levels: IntArray) -> FloatArray:
        """Return effects (Q, len(levels), S) of some levels, by their places."""
        block, S = self.rows.block, len(self.draws.b)
        if name in block.names:
            place = block.names.index(name)
            w = self._block[:, block.columns[place]].T
            return w.reshape(-1, block.sizes[place], S)[:, levels]
        streams, shape = Streams(self.seed, "integrated", name), (self._Lambda.shape[1], S)
        return level_by_level(levels, self.labels[name], streams, shape, self._conditional)

    def all_levels(self) -> dict[str, FloatArray]:
        """Return effects (Q, J, S) of all levels of each factor, by its name."""
        return {name: self.of_levels(name, np.arange(len(labels)))
                for name, labels in self.labels.items()}  # fmt: skip

    def drawn_with(self, name: str, levels: IntArray) -> int:
        """Return how many numbers a draw of some levels takes."""
        return len(levels) * (1 if name in self.rows.block.names else self._Lambda.shape[1])

    @property
    def _Lambda(self) -> FloatArray:  # noqa: N802
        """(S, Q, Q) of the factor beside the block."""
        own = self.rows.block.own
        return self.draws.Lambda[:, own, own]

    def _conditional(self, levels: IntArray, noise: FloatArray) -> FloatArray:
        """Draw some levels, of normal numbers (n, Q, S); those without rows from the prior."""
        noise = noise.swapaxes(0, 1)[:, None]
        moved = np.moveaxis(self._Lambda, 0, -1)[:, :, None]
        r = product(moved, noise)[:, 0]
        told = np.isin(levels, self.rows.levels)
        places = np.searchsorted(self.rows.levels, levels[told])
        if len(places):
            groups = some_groups(self.rows.groups, places)
            r[:, told] = _given(groups, self._mixed, self._one_d, moved, noise[:, :, told])
        return r

    @cached_property
    def _mixed(self) -> Mixed:
        return self.rows.precision.mixed(self.draws.b[:, self.rows.P :], self.draws.own)

    @cached_property
    def _one_d(self) -> FloatArray:
        b = np.column_stack([self.draws.b[:, : self.rows.P], self._block])
        return np.column_stack([np.ones(len(b)), b - self.rows.b_hat])

    @cached_property
    def _block(self) -> FloatArray:
        """(S, W) coefficients of the block, effects of the factor beside it integrated out: (25).

        With F = W'V^-1 [e, X, W] and s their sds, v = w / s is N(M^-1 s (F_w start - u), M^-1)
        with M = I + s F_w s.
        """
        rows, S = self.rows, len(self.draws.b)
        P, block, start = rows.P, rows.block, rows.b_hat[rows.P :]
        w = np.zeros((S, block.W))
        if not block.W:
            return w
        noise, sds = self._normals(), np.einsum("see->se", self.draws.Lambda)[:, block.effect]
        one_d = np.column_stack([np.ones(S), self.draws.b[:, :P] - rows.b_hat[:P]])
        for draw, (weights, Lambda) in enumerate(zip(self._mixed.weights, self._Lambda,
                                                     strict=True)):  # fmt: skip
            F, s = without_effects(rows, weights, Lambda).form[1 + P :], sds[draw]
            C = np.linalg.cholesky(np.eye(block.W) + s[:, None] * F[:, 1 + P :] * s)
            pull = s * (F[:, 1 + P :] @ start - F[:, : 1 + P] @ one_d[draw])
            w[draw] = s * np.linalg.solve(C.T, np.linalg.solve(C, pull) + noise[draw])
        return w

    def _normals(self) -> FloatArray:
        """Return normal numbers (S, W) of the block."""
        each, block, S = [], self.rows.block, len(self.draws.b)
        for name, at in zip(block.names, block.columns, strict=True):
            labels, W = self.labels[name], at.stop - at.start
            z = Streams(self.seed, "integrated", name).normals(labels, W // len(labels), S)
            each.append(z.swapaxes(0, 1).reshape(W, S))
        return np.concatenate(each).T


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

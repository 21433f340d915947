"""Effects of nested factors given everything else: exact conditional draws, root to leaf."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from hiermix.statistics import within_between
from hiermix.statistics.small_matrices import product
from hiermix.statistics.tree import Crossed, Level, Tree
from hiermix.statistics.tree_algebra import Eliminated, eliminate
from hiermix.typing import FloatArray

_ENTRIES = 100_000
"""Numbers in a piece of work: few enough that its dozen arrays stay in cache."""


def draw_effects(
    tree: Tree,
    b: FloatArray,
    sigma: FloatArray,
    Lambda: FloatArray,
    seed: int,
) -> dict[str, FloatArray]:
    """Draw the effects of all factors once for every draw of the rest: (23).

    Every factor has a stream of random numbers of its own, which does not depend on the pieces in
    which the draws are worked through.

    Parameters
    ----------
    tree : Tree
        Statistics of the rows.
    b : array, shape (S, P)
        Population coefficients of the centred columns.
    sigma : array, shape (S,)
        Residual sd.
    Lambda : array, shape (S, E, E)
        diag(sd) L of all factors.
    seed : int
        Of the fit.

    Returns
    -------
    dict of array, shape (S, J, Q)
    """
    S, found = len(b), {}
    factors: list[Level | Crossed] = [*tree.levels, *tree.crossed]
    for each in factors:
        Q = each.effects.stop - each.effects.start
        found[each.name] = np.empty((S, each.size, Q))
    streams = {each.name: np.random.default_rng([seed, 2, crc32(each.name.encode())])
               for each in factors}  # fmt: skip
    for part in _pieces(tree, S):
        given = _Given(tree, b[part], sigma[part], Lambda[part])
        mix = given.mixed_with(_crossed(given, streams, found, part))
        up = eliminate(tree, given.scaled, mix[:, :, None])
        u = np.zeros((0, 1, len(mix), 1))
        for one in up:
            u = u[..., one.level.above]
            r = _drawn(one, u, given.sigma, streams[one.level.name])
            found[one.level.name][part] = r[:, 0].transpose(1, 2, 0)
            u = together(one, u, r)
    return found


def _pieces(tree: Tree, S: int) -> Iterator[slice]:
    width = max(each.size * (each.carried + len(each.own)) ** 2 for each in tree.levels)
    size = max(1, _ENTRIES // max(1, width * (1 + tree.W)))
    for start in range(0, S, size):
        yield slice(start, min(start + size, S))


@dataclass(frozen=True)
class _Given:
    """Draws of everything but the effects."""

    tree: Tree
    b: FloatArray
    sigma: FloatArray
    Lambda: FloatArray

    @property
    def scaled(self) -> list[FloatArray]:
        """Lambda / sigma of each factor of the tree."""
        return [self.Lambda[:, each, each] / self.sigma[:, None, None] for each in self.tree.places]

    def start(self) -> FloatArray:
        """(S, W) effects of crossed factors that make up best for b."""
        P = self.b.shape[1]
        b_hat = self.tree.within.b_hat
        return b_hat[P:] - (self.b - b_hat[:P]) @ self.tree.along.T

    def mixed_with(self, w: FloatArray) -> FloatArray:
        """(S, 1 + P + W) what e and the columns are combined with, for coefficients w (S, W)."""
        d = np.concatenate([self.b, w], axis=1) - self.tree.within.b_hat
        return np.concatenate([np.ones((len(d), 1)), d], axis=1)


def _crossed(
    given: _Given,
    streams: Mapping[str, np.random.Generator],
    found: Mapping[str, FloatArray],
    part: slice,
) -> FloatArray:
    """Draw effects of crossed factors into `found`; return them as coefficients (S, W): (25)."""
    tree, S = given.tree, len(given.b)
    if not tree.W:
        return np.zeros((S, 0))
    start = given.start()
    mix = np.zeros((S, 1 + len(tree.within.b_hat), 1 + tree.W))
    mix[:, :, 0] = given.mixed_with(start)
    mix[:, -tree.W :, 1:] = np.eye(tree.W)
    # 1. What is left of e and the columns, W'V^-1 [e, W].
    T = mix.swapaxes(1, 2) @ within_between.quadratic(tree.within) @ mix
    for one in eliminate(tree, given.scaled, mix):
        T += one.sign * np.einsum("qksj,qlsj->skl", one.h / one.d[:, None], one.h)
    T /= given.sigma[:, None, None] ** 2
    # 2. In units of their sds.
    root = np.stack([in_units(tree, each)[-tree.W :, -tree.W :] for each in given.Lambda])
    A = np.eye(tree.W) + root.swapaxes(1, 2) @ T[:, 1:, 1:] @ root
    C = np.linalg.cholesky(A)
    z = np.concatenate(
        [streams[each.name].standard_normal((S, each.columns.stop - each.columns.start))
         for each in tree.crossed], axis=1
    )[:, :, None]  # fmt: skip
    pull = T[:, 1:, 1:] @ start[:, :, None] - T[:, 1:, :1]
    h = np.linalg.solve(C, root.swapaxes(1, 2) @ pull)
    w = (root @ np.linalg.solve(C.swapaxes(1, 2), h + z))[:, :, 0]
    for each in tree.crossed:
        found[each.name][part] = w[:, each.columns].reshape(S, -1, each.size).swapaxes(1, 2)
    return w


def in_units(tree: Tree, Lambda: FloatArray) -> FloatArray:
    """Return which combinations of e and the columns (1, d) and effects over their sds stand for.

    Columns of crossed factors are counted from zero: the prior is there.
    """
    W = tree.W
    found = np.eye(1 + len(tree.within.b_hat))
    if W:
        found[-W:, 0] = -tree.within.b_hat[-W:]
        found[-W:, -W:] = 0.0
    for each in tree.crossed:
        at = slice(len(found) - W + each.columns.start, len(found) - W + each.columns.stop)
        found[at, at] = np.kron(Lambda[each.effects, each.effects], np.eye(each.size))
    return found


def _drawn(
    one: Eliminated, u: FloatArray, sigma: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Draw the effects (Q, 1, S, J) of one factor, given what those around it add up to."""
    noise = rng.standard_normal((len(sigma), one.level.size, one.normals))
    z = sigma[:, None] * np.ascontiguousarray(noise.transpose(2, 0, 1))[:, None]
    return product(one.Lambda, one.draw(u, z))


def together(one: Eliminated, u: FloatArray, r: FloatArray) -> FloatArray:
    """Return what effects add up to in each column, with those of one more factor."""
    columns = max(len(u), int(one.level.own.max()) + 1)
    total = np.zeros((columns, *r.shape[1:]))
    total[: len(u)] = u
    total[one.level.own] += r
    return total

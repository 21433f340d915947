"""Effects of nested factors given everything else: exact conditional draws, root to leaf."""

from zlib import crc32

import numpy as np

from hiermix.statistics.small_matrices import product
from hiermix.statistics.tree import Tree
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
    S = len(b)
    one_d = np.column_stack([np.ones(S), b - tree.within.b_hat])[:, :, None]
    scaled = [Lambda[:, each, each] / sigma[:, None, None] for each in tree.places]
    streams = [np.random.default_rng([seed, 2, crc32(each.name.encode())]) for each in tree.levels]
    found = {each.name: np.empty((S, each.size, len(each.own))) for each in tree.levels}
    width = max(each.size * (each.carried + len(each.own)) ** 2 for each in tree.levels)
    size = max(1, _ENTRIES // max(1, width))
    for start in range(0, S, size):
        part = slice(start, min(start + size, S))
        up = eliminate(tree, [each[part] for each in scaled], one_d[part])
        u = np.zeros((0, 1, part.stop - start, 1))
        for each, rng in zip(up, streams, strict=True):
            u = u[..., each.level.above]
            r = _drawn(each, u, sigma[part], rng)
            found[each.level.name][part] = r[:, 0].transpose(1, 2, 0)
            u = together(each, u, r)
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

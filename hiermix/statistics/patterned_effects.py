"""Effects of groups given everything else, under residuals whose precision mixes patterns."""

from collections.abc import Mapping

import numpy as np

from hiermix.statistics.patterns import Groups, Mixed, Patterned
from hiermix.statistics.small_matrices import crossed, factors, product, solve, solve_transposed
from hiermix.typing import FloatArray

_ENTRIES = 100_000
"""Numbers in a piece of work: few enough that its dozen arrays stay in cache."""


def draw_effects(
    rows: Patterned, b: FloatArray, own: Mapping[str, FloatArray], Lambda: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:  # fmt: skip
    """Draw the effects (S, J, Q) of each level once for every draw of the rest: (29).

    Parameters
    ----------
    rows : Patterned
        Sums over the rows.
    b : array, shape (S, P + P')
        Population coefficients of the centred columns, those of further equations behind.
    own : mapping
        Own parameters, (S, ...).
    Lambda : array, shape (S, Q, Q)
        diag(sd) L.
    rng : Generator
        Numbers from it do not depend on the pieces in which draws are worked through.
    """
    P, (S, Q) = len(rows.b_hat), Lambda.shape[:2]
    mixed = rows.precision.mixed(b[:, P:], own)
    one_d = np.column_stack([np.ones(S), b[:, :P] - rows.b_hat])
    found = np.empty((S, len(rows.gram.ZtZ), Q))
    some = rows.levels
    size = max(1, _ENTRIES // max(1, len(rows.groups.group) * Q * Q))
    for start in range(0, S, size):
        part = slice(start, min(start + size, S))
        noise = rng.standard_normal((part.stop - start, found.shape[1], Q))
        r = (Lambda[part, None] @ noise[..., None])[..., 0]
        r[:, some] = _given(
            rows.groups, Mixed(*(each[part] for each in mixed)), one_d[part], Lambda[part],
            noise[:, some],
        )  # fmt: skip
        found[part] = r
    return found


def _given(
    groups: Groups, mixed: Mixed, one_d: FloatArray, Lambda: FloatArray, noise: FloatArray
) -> FloatArray:
    """Draw those (s, J, Q) of groups with rows: small matrices entry by entry, draws last."""
    weights = mixed.weights[:, groups.pattern]
    moved = np.moveaxis(Lambda, 0, -1)[:, :, None]
    # 1. Z'R^-1 Z, and Z'R^-1 of what is left without effects.
    G = np.moveaxis(groups.summed(groups.ZtKZ[..., None] * weights.T[:, None, None]), 0, 2)
    U = groups.summed(weights.T[:, None] * (groups.ZtKA @ one_d.T))
    start = (groups.C @ one_d.T).swapaxes(0, 1)[:, None]
    g = U.swapaxes(0, 1)[:, None] + product(G, start)
    # 2. v ~ N(M^-1 Lambda' g, M^-1), M = I + Lambda' G Lambda = T diag(d) T'.
    M = crossed(moved, product(G, np.broadcast_to(moved, (*moved.shape[:2], *G.shape[2:]))))
    T, d = factors(M + np.eye(len(M))[:, :, None, None])
    h = solve(T, crossed(moved, g))
    z = np.moveaxis(noise, 0, -1).swapaxes(0, 1)[:, None]
    v = solve_transposed(T, h / d[:, None] + z / np.sqrt(d)[:, None])
    return np.asarray(product(moved, v)[:, 0].transpose(2, 1, 0))

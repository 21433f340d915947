"""Group effects given everything else: exact conditional draws and means.

Integrated-out effects are recovered from ``r_j | b, sd, L, sigma, y ~
N(Lambda M_j^-1 Lambda' Z_j'e, sigma^2 Lambda M_j^-1 Lambda')`` with ``M_j = sigma^2 I + Lambda'
Z_j'Z_j Lambda`` (Lindley and Smith, 1972), entry by entry over draws and groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiermix.design.groupings import Grouping
from hiermix.statistics import patterned_effects, tree_effects
from hiermix.statistics.gram import Gram
from hiermix.statistics.patterns import Patterned
from hiermix.statistics.tree import Tree
from hiermix.typing import Drawn, FloatArray

_ENTRIES = 100_000
"""Numbers in a piece of work: few enough that its dozen arrays stay in cache."""


@dataclass(frozen=True)
class Hyperdraws:
    """Draws of everything but the effects, for one grouping factor; S draws."""

    b: FloatArray
    """(S, P) population coefficients of the centred columns."""
    sigma: FloatArray
    """(S,)"""
    Lambda: FloatArray
    """(S, Q, Q) diag(sd) L."""


def draw_effects(gram: Gram, draws: Hyperdraws, rng: np.random.Generator) -> FloatArray:
    """Draw the group effects once for every draw of the rest.

    Draws are worked through in pieces; the random numbers do not depend on the pieces.

    Returns
    -------
    array, shape (S, J, Q)
    """
    S, J, Q = len(draws.b), len(gram.ZtZ), gram.Q
    r = np.empty((S, J, Q))
    size = max(1, _ENTRIES // max(1, J * Q * Q))
    for start in range(0, S, size):
        part = slice(start, min(start + size, S))
        noise = rng.standard_normal((part.stop - start, J, Q))
        r[part] = _conditional(gram, draws, part, noise)
    return r


def mean_effects(gram: Gram, draws: Hyperdraws) -> FloatArray:
    """Conditional mean of the group effects, shape (S, J, Q)."""
    noise = np.zeros((len(draws.b), len(gram.ZtZ), gram.Q))
    return _conditional(gram, draws, slice(0, len(draws.b)), noise)


def _conditional(gram: Gram, draws: Hyperdraws, part: slice, noise: FloatArray) -> FloatArray:
    """Mean plus `noise` scaled by the conditional sd, (5) of docs/how-it-samples.md.

    Small matrices entry by entry, as vectors over draws and groups.
    """
    Q = gram.Q
    sigma = draws.sigma[part, None]
    Lambda = draws.Lambda[part]
    one_d = np.column_stack([np.ones(len(sigma)), draws.b[part] - gram.b_hat])
    Ze = [one_d @ gram.ZtR[:, k].T for k in range(Q)]
    # 1. M = C C' and h = C^-1 Lambda' Z'e, row by row.
    C: dict[tuple[int, int], FloatArray] = {}
    h: list[FloatArray] = []
    for a in range(Q):
        for c in range(a, Q):
            m = _congruence(gram, Lambda, a, c)
            if a == c:
                m += sigma**2
            for k in range(a):
                m -= C[c, k] * C[a, k]
            C[c, a] = np.sqrt(m) if a == c else m / C[a, a]
        u = sum(Lambda[:, k, a, None] * Ze[k] for k in range(a, Q))
        for k in range(a):
            u = u - C[a, k] * h[k]
        h.append(np.asarray(u / C[a, a]))
    # 2. v = C'^-1 (h + sigma noise), and r = Lambda v.
    v = [np.empty(0)] * Q
    for a in reversed(range(Q)):
        m = h[a] + sigma * noise[:, :, a]
        for k in range(a + 1, Q):
            m -= C[k, a] * v[k]
        v[a] = m / C[a, a]
    return np.stack([sum(Lambda[:, a, k, None] * v[k] for k in range(a + 1)) for a in range(Q)], 2)


def _congruence(gram: Gram, Lambda: FloatArray, a: int, c: int) -> FloatArray:
    """Entry (a, c) of Lambda' Z_j'Z_j Lambda, shape (S, J); Lambda is lower triangular."""
    Q = gram.Q
    m = np.zeros((len(Lambda), len(gram.ZtZ)))
    for k in range(a, Q):
        for col in range(c, Q):
            m += (Lambda[:, k, a] * Lambda[:, col, c])[:, None] * gram.ZtZ[:, k, col]
    return m


def all_factors(
    gram: Gram | Tree | Patterned | None,
    drawn: Drawn,
    groupings: Sequence[Grouping],
    seed: int,
) -> dict[str, FloatArray]:
    """Effects of every grouping factor, (chain, draw, level, effect).

    Sampled effects are among the draws; integrated-out ones are drawn from their exact
    conditional, with a stream of random numbers that belongs to the seed.
    """
    if gram is None:
        assert drawn.r is not None
        return _split(drawn.r, groupings)
    if not groupings:
        return {}
    chains, length = drawn.b.shape[:2]
    E = drawn.sd.shape[-1]
    S = chains * length
    b, Lambda = drawn.b.reshape(S, -1), (drawn.sd[..., None] * drawn.L).reshape(S, E, E)
    own = {name: each.reshape(S, *each.shape[2:]) for name, each in drawn.own.items()}
    if isinstance(gram, Tree):
        found = tree_effects.draw_effects(gram, b, own["sigma"], Lambda, seed)
    else:
        rng = np.random.default_rng([seed, 2])
        r = (
            patterned_effects.draw_effects(gram, b, own, Lambda, rng)
            if isinstance(gram, Patterned)
            else draw_effects(gram, Hyperdraws(b, own["sigma"], Lambda), rng)
        )
        found = {groupings[0].name: r}
    return {name: r.reshape(chains, length, *r.shape[1:]) for name, r in found.items()}


def _split(r: FloatArray, groupings: Sequence[Grouping]) -> dict[str, FloatArray]:
    """Stan's flat order is factor after factor, effect after effect, level by level."""
    found, at = {}, 0
    for each in groupings:
        shape = (len(each.effects), len(each.levels))
        part = r[..., at : at + shape[0] * shape[1]]
        found[each.name] = part.reshape(*r.shape[:2], *shape).swapaxes(-1, -2)
        at += shape[0] * shape[1]
    return found

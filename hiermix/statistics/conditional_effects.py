"""Effects of one factor given everything else: exact conditional draws and means.

Integrated-out effects are recovered from ``r_j | b, sd, L, sigma, y ~
N(Lambda M_j^-1 Lambda' Z_j'e, sigma^2 Lambda M_j^-1 Lambda')`` with ``M_j = sigma^2 I + Lambda'
Z_j'Z_j Lambda`` (Lindley and Smith, 1972), entry by entry over groups and draws.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hiermix.keyed_streams import Streams
from hiermix.statistics.gram import Gram
from hiermix.typing import FloatArray, IntArray

_ENTRIES = 16_000
"""Numbers in a piece of work: few enough that its dozen arrays stay in cache, and that each is less
than what the C library asks the system for anew every time, 128 kB."""


@dataclass(frozen=True)
class Hyperdraws:
    """Draws of everything but the effects; S draws."""

    b: FloatArray
    """(S, P) population coefficients of the centred columns."""
    own: Mapping[str, FloatArray]
    """(S, ...) the family's own parameters."""
    Lambda: FloatArray
    """(S, E, E) diag(sd) L, of all factors."""

    @property
    def sigma(self) -> FloatArray:
        """(S,) the residual sd, where it is one."""
        return self.own.get("sigma", np.ones(len(self.b)))


@dataclass(frozen=True, eq=False)
class OneFactor:
    """The effects of a factor, drawn when they are asked for: once for every draw of the rest.

    A level has a stream of random numbers of its own, and its arithmetic is its own, so that it has
    the same effects, to the last bit, whatever it is asked for with.
    """

    gram: Gram
    draws: Hyperdraws
    name: str
    labels: Sequence[str]
    """(J,) names of its levels."""
    seed: int

    def of_levels(self, name: str, levels: IntArray) -> FloatArray:
        """Return effects (Q, len(levels), S) of some levels, by their places."""
        assert name == self.name
        streams = Streams(self.seed, "integrated", name)
        shape = self.gram.Q, len(self.draws.b)
        return level_by_level(levels, self.labels, streams, shape, self._conditional)

    def all_levels(self) -> dict[str, FloatArray]:
        """Return effects (Q, J, S) of all levels of the factor, by its name."""
        return {self.name: self.of_levels(self.name, np.arange(len(self.gram.ZtZ)))}

    def drawn_with(self, name: str, levels: IntArray) -> int:
        """Return how many numbers a draw of some levels takes."""
        assert name == self.name
        return len(levels) * self.gram.Q

    def _conditional(self, levels: IntArray, noise: FloatArray) -> FloatArray:
        gram, draws = self.gram, self.draws
        # A product a level: many at once would be rounded by who is beside whom.
        Ze = np.matmul(gram.ZtR[levels, :, None], self._one_d)[:, :, 0]
        return conditional(gram.ZtZ[levels], Ze, draws.sigma, self._Lambda, noise)

    @cached_property
    def _Lambda(self) -> FloatArray:  # noqa: N802
        """(S, Q, Q), the draws of each entry next to each other."""
        return np.asfortranarray(self.draws.Lambda)

    @cached_property
    def _one_d(self) -> FloatArray:
        return _one_d(self.gram, self.draws)


def level_by_level(
    levels: IntArray,
    labels: Sequence[str],
    streams: Streams,
    shape: tuple[int, int],
    conditional: Callable[[IntArray, FloatArray], FloatArray],
) -> FloatArray:
    """Draw effects (Q, len(levels), S) of some levels, so many at once as stay in cache.

    `conditional` makes them of their levels and of normal numbers (n, Q, S), which `streams` have
    for the labels of the levels; `shape` is (Q, S).
    """
    Q, S = shape
    found = np.empty((Q, len(levels), S))
    size = max(1, _ENTRIES // (S * Q))
    for start in range(0, len(levels), size):
        some = levels[start : start + size]
        noise = streams.normals([labels[place] for place in some.tolist()], Q, S)
        found[:, start : start + size] = conditional(some, noise)
    return found


def mean_effects(gram: Gram, draws: Hyperdraws) -> FloatArray:
    """Conditional mean of the group effects, shape (S, J, Q)."""
    Ze = gram.ZtR @ _one_d(gram, draws)
    return conditional(
        gram.ZtZ, Ze, draws.sigma, draws.Lambda, np.zeros(Ze.shape)
    ).transpose(2, 1, 0)  # fmt: skip


def _one_d(gram: Gram, draws: Hyperdraws) -> FloatArray:
    """(1 + P, S) what e and -X are combined with."""
    return np.vstack([np.ones(len(draws.b)), (draws.b - gram.b_hat).T])


def conditional(
    ZtZ: FloatArray, Ze: FloatArray, sigma: FloatArray, Lambda: FloatArray, noise: FloatArray
) -> FloatArray:
    """Mean (Q, J, S) plus `noise` scaled by the conditional sd, (5) of docs/how-it-samples.md.

    Small matrices entry by entry, as vectors over groups and draws.

    Parameters
    ----------
    ZtZ : array, shape (J, Q, Q)
    Ze, noise : array, shape (J, Q, S)
        Z'e, and normal numbers.
    sigma, Lambda : array, shape (S,) and (S, Q, Q)
        Draws.
    """
    Q = ZtZ.shape[1]
    # 1. M = C C' and h = C^-1 Lambda' Z'e, row by row.
    C: dict[tuple[int, int], FloatArray] = {}
    h: list[FloatArray] = []
    for a in range(Q):
        for c in range(a, Q):
            m = _congruence(ZtZ, Lambda, a, c)
            if a == c:
                m += sigma**2
            for k in range(a):
                m -= C[c, k] * C[a, k]
            C[c, a] = np.sqrt(m) if a == c else m / C[a, a]
        u = sum(Lambda[:, k, a] * Ze[:, k] for k in range(a, Q))
        for k in range(a):
            u = u - C[a, k] * h[k]
        h.append(np.asarray(u / C[a, a]))
    # 2. v = C'^-1 (h + sigma noise), and r = Lambda v.
    v = [np.empty(0)] * Q
    for a in reversed(range(Q)):
        m = h[a] + sigma * noise[:, a]
        for k in range(a + 1, Q):
            m -= C[k, a] * v[k]
        v[a] = m / C[a, a]
    return np.stack([sum(Lambda[:, a, k] * v[k] for k in range(a + 1)) for a in range(Q)])


def _congruence(ZtZ: FloatArray, Lambda: FloatArray, a: int, c: int) -> FloatArray:
    """Entry (a, c) of Lambda' Z_j'Z_j Lambda, shape (J, S); Lambda is lower triangular."""
    Q = ZtZ.shape[1]
    m = np.zeros((len(ZtZ), len(Lambda)))
    for k in range(a, Q):
        for col in range(c, Q):
            m += ZtZ[:, k, col, None] * (Lambda[:, k, a] * Lambda[:, col, c])
    return m

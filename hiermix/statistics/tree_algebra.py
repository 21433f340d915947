"""Effects of nested factors eliminated from the innermost one outwards, and found again inwards.

What is left for the levels of the factor around it is ``A'V^-1 [A, e]`` of the columns A that vary
over a factor further out, V the covariance of the rows by all that is inside. Matrices come entry
by entry, as vectors over S draws and the J levels of a factor; everything is in units of sigma.
Numbers in brackets are equations of docs/how-it-samples.md.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import override

import numpy as np

from hiermix.statistics.small_matrices import crossed, factors, product, solve, solve_transposed
from hiermix.statistics.tree import Level, Tree
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Eliminated(ABC):
    """The effects ``r = Lambda w`` of one factor, given those of the factors around it.

    These add up to u (C, K, S, J) in each column that is carried.
    """

    level: Level
    Lambda: FloatArray
    """(Q, Q, S, 1)"""
    T: FloatArray
    d: FloatArray
    """Factors T diag(d) T' of a matrix (Q, Q, S, J), of which it depends."""
    h: FloatArray
    """(Q, K, S, J)"""
    K: FloatArray
    """(Q, C, S, J)"""

    def given(self, u: FloatArray) -> FloatArray:
        """Return h - K u."""
        return self.h - product(self.K, u) if len(u) else self.h

    def solved(self, values: FloatArray) -> FloatArray:
        """(T diag(d) T')^-1 T values."""
        return solve_transposed(self.T, values / self.d[:, None])

    def squares(self) -> FloatArray:
        """(S, K, K) h' diag(d)^-1 h, over all levels."""
        Q, K, S, J = self.h.shape
        columns = self.h.transpose(2, 1, 0, 3).reshape(S, K, Q * J)
        weight = self.d.transpose(1, 0, 2).reshape(S, 1, Q * J)
        return np.asarray((columns / weight) @ columns.swapaxes(1, 2))

    @abstractmethod
    def back(self, values: FloatArray) -> FloatArray:
        """Return the mean of w, of values of h - K u."""

    @abstractmethod
    def left(self) -> tuple[FloatArray, FloatArray]:
        """Return what is left of A'V^-1 A and A'V^-1 e of the columns carried on."""

    @property
    @abstractmethod
    def sign(self) -> int:
        """Whether ``h' diag(d)^-1 h`` is added to e'V^-1 e or taken off."""

    @abstractmethod
    def draw(self, u: FloatArray, z: FloatArray) -> FloatArray:
        """Draw w, from normal numbers z (`normals`, 1, S, J) of the sd sigma."""

    @property
    @abstractmethod
    def normals(self) -> int:
        """Number of normal numbers that a draw of a level takes."""

    @abstractmethod
    def covariance(self) -> FloatArray:
        """(Q, Q, S, J) of w, over sigma squared."""

    @abstractmethod
    def score(self, u: FloatArray) -> FloatArray:
        """Z'V^-1 (e - A u), with V the covariance by this factor and all inside."""

    @abstractmethod
    def reach(self) -> FloatArray:
        """Z'V^-1 A (Q, C, S, J)."""

    @abstractmethod
    def information(self) -> FloatArray:
        """Z'V^-1 Z Lambda (Q, Q, S, J)."""

    def mixed(self, columns: FloatArray) -> "Eliminated":
        """Return combinations (K, K) of the right-hand sides."""
        return replace(self, h=_combined(self.h, columns))


@dataclass(frozen=True)
class Innermost(Eliminated):
    """In the coordinates Q_j of its rows: T diag(d) T' = I + B B'."""

    R: FloatArray
    """(Q, Q, 1, J)"""
    B: FloatArray
    """(Q, Q, S, J) R Lambda."""
    order: IntArray
    """(Q,) columns of R."""

    @override
    def back(self, values: FloatArray) -> FloatArray:
        return crossed(self.B, self.solved(values))

    @override
    def left(self) -> tuple[FloatArray, FloatArray]:
        scaled = self.K / self.d[:, None]
        return crossed(scaled, self.K), crossed(scaled, self.h)

    @property
    @override
    def sign(self) -> int:
        return 1

    @property
    @override
    def normals(self) -> int:
        return 2 * len(self.T)

    @override
    def draw(self, u: FloatArray, z: FloatArray) -> FloatArray:
        # A draw from the prior, and what rows that were drawn along with it would have told of it
        # (Hoffman and Ribak, 1991).
        prior, error = np.split(z, 2)
        told = solve(self.T, product(self.B, prior) + error)
        return prior + self.back(self.given(u) - told)

    @override
    def covariance(self) -> FloatArray:
        return _identity(len(self.T)) - self.back(solve(self.T, self.B))

    @override
    def score(self, u: FloatArray) -> FloatArray:
        return self._of_rows(self.given(u))

    @override
    def reach(self) -> FloatArray:
        return self._of_rows(self.K)

    @override
    def information(self) -> FloatArray:
        return self._of_rows(solve(self.T, self.B))

    def _of_rows(self, values: FloatArray) -> FloatArray:
        return crossed(self.R, self.solved(values))[np.argsort(self.order)]


@dataclass(frozen=True)
class Outer(Eliminated):
    """With what the factors inside have left to it: T diag(d) T' = I + Lambda' Z'V^-1 Z Lambda."""

    G: FloatArray
    """(columns, columns, S, J) A'V^-1 A of its own columns and those carried."""
    g: FloatArray
    """(columns, K, S, J) A'V^-1 e"""

    @override
    def back(self, values: FloatArray) -> FloatArray:
        return self.solved(values)

    @override
    def left(self) -> tuple[FloatArray, FloatArray]:
        C, scaled = self.level.carried, self.K / self.d[:, None]
        return self.G[:C, :C] - crossed(scaled, self.K), self.g[:C] - crossed(scaled, self.h)

    @property
    @override
    def sign(self) -> int:
        return -1

    @property
    @override
    def normals(self) -> int:
        return len(self.T)

    @override
    def draw(self, u: FloatArray, z: FloatArray) -> FloatArray:
        return self.back(self.given(u) + np.sqrt(self.d)[:, None] * z)

    @override
    def covariance(self) -> FloatArray:
        return self.back(solve(self.T, _identity(len(self.T))))

    @override
    def score(self, u: FloatArray) -> FloatArray:
        own = self.level.own
        found = self.g[own] - product(self._turned, self.back(self.given(u)))
        return found - product(self.G[own, : len(u)], u) if len(u) else found

    @override
    def reach(self) -> FloatArray:
        known = self.G[self.level.own, : self.level.carried]
        return known - product(self._turned, self.back(self.K))

    @override
    def information(self) -> FloatArray:
        return product(self._turned, self.covariance())

    @property
    def _turned(self) -> FloatArray:
        own = self.level.own
        return product(self.G[np.ix_(own, own)], self.Lambda)

    @override
    def mixed(self, columns: FloatArray) -> "Outer":
        return replace(self, h=_combined(self.h, columns), g=_combined(self.g, columns))


def eliminate(tree: Tree, Lambdas: Sequence[FloatArray], mix: FloatArray) -> list[Eliminated]:
    """Eliminate the effects of all factors: (20) to (22). The outermost comes first.

    Parameters
    ----------
    tree : Tree
        Statistics of the rows.
    Lambdas : sequence of array, shape (S, Q, Q)
        diag(sd) L / sigma of each factor.
    mix : array, shape (S, 1 + P, K)
        Which combinations of e and -X.
    """
    if not tree.levels:
        return []
    # 1. The innermost factor, in the coordinates Q_j.
    w, last = tree.within, tree.levels[-1]
    Lambda = _entries(Lambdas[-1])
    R = np.ascontiguousarray(w.R.transpose(1, 2, 0))[:, :, None]
    B = product(R, Lambda[w.order])
    T, d = factors(_plus_identity(np.einsum("ak...,ck...->ac...", B, B)))
    QtA = np.ascontiguousarray(tree.QtA.transpose(1, 2, 0))[:, :, None]
    h, K = solve(T, _mixed(w.QtR, mix)), solve(T, QtA)
    found: list[Eliminated] = [Innermost(last, Lambda, T, d, h, K, R, B, w.order)]
    # 2. Those around it, with what is left to them; to the first also of columns that were loose.
    for place in range(len(tree.levels) - 2, -1, -1):
        inner, level = found[0], tree.levels[place]
        G, g = (over(each, inner.level.above, level.size) for each in inner.left())
        if inner is found[-1] and len(tree.loose):
            G[np.ix_(tree.loose, tree.loose)] += tree.AtA.transpose(1, 2, 0)[:, :, None]
            g[tree.loose] += _mixed(tree.AtR, mix)
        found.insert(0, _outer(level, _entries(Lambdas[place]), G, g))
    return found


def _outer(level: Level, Lambda: FloatArray, G: FloatArray, g: FloatArray) -> Outer:
    own = level.own
    rotated = crossed(Lambda, G[own])
    T, d = factors(_plus_identity(product(rotated[:, own], Lambda)))
    h, K = solve(T, crossed(Lambda, g[own])), solve(T, rotated[:, : level.carried])
    return Outer(level, Lambda, T, d, h, K, G, g)


def _entries(Lambda: FloatArray) -> FloatArray:
    return np.ascontiguousarray(Lambda.transpose(1, 2, 0))[..., None]


def _mixed(U: FloatArray, mix: FloatArray) -> FloatArray:
    """U mix of matrices U (J, Q, 1 + P), entry by entry: (Q, K, S, J)."""
    S, _, K = mix.shape
    found = np.empty((U.shape[1], K, S, len(U)))
    for q in range(U.shape[1]):
        for k in range(K):
            found[q, k] = mix[:, :, k] @ U[:, q].T
    return found


def _combined(values: FloatArray, columns: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("qk...,kl->ql...", values, columns))


def _identity(Q: int) -> FloatArray:
    return np.eye(Q)[:, :, None, None]


def _plus_identity(A: FloatArray) -> FloatArray:
    for a in range(len(A)):
        A[a, a] += 1.0
    return A


def over(values: FloatArray, above: IntArray, size: int) -> FloatArray:
    """Sum numbers (..., J) over the levels above, (..., size)."""
    order = np.argsort(above, kind="stable")
    some, start = np.unique(above[order], return_index=True)
    total = np.zeros((*values.shape[:-1], size))
    if len(some):
        total[..., some] = np.add.reduceat(values[..., order], start, axis=-1)
    return total

"""Sums over levels and pairs of levels: one factor is integrated out, those beside it are sampled.

With e the residuals at a pilot, X the columns of the population, Z those of the factor that is
integrated out and W those of all effects that are sampled, the density needs products of these: by
level of the factor, and by pair of a level and a column of W. There are at most as many of these as
rows, for each effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Pilot:
    """Where residuals are counted from."""

    b: FloatArray
    """(P,) of the columns of X less their means."""
    r: FloatArray
    """(K,) sampled effects: factor after factor, effect after effect, level by level."""
    effects: FloatArray
    """(J, Q) of the factor that is integrated out."""


@dataclass(frozen=True)
class LevelPairs:
    """Sums of products, each row with its weight."""

    pilot: Pilot
    n: float
    """Rows, or the sum of their weights."""
    rss: float
    """e'e"""
    Xte: FloatArray
    """(P,)"""
    XtX: FloatArray
    """(P, P)"""
    Wte: FloatArray
    """(K,)"""
    WtX: FloatArray
    """(K, P)"""
    WtW: csr_array
    """(K, K)"""
    ZtZ: FloatArray
    """(J, Q, Q)"""
    ZtR: FloatArray
    """(J, Q, 1 + P): Z'e, then -Z'X."""
    ZtW: Sequence[csr_array]
    """(J, K) for each effect."""

    @property
    def whole(self) -> FloatArray:
        """(J, Q, 1 + P) the same as `ZtR`, with the factor's own effects in e."""
        found = self.ZtR.copy()
        found[:, :, 0] += np.einsum("jqk,jk->jq", self.ZtZ, self.pilot.effects)
        return found


def sums(
    design: Design,
    x_mean: FloatArray,
    response: FloatArray,
    weights: FloatArray | None,
    pilot: Pilot,
) -> LevelPairs:
    """Add up the rows of a design; the last factor is the one that is integrated out.

    Parameters
    ----------
    design : Design
        Read in slices.
    x_mean : array, shape (P,)
        What is subtracted from the columns of X.
    response : array, shape (rows,)
        Less any offset.
    weights : array, shape (rows,), optional
        Weight of each row's log density.
    pilot : Pilot
        Where residuals are counted from.
    """
    last = design.groupings[-1]
    total: list[Any] = []
    for rows in slices(design.rows):
        X, W, Z = design.X(rows) - x_mean, columns(design, rows), design.Z(last.name, rows)
        own = np.einsum("nq,nq->n", Z, last.factor.gather(pilot.effects, rows))
        e = response[rows] - X @ pilot.b - W @ pilot.r - own
        w = np.ones(len(e)) if weights is None else weights[rows]
        wR, wZ = np.column_stack([e, -X]) * w[:, None], Z * w[:, None]
        wW = W.multiply(w[:, None]).tocsr()
        part = [
            w.sum(), e @ wR, X.T @ (X * w[:, None]), wW.T @ np.column_stack([e, X]), wW.T @ W,
            last.factor.products(Z, wZ, rows, symmetric=True), last.factor.products(Z, wR, rows),
            *(_by_level(design, W, column, rows) for column in wZ.T),
        ]  # fmt: skip
        total = part if not total else [a + b for a, b in zip(total, part, strict=True)]
    n, etR, XtX, WtR, WtW, ZtZ, ZtR, *ZtW = total
    return LevelPairs(
        pilot, float(n), float(etR[0]), -etR[1:], XtX, WtR[:, 0], WtR[:, 1:], WtW, ZtZ, ZtR, ZtW
    )


def columns(design: Design, rows: slice) -> csr_array:
    """(n, K) columns of all effects but those of the last factor, for some rows."""
    from scipy.sparse import csr_array, hstack

    found = []
    for each in design.groupings[:-1]:
        found += each.factor.columns(design.Z(each.name, rows), rows)
    whole = hstack(found, format="csr")
    whole.eliminate_zeros()
    return csr_array(whole)


def _by_level(design: Design, W: csr_array, z: FloatArray, rows: slice) -> csr_array:
    """(J, K) sums of z W over the levels of the last factor."""
    from scipy.sparse import csr_array

    factor = design.groupings[-1].factor.on(rows)
    return csr_array(factor.parts().multiply(z[:, None]).T @ W)


# With the factor integrated out ------------------------------------------------------------------


@dataclass(frozen=True)
class Reduced:
    """Products in the precision V^-1 of rows whose effects of the last factor are integrated out.

    A'V^-1B = A'B / sigma^2 - sum_j (Z_j'A)' K_j Z_j'B: (16) of docs/how-it-samples.md.
    """

    pairs: LevelPairs
    K: FloatArray
    """(J, Q, Q)"""
    sigma: float

    @classmethod
    def of(cls, pairs: LevelPairs, Lambda: FloatArray, sigma: float) -> Reduced:
        """Integrate effects of scale `Lambda` (Q, Q) out, at a residual sd."""
        root = Lambda / sigma
        M = np.eye(len(root)) + root.T @ pairs.ZtZ @ root
        return cls(pairs, root @ np.linalg.inv(M) @ root.T / sigma**2, sigma)

    def quadratic(self) -> FloatArray:
        """(1 + P, 1 + P) of the residuals, with the factor's effects in them, and -X."""
        own, whole, u = self.pairs, self.pairs.whole, self.pairs.pilot.effects
        P = len(own.Xte)
        found = np.empty((1 + P, 1 + P))
        found[0, 0] = own.rss + np.einsum("jq,jq->", u, own.ZtR[:, :, 0] + whole[:, :, 0])
        found[0, 1:] = found[1:, 0] = -own.Xte + np.einsum("jq,jqp->p", u, own.ZtR[:, :, 1:])
        found[1:, 1:] = own.XtX
        taken = np.einsum("jqa,jqk,jkb->ab", whole, self.K, whole, optimize=True)
        return np.asarray(found / self.sigma**2 - taken)

    def right(self) -> FloatArray:
        """(K, 1 + P): W'V^-1 of the residuals, with the factor's effects in them, and of -X."""
        own, whole, u = self.pairs, self.pairs.whole, self.pairs.pilot.effects
        found = np.column_stack([own.Wte, -own.WtX])
        for a, ZtW in enumerate(own.ZtW):
            found[:, 0] += ZtW.T @ u[:, a]
        found /= self.sigma**2
        weighed = self.K @ whole
        for a, ZtW in enumerate(own.ZtW):
            found -= ZtW.T @ weighed[:, a]
        return np.asarray(found)

    def times(self, r: FloatArray) -> FloatArray:
        """W'V^-1W r, for effects (K, n)."""
        moved = np.stack([ZtW @ r for ZtW in self.pairs.ZtW], axis=1)
        found = self.pairs.WtW @ r / self.sigma**2
        weighed = self.K @ moved
        for a, ZtW in enumerate(self.pairs.ZtW):
            found = found - ZtW.T @ weighed[:, a]
        return np.asarray(found)

    def block(self, one: IntArray, other: IntArray) -> FloatArray:
        """Entries of W'V^-1W at columns `one` and `other`, (n,) each."""
        found = np.asarray(self.pairs.WtW[one, other]).ravel() / self.sigma**2
        for a, left in enumerate(self.pairs.ZtW):
            for c, right in enumerate(self.pairs.ZtW):
                found -= _products(left, self.K[:, a, c], right, one, other)
        return found


def _products(
    A: csr_array, weight: FloatArray, B: csr_array, one: IntArray, other: IntArray
) -> FloatArray:
    """Return entries of A' diag(weight) B."""
    first, at = np.unique(one, return_inverse=True)
    second, by = np.unique(other, return_inverse=True)
    left, right = A[:, first], B[:, second].multiply(weight[:, None]).tocsr()
    if len(first) == len(second) and np.array_equal(at, by):
        return np.asarray(left.multiply(right).sum(axis=0)).ravel()[at]
    return np.asarray((left.T @ right).tocsr()[at, by]).ravel()

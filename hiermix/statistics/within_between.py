"""Statistics of what lies within groups and of what lies between them, apart.

With Z_j = Q_j R_j, R_j lower triangular, a group's part of ``e'V^-1 e`` is what Z_j leaves of e,
over sigma^2, and a quadratic form in Q_j'e with ``sigma^2 I + R_j Lambda Lambda' R_j'``: sums of
squares, however far apart the groups are. ``e'e`` less what the effects take away would be a small
difference of huge numbers. Numbers in brackets are equations of docs/how-it-samples.md.
"""

from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.statistics.gram import Gram, solve_symmetric
from hiermix.typing import FloatArray, IntArray

_FAR = 1e-4
"""Share of the residual sum of squares within groups below which groups are far apart."""
_DIGITS = 1e-6
"""Share of a sum of squares that is left within groups from which on the difference will do."""
_NOTHING = 1e-10
_ROUNDING = 1e-22
"""Share that rounding leaves of a column which groups explain: of a difference, of residuals."""
_SINGULAR = 1e-12


@dataclass(frozen=True)
class Within:
    """Statistics around ``b_hat``, the fit to what lies within groups.

    ``J`` groups (or rotated rows), ``Q`` varying and ``P`` population coefficients.
    """

    n: float
    """Rows, or the sum of their weights."""
    b_hat: FloatArray
    """(P,)"""
    XtX: FloatArray
    """(P, P) within groups."""
    rss: float
    """Residual sum of squares within groups."""
    groups: FloatArray
    """(J,) number of groups whose determinant a row carries."""
    R: FloatArray
    """(J, Q, Q) lower triangular, R'R = Z'Z with the columns in order; zero rows where singular."""
    QtR: FloatArray
    """(J, Q, 1 + P): Q'e, then -Q'X."""
    order: IntArray
    """(Q,) columns of Z: those last whose coefficients differ most, where groups are far apart.
    What they span comes off the others, which would be a small difference of huge numbers."""

    @property
    def Q(self) -> int:  # noqa: N802, as in the formulas
        """Number of varying coefficients."""
        return int(self.R.shape[1])

    def first(self, P: int) -> "Within":
        """Return the statistics without the last columns."""
        return replace(
            self, b_hat=self.b_hat[:P], XtX=self.XtX[:P, :P], QtR=self.QtR[:, :, : 1 + P]
        )

    @property
    def whole(self) -> float:
        """Residual sum of squares within groups and between them."""
        return self.rss + float(np.sum(self.QtR[:, :, 0] ** 2))

    @property
    def far(self) -> bool:
        """Whether groups are so far apart that next to nothing lies within them."""
        return self.rss < _FAR * self.whole

    def spread(self) -> FloatArray:
        """(Q,) spread of the coefficients that fit each group best, around their regression."""
        found = np.zeros(self.Q)
        best = _solve(self.R, self.QtR)
        for place, effect in enumerate(self.order):
            X, y = best[:, place, 1:], best[:, place, 0]
            left = y - X @ np.linalg.lstsq(X, y, rcond=1e-10)[0]
            found[effect] = np.sqrt(left @ left / max(self.groups.sum(), 1.0))
        return found


def split(gram: Gram) -> Within:
    """Tell within from between by the statistics of groups alone: (3)."""
    total = quadratic(gram)
    found = _in_order(gram, total, np.arange(gram.Q))
    if not found.far:
        return found
    size = found.spread() ** 2 * np.einsum("jqq->q", gram.ZtZ)
    return _in_order(gram, total, np.argsort(size))


def _in_order(gram: Gram, total: FloatArray, order: IntArray) -> Within:
    # 1. R_j, and Q_j'(e, -X) = R_j'^-1 Z_j'(e, -X).
    R = _roots(gram.ZtZ[:, order[:, None], order])
    QtR = solve_transposed(R, gram.ZtR[:, order])
    # 2. What lies within groups is what they leave of the whole.
    form = _without(total - np.einsum("jqa,jqb->ab", QtR, QtR), total, _NOTHING)
    ones = np.ones(len(R))
    found = Within(gram.n, gram.b_hat, form[1:, 1:], 0.0, ones, R, QtR, order)
    return _around_fit(found, form)


def split_rows(
    gram: Gram,
    design: Design,
    name: str | None,
    response: FloatArray,
    weights: FloatArray | None,
) -> Within:
    """Tell within from between, by another look at the rows where differences lose their digits."""
    found, total = split(gram), quadratic(gram)
    if name is None or not _loses_digits(_share(quadratic(found), total), design, name):
        return found
    for _ in range(3):
        form = _residuals(found, gram.x_mean, design, name, response, weights)
        before, found = found, _around_fit(found, _without(form, total, _ROUNDING))
        if found.rss > _DIGITS * form[0, 0] or np.array_equal(before.b_hat, found.b_hat):
            break
    return found


def _loses_digits(left: FloatArray, design: Design, name: str) -> bool:
    """Whether little is left within groups of a column that isn't a varying one."""
    effects = design.grouping(name).effects
    varying = np.array([False, *(term in effects for term in design.terms)])
    return bool((left[~varying] < _DIGITS).any())


def quadratic(statistics: Gram | Within) -> FloatArray:
    """E'e as a quadratic form in (1, b - b_hat)."""
    form = np.zeros((len(statistics.b_hat) + 1,) * 2)
    form[0, 0], form[1:, 1:] = statistics.rss, statistics.XtX
    return form


def _roots(ZtZ: FloatArray) -> FloatArray:
    """Lower triangular R_j with R_j'R_j = Z_j'Z_j, for all groups at once."""
    Q = ZtZ.shape[1]
    R = np.zeros_like(ZtZ)
    left = ZtZ.copy()
    for a in reversed(range(Q)):
        pivot = left[:, a, a]
        safe = pivot > _SINGULAR * ZtZ[:, a, a]
        root = np.sqrt(np.where(safe, pivot, 1.0))
        R[:, a, : a + 1] = np.where(safe[:, None], left[:, a, : a + 1] / root[:, None], 0.0)
        left -= R[:, a, :, None] * R[:, a, None, :]
    return R


def solve_transposed(R: FloatArray, U: FloatArray) -> FloatArray:
    """R_j'^-1 U_j; zero where R_j has a zero row."""
    Q = R.shape[1]
    found = np.zeros_like(U)
    for a in reversed(range(Q)):
        rest = U[:, a] - np.einsum("jk,jkc->jc", R[:, a + 1 :, a], found[:, a + 1 :])
        found[:, a] = _divided(rest, R[:, a, a])
    return found


def _solve(R: FloatArray, U: FloatArray) -> FloatArray:
    """R_j^-1 U_j; zero where R_j has a zero row."""
    found = np.zeros_like(U)
    for a in range(R.shape[1]):
        rest = U[:, a] - np.einsum("jk,jkc->jc", R[:, a, :a], found[:, :a])
        found[:, a] = _divided(rest, R[:, a, a])
    return found


def by_group(within: Within) -> FloatArray:
    """(J, Q, 1 + P) coefficients of each group's own columns that fit (e, -X) best."""
    found = np.empty_like(within.QtR)
    found[:, within.order] = _solve(within.R, within.QtR)
    return found


def _divided(values: FloatArray, by: FloatArray) -> FloatArray:
    some = by > 0
    return np.where(some[:, None], values / np.where(some, by, 1.0)[:, None], 0.0)


def _share(form: FloatArray, total: FloatArray) -> FloatArray:
    whole = np.diag(total)
    return np.where(whole > 0, np.diag(form) / np.where(whole > 0, whole, 1.0), 1.0)


def _without(form: FloatArray, total: FloatArray, nothing: float) -> FloatArray:
    """Set to zero what is left of columns that groups explain; never the response."""
    kept = _share(form, total) > nothing
    kept[0] = True
    return np.where(kept[:, None] & kept, form, 0.0)


def _around_fit(found: Within, form: FloatArray) -> Within:
    """Move to the least-squares fit within groups, where e'e is this form in (1, b - b_hat)."""
    step = -solve_symmetric(form[1:, 1:], form[1:, 0])
    QtR = found.QtR.copy()
    QtR[:, :, 0] += QtR[:, :, 1:] @ step
    rss = max(float(form[0, 0] + form[0, 1:] @ step), 0.0)
    return replace(found, b_hat=found.b_hat + step, XtX=form[1:, 1:], rss=rss, QtR=QtR)


def _residuals(
    found: Within,
    x_mean: FloatArray,
    design: Design,
    name: str,
    response: FloatArray,
    weights: FloatArray | None,
) -> FloatArray:
    """Sum squares of what each group's columns leave of (e, -X), row by row."""
    factor = design.grouping(name).factor
    taken = _solve(found.R, found.QtR)
    form = np.zeros((len(found.b_hat) + 1,) * 2)
    for rows in slices(design.rows):
        X = design.X(rows) - x_mean
        columns = np.column_stack([response[rows] - X @ found.b_hat, -X])
        columns -= np.einsum(
            "nq,nqc->nc", design.Z(name, rows)[:, found.order], factor.gather(taken, rows)
        )
        form += columns.T @ (columns if weights is None else columns * weights[rows, None])
    return form


def rotate(within: Within) -> Within:
    """Merge groups of equal Z'Z, exactly: (4).

    The density needs from groups of one design only the sum over them of a quadratic form in
    ``QtR``, and that sum is the same for the R factor of their stacked rows: at most Q (1 + P)
    rows stand for any number of such groups.
    """
    J, Q, columns = within.QtR.shape
    if J == 0:
        return within
    _, first, member, size = np.unique(
        _rounded(within.R), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    most = Q * columns
    large = np.flatnonzero(size > most)
    if not len(large):
        return within
    rows, counts, designs = [], [], []
    for kind in large:
        members = member.ravel() == kind
        merged = np.linalg.qr(within.QtR[members].reshape(-1, most), mode="r")
        merged = merged.reshape(-1, Q, columns)
        rows.append(merged)
        counts.append(np.eye(len(merged))[0] * within.groups[members].sum())
        designs.append(np.broadcast_to(within.R[first[kind]], (len(merged), Q, Q)))
    rest = ~np.isin(member.ravel(), large)
    return replace(
        within,
        groups=np.concatenate([within.groups[rest], *counts]),
        R=np.concatenate([within.R[rest], *designs]),
        QtR=np.concatenate([within.QtR[rest], *rows]),
    )


def _rounded(R: FloatArray) -> FloatArray:
    """Entries (J, QQ) to eleven digits of the largest: sums in another order are equal."""
    size = np.sqrt(np.max(np.sum(R**2, axis=1), axis=0))
    size[size == 0] = 1.0
    return np.round(R / size, 11).reshape(len(R), -1) + 0.0

"""Sufficient statistics of a Gaussian mixed model with one grouping factor, slice by slice.

Everything is accumulated in one pass around a pilot least-squares fit and then moved to the
least-squares fit itself, so that nothing large is subtracted from something equally large.
"""

from dataclasses import dataclass

import numpy as np

from hiermix.design.design import Design
from hiermix.typing import FloatArray

SLICE = 131_072
_PILOT = 20_000


@dataclass(frozen=True)
class Gram:
    """Sufficient statistics around the least-squares fit ``b_hat`` with residuals ``e``.

    ``J`` is the number of groups, ``Q`` of varying and ``P`` of population coefficients. Columns of
    X but for the intercept are centred.
    """

    n: float
    """Rows, or the sum of their weights."""
    x_mean: FloatArray
    """(P,) what was subtracted from the columns of X."""
    b_hat: FloatArray
    """(P,) least-squares coefficients of the centred columns."""
    XtX: FloatArray
    """(P, P)"""
    rss: float
    """e'e"""
    ZtZ: FloatArray
    """(J, Q, Q)"""
    ZtR: FloatArray
    """(J, Q, 1 + P): Z'e, then -Z'X."""

    @property
    def Q(self) -> int:  # noqa: N802, as in the formulas
        """Number of varying coefficients."""
        return int(self.ZtZ.shape[1])


def statistics(
    design: Design, name: str | None, response: FloatArray, weights: FloatArray | None = None
) -> Gram:
    """Build the statistics of `response` (rows,) for the grouping factor `name`.

    Parameters
    ----------
    design : Design
        The model's design; read in slices, never as a whole.
    name : str or None
        Grouping factor; None for a model without one.
    response : array, shape (rows,)
        Response, less any offset and the effects of other factors.
    weights : array, shape (rows,), optional
        Weight of each row's log density.
    """
    center, pilot = _pilot(design, response)
    sums = _accumulate(design, name, response, weights, center, pilot)
    return _around_least_squares(sums, center, pilot, intercept="Intercept" in design.terms)


def _pilot(design: Design, response: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means of X and a least-squares fit from rows spread over the frame."""
    rows = slice(None, None, max(1, design.rows // _PILOT))
    X, y = design.X(rows), response[rows]
    center = np.zeros(X.shape[1])
    if "Intercept" in design.terms:
        center[1:] = X[:, 1:].mean(axis=0)
    X = X - center
    size = np.sqrt(np.mean(X**2, axis=0))
    size[size == 0] = 1.0
    return center, np.linalg.lstsq(X / size, y, rcond=None)[0] / size


@dataclass
class _Sums:
    n: float
    XtX: FloatArray
    Xte: FloatArray
    ete: float
    ZtZ: FloatArray
    ZtX: FloatArray
    Zte: FloatArray


def _accumulate(
    design: Design,
    name: str | None,
    response: FloatArray,
    weights: FloatArray | None,
    center: FloatArray,
    pilot: FloatArray,
) -> _Sums:
    grouping = next((each for each in design.groupings if each.name == name), None)
    P = len(design.terms)
    J, Q = (len(grouping.levels), len(grouping.effects)) if grouping else (0, 0)
    sums = _Sums(
        0.0, np.zeros((P, P)), np.zeros(P), 0.0,
        np.zeros((J, Q, Q)), np.zeros((J, Q, P)), np.zeros((J, Q)),
    )  # fmt: skip
    for start in range(0, design.rows, SLICE):
        rows = slice(start, min(start + SLICE, design.rows))
        X = design.X(rows) - center
        e = response[rows] - X @ pilot
        w = None if weights is None else weights[rows]
        _add_rows(sums, X, e, w)
        if grouping:
            _add_groups(sums, X, design.Z(grouping.name, rows), e, w, grouping.codes[rows])
    return sums


def _add_rows(sums: _Sums, X: FloatArray, e: FloatArray, w: FloatArray | None) -> None:
    WX = X if w is None else X * w[:, None]
    sums.n += len(e) if w is None else float(w.sum())
    sums.XtX += WX.T @ X
    sums.Xte += WX.T @ e
    sums.ete += float(e @ e if w is None else e @ (w * e))


def _add_groups(
    sums: _Sums,
    X: FloatArray,
    Z: FloatArray,
    e: FloatArray,
    w: FloatArray | None,
    codes: np.ndarray,
) -> None:
    J, Q, P = sums.ZtX.shape
    WZ = Z if w is None else Z * w[:, None]
    for k in range(Q):
        WZk = np.ascontiguousarray(WZ[:, k])
        sums.Zte[:, k] += np.bincount(codes, WZk * e, J)
        for p in range(P):
            sums.ZtX[:, k, p] += np.bincount(codes, WZk * X[:, p], J)
        for col in range(k + 1):
            sums.ZtZ[:, k, col] += np.bincount(codes, WZk * Z[:, col], J)
            sums.ZtZ[:, col, k] = sums.ZtZ[:, k, col]


def _around_least_squares(
    sums: _Sums, center: FloatArray, pilot: FloatArray, *, intercept: bool
) -> Gram:
    """Move from the pilot fit to the least-squares fit and centre X exactly."""
    P = len(pilot)
    T = np.eye(P)
    if intercept and sums.n > 0:
        T[0, 1:] = -sums.XtX[0, 1:] / sums.XtX[0, 0]
    XtX = T.T @ sums.XtX @ T
    Xte = T.T @ sums.Xte
    ZtX = sums.ZtX @ T
    step = solve_symmetric(XtX, Xte) if sums.n > 0 else np.zeros(P)
    rss = max(sums.ete - float(Xte @ step), 0.0)
    Zte = sums.Zte - ZtX @ step
    ZtR = np.concatenate([Zte[:, :, None], -ZtX], axis=2)
    b_hat = np.linalg.solve(T, pilot) + step
    x_mean = center.copy()
    x_mean[1:] -= T[:1, 1:].sum(axis=0)
    return Gram(sums.n, x_mean, b_hat, XtX, rss,
                sums.ZtZ, ZtR)  # fmt: skip


def solve_symmetric(A: FloatArray, Y: FloatArray) -> FloatArray:
    """Solve A X = Y for a positive semidefinite A whose rows may have any units.

    Where a column says nothing, as in a fold that lacks a level, the shortest solution will do.
    """
    size = np.sqrt(np.maximum(np.diag(A), 0.0))
    size[size == 0] = 1.0
    scaled = (Y.T / size).T
    found = np.linalg.lstsq(A / np.outer(size, size), scaled, rcond=None)[0]
    return np.asarray((found.T / size).T)


def empty(P: int, Q: int, J: int = 0) -> Gram:
    """Return the statistics of no rows, with which a program samples its prior."""
    return Gram(0.0, np.zeros(P), np.zeros(P), np.zeros((P, P)), 0.0,
                np.zeros((J, Q, Q)), np.zeros((J, Q, 1 + P)))  # fmt: skip

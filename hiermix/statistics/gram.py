"""Sufficient statistics of a Gaussian mixed model with one grouping factor, slice by slice.

Moments are added up in one pass around a pilot least-squares fit and then moved to the
least-squares fit itself, so that nothing large is subtracted from something equally large.
"""

from dataclasses import dataclass

import numpy as np

from hiermix.design.design import Design
from hiermix.statistics.moments import Moments, moments, pilot_of
from hiermix.typing import FloatArray


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
    sums = moments(design, name, response, weights, pilot_of(design, response))
    return around_least_squares(sums, intercept="Intercept" in design.terms)


def around_least_squares(
    sums: Moments, *, intercept: bool, centred: int | None = None, mean: FloatArray | None = None
) -> Gram:
    """Move moments from their pilot to the least-squares fit: (2) of docs/how-it-samples.md.

    `centred` is the number of columns to centre, all by default, where there is an intercept; at
    their `mean` (centred,) where that is not that of the sums.
    """
    center, pilot = sums.pilot.center, sums.pilot.b
    # 1. Centre X exactly: its columns less their means, which the intercept takes up.
    P = len(pilot)
    T = np.eye(P)
    if intercept and sums.n > 0:
        T[0, 1:centred] = -sums.XtX[0, 1:centred] / sums.XtX[0, 0]
        if mean is not None:
            T[0, 1:centred] = center[1:centred] - mean[1:]
    # 2. The step from the pilot to least squares, and what is left of e'e and Z'e.
    XtX = T.T @ sums.XtX @ T
    Xte = T.T @ sums.Xte
    ZtX = sums.ZtX @ T
    step = solve_symmetric(XtX, Xte) if sums.n > 0 else np.zeros(P)
    rss = max(sums.ete - float(Xte @ step), 0.0)
    Zte = sums.Zte - ZtX @ step
    ZtR = np.concatenate([Zte[:, :, None], -ZtX], axis=2)
    # 3. The fit in the columns as they are now centred.
    b_hat = np.linalg.solve(T, pilot) + step
    x_mean = center.copy()
    x_mean[1:] -= T[:1, 1:].sum(axis=0)
    return Gram(sums.n, x_mean, b_hat, XtX, rss, sums.ZtZ, ZtR)


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

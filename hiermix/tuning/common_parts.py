"""What the levels of a factor have in common, apart from what they differ in.

The mean of a factor's effects can't be told from the population coefficients: with two crossed
factors, the intercept and both means trade off. So a program samples what levels have in common,
``v_j = u_j t`` with ``r_j = Lambda v_j``, by the law of its prior, ``t ~ normal(0, I)``; the
deviations from it, for which ``sum_j u_j v_j = 0``; and the population coefficients as they are
with it. Exact for any unit vector u: that of the tuned levels keeps levels without rows out of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.statistics.gram import solve_symmetric
from hiermix.typing import FloatArray


@dataclass(frozen=True)
class Common:
    """What the levels of one factor have in common."""

    share: FloatArray
    """(J,) u, a unit vector."""
    extent: float
    """What it comes to in a row, for one unit of t."""

    def project(self, values: FloatArray, inverse: FloatArray) -> FloatArray:
        """Take out of `values` (J, Q, ...) what is in common, (17), given A_j^-1 (J, Q, Q).

        Parameters
        ----------
        values : array, shape (J, Q, P)
            Coordinates v_j of the levels, a column a direction.
        inverse : array, shape (J, Q, Q)
            A_j^-1, with A_j = I + Lambda' Z_j'WZ_j Lambda.
        """
        u = self.share
        B = np.einsum("j,jqk->qk", u**2, inverse)
        back = np.linalg.solve(B, np.einsum("j,jqp->qp", u, values))
        return np.asarray(values - u[:, None, None] * (inverse @ back))


def find(ZtWZ: FloatArray, Lambda: FloatArray) -> Common | None:
    """Find what levels share by how much their rows say; None where they say nothing.

    Parameters
    ----------
    ZtWZ : array, shape (J, Q, Q)
        Information of the rows of each level.
    Lambda : array, shape (Q, Q)
        Scale of the effects.
    """
    told = Lambda.T @ ZtWZ @ Lambda
    size = np.trace(told, axis1=1, axis2=2)
    shrinkage = len(Lambda) - np.trace(np.linalg.inv(np.eye(len(Lambda)) + told), axis1=1, axis2=2)
    if not shrinkage.max(initial=0.0) > 1e-8:
        return None
    share = shrinkage / np.linalg.norm(shrinkage)
    return Common(share, float(size @ share / size.sum()))


def columns(design: Design, x_mean: FloatArray) -> Mapping[str, FloatArray | None]:
    """(P, Q) K with X K = Z of every factor; None where a column of Z is not in the span of X.

    Parameters
    ----------
    design : Design
        The fitted rows.
    x_mean : array, shape (P,)
        What the program's X has subtracted.
    """
    names = [each.name for each in design.groupings]
    P = len(design.terms)
    XtX, XtZ = np.zeros((P, P)), {name: np.zeros(()) for name in names}
    ZtZ = dict(XtZ)
    for rows in slices(design.rows):
        X = design.X(rows) - x_mean
        XtX += X.T @ X
        for name in names:
            Z = design.Z(name, rows)
            XtZ[name] = XtZ[name] + X.T @ Z
            ZtZ[name] = ZtZ[name] + np.sum(Z**2, axis=0)
    found: dict[str, FloatArray | None] = {}
    for name in names:
        if not design.grouping(name).factor.partitions:
            found[name] = None
            continue
        K = solve_symmetric(XtX, XtZ[name])
        left = ZtZ[name] - np.sum(XtZ[name] * K, axis=0)
        found[name] = K if (left <= 1e-9 * ZtZ[name]).all() else None
    return found

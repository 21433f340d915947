"""What rows say of all columns, with the effects of groups integrated out: (27) and (28).

Numbers in brackets are equations of docs/how-it-samples.md.
"""

from typing import NamedTuple

import numpy as np

from hiermix.statistics.patterns import Groups, Patterned
from hiermix.typing import FloatArray


class Likely(NamedTuple):
    """Most probable effects of each group, v over their sds, in each column of A."""

    G: FloatArray
    """(J, Q, Q) Z'R^-1 Z"""
    U: FloatArray
    """(J, Q, 1 + P) Z'R^-1 A"""
    inverse: FloatArray
    """(J, Q, Q) of M = I + Lambda' G Lambda."""
    log_det: FloatArray
    v: FloatArray
    delta: FloatArray
    """Lambda v less the best."""


class Form(NamedTuple):
    """E'V^-1 e as a quadratic form in (1, d), with what effects add to the log determinant."""

    form: FloatArray
    effects: Likely | None
    log_det: float


def without_effects(rows: Patterned, weights: FloatArray, Lambda: FloatArray) -> Form:
    """Return the form under weights (R,) of the patterns, effects of groups integrated out."""
    groups = rows.rotated
    weight = weights[rows.pattern_of_root] * rows.sign
    form = rows.roots.T @ (weight[:, None] * rows.roots)
    if not groups.J:
        return Form(form, None, 0.0)
    effects = _likely(groups, weights, Lambda)
    # A'R^-1 A less what effects take, as squares from each group's best: see (28).
    G, U, V, far = effects.G, effects.U, effects.v, effects.delta
    crossed = np.einsum("jqa,jqb->ab", U, far)
    form = (
        form - crossed - crossed.T + np.einsum("jqa,jqb->ab", far, G @ far)
        + np.einsum("jqa,jqb->ab", V, V)
    )  # fmt: skip
    return Form(form, effects, float(groups.count @ effects.log_det))


def _likely(groups: Groups, weights: FloatArray, Lambda: FloatArray) -> Likely:
    weight = weights[groups.pattern, None, None]
    G, U = groups.summed(weight * groups.ZtKZ), groups.summed(weight * groups.ZtKA)
    M = np.eye(len(Lambda)) + Lambda.T @ G @ Lambda
    C = np.linalg.cholesky(M)
    log_det = 2 * np.sum(np.log(np.diagonal(C, axis1=1, axis2=2)), axis=1)
    inverse = np.linalg.inv(M)
    v = inverse @ (Lambda.T @ (U + G @ groups.C))
    return Likely(G, U, inverse, log_det, v, Lambda @ v - groups.C)

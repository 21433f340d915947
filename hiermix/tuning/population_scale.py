"""Coordinates of the population coefficients, whose uncertainty follows the sds of the effects.

What all levels of a factor have in common can't be told from the population: however many rows
there are, its part of the variance of b is that of an effect over the number of levels. With few
levels that is most of it, and the sds are uncertain: in fixed coordinates b would be a funnel.
"""

from dataclasses import dataclass

import numpy as np

from hiermix.statistics.gram import Gram, solve_symmetric
from hiermix.typing import FloatArray

_MOST = 0.999
_FEW = 10
"""Levels up to which the sds of a factor are so uncertain that following them is worth it."""


@dataclass(frozen=True)
class Following:
    """``scale`` (P, P) of b, and the covariance of its first F coordinates given Lambda.

    It is ``(hold + (rest + reach Lambda Lambda' reach')^-1)^-1``, the identity at the Lambda of
    the quick fit. The other coordinates have the identity always.
    """

    scale: FloatArray
    rest: FloatArray
    """(F, F) without group effects."""
    reach: FloatArray
    """(F, E) by the group effects."""
    hold: FloatArray
    """(F, F) precision of the priors."""


def common(gram: Gram) -> FloatArray:
    """(P, Q) how the mean over levels of Q effects, of variance one each, looks in b.

    Of a factor with few levels, whose statistics have a row a level; zeros for any other.
    """
    levels = few_levels(gram)
    if not levels:
        return np.zeros((len(gram.b_hat), gram.Q))
    XtZ = -gram.ZtR[:, :, 1:].sum(axis=0).T
    return np.asarray(solve_symmetric(gram.XtX, XtZ) / np.sqrt(levels))


def few_levels(gram: Gram) -> int:
    """Return the number of levels that have rows; none where they are not few."""
    levels = int(np.count_nonzero(np.einsum("jqq->j", gram.ZtZ)))
    return levels if levels <= _FEW else 0


def follow(
    scale: FloatArray, prior: FloatArray, shared: FloatArray, Lambda: FloatArray
) -> Following | None:
    """Find the directions of b that follow the sds, and how: (10) of docs/how-it-samples.md.

    None where there are none.

    Parameters
    ----------
    scale : array, shape (P, P)
        Root of the covariance of b at Lambda.
    prior : array, shape (P,)
        Precisions of the priors of b.
    shared : array, shape (P, E)
        `common` of every factor that b leans on; zeros for others.
    Lambda : array, shape (E, E)
        Root of the covariance of the effects.
    """
    if not shared.any():
        return None
    # 1. The directions in which the effects reach, in coordinates where b has the identity.
    whitened = np.linalg.solve(scale, shared)
    directions, size, _ = np.linalg.svd(whitened @ Lambda)
    F = int(np.sum(size > 1e-6 * size[0]))
    scale, reach = scale @ directions, (directions.T @ whitened)[:F]
    # 2. What the priors hold on to, less than all of it.
    hold = scale[:, :F].T @ (prior[:, None] * scale[:, :F])
    hold *= _MOST / max(np.linalg.eigvalsh(hold)[-1], _MOST)
    whole = np.linalg.inv(np.eye(F) - hold)
    # 3. The part of the effects: where levels differ in rows, it may come out larger than all.
    part = np.linalg.norm(np.linalg.solve(np.linalg.cholesky(whole), reach @ Lambda), 2) ** 2
    reach *= np.sqrt(_MOST / max(part, _MOST))
    reached = reach @ Lambda
    return Following(scale, whole - reached @ reached.T, reach, hold)

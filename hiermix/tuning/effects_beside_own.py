"""How group effects move along with the family's own parameters, as the population does.

Where an own parameter moves, as the time before a response can come, slopes of rows do, and with
them where each level's effects lie given everything else.
"""

from collections.abc import Mapping

import numpy as np

from hiermix.statistics import nested
from hiermix.tuning.coordinates import Coordinates
from hiermix.tuning.penalised import FactorFit, Penalised
from hiermix.tuning.problem import Problem
from hiermix.typing import FloatArray


def columns(
    problem: Problem, found: Penalised, name: str, fits: Mapping[str, FactorFit],
    others: FloatArray, both: Coordinates,
) -> FloatArray:  # fmt: skip
    """Return columns (J, Q, 1 + P + A) whose last ones are how Z'w e of a factor moves.

    Parameters
    ----------
    problem, found, name, fits
        The model, its penalised fit, the factor, and the fits of all.
    others : array, shape (J, Q, 1 + P)
        Z'w e and -Z'wX of the coefficients that other factors absorb: these move as they do.
    both : Coordinates
        Of the population and the own parameters.
    """
    moved = others[:, :, 1:] @ followed(both, others.shape[2] - 1)
    return np.concatenate([others, moved + along_own(problem, found, name, fits)], axis=2)


def followed(both: Coordinates, P: int) -> FloatArray:
    """Return how the population (P,) moves with the own parameters, (P, A), in coordinates."""
    return np.asarray(np.linalg.solve(both.scale[P:, P:].T, both.scale[:P, P:].T).T)


def along_own(
    problem: Problem, found: Penalised, name: str, fits: Mapping[str, FactorFit]
) -> FloatArray:
    """Return derivatives of Z'w e (J, Q, A) of a factor by coordinates of the own parameters.

    With the effects of factors inside it integrated out.
    """
    design, by_own, weights = problem.design, found.by_own, found.weights
    J, Q = fits[name].effects.shape
    total = np.zeros((J, Q, by_own.shape[1]))
    if not by_own.any():
        return total
    inside = {pair.inner: fits[pair.inner].Lambda for pair in problem.pairs
              if pair.outer == name and pair.inner in fits}  # fmt: skip
    Z, scatter = design.Z(name), design.grouping(name).factor.scatter
    for a, moved in enumerate(by_own.T):
        if inside:
            working = np.divide(moved, weights, out=np.zeros_like(moved), where=weights > 0)
            gram = nested.marginal(design, name, working, weights, inside)
            total[:, :, a] = gram.ZtR[:, :, 0] - gram.ZtR[:, :, 1:] @ gram.b_hat
        else:
            total[:, :, a] = scatter(Z * moved[:, None])
    return total

"""How the weights to which group effects are tuned grow with the family's own parameters.

Where sigma is half of what it is in the quick fit, every row says four times as much of its levels.
With a row or a few for each level sigma is that uncertain, and effects that were tuned to one sigma
are a funnel at another. So the weights of a factor follow: ``exp(growth' (own - center))``, exactly
for a residual sd, and on average over rows for other parameters. Those of a factor with another
inside it don't: what rows say of it goes by the spreads of both together, which trade off with each
other and add up to what is known.
"""

from collections.abc import Mapping

import numpy as np

from hiermix.tuning.penalised import FactorFit, Penalised
from hiermix.tuning.problem import Problem
from hiermix.typing import FloatArray

_FELT = 0.25
"""Growth over one sd of an own parameter from which on it is followed."""


def growths(problem: Problem, found: Penalised, fits: Mapping[str, FactorFit]) -> FloatArray:
    """Return derivatives (M, A) of the log weights of each factor; zero where next to nothing.

    The curvature of own parameters is that with effects held: as if of all rows, while what levels
    differ in leaves as many fewer as there are effects.
    """
    left = problem.rows - sum(fit.effects.size for fit in fits.values())
    spread = np.linalg.norm(found.own.scale, axis=1) * np.sqrt(problem.rows / max(left, 1))
    outer = {pair.outer for pair in problem.pairs}
    grown = np.zeros((len(fits), len(found.own.center)))
    for place, (name, fit) in enumerate(fits.items()):
        if name not in outer:
            grown[place] = _growth(problem, found, name, fit.Lambda)
    felt = np.abs(grown) * spread > _FELT
    return np.where(felt, grown, 0.0)


def accounted(fit: FactorFit, Zte: FloatArray, growth: FloatArray) -> FloatArray:
    """Return how far Z'w (e - Z r) of a factor moves (J, Q, A) as its weights grow."""
    left = Zte - np.einsum("jqk,jk->jq", fit.gram.ZtZ, fit.effects)
    return np.asarray(left[:, :, None] * growth)


def _growth(problem: Problem, found: Penalised, name: str, Lambda: FloatArray) -> FloatArray:
    """Return those (A,) of one factor."""
    of_rows = np.sum((problem.design.Z(name) @ Lambda) ** 2, axis=1)
    told = float(found.weights @ of_rows)
    return np.asarray(of_rows @ found.weights_by_own / (told if told > 0 else 1.0))

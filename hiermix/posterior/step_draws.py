"""Monotonic effects in a posterior: the mean step, and how the way is shared among the steps.

The steps themselves are coefficients of columns like any other, ``b[mo(x)[3]]``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hiermix.design.monotone_steps import Steps
from hiermix.posterior.coefficients import Variables
from hiermix.typing import FloatArray


def shared(priors: Sequence[str], place: int) -> bool:
    """Tell whether a coefficient is one of several steps, by the names of their priors."""
    return list(priors).count(priors[place]) > 1


def variables(
    steps: Sequence[Steps], equation: str, terms: Sequence[str], b: FloatArray
) -> tuple[Variables, dict[str, Any]]:
    """Return the variables of the monotonic effects of an equation, and their labels.

    Parameters
    ----------
    steps : sequence of Steps
        Of all equations.
    equation : str
        The one that coefficients `b` (chain, draw, P) of `terms` are of.
    """
    found: Variables = {}
    labels: dict[str, Any] = {}
    for each in steps:
        if each.equation == equation:
            first = list(terms).index(each.labels[0])
            part = b[..., first : first + len(each.labels)]
            mean, shares = each.names
            total = part.sum(axis=-1)
            found[mean] = ((), total / len(each.labels))
            if each.shared is not None:
                continue
            safe = np.where(total == 0, 1.0, total)[..., None]
            found[shares] = ((f"{shares}_step",), part / safe)
            names = [label.removeprefix(each.term)[1:-1] for label in each.labels]
            labels[f"{shares}_step"] = names
    return found, labels

"""Discriminations, and thresholds of rows: what stands between a linear predictor and its link.

A discrimination is how steeply responses follow what is latent; one where it has no equation.

Linear predictor and thresholds are multiplied by it: log odds ``disc * (theta - b)`` of items that
part able persons from others more or less sharply, and ordered categories of unequal variance.
"""

import numpy as np

from hiermix.design.design import Design
from hiermix.families.links import Own
from hiermix.formula.threshold_formulas import name_of, threshold_of
from hiermix.typing import FloatArray

DISC = "disc"


def discriminated(eta: FloatArray, own: Own) -> tuple[FloatArray, Own]:
    """Return linear predictor and own parameters on the scale on which the link is."""
    if DISC not in own:
        return eta, own
    disc = own[DISC]
    moved = {name: own[name] * disc[..., None] for name in ("threshold",) if name in own}
    return eta * disc, {**own, **moved}


def specific(design: Design) -> list[str]:
    """Names of the equations that the thresholds of a design may have."""
    return list(map(name_of, range(1, len(design.categories))))


def at_thresholds(own: Own) -> Own:
    """Return own parameters with thresholds less the linear predictors of their equations."""
    if not any(threshold_of(name) for name in own):
        return own
    names = map(name_of, range(1, own["threshold"].shape[-1] + 1))
    each = np.broadcast_arrays(*(own.get(name, np.zeros(1)) for name in names))
    return {**own, "threshold": own["threshold"] - np.stack(each, axis=-1)}

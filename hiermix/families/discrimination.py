"""Discrimination: how steeply responses follow what is latent; one where it has no equation.

Linear predictor and thresholds are multiplied by it: log odds ``disc * (theta - b)`` of items that
part able persons from others more or less sharply, and ordered categories of unequal variance.
"""

from hiermix.families.links import Own
from hiermix.typing import FloatArray

DISC = "disc"


def discriminated(eta: FloatArray, own: Own) -> tuple[FloatArray, Own]:
    """Return linear predictor and own parameters on the scale on which the link is."""
    if DISC not in own:
        return eta, own
    disc = own[DISC]
    moved = {name: own[name] * disc[..., None] for name in ("threshold",) if name in own}
    return eta * disc, {**own, **moved}

"""Counts of unordered categories out of trials: mean, draw, log density."""

import numpy as np

from hiermix.families.categorical import categorical_mean, scores
from hiermix.families.links import Own
from hiermix.typing import FloatArray


def mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the expected count of every category, on the last axis."""
    return np.asarray(own["trials"][..., None] * categorical_mean(link, eta, own))


def draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw the counts of all categories, on the last axis."""
    p = categorical_mean(link, eta, own)
    trials = np.broadcast_to(own["trials"], p.shape[:-1]).astype(np.int64)
    return rng.multinomial(trials, p).astype(np.float64)


def log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of counts, which rows bring; `y` is their total."""
    from scipy.special import gammaln, log_softmax

    counts = own["counts"]
    ways = gammaln(y + 1) - gammaln(counts + 1).sum(axis=-1)
    return np.asarray(ways + np.sum(counts * log_softmax(scores(eta), axis=-1), axis=-1))

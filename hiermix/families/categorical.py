"""Unordered categories: mean, draw, log density."""

import numpy as np

from hiermix.families.links import Own
from hiermix.typing import FloatArray


def scores(eta: FloatArray) -> FloatArray:
    """Linear predictors of all categories: that of the first, the reference, is zero."""
    return np.concatenate([np.zeros_like(eta[..., :1]), eta], axis=-1)


def categorical_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Probability of every category, on the last axis."""
    from scipy.special import softmax

    return np.asarray(softmax(scores(eta), axis=-1))


def categorical_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a category, counted from 1."""
    at_most = np.cumsum(categorical_mean(link, eta, own), axis=-1)[..., :-1]
    u = rng.random(at_most.shape[:-1])
    return np.asarray(1.0 + (u[..., None] > at_most).sum(axis=-1))


def categorical_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a category, counted from 1."""
    from scipy.special import log_softmax

    each = log_softmax(scores(eta), axis=-1)
    shape = np.broadcast_shapes(y.shape, each.shape[:-1])
    place = np.broadcast_to(y, shape).astype(np.int64)[..., None] - 1
    found = np.take_along_axis(np.broadcast_to(each, (*shape, each.shape[-1])), place, -1)
    return np.asarray(found[..., 0])

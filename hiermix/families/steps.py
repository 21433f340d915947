"""Ordered categories step by step: who stops at each threshold, or how neighbours compare.

Thresholds are numbers in any order. From the log probabilities of all categories come the mean, a
draw and the log density.
"""

from collections.abc import Callable

import numpy as np

from hiermix.families.links import Own, log_probabilities
from hiermix.typing import FloatArray

type LogCategories = Callable[[str, FloatArray, Own], FloatArray]
"""Link, linear predictor and own parameters to log probabilities, on a last axis."""


def _below(eta: FloatArray, own: Own) -> FloatArray:
    """How far the linear predictor lies below each threshold."""
    return np.asarray(own["threshold"] - eta[..., None])


def sratio(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Of a category: to stop there, F(threshold - eta), and not at those before."""
    return _stopped(*log_probabilities(link, _below(eta, own)))


def cratio(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Of a category: not to go on from there, 1 - F(eta - threshold), but from those before."""
    going, stopping = log_probabilities(link, -_below(eta, own))
    return _stopped(stopping, going)


def _stopped(stopping: FloatArray, going: FloatArray) -> FloatArray:
    none = np.zeros_like(stopping[..., :1])
    before = np.concatenate([none, np.cumsum(going, axis=-1)], axis=-1)
    return np.asarray(np.concatenate([stopping, none], axis=-1) + before)


def acat(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Log odds of a category and the one before it are eta - threshold."""
    from scipy.special import log_softmax

    odds = -_below(eta, own)
    scores = np.concatenate([np.zeros_like(odds[..., :1]), np.cumsum(odds, axis=-1)], axis=-1)
    return np.asarray(log_softmax(scores, axis=-1))


def probabilities(of: LogCategories, link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Probability of every category, on a last axis of its own."""
    return np.exp(of(link, eta, own))


def mean(of: LogCategories, link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the expected category; categories count from 1."""
    p = probabilities(of, link, eta, own)
    return np.asarray(p @ np.arange(1.0, p.shape[-1] + 1))


def draw(
    of: LogCategories, link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a category, counted from 1."""
    at_most = np.cumsum(probabilities(of, link, eta, own), axis=-1)[..., :-1]
    u = rng.random(at_most.shape[:-1])
    return np.asarray(1.0 + (u[..., None] > at_most).sum(axis=-1))


def log_density(
    of: LogCategories, link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of a category, counted from 1."""
    each = of(link, eta, own)
    shape = np.broadcast_shapes(y.shape, each.shape[:-1])
    place = np.broadcast_to(y, shape).astype(np.int64)[..., None] - 1
    found = np.take_along_axis(np.broadcast_to(each, (*shape, each.shape[-1])), place, -1)
    return np.asarray(found[..., 0])

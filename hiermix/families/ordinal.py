"""Ordered categories: mean, draw, log density and how it bends."""

import numpy as np

from hiermix.families.links import Own, inverse_link, log_probabilities
from hiermix.typing import FloatArray, IntArray


def category_probabilities(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Probability of every category, on a last axis of its own."""
    inner = own["threshold"] - eta[..., None]
    edge = np.full_like(inner[..., :1], np.inf)
    upper = np.concatenate([inner, edge], axis=-1)
    lower = np.concatenate([-edge, inner], axis=-1)
    high, low = _into_lower_tail(upper, lower)
    return inverse_link(link, high) - inverse_link(link, low)


def _into_lower_tail(upper: FloatArray, lower: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Reflect intervals above zero: differences of distribution functions are exact below."""
    flip = lower > 0
    return np.where(flip, -lower, upper), np.where(flip, -upper, lower)


def ordinal_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the expected category; categories count from 1."""
    above = inverse_link(link, eta[..., None] - own["threshold"])
    return np.asarray(1.0 + above.sum(axis=-1))


def ordinal_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a category, counted from 1."""
    at_most = inverse_link(link, own["threshold"] - eta[..., None])
    u = rng.random(at_most.shape[:-1])
    return np.asarray(1.0 + (u[..., None] > at_most).sum(axis=-1))


def ordinal_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a category, counted from 1."""
    return _log_between(link, *_bounds(y, eta, own))


def _bounds(y: FloatArray | IntArray, eta: FloatArray, own: Own) -> tuple[FloatArray, FloatArray]:
    """Thresholds below and above each category, less the linear predictor."""
    edge = np.full_like(own["threshold"][..., :1], np.inf)
    bound = np.concatenate([-edge, own["threshold"], edge], axis=-1)
    shape = np.broadcast_shapes(y.shape, eta.shape, bound.shape[:-1])
    bound = np.broadcast_to(bound, (*shape, bound.shape[-1]))
    category = np.broadcast_to(y, shape).astype(np.int64)[..., None]
    lower, upper = (
        np.take_along_axis(bound, each, -1)[..., 0] for each in (category - 1, category)
    )
    return lower - eta, upper - eta


def _log_between(link: str, lower: FloatArray, upper: FloatArray) -> FloatArray:
    high, low = _into_lower_tail(upper, lower)
    log_high, log_low = (log_probabilities(link, each)[0] for each in (high, low))
    return np.asarray(log_high + np.log(-np.expm1(log_low - log_high)))


def ordinal_bends(
    link: str, y: FloatArray | IntArray, eta: FloatArray, own: Own
) -> tuple[FloatArray, tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray, FloatArray]]:
    """Log probability of a category and its derivatives in the thresholds below and above.

    The first ones; the second ones, and that in both.
    """
    with np.errstate(all="ignore"):
        lower, upper = _bounds(y, eta, own)
        log_p = _log_between(link, lower, upper)
        a, b = (np.exp(_log_slope(link, each) - log_p) for each in (lower, upper))
        bends = [
            np.where(np.isfinite(each), slope * _slope_of_log_slope(link, each), 0.0)
            for each, slope in ((lower, a), (upper, b))
        ]
    return log_p, (-a, b), (-bends[0] - a**2, bends[1] - b**2, a * b)


def _log_slope(link: str, x: FloatArray) -> FloatArray:
    """Log density of the law whose distribution function is the inverse link."""
    if link == "probit":
        return np.asarray(-0.5 * (np.log(2 * np.pi) + x**2))
    log_p, log_q = log_probabilities(link, x)
    return log_p + log_q


def _slope_of_log_slope(link: str, x: FloatArray) -> FloatArray:
    return -x if link == "probit" else -np.tanh(x / 2)

"""Times to an event: mean, draw, log density."""

import numpy as np

from hiermix.families import continuous
from hiermix.families.links import Own
from hiermix.families.numerics import exp, lgamma1p, positive
from hiermix.typing import FloatArray


def weibull_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a time of mean mu."""
    shape = np.broadcast_to(own["shape"], np.broadcast_shapes(eta.shape, np.shape(own["shape"])))
    log_draw = np.log(rng.standard_exponential(shape.shape)) / shape
    return positive(exp(eta - lgamma1p(1 / shape) + log_draw))


def weibull_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time."""
    shape = own["shape"]
    scaled = shape * (np.log(y) - eta + lgamma1p(1 / shape))
    return np.asarray(np.log(shape) - np.log(y) + scaled - exp(scaled))


def exponential_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a time of mean mu."""
    return positive(exp(eta) * rng.standard_exponential(eta.shape))


def exponential_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time."""
    return -eta - exp(np.log(y) - eta)


def inverse_gaussian_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a time of mean mu and variance mu^3 / shape.

    One of the two roots that a squared normal has (Michael, Schucany and Haas, 1976), by its share
    of the mean.
    """
    size = np.broadcast_shapes(np.shape(eta), np.shape(own["shape"]))
    r = exp(eta - np.log(own["shape"])) * rng.standard_normal(size) ** 2
    share = 2 / (2 + r + np.sqrt(r) * np.sqrt(r + 4))
    smaller = rng.random(size) * (1 + share) <= 1
    return positive(exp(eta + np.where(smaller, 1.0, -1.0) * np.log(np.maximum(share, 1e-300))))


def inverse_gaussian_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time of mean mu and variance mu^3 / shape."""
    shape, log_y = own["shape"], np.log(y)
    away = np.expm1(np.minimum(log_y - eta, 350.0)) ** 2
    far = exp(np.log(shape) - log_y + np.log(away))
    return np.asarray(0.5 * (np.log(shape) - np.log(2 * np.pi) - far) - 1.5 * log_y)


def shifted_lognormal_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean of ndt and a lognormal time after it."""
    return np.asarray(own["ndt"] + continuous.lognormal_mean(link, eta, own))


def shifted_lognormal_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a time that passes in any case, and a lognormal one after it."""
    return positive(own["ndt"] + continuous.lognormal_draw(link, rng, eta, own))


def shifted_lognormal_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log density of a time; none up to ndt."""
    after = y - own["ndt"]
    late = after > 0
    found = continuous.lognormal_log_density(link, np.where(late, after, 1.0), eta, own)
    return np.where(late, found, -np.inf)

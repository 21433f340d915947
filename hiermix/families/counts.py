"""Counts, with zeros of a second cause or behind a hurdle: mean, draw, log density."""

import numpy as np

from hiermix.families.continuous import gamma_rate
from hiermix.families.links import Own
from hiermix.families.numerics import excess, exp, log1m_exp_exp, log_softplus, log_tilt, stirling
from hiermix.typing import FloatArray


def poisson_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a count."""
    return _counts(rng, exp(eta))


def _counts(rng: np.random.Generator, rate: FloatArray) -> FloatArray:
    """Draw counts, where numpy's generator takes a rate; above they end."""
    return rng.poisson(np.minimum(rate, 9e18)).astype(np.float64)


def poisson_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a count."""
    some = np.maximum(y, 1.0)
    near = stirling(some) - some * excess(eta - np.log(some))
    return np.where(y == 0, -exp(eta), near)


def shape_of(own: Own) -> FloatArray:
    """Shape of the count of a row: counts over a longer time are sums of such counts."""
    return own["shape"] * own["rate"] if "rate" in own else own["shape"]


def negative_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a count of variance mu + mu^2 / shape."""
    return _counts(rng, gamma_rate(rng, eta, shape_of(own)))


def negative_binomial_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of a count of variance mu + mu^2 / shape.

    For counts above zero that of `shape` among ``y + shape``, by the saddle point.
    """
    shape, some = shape_of(own), np.maximum(y, 1.0)
    total, off = shape + some, eta - np.log(some)
    size = np.log(shape) - np.log(total) + stirling(shape) + stirling(some) - stirling(total)
    tilt = log_tilt(np.minimum(shape, some), total, np.where(some < shape, off, -off))
    return np.where(y == 0, _negative_binomial_zero(eta, own), size + tilt)


def log_negative_binomial_zero(eta: FloatArray, own: Own) -> FloatArray:
    """Log of minus the log probability of a zero."""
    log_shape = np.log(shape_of(own))
    return np.asarray(log_shape + log_softplus(eta - log_shape))


def _negative_binomial_zero(eta: FloatArray, own: Own) -> FloatArray:
    return -exp(log_negative_binomial_zero(eta, own))


def of_shape_one(own: Own) -> Own:
    """Return what makes a negative binomial count a geometric one."""
    return {**own, "shape": np.ones(1)}


def geometric_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw the failures before a success, mu on average."""
    return negative_binomial_draw(link, rng, eta, of_shape_one(own))


def geometric_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of the failures before a success."""
    return negative_binomial_log_density(link, y, eta, of_shape_one(own))


def zero_inflated_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean count, with the zeros that are no counts."""
    return np.asarray((1 - own["zi"]) * exp(eta))


def zero_inflated_poisson_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a count, or a zero with probability zi."""
    count = poisson_draw(link, rng, eta, own)
    return count * (rng.random(count.shape) >= own["zi"])


def zero_inflated_negative_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a count, or a zero with probability zi."""
    count = negative_binomial_draw(link, rng, eta, own)
    return count * (rng.random(count.shape) >= own["zi"])


def zero_inflated_poisson_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of a count or a zero of either kind."""
    return _inflated(y, poisson_log_density(link, y, eta, own), own["zi"])


def zero_inflated_negative_binomial_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of a count or a zero of either kind."""
    return _inflated(y, negative_binomial_log_density(link, y, eta, own), own["zi"])


def _inflated(y: FloatArray, log_count: FloatArray, zi: FloatArray) -> FloatArray:
    counted = np.log1p(-zi) + log_count
    return np.where(y == 0, np.logaddexp(np.log(zi), counted), counted)


def hurdle_poisson_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean count behind the hurdle times the probability to pass it."""
    return np.asarray((1 - own["hu"]) * exp(eta - log1m_exp_exp(eta)))


def hurdle_negative_binomial_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean count behind the hurdle times the probability to pass it."""
    passed = log1m_exp_exp(log_negative_binomial_zero(eta, own))
    return np.asarray((1 - own["hu"]) * exp(eta - passed))


def hurdle_poisson_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw zero, or a count from 1 up: the first event comes early enough, the rest are free."""
    mu = exp(eta)
    first = -np.log1p(rng.random(mu.shape) * np.expm1(-mu))
    return _behind_hurdle(rng, np.maximum(mu - first, 0.0), own)


def hurdle_negative_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw zero, or a count from 1 up: as of the Poisson, whose rate the first event raises.

    With a rate that is gamma distributed no event comes by time t with log probability
    ``-shape log1p(t mu / shape)``; once the first came, the rate is gamma(shape + 1), and events
    of the time that is left come freely.
    """
    shape = shape_of(own)
    whole = np.logaddexp(0, eta - np.log(shape))
    u = rng.random(whole.shape)
    first = -np.log1p(u * np.expm1(-exp(log_negative_binomial_zero(eta, own)))) / shape
    left = np.expm1(np.clip(whole - first, 0.0, 700.0))
    return _behind_hurdle(rng, rng.standard_gamma(shape + 1, whole.shape) * left, own)


def _behind_hurdle(rng: np.random.Generator, rate: FloatArray, own: Own) -> FloatArray:
    """Draw a zero with probability hu, else one and the events that follow the first."""
    count = 1.0 + _counts(rng, rate)
    return np.asarray(count * (rng.random(count.shape) >= own["hu"]))


def hurdle_poisson_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a zero or of a count from 1 up."""
    count = poisson_log_density(link, y, eta, own)
    return _hurdle(y, count, log1m_exp_exp(eta), own["hu"])


def hurdle_negative_binomial_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of a zero or of a count from 1 up."""
    count = negative_binomial_log_density(link, y, eta, own)
    return _hurdle(y, count, log1m_exp_exp(log_negative_binomial_zero(eta, own)), own["hu"])


def _hurdle(
    y: FloatArray, log_count: FloatArray, log_some: FloatArray, hu: FloatArray
) -> FloatArray:
    return np.where(y == 0, np.log(hu), np.log1p(-hu) + log_count - log_some)

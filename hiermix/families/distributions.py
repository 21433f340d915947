"""The families' distributions in numpy: mean, random draw, pointwise log density.

Every function takes the name of the link, then arrays that broadcast: the linear predictor
``eta`` and, in ``own``, the family's own parameters and what a row brings (``trials``,
``censored``). A parameter that is a vector has an axis of its own, the last.

Means, draws and densities are right wherever the numbers go: draws that no number can hold become
the smallest or the largest one, counts end at 9e18.
"""

from collections.abc import Mapping

import numpy as np

from hiermix.families.numerics import (  # fmt: skip
    LARGEST,
    SMALLEST,
    excess,
    exp,
    lgamma1p,
    log1m_exp_exp,
    log_gamma_draw,
    log_rising,
    log_softplus,
    log_tilt,
    positive,
    stirling,
)
from hiermix.typing import FloatArray, IntArray

_BELOW_ONE = float(np.nextafter(1.0, 0.0))
_MANY = 1e5
"""Trials from which differences of lgamma lose digits."""

type Own = Mapping[str, FloatArray]
"""A family's own parameters, and ``trials`` and ``censored`` of the rows, ready to broadcast."""


def inverse_link(link: str, eta: FloatArray) -> FloatArray:
    """Return the mean (or probability) at a linear predictor."""
    from scipy.special import expit, ndtr

    with np.errstate(over="ignore", under="ignore"):
        match link:
            case "log":
                return exp(eta)
            case "logit":
                return np.asarray(expit(eta))
            case "probit":
                return np.asarray(ndtr(eta))
            case "cloglog":
                return -np.expm1(-exp(eta))
            case _:
                return eta


def link_of(link: str, mean: float) -> float:
    """Return the linear predictor at a mean."""
    from scipy.special import ndtri

    match link:
        case "log":
            return float(np.log(mean))
        case "logit":
            return float(np.log(mean) - np.log1p(-mean))
        case "probit":
            return float(ndtri(mean))
        case "cloglog":
            return float(np.log(-np.log1p(-mean)))
        case _:
            return mean


def _log_probabilities(link: str, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log probabilities of success and failure, exact in both tails."""
    from scipy.special import log_expit, log_ndtr

    match link:
        case "probit":
            return np.asarray(log_ndtr(eta)), np.asarray(log_ndtr(-eta))
        case "cloglog":
            return log1m_exp_exp(eta), -exp(eta)
        case _:
            return np.asarray(log_expit(eta)), np.asarray(log_expit(-eta))


def mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean of families whose linear predictor is linked to it."""
    return inverse_link(link, eta)


# Continuous responses ----------------------------------------------------------------------------


def normal_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from normal(eta, sigma)."""
    shape = np.broadcast_shapes(np.shape(eta), np.shape(own["sigma"]))
    return np.asarray(eta + own["sigma"] * rng.standard_normal(shape))  # faster than rng.normal


def normal_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of normal(eta, sigma)."""
    sigma = own["sigma"]
    return np.asarray(-0.5 * (np.log(2 * np.pi) + ((y - eta) / sigma) ** 2) - np.log(sigma))


def student_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from student_t(nu, eta, sigma)."""
    shape = np.broadcast_shapes(eta.shape, np.shape(own["sigma"]))
    far = own["sigma"] * rng.standard_t(np.broadcast_to(own["nu"], shape))
    return np.clip(eta + far, -LARGEST, LARGEST)


def student_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of student_t(nu, eta, sigma)."""
    from scipy.special import betaln

    nu, sigma = own["nu"], own["sigma"]
    # log(1 + z^2 / nu), with a z whose square is no number.
    tail = np.logaddexp(0, 2 * np.log(np.abs((y - eta) / sigma)) - np.log(nu))
    return np.asarray(-betaln(nu / 2, 0.5) - 0.5 * np.log(nu) - np.log(sigma) - (nu + 1) / 2 * tail)


def lognormal_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean of lognormal(eta, sigma)."""
    return exp(eta + own["sigma"] ** 2 / 2)


def lognormal_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from lognormal(eta, sigma)."""
    return positive(exp(normal_draw(link, rng, eta, own)))


def lognormal_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of lognormal(eta, sigma)."""
    return normal_log_density(link, np.log(y), eta, own) - np.log(y)


def gamma_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from a gamma of mean mu and variance mu^2 / shape."""
    return positive(_gamma_rate(rng, eta, own["shape"]))


def _gamma_rate(rng: np.random.Generator, eta: FloatArray, shape: FloatArray) -> FloatArray:
    """Draw from a gamma as `gamma_draw`; zero where it is smaller than any number."""
    log_draw = log_gamma_draw(rng, shape, np.broadcast_shapes(eta.shape, np.shape(shape)))
    return exp(log_draw + eta - np.log(shape))


def gamma_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a gamma of mean mu and variance mu^2 / shape."""
    shape, log_y = own["shape"], np.log(y)
    return np.asarray(stirling(shape) + np.log(shape) - log_y - shape * excess(log_y - eta))


def beta_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from a beta of mean mu and precision phi."""
    return np.clip(_beta_share(link, rng, eta, own), SMALLEST, _BELOW_ONE)


def _beta_share(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from a beta as `beta_draw`; zero or one where no number is as close to them."""
    a, b = inverse_link(link, eta) * own["phi"], inverse_link(link, -eta) * own["phi"]
    return rng.beta(np.maximum(a, 1e-300), np.maximum(b, 1e-300))


def beta_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a beta of mean mu and precision phi."""
    phi = own["phi"]
    log_mu, log_rest = _log_probabilities(link, eta)
    a, b = np.exp(log_mu) * phi, np.exp(log_rest) * phi
    size = stirling(a) + stirling(b) - stirling(phi) + log_mu + log_rest + np.log(phi)
    log_y, log_left = np.log(y), np.log1p(-y)
    # Minus phi times the divergence of y from mu; linear terms, which cancel, are left out.
    far = a * excess(log_y - log_mu) + b * excess(log_left - log_rest)
    return np.asarray(size - far - log_y - log_left)


# Times, perhaps right-censored -------------------------------------------------------------------


def _event(own: Own) -> FloatArray:
    return np.asarray(1.0 - np.asarray(own.get("censored", 0.0)))


def weibull_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw an uncensored time of mean mu."""
    shape = np.broadcast_to(own["shape"], np.broadcast_shapes(eta.shape, np.shape(own["shape"])))
    log_draw = np.log(rng.standard_exponential(shape.shape)) / shape
    return positive(exp(eta - lgamma1p(1 / shape) + log_draw))


def weibull_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time; log probability of surviving it where it is censored."""
    shape = own["shape"]
    scaled = shape * (np.log(y) - eta + lgamma1p(1 / shape))
    return np.asarray(_event(own) * (np.log(shape) - np.log(y) + scaled) - exp(scaled))


def exponential_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw an uncensored time of mean mu."""
    return positive(exp(eta) * rng.standard_exponential(eta.shape))


def exponential_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time; log probability of surviving it where it is censored."""
    return -_event(own) * eta - exp(np.log(y) - eta)


# Successes out of trials -------------------------------------------------------------------------


def _trials(own: Own) -> FloatArray:
    return np.asarray(own.get("trials", 1.0))


def binomial_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the expected successes."""
    return _trials(own) * inverse_link(link, eta)


def binomial_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw successes."""
    draws = rng.binomial(_trials(own).astype(np.int64), inverse_link(link, eta))
    return np.asarray(draws, dtype=np.float64)


def _log_choose(n: FloatArray, k: FloatArray) -> FloatArray:
    from scipy.special import gammaln

    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def binomial_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of y successes."""
    n = _trials(own)
    log_p, log_q = _log_probabilities(link, eta)
    if np.max(n, initial=0.0) < _MANY:
        return _log_choose(n, y) + _times(y, log_p) + _times(n - y, log_q)
    size = stirling(y) + stirling(n - y) - stirling(n)
    return size - _divergence(y, n, log_p) - _divergence(n - y, n, log_q)


def _divergence(count: FloatArray, n: FloatArray, log_p: FloatArray) -> FloatArray:
    """Count times the log of its share in n over p, and what cancels over all outcomes."""
    some = np.maximum(count, 1.0)
    return np.where(count == 0, n * np.exp(log_p), some * excess(log_p - np.log(some / n)))


def _times(count: FloatArray, log_p: FloatArray) -> FloatArray:
    """Count times log probability, where nothing times minus infinity is nothing."""
    from scipy.special import xlogy

    with np.errstate(under="ignore"):
        finite = np.isfinite(log_p)
        return np.where(finite, count * np.where(finite, log_p, 0.0), xlogy(count, 0.0))


def beta_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw successes whose probability is beta distributed."""
    p = _beta_share(link, rng, eta, own)
    return np.asarray(rng.binomial(_trials(own).astype(np.int64), p), dtype=np.float64)


def beta_binomial_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of y successes whose probability is beta distributed.

    That of the binomial, and what successes, failures and trials rise above powers.
    """
    n, phi = _trials(own), own["phi"]
    log_phi, log_p = np.log(phi), _log_probabilities(link, eta)
    risen = [
        log_rising(count, np.exp(each) * phi, each + log_phi)
        for count, each in zip((y, n - y), log_p, strict=True)
    ]
    return binomial_log_density(link, y, eta, own) + sum(risen) - log_rising(n, phi, log_phi)


# Counts ------------------------------------------------------------------------------------------


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


def negative_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a count of variance mu + mu^2 / shape."""
    return _counts(rng, _gamma_rate(rng, eta, own["shape"]))


def negative_binomial_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of a count of variance mu + mu^2 / shape.

    For counts above zero that of `shape` among ``y + shape``, by the saddle point.
    """
    shape, some = own["shape"], np.maximum(y, 1.0)
    total, off = shape + some, eta - np.log(some)
    size = np.log(shape) - np.log(total) + stirling(shape) + stirling(some) - stirling(total)
    tilt = log_tilt(np.minimum(shape, some), total, np.where(some < shape, off, -off))
    return np.where(y == 0, _negative_binomial_zero(eta, own), size + tilt)


def _poisson_zero(eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a zero."""
    return -exp(eta)


def _log_negative_binomial_zero(eta: FloatArray, own: Own) -> FloatArray:
    """Log of minus the log probability of a zero."""
    log_shape = np.log(own["shape"])
    return np.asarray(log_shape + log_softplus(eta - log_shape))


def _negative_binomial_zero(eta: FloatArray, own: Own) -> FloatArray:
    return -exp(_log_negative_binomial_zero(eta, own))


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
    passed = log1m_exp_exp(_log_negative_binomial_zero(eta, own))
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
    shape = own["shape"]
    whole = np.logaddexp(0, eta - np.log(shape))
    u = rng.random(whole.shape)
    first = -np.log1p(u * np.expm1(-exp(_log_negative_binomial_zero(eta, own)))) / shape
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
    return _hurdle(y, count, log1m_exp_exp(_log_negative_binomial_zero(eta, own)), own["hu"])


def _hurdle(
    y: FloatArray, log_count: FloatArray, log_some: FloatArray, hu: FloatArray
) -> FloatArray:
    return np.where(y == 0, np.log(hu), np.log1p(-hu) + log_count - log_some)


# Ordered categories ------------------------------------------------------------------------------


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
    log_high, log_low = (_log_probabilities(link, each)[0] for each in (high, low))
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
    log_p, log_q = _log_probabilities(link, x)
    return log_p + log_q


def _slope_of_log_slope(link: str, x: FloatArray) -> FloatArray:
    return -x if link == "probit" else -np.tanh(x / 2)


# Unordered categories ----------------------------------------------------------------------------


def _scores(eta: FloatArray) -> FloatArray:
    """Linear predictors of all categories: that of the first, the reference, is zero."""
    return np.concatenate([np.zeros_like(eta[..., :1]), eta], axis=-1)


def categorical_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Probability of every category, on the last axis."""
    from scipy.special import softmax

    return np.asarray(softmax(_scores(eta), axis=-1))


def categorical_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a category, counted from 1."""
    at_most = np.cumsum(categorical_mean(link, eta, own), axis=-1)[..., :-1]
    u = rng.random(at_most.shape[:-1])
    return np.asarray(1.0 + (u[..., None] > at_most).sum(axis=-1))


def categorical_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a category, counted from 1."""
    from scipy.special import log_softmax

    each = log_softmax(_scores(eta), axis=-1)
    shape = np.broadcast_shapes(y.shape, each.shape[:-1])
    place = np.broadcast_to(y, shape).astype(np.int64)[..., None] - 1
    found = np.take_along_axis(np.broadcast_to(each, (*shape, each.shape[-1])), place, -1)
    return np.asarray(found[..., 0])

"""The families' distributions in numpy: mean, random draw, pointwise log density.

Every function takes the name of the link, then arrays that broadcast: the linear predictor
``eta`` and, in ``own``, the family's own parameters and what a row brings (``trials``,
``censored``). A parameter that is a vector has an axis of its own, the last.
"""

from collections.abc import Mapping

import numpy as np

from hiermix.typing import FloatArray

type Own = Mapping[str, FloatArray]
"""A family's own parameters, and ``trials`` and ``censored`` of the rows, ready to broadcast."""


def inverse_link(link: str, eta: FloatArray) -> FloatArray:
    """Return the mean (or probability) at a linear predictor."""
    from scipy.special import expit, ndtr

    with np.errstate(over="ignore", under="ignore"):
        match link:
            case "log":
                return np.exp(eta)
            case "logit":
                return np.asarray(expit(eta))
            case "probit":
                return np.asarray(ndtr(eta))
            case "cloglog":
                return -np.expm1(-np.exp(eta))
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
            hazard = np.maximum(np.exp(eta), 5e-324)
            # Exact to rounding for rare successes, and for rare failures.
            rare, common = np.log(-np.expm1(-hazard)), np.log1p(-np.exp(-hazard))
            return np.where(hazard < 0.7, rare, common), -hazard
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
    return eta + own["sigma"] * rng.standard_t(np.broadcast_to(own["nu"], shape))


def student_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of student_t(nu, eta, sigma)."""
    from scipy.special import gammaln

    nu, sigma = own["nu"], own["sigma"]
    constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi) - np.log(sigma)
    return np.asarray(constant - (nu + 1) / 2 * np.log1p(((y - eta) / sigma) ** 2 / nu))


def lognormal_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean of lognormal(eta, sigma)."""
    return np.asarray(np.exp(eta + own["sigma"] ** 2 / 2))


def lognormal_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from lognormal(eta, sigma)."""
    return rng.lognormal(eta, own["sigma"])


def lognormal_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of lognormal(eta, sigma)."""
    return normal_log_density(link, np.log(y), eta, own) - np.log(y)


def gamma_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from a gamma of mean mu and variance mu^2 / shape."""
    return rng.gamma(own["shape"], np.exp(eta) / own["shape"])


def gamma_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a gamma of mean mu and variance mu^2 / shape."""
    from scipy.special import gammaln

    shape = own["shape"]
    scaled = np.log(y) - eta
    return np.asarray(
        shape * np.log(shape) - gammaln(shape) + shape * (scaled - np.exp(scaled)) - np.log(y)
    )


def beta_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from a beta of mean mu and precision phi."""
    a, b = inverse_link(link, eta) * own["phi"], inverse_link(link, -eta) * own["phi"]
    return rng.beta(np.maximum(a, 1e-300), np.maximum(b, 1e-300))


def beta_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a beta of mean mu and precision phi."""
    from scipy.special import gammaln

    phi = own["phi"]
    a, b = inverse_link(link, eta) * phi, inverse_link(link, -eta) * phi
    constant = gammaln(phi) - gammaln(a) - gammaln(b)
    return np.asarray(constant + (a - 1) * np.log(y) + (b - 1) * np.log1p(-y))


# Times, perhaps right-censored -------------------------------------------------------------------


def _event(own: Own) -> FloatArray:
    return np.asarray(1.0 - np.asarray(own.get("censored", 0.0)))


def weibull_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw an uncensored time of mean mu."""
    from scipy.special import gamma

    shape = np.broadcast_to(own["shape"], np.broadcast_shapes(eta.shape, np.shape(own["shape"])))
    return np.asarray(np.exp(eta) / gamma(1 + 1 / shape) * rng.weibull(shape))


def weibull_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time; log probability of surviving it where it is censored."""
    from scipy.special import gammaln

    shape = own["shape"]
    scaled = shape * (np.log(y) - eta + gammaln(1 + 1 / shape))
    return np.asarray(_event(own) * (np.log(shape) - np.log(y) + scaled) - np.exp(scaled))


def exponential_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw an uncensored time of mean mu."""
    return rng.exponential(np.exp(eta))


def exponential_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time; log probability of surviving it where it is censored."""
    return -_event(own) * eta - y * np.exp(-eta)


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
    return _log_choose(n, y) + _times(y, log_p) + _times(n - y, log_q)


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
    p = beta_draw(link, rng, eta, own)
    return np.asarray(rng.binomial(_trials(own).astype(np.int64), p), dtype=np.float64)


def beta_binomial_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of y successes whose probability is beta distributed."""
    from scipy.special import betaln

    # Larger ones are binomial up to n / 1e8, and would cost the digits of the difference.
    n, phi = _trials(own), np.minimum(own["phi"], 1e8)
    a, b = inverse_link(link, eta) * phi, inverse_link(link, -eta) * phi
    return np.asarray(_log_choose(n, y) + betaln(y + a, n - y + b) - betaln(a, b))


# Counts ------------------------------------------------------------------------------------------


def poisson_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a count."""
    return rng.poisson(_countable(np.exp(eta))).astype(np.float64)


def _countable(mu: FloatArray) -> FloatArray:
    """Means that numpy's generator of counts accepts."""
    return np.minimum(mu, 9e18)


def poisson_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a count."""
    from scipy.special import gammaln

    return np.asarray(y * eta - np.exp(eta) - gammaln(y + 1))


def negative_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a count of variance mu + mu^2 / shape."""
    return rng.poisson(_countable(gamma_draw(link, rng, eta, own))).astype(np.float64)


def negative_binomial_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of a count of variance mu + mu^2 / shape."""
    from scipy.special import gammaln

    shape = own["shape"]
    low = eta - np.log(shape)
    constant = _log_rising(y, shape) - gammaln(y + 1)
    return np.asarray(constant + y * eta - (y + shape) * np.logaddexp(0, low))


def _log_rising(y: FloatArray, shape: FloatArray) -> FloatArray:
    """Return log Gamma(y + shape) - log Gamma(shape) - y log(shape).

    For a large shape by Stirling's series: a difference would lose its digits.
    """
    from scipy.special import gammaln

    plain = gammaln(y + shape) - gammaln(shape) - y * np.log(shape)
    large = np.maximum(shape, 100.0)
    end = y + large
    series = (end - 0.5) * np.log1p(y / large) - y + (1 / end - 1 / large) / 12
    return np.where(shape < 100, plain, series - (1 / end**3 - 1 / large**3) / 360)


def _poisson_zero(eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a zero."""
    return -np.exp(eta)


def _negative_binomial_zero(eta: FloatArray, own: Own) -> FloatArray:
    return np.asarray(-own["shape"] * np.logaddexp(0, eta - np.log(own["shape"])))


def zero_inflated_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean count, with the zeros that are no counts."""
    return np.asarray((1 - own["zi"]) * np.exp(eta))


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
    return np.asarray((1 - own["hu"]) * np.exp(eta) / -np.expm1(_poisson_zero(eta, own)))


def hurdle_negative_binomial_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean count behind the hurdle times the probability to pass it."""
    return np.asarray((1 - own["hu"]) * np.exp(eta) / -np.expm1(_negative_binomial_zero(eta, own)))


def hurdle_poisson_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw zero, or a count from 1 up: the first event comes early enough, the rest are free."""
    mu = np.exp(eta)
    first = -np.log1p(rng.random(mu.shape) * np.expm1(-mu))
    count = 1.0 + rng.poisson(_countable(np.maximum(mu - first, 0.0)))
    return np.asarray(count * (rng.random(count.shape) >= own["hu"]))


def hurdle_negative_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw zero, or a count from 1 up, by the inverse distribution function."""
    from scipy.stats import nbinom

    shape = own["shape"]
    zero = np.exp(_negative_binomial_zero(eta, own))
    u = zero + rng.random(np.shape(zero)) * (1 - zero)
    count = np.maximum(nbinom.ppf(u, shape, shape / (shape + np.exp(eta))), 1.0)
    return np.asarray(count * (rng.random(count.shape) >= own["hu"]))


def hurdle_poisson_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of a zero or of a count from 1 up."""
    count = poisson_log_density(link, y, eta, own)
    return _hurdle(y, count, _poisson_zero(eta, own), own["hu"])


def hurdle_negative_binomial_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of a zero or of a count from 1 up."""
    count = negative_binomial_log_density(link, y, eta, own)
    return _hurdle(y, count, _negative_binomial_zero(eta, own), own["hu"])


def _hurdle(
    y: FloatArray, log_count: FloatArray, log_zero: FloatArray, hu: FloatArray
) -> FloatArray:
    passed = np.log1p(-hu) + log_count - np.log(-np.expm1(log_zero))
    return np.where(y == 0, np.log(hu), passed)


# Ordered categories ------------------------------------------------------------------------------


def category_probabilities(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Probability of every category, on a last axis of its own."""
    at_most = inverse_link(link, own["threshold"] - eta[..., None])
    first = at_most[..., :1]
    cumulative = np.concatenate([np.zeros_like(first), at_most, np.ones_like(first)], axis=-1)
    return np.diff(cumulative, axis=-1)


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
    edge = np.full_like(own["threshold"][..., :1], np.inf)
    bound = np.concatenate([-edge, own["threshold"], edge], axis=-1)
    shape = np.broadcast_shapes(y.shape, eta.shape, bound.shape[:-1])
    bound = np.broadcast_to(bound, (*shape, bound.shape[-1]))
    category = np.broadcast_to(y, shape).astype(np.int64)[..., None]
    upper = np.take_along_axis(bound, category, -1)[..., 0] - eta
    lower = np.take_along_axis(bound, category - 1, -1)[..., 0] - eta
    # In the lower tail the difference of the distribution functions is exact.
    flip = lower > 0
    high, low = np.where(flip, -lower, upper), np.where(flip, -upper, lower)
    log_high, log_low = (_log_probabilities(link, each)[0] for each in (high, low))
    return np.asarray(log_high + np.log(-np.expm1(log_low - log_high)))


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

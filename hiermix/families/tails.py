"""Distribution functions: what is known of a response that lies in an interval.

A family has its tails, the log probabilities of at most y and of more than y, and, where responses
may be truncated, its excess, the mean of ``Y - E(Y)`` over Y above y (zero elsewhere), which is
zero at both ends: from these come the likelihood of an interval and the mean within bounds.
"""

import numpy as np

from hiermix.families import counts, skewed
from hiermix.families.links import Own, inverse_link
from hiermix.families.numerics import exp, lgamma1p, log1m_exp_exp, log_mills
from hiermix.typing import FloatArray

_FAR = 1e150
"""Whose square is a number."""

type Tails = tuple[FloatArray, FloatArray]


def _log(p: FloatArray) -> FloatArray:
    return np.asarray(np.log(p))


def _standardised(y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    return np.asarray((y - eta) / own["sigma"])


def normal_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of normal(eta, sigma)."""
    from scipy.special import log_ndtr

    z = _standardised(y, eta, own)
    return np.asarray(log_ndtr(z)), np.asarray(log_ndtr(-z))


def normal_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of normal(eta, sigma)."""
    z = _standardised(y, eta, own)
    return np.asarray(own["sigma"] * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))


def student_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of student_t(nu, eta, sigma)."""
    from scipy.special import stdtr

    z, nu = _standardised(y, eta, own), own["nu"]
    return _log(stdtr(nu, z)), _log(stdtr(nu, -z))


def student_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of student_t(nu, eta, sigma)."""
    from scipy.special import betaln

    z, nu = _standardised(y, eta, own), own["nu"]
    log_bell = -betaln(nu / 2, 0.5) - 0.5 * np.log(nu) - (nu - 1) / 2 * np.log1p(z**2 / nu)
    return np.asarray(own["sigma"] * nu / (nu - 1) * np.exp(log_bell))


def lognormal_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of lognormal(eta, sigma)."""
    return normal_tails(link, np.log(y), eta, own)


def lognormal_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of lognormal(eta, sigma)."""
    from scipy.special import ndtr

    z, sigma = _standardised(np.log(y), eta, own), own["sigma"]
    return np.asarray(exp(eta + sigma**2 / 2) * (ndtr(sigma - z) - ndtr(-z)))


def gamma_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a gamma of mean mu and this shape."""
    from scipy.special import gammainc, gammaincc

    shape = own["shape"]
    x = exp(np.log(shape) + np.log(y) - eta)
    return _log(gammainc(shape, x)), _log(gammaincc(shape, x))


def gamma_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of a gamma of mean mu and this shape."""
    shape = own["shape"]
    log_x = np.log(shape) + np.log(y) - eta
    return exp(eta + shape * log_x - exp(log_x) - lgamma1p(shape))


def beta_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a beta of mean mu and precision phi."""
    from scipy.special import betainc, betaincc

    a, b = _beta_shapes(link, eta, own)
    return _log(betainc(a, b, y)), _log(betaincc(a, b, y))


def beta_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of a beta of mean mu and precision phi."""
    from scipy.special import betaln

    a, b = _beta_shapes(link, eta, own)
    return exp(a * np.log(y) + b * np.log1p(-y) - betaln(a, b) - np.log(own["phi"]))


def _beta_shapes(link: str, eta: FloatArray, own: Own) -> tuple[FloatArray, FloatArray]:
    return inverse_link(link, eta) * own["phi"], inverse_link(link, -eta) * own["phi"]


def weibull_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a Weibull time of mean mu."""
    scaled = _log_hazard(y, eta, own)
    return log1m_exp_exp(scaled), -exp(scaled)


def _log_hazard(y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    shape = own["shape"]
    return np.asarray(shape * (np.log(y) - eta + lgamma1p(1 / shape)))


def weibull_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of a Weibull time of mean mu."""
    from scipy.special import gammaincc

    hazard = exp(_log_hazard(y, eta, own))
    return np.asarray(exp(eta) * (gammaincc(1 + 1 / own["shape"], hazard) - np.exp(-hazard)))


def exponential_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of an exponential time of mean mu."""
    scaled = np.log(y) - eta
    return log1m_exp_exp(scaled), -exp(scaled)


def exponential_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of an exponential time of mean mu."""
    return np.asarray(y * np.exp(-exp(np.log(y) - eta)))


def _log_less(larger: FloatArray, smaller: FloatArray) -> FloatArray:
    """Log of a difference of two numbers, from their logs."""
    return np.asarray(larger + np.log(-np.expm1(smaller - larger)))


def _rest(log_tail: FloatArray, directly: FloatArray) -> FloatArray:
    """Log of what a tail leaves of one: by a formula that keeps its digits where that is little."""
    return np.where(log_tail < -0.7, np.log(-np.expm1(np.minimum(log_tail, -0.5))), directly)


def exgaussian_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a normal plus an exponential of mean beta, of mean eta together."""
    from scipy.special import log_ndtr

    z, x = _exgaussian_at(y, eta, own)
    bell, late = -0.5 * z**2, own["sigma"] / own["beta"]
    # Far out z^2 and x^2 differ by rounding.
    tilted = np.where(x > 0, late * (late / 2 - z) + log_ndtr(x), bell + log_mills(x))
    above = np.logaddexp(log_ndtr(-z), tilted)
    return _rest(above, bell + _log_less(log_mills(z), log_mills(x))), above


def exgaussian_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of the same: of the normal part by parts, of the exponential by what it is at y."""
    sigma, beta = own["sigma"], own["beta"]
    x = _exgaussian_at(y, eta, own)[1]
    late = sigma * (x + np.exp(-log_mills(x)) / np.sqrt(2 * np.pi))
    density = skewed.exgaussian_log_density(link, y, eta, own)
    return np.asarray(np.exp(density) * (sigma**2 + beta * late))


def _exgaussian_at(y: FloatArray, eta: FloatArray, own: Own) -> tuple[FloatArray, FloatArray]:
    z = np.clip((y - eta + own["beta"]) / own["sigma"], -_FAR, _FAR)
    return z, z - own["sigma"] / own["beta"]


def inverse_gaussian_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of an inverse Gaussian time of mean mu and variance mu^3 / shape."""
    from scipy.special import log_ndtr

    a, b = _inverse_gaussian_at(y, eta, own)
    bell = -0.5 * a**2
    below = np.logaddexp(log_ndtr(a), bell + log_mills(-b))
    return below, _rest(below, bell + _log_less(log_mills(-a), log_mills(-b)))


def inverse_gaussian_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of the same."""
    a, b = _inverse_gaussian_at(y, eta, own)
    return np.asarray(2 * np.exp(eta - 0.5 * a**2 + log_mills(-b)))


def _inverse_gaussian_at(y: FloatArray, eta: FloatArray, own: Own) -> tuple[FloatArray, FloatArray]:
    log_y = np.log(y)
    root = exp(0.5 * (np.log(own["shape"]) - log_y))
    a = root * np.expm1(np.minimum(log_y - eta, 350.0))
    return np.clip(a, -_FAR, _FAR), np.minimum(root * (1 + exp(log_y - eta)), _FAR)


def shifted_lognormal_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of ndt and a lognormal time after it."""
    later = y - own["ndt"]
    below, above = lognormal_tails(link, np.where(later > 0, later, 1.0), eta, own)
    return np.where(later > 0, below, -np.inf), np.where(later > 0, above, 0.0)


def shifted_lognormal_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of the same."""
    later = y - own["ndt"]
    found = lognormal_excess(link, np.where(later > 0, later, 1.0), eta, own)
    return np.where(later > 0, found, 0.0)


# Counts ------------------------------------------------------------------------------------------


def poisson_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a Poisson count of mean mu."""
    from scipy.special import gammainc, gammaincc

    return _log(gammaincc(y + 1, exp(eta))), _log(gammainc(y + 1, exp(eta)))


def poisson_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of a Poisson count of mean mu."""
    return exp(eta + counts.poisson_log_density(link, y, eta, own))


def negative_binomial_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a negative binomial count of mean mu and variance mu + mu^2 / shape."""
    from scipy.special import betainc, expit

    shape = counts.shape_of(own)
    log_odds = eta - np.log(shape)
    return (
        _log(betainc(shape, y + 1, expit(-log_odds))),
        _log(betainc(y + 1, shape, expit(log_odds))),
    )


def negative_binomial_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of a negative binomial count of mean mu and variance mu + mu^2 / shape."""
    log_next = counts.negative_binomial_log_density(link, y + 1, eta, own)
    beyond = np.logaddexp(0, eta - np.log(counts.shape_of(own)))
    return np.asarray((y + 1) * exp(log_next + beyond))


def geometric_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of the failures before a success."""
    return negative_binomial_tails(link, y, eta, counts.of_shape_one(own))


def geometric_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of the failures before a success."""
    return negative_binomial_excess(link, y, eta, counts.of_shape_one(own))


def inflated_tails(of_counts: Tails, zi: FloatArray) -> Tails:
    """Return the tails of counts that are zero with probability zi for another reason."""
    below, above = of_counts
    return np.logaddexp(np.log(zi), np.log1p(-zi) + below), np.log1p(-zi) + above


def inflated_excess(
    excess: FloatArray, log_above: FloatArray, mean: FloatArray, zi: FloatArray
) -> FloatArray:
    """Return the excess of such counts; `mean` is that of the counts without these zeros."""
    return np.asarray((1 - zi) * (excess + zi * mean * np.exp(log_above)))


def zero_inflated_poisson_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a Poisson count, or a zero with probability zi."""
    return inflated_tails(poisson_tails(link, y, eta, own), own["zi"])


def zero_inflated_poisson_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of a Poisson count, or a zero with probability zi."""
    above = poisson_tails(link, y, eta, own)[1]
    return inflated_excess(poisson_excess(link, y, eta, own), above, exp(eta), own["zi"])


def zero_inflated_negative_binomial_tails(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> Tails:
    """Of a negative binomial count, or a zero with probability zi."""
    return inflated_tails(negative_binomial_tails(link, y, eta, own), own["zi"])


def zero_inflated_negative_binomial_excess(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Of a negative binomial count, or a zero with probability zi."""
    above = negative_binomial_tails(link, y, eta, own)[1]
    excess = negative_binomial_excess(link, y, eta, own)
    return inflated_excess(excess, above, exp(eta), own["zi"])


def _hurdle_tails(y: FloatArray, of_counts: Tails, log_some: FloatArray, hu: FloatArray) -> Tails:
    """Tails of counts above zero, seen with probability 1 - hu."""
    above = np.log1p(-hu) + np.where(y < 1, 0.0, of_counts[1] - log_some)
    return np.log(-np.expm1(above)), above


def hurdle_poisson_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a zero or a Poisson count from 1 up."""
    return _hurdle_tails(y, poisson_tails(link, y, eta, own), log1m_exp_exp(eta), own["hu"])


def hurdle_negative_binomial_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a zero or a negative binomial count from 1 up."""
    some = log1m_exp_exp(counts.log_negative_binomial_zero(eta, own))
    return _hurdle_tails(y, negative_binomial_tails(link, y, eta, own), some, own["hu"])


def hurdle_excess(
    excess: FloatArray, log_above: FloatArray, mean: FloatArray, log_some: FloatArray,
    hu: FloatArray,
) -> FloatArray:  # fmt: skip
    """Return the excess of counts behind a hurdle; `mean` is that of the counts before it."""
    passed = (1 - hu) * np.exp(-log_some)
    return np.asarray(passed * (excess + (1 - passed) * mean * np.exp(log_above)))


def hurdle_poisson_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of a zero or a Poisson count from 1 up."""
    above = poisson_tails(link, y, eta, own)[1]
    excess = poisson_excess(link, y, eta, own)
    return hurdle_excess(excess, above, exp(eta), log1m_exp_exp(eta), own["hu"])


def hurdle_negative_binomial_excess(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Of a zero or a negative binomial count from 1 up."""
    above = negative_binomial_tails(link, y, eta, own)[1]
    excess = negative_binomial_excess(link, y, eta, own)
    some = log1m_exp_exp(counts.log_negative_binomial_zero(eta, own))
    return hurdle_excess(excess, above, exp(eta), some, own["hu"])

"""Residual variance on the scale of the linear predictor, by the law of the response.

Those of Nakagawa, Johnson and Schielzeth (2017): exact where the law of log y or logit y is known
(trigamma), latent for binary and ordered responses, and by the lognormal approximation for counts:
log(1 + Var(y) / E(y)^2), at the mean response, of the whole mixture where zeros have a second
cause.
"""

from collections.abc import Callable

import numpy as np

from hiermix.families.discrimination import DISC
from hiermix.families.links import Own
from hiermix.families.numerics import normal_sd
from hiermix.typing import FloatArray

type LogMean = Callable[[], FloatArray]
"""Works out the log of the mean response (S,), of trials a share, where it is asked for."""

_LEAST = 1e-150
"""Below it the trigamma function overflows."""
_LATENT = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}
"""Variance of the distribution that a link is the inverse of."""


def latent(link: str, own: Own, log_mean: LogMean) -> FloatArray | float:
    """Return that of the latent response whose distribution the link gives."""
    return _LATENT[link] / own[DISC] ** 2 if DISC in own else _LATENT[link]


def squared_sigma(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return that of a normal response, or of its logarithm."""
    return normal_sd(own) ** 2


def student(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return sigma^2 nu / (nu - 2): infinite where nu is two or less."""
    nu = own["nu"]
    return np.where(nu > 2, own["sigma"] ** 2 * nu / np.maximum(nu - 2, 1e-300), np.inf)


def gamma(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return the variance of the logarithm."""
    return _trigamma(own["shape"])


def exponential(link: str, own: Own, log_mean: LogMean) -> float:
    """Return the variance of the logarithm."""
    return np.pi**2 / 6


def inverse_gaussian(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return the variance of the logarithm, by the trapezoidal rule, which is exact here.

    Log y less log mu has a density like exp(-z / 2 - f (cosh z - 1)), f = shape / mu.
    """
    f = np.maximum(own["shape"] * np.exp(-log_mean()), 1e-12)
    z = np.linspace(-1.0, 1.0, 401)[:, None] * np.arccosh(1 + 60 / f)
    density = -z / 2 - 2 * f * np.sinh(z / 2) ** 2
    weight = np.exp(density - density.max(axis=0))
    mean = np.sum(weight * z, axis=0) / np.sum(weight, axis=0)
    return np.asarray(np.sum(weight * (z - mean) ** 2, axis=0) / np.sum(weight, axis=0))


def weibull(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return the variance of the logarithm."""
    return np.pi**2 / 6 / own["shape"] ** 2


def beta(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Variance of the logit of a share of mean m: trigamma(m phi) + trigamma((1 - m) phi)."""
    m = np.exp(log_mean())
    shapes = (np.maximum(own["phi"] * each, _LEAST) for each in (m, 1 - m))
    return np.sum([_trigamma(shape) for shape in shapes], axis=0)


def beta_binomial(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return that of the probability, and of the latent response beside."""
    return _LATENT[link] + beta(link, own, log_mean)


def count(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return that of a Poisson or negative binomial count."""
    return np.log(_square(own, log_mean))


def zero_inflated(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Both moments are those of the count times 1 - zi."""
    return np.log(_square(own, log_mean) / (1 - own["zi"]))


def hurdle(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Both moments are those of the count times (1 - hu) / P(count > 0)."""
    if "shape" in own:
        log_zero = -own["shape"] * np.log1p(np.exp(log_mean()) / own["shape"])
    else:
        log_zero = -np.exp(log_mean())
    return np.log(_square(own, log_mean) * -np.expm1(log_zero) / (1 - own["hu"]))


def geometric(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return that of a count of variance mu + mu^2."""
    return np.log(2 + np.exp(-log_mean()))


def exgaussian(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return the variance of the normal and of the exponential part."""
    return own["sigma"] ** 2 + own["beta"] ** 2


def hurdle_gamma(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Of the mixture, as for counts."""
    return np.log1p(1 / own["shape"]) - np.log1p(-own["hu"])


def tweedie(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Return that of an amount of variance phi mean^power."""
    return np.log1p(own["phi"] * np.exp((own["power"] - 2) * log_mean()))


def hurdle_lognormal(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Of the mixture, as for counts."""
    return own["sigma"] ** 2 - np.log1p(-own["hu"])


def zero_inflated_beta(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Of the mixture, by the slope of the logit at its mean."""
    return _of_shares(own, log_mean, own["zi"], 0.0)


def zero_one_inflated_beta(link: str, own: Own, log_mean: LogMean) -> FloatArray:
    """Of the mixture, by the slope of the logit at its mean."""
    return _of_shares(own, log_mean, own["zoi"], own["coi"])


def _of_shares(
    own: Own, log_mean: LogMean, ends: FloatArray, ones: FloatArray | float
) -> FloatArray:
    mu = np.exp(log_mean())
    square = mu * (1 - mu) / (1 + own["phi"]) + mu**2
    mean = ends * ones + (1 - ends) * mu
    variance = ends * ones + (1 - ends) * square - mean**2
    return np.asarray(variance / (mean * (1 - mean)) ** 2)


def _square(own: Own, log_mean: LogMean) -> FloatArray:
    """E(y^2) / E(y)^2 of a Poisson count, or of a negative binomial one of this shape."""
    return 1 + np.exp(-log_mean()) + (1 / own["shape"] if "shape" in own else 0.0)


def _trigamma(shape: FloatArray) -> FloatArray:
    from scipy.special import polygamma

    return np.asarray(polygamma(1, shape))

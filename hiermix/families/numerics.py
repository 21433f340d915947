"""Pieces of log densities that keep their digits at tiny and huge means, shapes and counts.

Differences of lgamma lose them where the shape or the count is large: Stirling's series takes
their place, as in Loader's saddle-point algorithm (2000), which R's densities follow.
"""

from collections.abc import Callable, Mapping

import numpy as np

from hiermix.typing import FloatArray

LARGEST = float(np.finfo(np.float64).max)
SMALLEST = float(np.finfo(np.float64).tiny)
_LOG_LARGEST = 709.7
_LARGE = 100.0
"""From where on Stirling's series has all digits."""


def exp(x: FloatArray) -> FloatArray:
    """Exponential that ends at the largest number instead of infinity."""
    return np.asarray(np.exp(np.minimum(x, _LOG_LARGEST)))


def normal_sd(own: Mapping[str, FloatArray]) -> FloatArray:
    """Sd of a normal residual: sigma, a standard error that is known, or both."""
    if "se" not in own:
        return own["sigma"]
    return np.sqrt(own.get("sigma", np.zeros(1)) ** 2 + own["se"] ** 2)


def positive(x: FloatArray) -> FloatArray:
    """Draws above zero and below infinity, where they had left the numbers that there are."""
    return np.clip(x, SMALLEST, LARGEST)


def log_mills(x: FloatArray) -> FloatArray:
    """Log of the normal distribution function over exp(-x^2 / 2)."""
    from scipy.special import erfcx, log_ndtr

    near = np.minimum(x, 0.0)
    below = np.log(erfcx(-near / np.sqrt(2))) - np.log(2)
    return np.where(x < 0, below, log_ndtr(np.maximum(x, 0.0)) + 0.5 * np.maximum(x, 0.0) ** 2)


def log_softplus(x: FloatArray) -> FloatArray:
    """log(log(1 + exp(x))), which is x far below zero."""
    return np.asarray(np.where(x < -36, x, np.log(np.logaddexp(0, np.maximum(x, -36)))))


def log1m_exp_exp(x: FloatArray) -> FloatArray:
    """log(1 - exp(-exp(x))): of one event or more where exp(x) are expected."""
    from scipy.special import exprel

    rate = exp(x)
    rare, common = np.minimum(rate, 0.7), np.maximum(rate, 0.7)
    return np.where(rate < 0.7, x + np.log(exprel(-rare)), np.log1p(-np.exp(-common)))


def excess(x: FloatArray) -> FloatArray:
    """exp(x) - 1 - x."""
    return np.asarray(np.expm1(np.minimum(x, _LOG_LARGEST)) - x)


def stirling(x: FloatArray) -> FloatArray:
    """X log(x) - x - lgamma(x + 1), which grows like -log(x) / 2 only."""
    return _by_size(x, _stirling_plain, _stirling_series)


def _stirling_plain(x: FloatArray) -> FloatArray:
    from scipy.special import gammaln, xlogy

    return np.asarray(xlogy(x, x) - x - gammaln(x + 1))


def _stirling_series(x: FloatArray) -> FloatArray:
    series = 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5)
    return np.asarray(-0.5 * np.log(2 * np.pi * x) - series)


def log_rising(count: FloatArray, x: FloatArray, log_x: FloatArray) -> FloatArray:
    """log(Gamma(x + count) / Gamma(x)) - count log(x), however small or large x is.

    Its logarithm comes beside x, which may be too small for a number.
    """
    from scipy.special import gammaln

    def plain(x: FloatArray) -> FloatArray:
        return np.asarray(gammaln(x + count) - gammaln(x + 1) + (1 - count) * log_x)

    def series(x: FloatArray) -> FloatArray:
        end = count + x
        first = (end - 0.5) * np.log1p(count / x) - count + (1 / end - 1 / x) / 12
        return np.asarray(first - (1 / end**3 - 1 / x**3) / 360)

    return np.where(count == 0, 0.0, _by_size(x, plain, series))


def _by_size(
    x: FloatArray,
    small: Callable[[FloatArray], FloatArray],
    large: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    """One function below 100, another from there on."""
    if np.max(x, initial=0.0) < _LARGE:
        return small(x)
    if np.min(x, initial=_LARGE) >= _LARGE:
        return large(x)
    return np.where(x < _LARGE, small(np.minimum(x, _LARGE)), large(np.maximum(x, _LARGE)))


def lgamma1p(x: FloatArray) -> FloatArray:
    """lgamma(1 + x), whose digits 1 + x would lose where x is small."""
    from scipy.special import gammaln

    tiny = np.minimum(x, 1e-5)
    series = tiny * (-np.euler_gamma + tiny * (np.pi**2 / 12 - tiny * 0.4006856343865314))
    return np.where(x < 1e-5, series, gammaln(1 + x))


def log_tilt(m: FloatArray, total: FloatArray, x: FloatArray) -> FloatArray:
    """M x - total log1p(m / total expm1(x)), with m at most half of the total.

    What a count of m among a total loses in log probability when its odds are off by exp(x).
    """
    share = m / total
    near = np.log1p(share * np.expm1(np.minimum(x, 700.0)))
    return np.asarray(m * x - total * np.where(x < 700, near, np.logaddexp(0, np.log(share) + x)))


def log_gamma_draw(
    rng: np.random.Generator, shape: FloatArray, size: tuple[int, ...]
) -> FloatArray:
    """Logarithm of a draw from gamma(shape, 1), which may be too small for a number."""
    if np.all(np.asarray(shape) > 0.1):
        return np.log(rng.standard_gamma(shape, size))
    return np.log(rng.standard_gamma(shape + 1, size)) - rng.standard_exponential(size) / shape

"""Successes out of trials: mean, draw, log density."""

import numpy as np

from hiermix.families.continuous import beta_share
from hiermix.families.links import Own, inverse_link, log_probabilities
from hiermix.families.numerics import excess, log_rising, stirling
from hiermix.typing import FloatArray

_MANY = 1e5
"""Trials from which differences of lgamma lose digits."""


def _trials(own: Own) -> FloatArray:
    return np.asarray(own.get("trials", 1.0))


def binomial_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the expected successes."""
    share = inverse_link(link, eta)
    return own["trials"] * share if "trials" in own else share


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
    log_p, log_q = log_probabilities(link, eta)
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
    with np.errstate(invalid="ignore"):
        return np.where(count == 0, 0.0, count * log_p)


def beta_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw successes whose probability is beta distributed."""
    p = beta_share(link, rng, eta, own)
    return np.asarray(rng.binomial(_trials(own).astype(np.int64), p), dtype=np.float64)


def beta_binomial_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log probability of y successes whose probability is beta distributed.

    That of the binomial, and what successes, failures and trials rise above powers.
    """
    n, phi = _trials(own), own["phi"]
    log_phi, log_p = np.log(phi), log_probabilities(link, eta)
    risen = [
        log_rising(count, np.exp(each) * phi, each + log_phi)
        for count, each in zip((y, n - y), log_p, strict=True)
    ]
    return binomial_log_density(link, y, eta, own) + sum(risen) - log_rising(n, phi, log_phi)

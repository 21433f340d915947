"""Measurements, and successes, of which some are a value of their own: mean, draw, log density.

Zeros behind a hurdle or with a second cause; zeros and ones of shares.
"""

import numpy as np

from hiermix.families import continuous, successes
from hiermix.families.links import Own, inverse_link
from hiermix.families.numerics import exp
from hiermix.typing import FloatArray


def _with_zeros(
    rng: np.random.Generator, measured: FloatArray, probability: FloatArray
) -> FloatArray:
    return np.where(rng.random(measured.shape) < probability, 0.0, measured)


def _or_zero(y: FloatArray, log_measured: FloatArray, probability: FloatArray) -> FloatArray:
    """Log density of what was measured, or log probability of a zero."""
    return np.where(y == 0, np.log(probability), np.log1p(-probability) + log_measured)


def _inside(y: FloatArray) -> FloatArray:
    """Values at which there is a density, in the place of those that are of their own."""
    return np.where((y == 0) | (y == 1), 0.5, y)


def hurdle_gamma_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the mean of a zero, with probability hu, or a gamma of mean mu."""
    return np.asarray((1 - own["hu"]) * exp(eta))


def hurdle_gamma_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a zero, with probability hu, or from a gamma."""
    return _with_zeros(rng, continuous.gamma_draw(link, rng, eta, own), own["hu"])


def hurdle_gamma_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a gamma, or log probability of a zero."""
    some = np.where(y == 0, 1.0, y)
    return _or_zero(y, continuous.gamma_log_density(link, some, eta, own), own["hu"])


def hurdle_lognormal_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the mean of a zero, with probability hu, or a lognormal."""
    return np.asarray((1 - own["hu"]) * continuous.lognormal_mean(link, eta, own))


def hurdle_lognormal_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a zero, with probability hu, or from a lognormal."""
    return _with_zeros(rng, continuous.lognormal_draw(link, rng, eta, own), own["hu"])


def hurdle_lognormal_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a lognormal, or log probability of a zero."""
    some = np.where(y == 0, 1.0, y)
    return _or_zero(y, continuous.lognormal_log_density(link, some, eta, own), own["hu"])


def zero_inflated_beta_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the mean of a zero, with probability zi, or a beta of mean mu."""
    return np.asarray((1 - own["zi"]) * inverse_link(link, eta))


def zero_inflated_beta_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a zero, with probability zi, or from a beta."""
    return _with_zeros(rng, continuous.beta_draw(link, rng, eta, own), own["zi"])


def zero_inflated_beta_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log density of a beta, or log probability of a zero."""
    density = continuous.beta_log_density(link, _inside(y), eta, own)
    return _or_zero(y, density, own["zi"])


def zero_one_inflated_beta_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the mean of a one or a zero, with probability zoi, or a beta of mean mu."""
    zoi = own["zoi"]
    return np.asarray(zoi * own["coi"] + (1 - zoi) * inverse_link(link, eta))


def zero_one_inflated_beta_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw a one or a zero, with probability zoi, or from a beta."""
    share = continuous.beta_draw(link, rng, eta, own)
    end = np.where(rng.random(share.shape) < own["coi"], 1.0, 0.0)
    return np.where(rng.random(share.shape) < own["zoi"], end, share)


def zero_one_inflated_beta_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log density of a beta, or log probability of a zero or a one."""
    coi = own["coi"]
    inside = np.log1p(-own["zoi"]) + continuous.beta_log_density(link, _inside(y), eta, own)
    end = np.log(own["zoi"]) + np.where(y == 1, np.log(coi), np.log1p(-coi))
    return np.where((y == 0) | (y == 1), end, inside)


def zero_inflated_binomial_mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Return the expected successes, with the zeros that have a second cause."""
    return np.asarray((1 - own["zi"]) * successes.binomial_mean(link, eta, own))


def zero_inflated_binomial_draw(
    link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    """Draw successes, or a zero with probability zi."""
    return _with_zeros(rng, successes.binomial_draw(link, rng, eta, own), own["zi"])


def zero_inflated_binomial_log_density(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of y successes, or of a zero of either kind."""
    zi = own["zi"]
    counted = np.log1p(-zi) + successes.binomial_log_density(link, y, eta, own)
    return np.where(y == 0, np.logaddexp(np.log(zi), counted), counted)

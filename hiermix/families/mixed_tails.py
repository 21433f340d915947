"""Distribution functions of measurements of which some are a value of their own: zeros, and ones.

That of the measurements where none is such a value, and the probabilities of these. An interval
holds its upper end: "at most 0" is a zero, and "above 0" is none.
"""

import numpy as np

from hiermix.families import tails
from hiermix.families.continuous import lognormal_mean
from hiermix.families.links import Own, inverse_link
from hiermix.families.numerics import exp
from hiermix.families.tails import Tails
from hiermix.typing import FloatArray

NOTHING_BELOW = float(np.nextafter(0.0, -1.0))
"""The largest number up to which no response lies where some are zero."""


def _measured(y: FloatArray) -> FloatArray:
    """Values at which measurements have a distribution function, in the place of all others."""
    return np.where(y > 0, y, 0.5)


def _with_zeros(y: FloatArray, measured: Tails, zero: FloatArray) -> Tails:
    """Return the tails of measurements, or a zero with this probability."""
    below, above = tails.inflated_tails(measured, zero)
    below = np.where(y > 0, below, np.where(y < 0, -np.inf, np.log(zero)))
    return below, np.where(y > 0, above, np.where(y < 0, 0.0, np.log1p(-zero)))


def _excess_with_zeros(
    y: FloatArray, excess: FloatArray, log_above: FloatArray, mean: FloatArray, zero: FloatArray
) -> FloatArray:
    """Return the excess of the same; `mean` is that of what is measured."""
    some = tails.inflated_excess(excess, log_above, mean, zero)
    return np.where(y > 0, some, np.where(y < 0, 0.0, (1 - zero) * zero * mean))


def hurdle_gamma_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a zero, with probability hu, or a gamma."""
    return _with_zeros(y, tails.gamma_tails(link, _measured(y), eta, own), own["hu"])


def hurdle_gamma_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of the same."""
    at = link, _measured(y), eta, own
    above = tails.gamma_tails(*at)[1]
    return _excess_with_zeros(y, tails.gamma_excess(*at), above, exp(eta), own["hu"])


def hurdle_lognormal_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a zero, with probability hu, or a lognormal."""
    return _with_zeros(y, tails.lognormal_tails(link, _measured(y), eta, own), own["hu"])


def hurdle_lognormal_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of the same."""
    at, mean = (link, _measured(y), eta, own), lognormal_mean(link, eta, own)
    above = tails.lognormal_tails(*at)[1]
    return _excess_with_zeros(y, tails.lognormal_excess(*at), above, mean, own["hu"])


def zero_inflated_beta_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a zero, with probability zi, or a beta."""
    return _with_zeros(y, tails.beta_tails(link, _measured(y), eta, own), own["zi"])


def zero_inflated_beta_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of the same."""
    at, mean = (link, _measured(y), eta, own), inverse_link(link, eta)
    above = tails.beta_tails(*at)[1]
    return _excess_with_zeros(y, tails.beta_excess(*at), above, mean, own["zi"])


def zero_one_inflated_beta_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a one or a zero, with probability zoi, or a beta."""
    zoi, one = own["zoi"], own["zoi"] * own["coi"]
    below, above = tails.beta_tails(link, np.where(y < 1, _measured(y), 0.5), eta, own)
    inside = np.log1p(-zoi)
    below = np.logaddexp(np.log(zoi - one), inside + np.where(y > 0, below, -np.inf))
    above = np.logaddexp(np.log(one), inside + np.where(y > 0, above, 0.0))
    below = np.where(y < 0, -np.inf, np.where(y < 1, below, 0.0))
    return below, np.where(y < 0, 0.0, np.where(y < 1, above, -np.inf))


def zero_one_inflated_beta_excess(
    link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Of the same: ones beyond y, and what of the beta is."""
    zoi, one, share = own["zoi"], own["zoi"] * own["coi"], inverse_link(link, eta)
    at = link, np.where(y < 1, _measured(y), 0.5), eta, own
    mean = one + (1 - zoi) * share
    above = np.where(y > 0, np.exp(tails.beta_tails(*at)[1]), 1.0)
    excess = np.where(y > 0, tails.beta_excess(*at), 0.0)
    found = one * (1 - mean) + (1 - zoi) * (excess + (share - mean) * above)
    return np.where((y < 0) | (y >= 1), 0.0, found)

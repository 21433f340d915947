"""Links, their inverses, and logarithms of probabilities that keep their digits."""

from collections.abc import Mapping

import numpy as np

from hiermix.families.numerics import exp, log1m_exp_exp
from hiermix.typing import FloatArray

BELOW_ONE = float(np.nextafter(1.0, 0.0))


type Own = Mapping[str, FloatArray]
"""A family's own parameters, and what rows bring, ready to broadcast: ``trials``, ``rate``, and the
ends and bounds of `known_ends`."""


def inverse_link(link: str, eta: FloatArray) -> FloatArray:
    """Return the mean (or probability) at a linear predictor."""
    from scipy.special import ndtr

    with np.errstate(over="ignore", under="ignore"):
        match link:
            case "log":
                return exp(eta)
            case "logit":
                return _logistic(eta)
            case "probit":
                return np.asarray(ndtr(eta))
            case "cloglog":
                return -np.expm1(-exp(eta))
            case "tan_half":
                return 2 * np.arctan(eta)
            case _:
                return eta


def _logistic(eta: FloatArray) -> FloatArray:
    """1 / (1 + exp(-eta)) without an array more: several times faster than scipy's expit."""
    out: FloatArray = np.asarray(np.negative(eta))
    np.exp(out, out=out)
    out += 1.0
    return np.reciprocal(out, out=out)


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
        case "tan_half":
            return float(np.tan(mean / 2))
        case _:
            return mean


def log_probabilities(link: str, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log probabilities of success and failure, exact in both tails."""
    from scipy.special import log_ndtr

    match link:
        case "probit":
            return np.asarray(log_ndtr(eta)), np.asarray(log_ndtr(-eta))
        case "cloglog":
            return log1m_exp_exp(eta), -exp(eta)
        case _:
            beyond = np.log1p(np.exp(-np.abs(eta)))  # one logarithm for both
            return np.minimum(eta, 0.0) - beyond, -np.maximum(eta, 0.0) - beyond


def mean(link: str, eta: FloatArray, own: Own) -> FloatArray:
    """Mean of families whose linear predictor is linked to it."""
    return inverse_link(link, eta)


def unchanged(y: FloatArray) -> FloatArray:
    """Return a response that is the linear predictor plus noise as it stands."""
    return y


def log_odds(y: FloatArray) -> FloatArray:
    """Return the logits of shares."""
    return np.asarray(np.log(y) - np.log1p(-y))

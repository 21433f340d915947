"""Normal, Student t, lognormal, gamma and beta responses: mean, draw, log density."""

import numpy as np

from hiermix.families.links import BELOW_ONE, Own, inverse_link, log_probabilities
from hiermix.families.numerics import (
    LARGEST,
    SMALLEST,
    excess,
    exp,
    log_gamma_draw,
    normal_sd,
    positive,
    stirling,
)
from hiermix.typing import FloatArray


def normal_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from normal(eta, sigma)."""
    sigma = normal_sd(own)
    shape = np.broadcast_shapes(np.shape(eta), np.shape(sigma))
    return np.asarray(eta + sigma * rng.standard_normal(shape))  # faster than rng.normal


def normal_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of normal(eta, sigma)."""
    sigma = normal_sd(own)
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
    return positive(gamma_rate(rng, eta, own["shape"]))


def gamma_rate(rng: np.random.Generator, eta: FloatArray, shape: FloatArray) -> FloatArray:
    """Draw from a gamma as `gamma_draw`; zero where it is smaller than any number."""
    log_draw = log_gamma_draw(rng, shape, np.broadcast_shapes(eta.shape, np.shape(shape)))
    return exp(log_draw + eta - np.log(shape))


def gamma_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a gamma of mean mu and variance mu^2 / shape."""
    shape, log_y = own["shape"], np.log(y)
    return np.asarray(stirling(shape) + np.log(shape) - log_y - shape * excess(log_y - eta))


def beta_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from a beta of mean mu and precision phi."""
    return np.clip(beta_share(link, rng, eta, own), SMALLEST, BELOW_ONE)


def beta_share(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from a beta as `beta_draw`; zero or one where no number is as close to them."""
    a, b = inverse_link(link, eta) * own["phi"], inverse_link(link, -eta) * own["phi"]
    return rng.beta(np.maximum(a, 1e-300), np.maximum(b, 1e-300))


def beta_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a beta of mean mu and precision phi."""
    phi = own["phi"]
    log_mu, log_rest = log_probabilities(link, eta)
    a, b = np.exp(log_mu) * phi, np.exp(log_rest) * phi
    size = stirling(a) + stirling(b) - stirling(phi) + log_mu + log_rest + np.log(phi)
    log_y, log_left = np.log(y), np.log1p(-y)
    # Minus phi times the divergence of y from mu; linear terms, which cancel, are left out.
    far = a * excess(log_y - log_mu) + b * excess(log_left - log_rest)
    return np.asarray(size - far - log_y - log_left)

"""Measurements that lean to one side, by their mean: skew normal, and normal plus exponential."""

import numpy as np

from hiermix.families.links import Own
from hiermix.families.numerics import log_mills
from hiermix.typing import FloatArray


def skew_shape(own: Own) -> tuple[FloatArray, FloatArray]:
    """Return the scale of a skew normal of this sd, and by how many of it its mean is above 0."""
    lean = own["alpha"] / np.sqrt(1 + own["alpha"] ** 2) * np.sqrt(2 / np.pi)
    return own["sigma"] / np.sqrt(1 - lean**2), lean


def skew_normal_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw from a skew normal of mean eta, sd sigma and this skewness."""
    scale, lean = skew_shape(own)
    delta = lean * np.sqrt(np.pi / 2)
    shape = np.broadcast_shapes(np.shape(eta), np.shape(scale))
    half, free = np.abs(rng.standard_normal(shape)), rng.standard_normal(shape)
    z = delta * half + np.sqrt(1 - delta**2) * free
    return np.asarray(eta + scale * (z - lean))


def skew_normal_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a skew normal of mean eta, sd sigma and this skewness."""
    from scipy.special import log_ndtr

    scale, lean = skew_shape(own)
    z = (y - eta) / scale + lean
    constant = np.log(2) - 0.5 * np.log(2 * np.pi) - np.log(scale)
    return np.asarray(constant - 0.5 * z**2 + log_ndtr(own["alpha"] * z))


def exgaussian_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a normal plus an exponential of mean beta, of mean eta together."""
    shape = np.broadcast_shapes(np.shape(eta), np.shape(own["sigma"]))
    late = own["beta"] * (rng.standard_exponential(shape) - 1)
    return np.asarray(eta + own["sigma"] * rng.standard_normal(shape) + late)


def exgaussian_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a normal plus an exponential of mean beta, of mean eta together."""
    from scipy.special import log_ndtr

    sigma, beta = own["sigma"], own["beta"]
    z, rate = (y - eta + beta) / sigma, sigma / beta
    x = z - rate
    below = log_mills(np.minimum(x, 0.0)) - 0.5 * z**2
    # (x^2 - z^2) / 2 without a difference of two large squares
    above = log_ndtr(x) - 0.5 * rate * (z + x)
    return np.asarray(-np.log(beta) + np.where(x < 0, below, above))

"""Directions, as angles from -pi to pi: draw, log density, and how far two are apart."""

import numpy as np

from hiermix.families.links import Own, inverse_link
from hiermix.typing import FloatArray


def apart(y: FloatArray, mean: FloatArray) -> FloatArray:
    """Return angles less others, the shorter way around."""
    return np.asarray(np.pi - np.mod(np.pi - (y - mean), 2 * np.pi))


def von_mises_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw an angle around mu, of concentration kappa."""
    shape = np.broadcast_shapes(np.shape(eta), np.shape(own["kappa"]))
    around = rng.vonmises(0.0, np.broadcast_to(own["kappa"], shape))
    return apart(around + inverse_link(link, eta), np.zeros(1))


def von_mises_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of an angle around mu, of concentration kappa."""
    from scipy.special import i0e

    kappa = own["kappa"]
    fall = 2 * np.sin((y - inverse_link(link, eta)) / 2) ** 2  # one less the cosine
    return np.asarray(-kappa * fall - np.log(2 * np.pi * i0e(kappa)))

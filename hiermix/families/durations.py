"""Times to an event: draw, log density."""

import numpy as np

from hiermix.families.links import Own
from hiermix.families.numerics import exp, lgamma1p, positive
from hiermix.typing import FloatArray


def weibull_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a time of mean mu."""
    shape = np.broadcast_to(own["shape"], np.broadcast_shapes(eta.shape, np.shape(own["shape"])))
    log_draw = np.log(rng.standard_exponential(shape.shape)) / shape
    return positive(exp(eta - lgamma1p(1 / shape) + log_draw))


def weibull_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time."""
    shape = own["shape"]
    scaled = shape * (np.log(y) - eta + lgamma1p(1 / shape))
    return np.asarray(np.log(shape) - np.log(y) + scaled - exp(scaled))


def exponential_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw a time of mean mu."""
    return positive(exp(eta) * rng.standard_exponential(eta.shape))


def exponential_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of a time."""
    return -eta - exp(np.log(y) - eta)

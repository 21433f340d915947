"""Directions, as angles from -pi to pi: draw, log density, and how far two are apart."""

import numpy as np

from hiermix.families.links import Own, inverse_link
from hiermix.typing import FloatArray


def difference(y: FloatArray, mean: FloatArray) -> FloatArray:
    """Return angles less others, the shorter way around."""
    return np.asarray(np.pi - np.mod(np.pi - (y - mean), 2 * np.pi))


def direction(angles: FloatArray, axis: int = -1) -> FloatArray:
    """Return the mean direction of angles."""
    sine, cosine = np.sin(angles).mean(axis=axis), np.cos(angles).mean(axis=axis)
    return np.asarray(np.arctan2(sine, cosine))


def around(angles: FloatArray, axis: int = -1) -> FloatArray:
    """Return angles as numbers within half a turn of their mean direction, whatever that is."""
    middle = np.expand_dims(direction(angles, axis), axis)
    return np.asarray(middle + difference(angles, middle))


def crps(actual: FloatArray, draws: FloatArray) -> FloatArray:
    """Score draws (n, S) of n angles by how far they are apart (Grimit et al., 2006)."""
    S = draws.shape[1]
    ordered = np.sort(draws, axis=1)
    twice = np.concatenate([ordered, ordered + 2 * np.pi], axis=1)
    before = np.concatenate([np.zeros((len(draws), 1)), np.cumsum(twice, axis=1)], axis=1)
    each = np.arange(S)
    between = np.zeros(len(draws))
    for place, angles in enumerate(twice):
        # Of each draw those that come within half a turn after it: each pair once.
        last = np.minimum(np.searchsorted(angles, ordered[place] + np.pi, "right"), each + S)
        reached = before[place, last] - before[place, each + 1]
        between[place] = np.sum(reached - (last - each - 1) * ordered[place])
    off = np.abs(difference(draws, actual[:, None])).mean(axis=1)
    return np.asarray(off - between / S**2)


def von_mises_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw an angle around mu, of concentration kappa."""
    shape = np.broadcast_shapes(np.shape(eta), np.shape(own["kappa"]))
    around = rng.vonmises(0.0, np.broadcast_to(own["kappa"], shape))
    return difference(around + inverse_link(link, eta), np.zeros(1))


def von_mises_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of an angle around mu, of concentration kappa."""
    from scipy.special import i0e

    kappa = own["kappa"]
    fall = 2 * np.sin((y - inverse_link(link, eta)) / 2) ** 2  # one less the cosine
    return np.asarray(-kappa * fall - np.log(2 * np.pi * i0e(kappa)))

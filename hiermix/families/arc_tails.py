"""Distribution functions that are integrals over angles: of the skew normal and of von Mises.

All by Gauss and Legendre's quadrature of something positive, over what counts of its range, so that
digits are kept in both tails; programs do the same.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from hiermix.families.links import Own, inverse_link
from hiermix.families.skewed import skew_shape
from hiermix.families.tails import Tails
from hiermix.typing import FloatArray

_NODES = 24
_NEGLIGIBLE = 40.0
"""Fall of a logarithm below which nothing adds to an integral."""
_CANCELS = 4.0
"""From here on a difference of two tails would lose digits."""


@cache
def _nodes() -> tuple[list[float], list[float]]:
    """Nodes and weights on (0, 1)."""
    at, weights = np.polynomial.legendre.leggauss(_NODES)
    return ((at + 1) / 2).tolist(), (weights / 2).tolist()


def _mean(of: Callable[[float], FloatArray]) -> FloatArray:
    """Mean of a function over (0, 1)."""
    found: FloatArray = np.zeros(())
    for at, weight in zip(*_nodes(), strict=True):
        found = found + weight * of(at)
    return found


# Skew normal -------------------------------------------------------------------------------------


def skew_normal_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of a skew normal of mean eta, sd sigma and this skewness."""
    scale, lean = skew_shape(own)
    z, alpha = np.broadcast_arrays((y - eta) / scale + lean, own["alpha"])
    turned = np.where(alpha < 0, -1.0, 1.0)
    below, above = _leaning_up(turned * z, np.abs(alpha))
    return np.where(turned > 0, below, above), np.where(turned > 0, above, below)


def skew_normal_excess(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Of the same: half of it by parts, half by what its mean has of it."""
    from scipy.special import ndtr

    scale, lean = skew_shape(own)
    z, alpha = (y - eta) / scale + lean, own["alpha"]
    below, above = (np.exp(each) for each in skew_normal_tails(link, y, eta, own))
    wide = z * np.sqrt(1 + alpha**2)
    rest = np.where(wide > 0, ndtr(-wide) - above, below - ndtr(wide))
    bell = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(scale * (2 * bell * ndtr(alpha * z) + lean * rest))


def _leaning_up(z: FloatArray, alpha: FloatArray) -> Tails:
    """Tails of the standard one of alpha from zero up: below zero the lower is the small one.

    The normal tail and twice Owen's T of its argument; a difference of them is an integral of
    exp(-z^2 (1 + x^2) / 2) / (1 + x^2) over x from alpha on.
    """
    from scipy.special import log_ndtr, owens_t

    h = np.abs(z)
    normal = log_ndtr(-h)
    cancels = h**2 * (1 + alpha**2) > _CANCELS
    far = np.where(cancels, h, 1.5), np.where(cancels, alpha, 1.0)
    near = np.where(cancels, 0.0, h), np.where(cancels, 0.0, alpha)
    little = np.where(
        cancels, _beyond(*far), np.log(np.exp(log_ndtr(-near[0])) - 2 * owens_t(*near))
    )
    much = normal + np.log(2 - np.exp(little - normal))
    with np.errstate(invalid="ignore"):
        below = np.where(z < 0, little, np.log1p(-np.exp(much)))
        above = np.where(z < 0, np.log1p(-np.exp(little)), much)
    return below, above


def _beyond(h: FloatArray, alpha: FloatArray) -> FloatArray:
    """Log of that integral over pi, in x = tan(t)."""
    most = 2 * _NEGLIGIBLE / h**2
    end = np.sqrt(alpha**2 + most)
    width = np.arctan(most / (end + alpha) / (1 + alpha * end))

    def height(at: float) -> FloatArray:
        u = np.tan(width * at)
        step = (1 + alpha**2) * u / (1 - alpha * u)  # tan(atan(alpha) + t) - alpha
        return np.asarray(np.exp(-0.5 * h**2 * step * (2 * alpha + step)))

    return np.asarray(-0.5 * h**2 * (1 + alpha**2) + np.log(width / np.pi * _mean(height)))


# Von Mises ---------------------------------------------------------------------------------------


def von_mises_tails(link: str, y: FloatArray, eta: FloatArray, own: Own) -> Tails:
    """Of an angle between -pi and pi, around mu and of concentration kappa."""
    mu, kappa = inverse_link(link, eta), own["kappa"]
    return _arc(-np.pi - mu, y - mu, kappa), _arc(y - mu, np.pi - mu, kappa)


def _arc(low: FloatArray, high: FloatArray, kappa: FloatArray) -> FloatArray:
    """Log probability of an arc, counted from the mean direction, of at most one turn."""
    from scipy.special import i0e

    found: FloatArray = np.full((), -np.inf)
    for turn in (-2.0, -1.0, 0.0, 1.0):  # parts between the mean and the direction opposite to it
        start, stop = (np.clip(each, turn * np.pi, (turn + 1) * np.pi) for each in (low, high))
        around = 2 * np.pi * np.round(turn / 2 + 0.25)
        ends = np.abs(start - around), np.abs(stop - around)
        found = np.logaddexp(found, _away(np.minimum(*ends), np.maximum(*ends), kappa))
    return np.asarray(found - np.log(2 * np.pi * i0e(kappa)))


def _away(near: FloatArray, far: FloatArray, kappa: FloatArray) -> FloatArray:
    """Log of the integral of exp(kappa (cos t - 1)) between two distances from the mean."""
    last = np.sin(near / 2) ** 2 + _NEGLIGIBLE / 2 / kappa
    far = np.minimum(far, 2 * np.arcsin(np.sqrt(np.minimum(last, 1.0))))
    width = np.maximum(far - near, 0.0)

    def height(at: float) -> FloatArray:
        step = width * at
        return np.asarray(np.exp(-2 * kappa * np.sin(step / 2) * np.sin(near + step / 2)))

    return np.asarray(np.log(width * _mean(height)) - 2 * kappa * np.sin(near / 2) ** 2)

"""Tweedie responses of power between one and two: sums of a Poisson number of gamma amounts.

Their density is a sum over that number (Dunn and Smyth, 2005), whose terms are nearly normal around
the likeliest one: all that count are summed up, or, where these are many, a few some steps apart,
which errs by next to nothing. Written as a deviance and a sum near one, no digits are lost.
"""

import numpy as np

from hiermix.families.links import Own
from hiermix.families.numerics import excess, exp, log_gamma_draw, stirling
from hiermix.typing import FloatArray

_TERMS = 40
"""Terms on either side of the likeliest number, half an sd apart or one."""
_SUMMED = 100.0
"""Likeliest numbers up to which all terms from one on are summed up."""


def tweedie_draw(link: str, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
    """Draw the sum of a Poisson number of gamma amounts."""
    phi, p = own["phi"], own["power"]
    alpha = (2 - p) / (p - 1)
    shape = np.broadcast_shapes(np.shape(eta), np.shape(phi), np.shape(p))
    number = rng.poisson(np.minimum(exp((2 - p) * eta) / phi / (2 - p), 1e18), shape)
    log_unit = np.log(phi * (p - 1)) + (p - 1) * eta
    amount = log_gamma_draw(rng, np.maximum(number * alpha, 1e-300), shape)
    return np.where(number > 0, exp(log_unit + amount), 0.0)


def tweedie_log_density(link: str, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    """Log density of an amount, or log probability of none."""
    phi, p = own["phi"], own["power"]
    some = np.where(y > 0, y, 1.0)
    away = eta - np.log(some)
    # exp(a t) / a, less its value at t = 0, for a of both signs: the slopes cancel.
    deviance = excess((1 - p) * away) / (p - 1) + excess((2 - p) * away) / (2 - p)
    size = some ** (2 - p) / phi
    number, alpha = size / (2 - p), (2 - p) / (p - 1)
    density = -size * deviance - np.log(some) + _log_sum(number, alpha)
    return np.where(y > 0, density, -exp((2 - p) * eta) / phi / (2 - p))


def _log_sum(number: FloatArray, alpha: FloatArray) -> FloatArray:
    """Log of the sum of what each number of amounts adds, by the likeliest number."""
    number, alpha = np.broadcast_arrays(number, alpha)
    many = number > _SUMMED
    found = _of_steps(np.where(many, number, 2 * _SUMMED), alpha)
    if many.all():
        return found
    few = np.where(many, 1.0, number)
    return np.where(many, found, _of_all(few, alpha))


def _of_all(number: FloatArray, alpha: FloatArray) -> FloatArray:
    top = float(np.max(number))
    last = int(np.ceil(top + 15 + np.sqrt(225 + 80 * top)))
    total: FloatArray = np.zeros(number.shape)
    for n in range(1, last + 1):
        fall = n * np.log(n / number) - n + number
        total = total + np.exp(_term(fall, np.full(number.shape, float(n)), alpha))
    return np.asarray(np.log(total))


def _of_steps(number: FloatArray, alpha: FloatArray) -> FloatArray:
    step = np.maximum(1.0, 0.5 * np.sqrt(number / (1 + alpha)))
    total: FloatArray = np.zeros(number.shape)
    middle = np.where(step > 1, number, np.round(number))
    for k in range(-_TERMS // 2, _TERMS // 2 + 1):
        n = middle + k * step
        off = (n - number) / number
        near = off**2 * (0.5 - off / 6 + off**2 / 12)
        fall = number * np.where(np.abs(off) < 1e-4, near, (1 + off) * np.log1p(off) - off)
        total = total + np.exp(_term(fall, n, alpha))
    return np.asarray(np.log(total * step))


def _term(fall: FloatArray, n: FloatArray, alpha: FloatArray) -> FloatArray:
    """Log of a term; with Stirling's formula for what is common to all."""
    return np.asarray(-(1 + alpha) * fall + np.log(n * alpha) + stirling(n) + stirling(n * alpha))

"""Whether a user's density moves and stretches with the response, as looked for in its numbers."""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from hiermix.typing import FloatArray

_PLACES = 12
_FROM, _BY = np.array([-3.0, 40.0]), np.array([0.1, 7.0])
"""What responses and means are moved by, and stretched by."""


def moves(log_density: Callable[..., Any], own: tuple[tuple[str, str], ...]) -> bool:
    """Tell whether the density is the same where response and mean are both so much larger."""
    y, mu, values = _places(dict(own))
    plain = _at(log_density, y, mu, values)
    return all(_same(_at(log_density, y + by, mu + by, values), plain) for by in _FROM)


def units(log_density: Callable[..., Any], own: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return the parameters that stretch with response and mean: a scale, such as an sd."""
    names = [name for name, link in own if link == "log"]
    for size in range(1, len(names) + 1):
        for some in combinations(names, size):
            if all(_stretches(log_density, dict(own), some, by) for by in _BY):
                return some
    return ()


def _stretches(
    log_density: Callable[..., Any], own: Mapping[str, str], some: tuple[str, ...], by: float
) -> bool:
    y, mu, values = _places(own)
    stretched = {name: each * by if name in some else each for name, each in values.items()}
    there = _at(log_density, y * by, mu * by, stretched)
    return _same(there + np.log(by), _at(log_density, y, mu, values))


def _places(own: Mapping[str, str]) -> tuple[FloatArray, FloatArray, dict[str, FloatArray]]:
    """Responses, means, and further parameters, each where it may be."""
    rng = np.random.default_rng(4)
    mu = rng.normal(size=_PLACES)
    values = {name: rng.uniform(0.4, 0.9, _PLACES) + (link == "logm1")
              for name, link in own.items()}  # fmt: skip
    return mu + rng.normal(size=_PLACES), mu, values


def _at(
    log_density: Callable[..., Any], y: FloatArray, mu: FloatArray, own: Mapping[str, FloatArray]
) -> FloatArray:
    """Log density, NaN where the function fails: what is wrong with it is said by its checks."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(log_density(y, mu, *own.values()), dtype=np.float64)
    except Exception:
        return np.full(len(y), np.nan)


def _same(found: FloatArray, expected: FloatArray) -> bool:
    return found.shape == expected.shape and bool(np.allclose(found, expected, 1e-9, 1e-9))

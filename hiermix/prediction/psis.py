"""Pareto-smoothed importance sampling of many rows at once (Vehtari, Simpson, Gelman et al., 2024).

The numbers are ArviZ's, to rounding, which works row by row. Ratios that are not smoothed make up
for the density of their draw exactly, so that the draws of a row need one exponential each.
"""

import numpy as np

from hiermix.errors import DataError
from hiermix.typing import FloatArray

_ROWS = 32
"""Rows worked at once: their grids stay in cache."""
_TOGETHER = (16, 4)
"""Factors multiplied before their logarithm is taken."""
_LARGEST = 1e280
"""Up to which their product is sure to be a number."""
_LEAST = 5
"""Draws of a tail."""
_TINY = -600.0
"""Log ratios below which one over the ratio would overflow."""


def tail_size(draws: int, efficiency: float) -> int:
    """Return how many of the largest ratios are smoothed.

    Raises
    ------
    DataError
        There are too few draws.
    """
    many = draws * efficiency > 225
    size = int(3 * np.sqrt(draws / efficiency) if many else draws / 5)
    if size < _LEAST:
        raise DataError(f"leave-one-out needs 25 draws or more: there are {draws}")
    return size


def leave_one_out(log_density: FloatArray, tail: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return elpd, Pareto k and effective parameters of each row of log densities (n, S)."""
    parts = [
        _block(log_density[start : start + _ROWS], tail)
        for start in range(0, len(log_density), _ROWS)
    ]
    elpd, k, p = (np.concatenate(each) for each in zip(*parts, strict=True))
    return elpd, k, p


def _block(density: FloatArray, tail: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    S = density.shape[1]
    least = density.min(axis=1)
    ratio = least[:, None] - density  # log ratios, the largest of them zero
    ratio.partition(S - tail - 1, axis=1)
    largest = np.sort(ratio[:, S - tail :], axis=1)
    size = np.exp(ratio)
    smooth, k = _smoothed(largest, size[:, S - tail - 1])
    weights = size[:, : S - tail].sum(axis=1) + np.exp(smooth).sum(axis=1)
    elpd = least + np.log(S - tail + np.exp(smooth - largest).sum(axis=1)) - np.log(weights)
    return elpd, k, least + _log_mean_inverse(ratio, size) - elpd


def _log_mean_inverse(ratio: FloatArray, size: FloatArray) -> FloatArray:
    """Log of the mean of one over the ratios: the density of the row itself."""
    lowest = ratio.min(axis=1)
    found = np.empty(len(ratio))
    plain = lowest > _TINY
    if plain.all():
        return np.asarray(np.log(np.mean(1 / size, axis=1)))
    found[plain] = np.log(np.mean(1 / size[plain], axis=1))
    wide, low = ratio[~plain], lowest[~plain]
    found[~plain] = np.log(np.mean(np.exp(low[:, None] - wide), axis=1)) - low
    return found


def _smoothed(largest: FloatArray, cutoff: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log ratios of the tail in the order of their size, and k.

    Where no generalised Pareto distribution fits, they are left as they are; where all are alike
    (a row that says nothing), k is zero.
    """
    with np.errstate(all="ignore"):
        k, sigma = _fit(np.exp(largest) - cutoff[:, None])
        n = largest.shape[1]
        place = np.log1p(-np.arange(0.5, n) / n)
        shape = k[:, None]
        quantile = np.where(shape == 0, -place, np.expm1(-shape * place) / shape)
        smooth = np.minimum(np.log(cutoff[:, None] + sigma[:, None] * quantile), largest[:, -1:])
    fits = np.isfinite(k) & (sigma > 0) & ~np.isnan(smooth).any(axis=1)
    alike = largest[:, -1] - largest[:, 0] < np.finfo(float).tiny
    return np.where(fits[:, None], smooth, largest), np.where(alike, 0.0, k)


def _fit(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shape and scale of generalised Pareto distributions, from sorted exceedances (n, M).

    After Zhang and Stephens (2009), the shape weakly drawn towards 0.5.
    """
    M = x.shape[1]
    size = 30 + int(M**0.5)
    quartile = x[:, int(M / 4 + 0.5) - 1]
    grid = (1 - np.sqrt(size / (np.arange(1, size + 1) - 0.5))) / (3 * quartile[:, None])
    grid += 1 / x[:, -1:]
    mean_log = _mean_log(grid, x)
    score = M * (np.log(-grid / mean_log) - mean_log - 1)
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    weight = np.where(weight >= 10 * np.finfo(float).eps, weight, 0.0)
    b = np.sum(grid * weight, axis=1) / weight.sum(axis=1)
    shape = np.mean(np.log1p(-b[:, None] * x), axis=1)
    k = (M * shape + 10 * 0.5) / (M + 10)
    nowhere = quartile <= x[:, 0]
    k = np.where(nowhere, np.nan, np.where(np.isnan(k), np.inf, k))
    return k, np.where(nowhere, np.nan, -shape / b)


def _mean_log(grid: FloatArray, x: FloatArray) -> FloatArray:
    """Mean over x (n, M) of log(1 - b x) at every b of the grid (n, G).

    Many factors are multiplied first: a logarithm costs more than they do.
    """
    M = x.shape[1]
    far = float(np.max(np.abs(grid).max(axis=1) * x[:, -1]))
    together = next((each for each in _TOGETHER if far < _LARGEST ** (1 / each)), 1)
    size = M // together
    product = 1 - grid[:, :, None] * x[:, None, :size]
    factor = np.empty_like(product)
    for start in range(size, together * size, size):
        np.multiply(grid[:, :, None], x[:, None, start : start + size], out=factor)
        np.subtract(1, factor, out=factor)
        product *= factor
    rest = 1 - grid[:, :, None] * x[:, None, together * size :]
    return np.asarray((np.log(product).sum(axis=2) + np.log(rest).sum(axis=2)) / M)

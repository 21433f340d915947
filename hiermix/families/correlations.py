"""Cholesky factors of correlations from unconstrained numbers, and back; as Stan has them."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from hiermix.typing import FloatArray


def block_cholesky(raw: FloatArray, blocks: Sequence[int]) -> FloatArray:
    """Cholesky factors (..., Q, Q) of correlations from unconstrained numbers (..., pairs).

    The transform is Stan's (canonical partial correlations; Lewandowski, Kurowicka and Joe,
    2009): block by block along the diagonal.
    """
    Q = sum(blocks)
    L = np.zeros((*raw.shape[:-1], Q, Q))
    L[..., range(Q), range(Q)] = 1.0
    partial, log_rest = np.tanh(raw), _log_rest(raw)
    for row, columns, places in _rows(blocks):
        # Of what correlations so far leave, however close to one they are.
        log_left = np.cumsum(log_rest[..., places], axis=-1)
        L[..., row, row] = np.exp(0.5 * log_left[..., -1])
        L[..., row, columns] = partial[..., places]
        L[..., row, columns][..., 1:] *= np.exp(0.5 * log_left[..., :-1])
    return L


def lkj(
    raw: FloatArray, blocks: Sequence[int], shapes: Sequence[float]
) -> tuple[FloatArray, FloatArray]:
    """LKJ log density (...) of unconstrained numbers, but for a constant, and its gradient.

    A canonical partial correlation r has the density (1 - r^2)^(power - 1), and 1 - r^2 is the
    Jacobian of its tanh; the power falls from column to column of a block.
    """
    power = np.zeros(raw.shape[-1])
    of_row = [(size, shape) for size, shape in zip(blocks, shapes, strict=True)
              for _ in range(1, size)]  # fmt: skip
    for (size, shape), (_, columns, places) in zip(of_row, _rows(blocks), strict=True):
        column = np.arange(columns.stop - columns.start)
        power[places] = shape + (size - 2 - column) / 2
    return np.asarray(_log_rest(raw) @ power), -2 * power * np.tanh(raw)


def _rows(blocks: Sequence[int]) -> Iterator[tuple[int, slice, slice]]:
    """Yield rows with something below the diagonal, its columns, and its unconstrained numbers."""
    at, first = 0, 0
    for size in blocks:
        for i in range(1, size):
            yield first + i, slice(first, first + i), slice(at, at + i)
            at += i
        first += size


def _log_rest(raw: FloatArray) -> FloatArray:
    """Log of 1 - tanh^2, which keeps its digits."""
    return np.asarray(2 * (np.log(2) - np.logaddexp(raw, -raw)))


def unconstrained(R: FloatArray, blocks: Sequence[int]) -> FloatArray:
    """Undo `block_cholesky`, from correlations, which may be very nearly one."""
    found, q = [], 0
    for size in blocks:
        part = R[q : q + size, q : q + size]
        L = np.linalg.cholesky(part + 1e-13 * np.eye(size))
        for i in range(1, size):
            left = 1.0
            for j in range(i):
                partial = np.clip(L[i, j] / np.sqrt(left), -1 + 1e-13, 1 - 1e-13)
                found.append(float(np.arctanh(partial)))
                left = max(left * (1 - partial**2), 1e-26)
        q += size
    return np.array(found)


def pairs(blocks: Sequence[int]) -> int:
    """Return the number of correlations in blocks of these sizes."""
    return sum(size * (size - 1) // 2 for size in blocks)


def matrix_of(below: FloatArray, size: int) -> FloatArray:
    """Correlation matrices (S, n, n) from what stands below their diagonals, row by row."""
    found = np.tile(np.eye(size), (len(below), 1, 1))
    rows, columns = np.tril_indices(size, -1)
    found[:, rows, columns] = found[:, columns, rows] = below
    return found


def below_diagonal(L: FloatArray) -> FloatArray:
    """Correlations of Cholesky factors (..., n, n), below the diagonal, row by row."""
    rows, columns = np.tril_indices(L.shape[-1], -1)
    return np.asarray((L @ L.swapaxes(-1, -2))[..., rows, columns])


def size_of(below: int) -> int:
    """Return the number of rows of a matrix with so many entries below its diagonal."""
    return round((1 + math.sqrt(1 + 8 * below)) / 2)

"""Cholesky factors of correlations from unconstrained numbers, and back; as Stan has them."""

import math
from collections.abc import Sequence

import numpy as np

from hiermix.typing import FloatArray


def block_cholesky(raw: FloatArray, blocks: Sequence[int]) -> tuple[FloatArray, float]:
    """Cholesky factor of correlations from unconstrained numbers, and the log Jacobian.

    The transform is Stan's (canonical partial correlations; Lewandowski, Kurowicka and Joe,
    2009): block by block along the diagonal.
    """
    L = np.eye(sum(blocks))
    at, q, log_jacobian = 0, 0, 0.0
    for size in blocks:
        for i in range(1, size):
            log_left = 0.0  # of what correlations so far leave, however close to one they are
            for j in range(i):
                L[q + i, q + j] = np.tanh(raw[at]) * np.exp(0.5 * log_left)
                log_rest = 2 * (np.log(2) - np.logaddexp(raw[at], -raw[at]))
                log_jacobian += log_rest + 0.5 * log_left
                log_left += log_rest
                at += 1
            L[q + i, q + i] = np.exp(0.5 * log_left)
        q += size
    return L, log_jacobian


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
    """Correlations of a Cholesky factor, below the diagonal, row by row."""
    rows, columns = np.tril_indices(len(L), -1)
    return np.asarray((L @ L.T)[rows, columns])


def size_of(below: int) -> int:
    """Return the number of rows of a matrix with so many entries below its diagonal."""
    return round((1 + math.sqrt(1 + 8 * below)) / 2)

"""Many small matrices at once, entry by entry: (rows, columns, ...), vectors over the rest."""

import numpy as np

from hiermix.typing import FloatArray


def product(A: FloatArray, B: FloatArray) -> FloatArray:
    """Multiply matrices: A B of (a, b, ...) and (b, c, ...)."""
    return np.asarray(np.einsum("ab...,bc...->ac...", A, B))


def crossed(A: FloatArray, B: FloatArray) -> FloatArray:
    """Multiply a transposed matrix: A'B of (b, a, ...) and (b, c, ...)."""
    return np.asarray(np.einsum("ba...,bc...->ac...", A, B))


def factors(A: FloatArray) -> tuple[FloatArray, FloatArray]:
    """T, unit lower triangular, and d with T diag(d) T' = A, of positive definite A."""
    Q = len(A)
    T, d = np.zeros_like(A), np.empty_like(A[0])
    left = A.copy()
    for a in range(Q):
        d[a] = left[a, a]
        T[a, a] = 1.0
        for c in range(a + 1, Q):
            T[c, a] = left[c, a] / d[a]
            for k in range(a + 1, c + 1):
                left[c, k] -= T[c, a] * left[k, a]
    return T, d


def solve(T: FloatArray, U: FloatArray) -> FloatArray:
    """T^-1 U; T unit lower triangular."""
    found = np.array(np.broadcast_to(U, (*U.shape[:2], *T.shape[2:])))
    for a in range(len(T)):
        for k in range(a):
            found[a] -= T[a, k] * found[k]
    return found


def solve_transposed(T: FloatArray, U: FloatArray) -> FloatArray:
    """T'^-1 U; T unit lower triangular."""
    found = np.array(np.broadcast_to(U, (*U.shape[:2], *T.shape[2:])))
    for a in reversed(range(len(T))):
        for k in range(a + 1, len(T)):
            found[a] -= T[k, a] * found[k]
    return found


def sandwich(A: FloatArray, V: FloatArray, B: FloatArray) -> FloatArray:
    """Multiply A V B' of matrices (a, c, ...), (c, d, ...) and (b, d, ...)."""
    return np.asarray(np.einsum("ac...,bc...->ab...", product(A, V), B))

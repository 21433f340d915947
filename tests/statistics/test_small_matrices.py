"""Small matrices, many at once: numpy's own, one at a time."""

import numpy as np
import pytest

from hiermix.statistics import small_matrices


def many(rows: int, columns: int, *rest: int) -> np.ndarray:
    return np.random.default_rng(rows + 10 * columns).normal(size=(rows, columns, *rest))


@pytest.mark.parametrize("Q", [1, 2, 3, 5])
def test_factors_put_the_matrix_together_and_solve(Q: int) -> None:
    B = many(Q, Q + 2, 4, 3)
    A, U = small_matrices.product(B, np.swapaxes(B, 0, 1)), many(Q, 2, 1, 3)
    T, d = small_matrices.factors(A)
    for at in np.ndindex(4, 3):
        here = (slice(None), slice(None), *at)
        L = T[here]
        np.testing.assert_array_equal(np.diag(L), 1.0)
        np.testing.assert_array_equal(np.triu(L, 1), 0.0)
        np.testing.assert_allclose(L * d[(slice(None), *at)] @ L.T, A[here], rtol=1e-9, atol=1e-12)
        one = U[:, :, 0, at[1]]  # what several matrices are solved for may be one
        np.testing.assert_allclose(
            small_matrices.solve(T, U)[here], np.linalg.solve(L, one), rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(
            small_matrices.solve_transposed(T, U)[here],
            np.linalg.solve(L.T, one), rtol=1e-9, atol=1e-12,
        )  # fmt: skip


def test_solving_leaves_what_is_solved_for() -> None:
    T, U = np.array([[1.0, 0.0], [2.0, 1.0]])[..., None], np.ones((2, 1, 1))
    np.testing.assert_array_equal(small_matrices.solve(T, U)[..., 0], [[1.0], [-1.0]])
    np.testing.assert_array_equal(U, 1.0)


def test_products_are_those_of_numpy() -> None:
    A, V, B = many(2, 3, 4), many(3, 2, 4), many(5, 2, 4)
    for k in range(4):
        np.testing.assert_allclose(small_matrices.product(A, V)[..., k], A[..., k] @ V[..., k])
        np.testing.assert_allclose(small_matrices.crossed(A, A)[..., k], A[..., k].T @ A[..., k])
        np.testing.assert_allclose(
            small_matrices.sandwich(A, V, B)[..., k], A[..., k] @ V[..., k] @ B[..., k].T
        )

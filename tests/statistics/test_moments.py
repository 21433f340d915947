"""Moments are sums over rows: a vector space, whatever the pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiermix.design.factor import Factor
from hiermix.statistics.gram import around_least_squares
from hiermix.statistics.moments import Moments, Pilot, none, of_rows

P, Q, J, ROWS = 3, 2, 4, 40
RNG = np.random.default_rng(5)
X = np.column_stack([np.ones(ROWS), RNG.normal(size=(ROWS, P - 1))])
Z = X[:, :Q]
Y = RNG.normal(size=ROWS)
W = RNG.integers(1, 4, ROWS).astype(float)
CODES = RNG.integers(0, J, ROWS)
PILOT = Pilot(np.array([0.0, 0.2, -0.1]), np.array([0.3, 1.0, -2.0]))


def of(rows: np.ndarray, weights: np.ndarray | None = W) -> Moments:
    w = None if weights is None else weights[rows]
    return of_rows(PILOT, X[rows], Y[rows], w, Z[rows], Factor(CODES[rows], J))


def assert_equal(one: Moments, other: Moments, tolerance: float = 1e-12) -> None:
    for name in ("n", "XtX", "Xte", "ete", "ZtZ", "ZtX", "Zte"):
        mine, theirs = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance, err_msg=name)


def test_sums_are_those_of_dense_matrices() -> None:
    found = of(np.arange(ROWS))
    e, Xc, D = Y - (X - PILOT.center) @ PILOT.b, X - PILOT.center, np.diag(W)
    assert found.n == W.sum()
    np.testing.assert_allclose(found.XtX, Xc.T @ D @ Xc)
    np.testing.assert_allclose(found.Xte, Xc.T @ D @ e)
    assert found.ete == pytest.approx(e @ D @ e)
    for level in range(J):
        mine = level == CODES
        DZ = D[np.ix_(mine, mine)] @ Z[mine]
        np.testing.assert_allclose(found.ZtZ[level], Z[mine].T @ DZ)
        np.testing.assert_allclose(found.ZtX[level], DZ.T @ Xc[mine])
        np.testing.assert_allclose(found.Zte[level], DZ.T @ e[mine])


@given(st.lists(st.integers(0, 2), min_size=ROWS, max_size=ROWS))
def test_any_split_of_the_rows_adds_up(piece: list[int]) -> None:
    parts = [of(np.flatnonzero(np.array(piece) == k)) for k in range(3)]
    whole = of(np.arange(ROWS))
    assert_equal(parts[0] + parts[1] + parts[2], whole)
    assert_equal(parts[2] + (parts[1] + parts[0]), whole)
    assert_equal(whole - parts[1], parts[0] + parts[2])


def test_they_are_a_vector_space() -> None:
    a, b = of(np.arange(0, 20)), of(np.arange(20, ROWS))
    zero = none(PILOT, J, Q)
    assert_equal(a + zero, a, 0)
    assert_equal(a - a, zero, 0)
    assert_equal(2 * (a + b), 2 * a + b * 2)
    assert_equal(3 * a - a, 2 * a)


def test_a_factor_before_moments_is_a_weight() -> None:
    rows = np.arange(ROWS)
    assert_equal(2 * of(rows, None), of(rows, np.full(ROWS, 2.0)))


def test_moments_around_two_pilots_are_not_added() -> None:
    other = of_rows(Pilot(PILOT.center, PILOT.b + 1), X, Y, None, Z, Factor(CODES, J))
    with pytest.raises(ValueError, match="two pilots"):
        of(np.arange(ROWS)) + other


def test_the_pilot_does_not_matter_for_what_is_found() -> None:
    def fit(pilot: Pilot) -> np.ndarray:
        sums = of_rows(pilot, X, Y, W, Z, Factor(CODES, J))
        return around_least_squares(sums, intercept=True).b_hat[1:]

    root = np.sqrt(W)[:, None]
    expected = np.linalg.lstsq(X * root, Y * root[:, 0], rcond=None)[0][1:]
    np.testing.assert_allclose(fit(PILOT), expected, rtol=1e-10)
    np.testing.assert_allclose(fit(Pilot(np.zeros(P), np.zeros(P))), expected, rtol=1e-10)

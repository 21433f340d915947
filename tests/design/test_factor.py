"""Levels of rows: what is gathered and scattered, against matrices of indicators."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from hiermix.design.factor import Factor, Mixture

RNG = np.random.default_rng(1)
CODES = np.array([2, 0, 2, 2, 4, 0], dtype=np.int32)
FACTOR = Factor(CODES, 5)
INDICATORS = np.eye(5)[CODES]  # rows x levels
A, B = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 3))


@pytest.mark.parametrize("rows", [slice(None), slice(1, 5), np.array([4, 0])])
def test_verbs_are_products_with_indicators(rows: slice | np.ndarray) -> None:
    W = INDICATORS[rows]
    effects = RNG.normal(size=(5, 2))
    np.testing.assert_array_equal(FACTOR.gather(effects, rows), W @ effects)
    np.testing.assert_allclose(FACTOR.scatter(A[rows], rows), W.T @ A[rows], atol=1e-15)
    np.testing.assert_allclose(FACTOR.scatter(A[rows, 0], rows), W.T @ A[rows, 0], atol=1e-15)
    np.testing.assert_array_equal(FACTOR.counts(rows), W.sum(axis=0))
    expected = np.einsum("nj,na,nb->jab", W, A[rows], B[rows])
    np.testing.assert_allclose(FACTOR.products(A[rows], B[rows], rows), expected, atol=1e-15)


def test_symmetric_products_are_those_of_both_halves() -> None:
    found = FACTOR.products(B, B, symmetric=True)
    np.testing.assert_array_equal(found, FACTOR.products(B, B))


def test_rows_by_level() -> None:
    assert [part.tolist() for part in FACTOR.members()] == [[1, 5], [], [0, 2, 3], [], [4]]
    assert FACTOR.at(2).tolist() == [True, False, True, True, False, False]
    greatest = FACTOR.greatest(np.array([1.0, 7.0, 3.0, 2.0, 0.5, 6.0]))
    assert greatest.tolist() == [7.0, 0.0, 3.0, 0.0, 0.5]


def test_picked_rows_are_of_their_level_and_differ() -> None:
    level, rows, place = FACTOR.picked(2, np.random.default_rng(3))
    np.testing.assert_array_equal(CODES[rows], level)
    assert len(set(rows.tolist())) == len(rows)
    assert sorted(zip(level.tolist(), place.tolist(), strict=True)) == [
        (0, 0), (0, 1), (2, 0), (2, 1), (4, 0),
    ]  # fmt: skip


def test_nested_levels_know_what_they_lie_in() -> None:
    inner = Factor(np.array([0, 1, 2, 2, 1]), 4)
    above = inner.above(Factor(np.array([1, 0, 1, 1, 0]), 2))
    assert above is not None
    assert above.tolist() == [1, 0, 1, 0]
    assert inner.above(Factor(np.array([1, 0, 1, 0, 0]), 2)) is None
    assert inner.one_of(np.array([5.0, 6.0, 7.0, 7.0, 6.0])).tolist() == [5.0, 6.0, 7.0, 0.0]


def test_some_rows_have_their_own_factor() -> None:
    assert FACTOR.on(slice(1, 4)).counts().tolist() == [1, 0, 2, 0, 0]


BASIS = RNG.normal(size=(6, 5))
PARTS = np.array([[0.5, 0.5, 0, 0, 0], [0, 1, 0, 0, 0], [0.2, 0, 0.3, 0, 0.5]] * 2)
MIXTURES = {
    "basis": (BASIS, Mixture(np.zeros(6, dtype=np.int32), 5, lambda rows: BASIS[rows])),
    "parts": (PARTS, Mixture(np.zeros(6, dtype=np.int32), 5, lambda rows: csr_array(PARTS)[rows])),
}


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("rows", [slice(None), slice(1, 5), np.array([4, 0])])
def test_of_mixtures_too_verbs_are_products(name: str, rows: slice | np.ndarray) -> None:
    whole, factor = MIXTURES[name]
    W = whole[rows]
    effects, values = RNG.normal(size=(5, 2, 3)), RNG.uniform(size=(5, 2))
    some, none = factor.on(rows), slice(None)
    for each, part in ((factor, rows), (some, none)):
        np.testing.assert_allclose(
            each.gather(effects, part), np.einsum("nj,jab->nab", W, effects), atol=1e-14
        )
        np.testing.assert_allclose(each.scatter(A[rows], part), W.T @ A[rows], atol=1e-14)
        np.testing.assert_allclose(each.scatter(A[rows, 0], part), W.T @ A[rows, 0], atol=1e-14)
        np.testing.assert_allclose(each.gather_squared(values, part), W**2 @ values, atol=1e-14)
        expected = np.einsum("nj,na,nb->jab", W, A[rows], B[rows])
        np.testing.assert_allclose(each.products(A[rows], B[rows], part), expected, atol=1e-14)
        assert each.counts(part).tolist() == (W != 0).sum(axis=0).tolist()
    cells = np.arange(len(W)) % 2
    found = factor.scatter_by(cells, 2, A[rows, 0], rows).toarray()
    np.testing.assert_allclose(found, np.eye(2)[cells].T @ (A[rows, :1] * W), atol=1e-14)


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("columns", [1, 2])
def test_squares_of_levels_that_share_rows_are_never_too_small(name: str, columns: int) -> None:
    whole, factor = MIXTURES[name]
    Z = np.abs(RNG.normal(size=(6, columns)))
    wide = np.hstack([whole[:, [j]] * Z for j in range(5)])  # level after level
    found = factor.squares(Z, Z)
    apart = np.zeros((5 * columns, 5 * columns))
    for j in range(5):
        apart[j * columns : (j + 1) * columns, j * columns : (j + 1) * columns] = found[j]
    assert np.linalg.eigvalsh(apart - wide.T @ wide).min() > -1e-12
    # Where levels share no rows they are what they are.
    alone = Mixture(CODES, 5, lambda rows: INDICATORS[rows])
    np.testing.assert_allclose(alone.squares(Z, Z), FACTOR.squares(Z, Z), atol=1e-14)


def test_levels_of_a_mixture_lie_in_no_other_and_mark_equal_rows() -> None:
    _, factor = MIXTURES["parts"]
    assert factor.above(Factor(np.zeros(6, dtype=np.int64), 1)) is None
    assert Factor(np.arange(6), 6).above(factor) is None
    first, again = factor.marks()[:, :3], factor.marks()[:, 3:]
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first, axis=1).T) == 3

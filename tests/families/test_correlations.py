"""Cholesky factors of correlations, and the LKJ density of the numbers that they come from."""

import numpy as np
import pytest
from scipy import stats

from hiermix.families.correlations import below_diagonal, block_cholesky, lkj, unconstrained
from hiermix.families.prior import log_densities, parse_prior

RNG = np.random.default_rng(8)
BLOCKS = (3, 1, 4, 2)
RAW = RNG.normal(0, 1.5, (5, 3 + 6 + 1))


def test_factors_are_those_of_correlations_block_by_block() -> None:
    found = block_cholesky(RAW, BLOCKS)
    R = found @ found.swapaxes(-1, -2)
    np.testing.assert_allclose(np.diagonal(R, axis1=1, axis2=2), 1.0)
    assert (np.linalg.eigvalsh(R) > 0).all()
    assert (np.triu(found, 1) == 0).all()
    np.testing.assert_array_equal(R[:, 3, [0, 1, 2, 4, 5, 6, 7, 8, 9]], 0.0)
    np.testing.assert_array_equal(R[:, :3, 4:], 0.0)
    # The first column of a block are plain correlations.
    np.testing.assert_allclose(R[:, 1, 0], np.tanh(RAW[:, 0]))
    np.testing.assert_allclose(R[:, 2, 0], np.tanh(RAW[:, 1]))
    np.testing.assert_allclose(R[:, 9, 8], np.tanh(RAW[:, 9]))
    for each, row in zip(R, RAW, strict=True):
        np.testing.assert_allclose(unconstrained(each, BLOCKS), row, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("size", "shape"), [(2, 1.0), (2, 2.5), (3, 1.0), (4, 0.7), (4, 3.0)])
def test_lkj_is_the_power_of_the_determinant_times_the_jacobian(size: int, shape: float) -> None:
    pairs = size * (size - 1) // 2

    def density(raw: np.ndarray) -> float:
        L, h = block_cholesky(raw, (size,)), 1e-5
        slope = [
            (below_diagonal(block_cholesky(raw + step, (size,)))
             - below_diagonal(block_cholesky(raw - step, (size,)))) / (2 * h)
            for step in h * np.eye(pairs)
        ]  # fmt: skip
        volume = np.linalg.slogdet(np.array(slope))[1]
        return float((shape - 1) * 2 * np.sum(np.log(np.diag(L))) + volume)

    points = RNG.normal(0, 0.8, (4, pairs))
    found = np.array([lkj(point, (size,), (shape,))[0] for point in points])
    expected = np.array([density(point) for point in points])
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-6, atol=1e-7)


def test_the_slope_of_lkj_is_that_of_its_density() -> None:
    shapes, h = (1.0, 1.0, 2.0, 0.5), 1e-6
    _, slope = lkj(RAW[0], BLOCKS, shapes)
    for place, step in enumerate(h * np.eye(RAW.shape[1])):
        up, down = lkj(RAW[0] + step, BLOCKS, shapes)[0], lkj(RAW[0] - step, BLOCKS, shapes)[0]
        assert slope[place] == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-8)


def test_nearly_one_keeps_its_digits() -> None:
    value, slope = lkj(np.array([300.0]), (2,), (1.0,))
    assert value == pytest.approx(np.log(4) - 600)  # 1 - tanh^2 is 4 exp(-2 x) there
    assert slope[0] == pytest.approx(-2)


def test_priors_of_one_distribution_are_worked_out_at_once() -> None:
    texts = ("student_t(3, 0, 2.5)", "exponential(2)", "student_t(7, 1, 4)", "gamma(2, 0.5)",
             "cauchy(0, 1)", "exponential(0.1)")  # fmt: skip
    alone = [stats.t(3, 0, 2.5), stats.expon(scale=0.5), stats.t(7, 1, 4),
             stats.gamma(2, scale=2), stats.cauchy(0, 1), stats.expon(scale=10)]  # fmt: skip
    values = RNG.gamma(2, 1, (3, len(texts)))
    found = log_densities([parse_prior(text) for text in texts])(values)
    expected = np.column_stack([each.logpdf(values[:, i]) for i, each in enumerate(alone)])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert log_densities([])(np.zeros((3, 0))).shape == (3, 0)

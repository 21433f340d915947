"""Importance weights: what is smoothed, and how often a draw is kept."""

import numpy as np
import pytest

from hiermix.statistics.pareto_weights import copies, smoothed


@pytest.mark.parametrize("S", [8, 200, 2_000])
@pytest.mark.parametrize("rest", [0.0, -3.0, -700.0])
def test_the_largest_may_all_be_equal(S: int, rest: float) -> None:
    """As where most draws are sure of what was seen: there is no tail, and nothing to doubt."""
    log_weights = np.where(np.arange(S) < S // 2, rest, 0.0)
    smooth, k = smoothed(log_weights)
    np.testing.assert_array_equal(smooth, log_weights)
    assert k == -np.inf


def test_the_shape_of_the_tail_is_found() -> None:
    """Of weights u^-k, which are Pareto's; the estimate is drawn a little towards a half."""
    u = (np.arange(20_000) + 0.5) / 20_000
    for k in (0.1, 0.4, 0.9):
        assert smoothed(-k * np.log(u))[1] == pytest.approx(k, abs=0.06)


@pytest.mark.parametrize("number", [1, 10, 333])
def test_each_is_kept_as_often_as_its_weight_says(number: int) -> None:
    """Systematic: within one of its share, whatever the start; on average the share itself."""
    weights = np.array([0.5, 0.0, 0.3, 0.2])
    rng = np.random.default_rng(1)
    found = np.array([copies(weights, number, rng) for _ in range(400)])
    assert (found.sum(axis=1) == number).all()
    assert (np.abs(found - number * weights) < 1).all()
    error = found.std(axis=0) / np.sqrt(400)
    assert (np.abs(found.mean(axis=0) - number * weights) <= 5 * error + 1e-9).all()


def test_rounding_of_the_sum_loses_no_draw() -> None:
    weights = np.full(7, 1 / 7)
    rng = np.random.default_rng(2)
    assert all(copies(weights, 7, rng).tolist() == [1] * 7 for _ in range(50))

"""Ends of intervals, their names and what is no probability."""

import numpy as np
import pytest

import hiermix as hm
from hiermix.posterior import intervals


@pytest.mark.parametrize(
    ("prob", "ends", "names"),
    [
        (0.95, (0.025, 0.975), ("q2.5", "q97.5")),
        (0.9, (0.05, 0.95), ("q5", "q95")),
        (np.float32(0.5), (0.25, 0.75), ("q25", "q75")),
        (0.999, (0.0005, 0.9995), ("q0.05", "q99.95")),
    ],
)
def test_tails_are_equal(prob: float, ends: tuple[float, float], names: tuple[str, str]) -> None:
    assert intervals.tails(prob) == pytest.approx(ends, rel=1e-9)
    assert intervals.names(prob) == names


@pytest.mark.parametrize("prob", [0, 1, 1.5, -0.1, np.nan, np.inf, True, "0.9", None, [0.9]])
def test_what_is_no_probability_is_refused(prob: object) -> None:
    with pytest.raises(hm.ArgumentError, match="conf_level must be between 0 and 1, not"):
        intervals.tails(prob, "conf_level")  # type: ignore[arg-type]


@pytest.mark.parametrize("probs", [[], [[0.1]], ["a"], [0.1, 1.01], [np.nan], [True, False]])
def test_what_are_no_quantiles_is_refused(probs: object) -> None:
    with pytest.raises(hm.ArgumentError, match="quantiles must be between 0 and 1"):
        intervals.levels(probs)  # type: ignore[arg-type]


def test_a_single_quantile_is_a_list_of_one() -> None:
    assert intervals.levels(0.5).tolist() == [0.5]  # type: ignore[arg-type]
    assert intervals.levels([0, 1]).tolist() == [0.0, 1.0]


def test_quantiles_of_sorted_rows_are_numpys() -> None:
    draws = np.random.default_rng(1).normal(size=(7, 40))
    probs = np.array([0.0, 0.025, 1 / 3, 0.5, 0.975, 1.0])
    expected = np.quantile(draws, probs, axis=1)
    np.testing.assert_allclose(intervals.sorted_quantiles(draws.copy(), probs), expected)
    one = np.array([[3.0], [4.0]])
    np.testing.assert_array_equal(intervals.sorted_quantiles(one, probs), [[3.0, 4.0]] * 6)
    found = intervals.ends(draws.T, 0.95)
    np.testing.assert_allclose(found["q2.5"], expected[1])
    np.testing.assert_allclose(found["q97.5"], expected[4])

"""Numbers pushed away from ends: a map onto the inside, its inverse and its slope."""

import numpy as np
import pytest

from hiermix.families import soft_ends

ENDS = [(0.0, np.inf), (-np.inf, 2.0), (-1.0, 3.0), (0.0, 1e-3), (-np.inf, np.inf)]


def width(low: float, high: float) -> float:
    return min(0.2, (high - low) / 4)


@pytest.mark.parametrize(("low", "high"), ENDS[:-1])
def test_all_numbers_come_inside_in_their_order(low: float, high: float) -> None:
    s = width(low, high)
    middle = np.clip(0.0, low, high)
    t = np.linspace(middle - 30 * s, middle + 30 * s, 400)
    found = soft_ends.inside(t, low, high, s)
    assert ((found >= low) & (found <= high)).all()
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(soft_ends.outside(found[150:250], low, high, s), t[150:250],
                               rtol=1e-6, atol=1e-6 * s)  # fmt: skip


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (-1.0, np.inf), (-np.inf, 3.0)])
def test_far_from_the_ends_numbers_are_themselves(low: float, high: float) -> None:
    t = np.array([0.8, 1.0, 1.2])
    np.testing.assert_allclose(soft_ends.inside(t, low, high, 0.02), t, rtol=1e-15)
    np.testing.assert_allclose(soft_ends.outside(t, low, high, 0.02), t, rtol=1e-15)


def test_the_slope_is_that_of_differences_also_far_out() -> None:
    low, high, s = -1.0, 3.0, 0.3
    t, h = np.linspace(-4, 6, 60), 1e-5
    ends = soft_ends.inside(t + h, low, high, s), soft_ends.inside(t - h, low, high, s)
    slope = (ends[0] - ends[1]) / (2 * h)
    np.testing.assert_allclose(np.exp(soft_ends.log_slope(t, low, high, s)), slope, rtol=1e-4)
    far = soft_ends.log_slope(np.array([-400.0, 400.0]), low, high, s)
    np.testing.assert_allclose(far, -(np.array([399.0, 397.0])) / s + np.log1p(-np.exp(-4 / s)))


@pytest.mark.parametrize(("low", "high"), ENDS[:3])
def test_numbers_on_an_end_come_close_to_it(low: float, high: float) -> None:
    s = width(low, high)
    for end, beyond in ((low, -1.0), (high, 1.0)):
        if np.isfinite(end):
            t = soft_ends.outside(end + np.array([0.0, beyond]), low, high, s)
            assert np.isfinite(t).all()
            np.testing.assert_allclose(soft_ends.inside(t, low, high, s), end, atol=2e-6 * s)

"""Bounded coefficients among others: who is pushed, over what width, and back."""

import numpy as np
import pytest

from hiermix.families.prior import parse_prior
from hiermix.tuning.bounds import Bounds

PRIORS = ("normal(0, 1)", "normal(0, 1, lower=0)", "normal(0, 1, lower=-1, upper=1)",
          "student_t(3, 0, 2)", "normal(0, 5, upper=2)")  # fmt: skip


@pytest.fixture
def bounds() -> Bounds:
    spread = np.array([1.0, 0.1, 9.0, 1.0, 0.2])
    return Bounds.of([parse_prior(text) for text in PRIORS], spread)


def test_bounded_ones_are_found_with_their_widths(bounds: Bounds) -> None:
    assert bounds.places.tolist() == [1, 2, 4]
    assert bounds.lower.tolist() == [0, -1, -np.inf]
    assert bounds.upper.tolist() == [np.inf, 1, 2]
    np.testing.assert_allclose(bounds.width, [0.1, 0.5, 0.2])  # half of a range at most


def test_coefficients_go_to_coordinates_and_back(bounds: Bounds) -> None:
    b = np.array([-7.0, 0.3, 0.4, 5.0, 1.9])
    t = bounds.outside(b)
    np.testing.assert_array_equal(t[[0, 3]], b[[0, 3]])
    np.testing.assert_allclose(bounds.inside(t), b, rtol=1e-12)
    assert t[1] < b[1]  # which the end below pushes up
    assert t[2] > b[2]  # and the nearer end this one down
    assert t[4] > b[4]


def test_coefficients_outside_start_close_to_their_bounds(bounds: Bounds) -> None:
    b = np.array([-7.0, -3.0, 4.0, 5.0, 8.0])
    np.testing.assert_allclose(bounds.started(b), [-7, -0.1, 1.5, 5, 2.2])
    inside = bounds.inside(bounds.started(b))
    assert inside[1] > 0
    assert inside[2] < 1
    assert inside[4] < 2
    assert b.tolist() == [-7, -3, 4, 5, 8]


def test_there_may_be_none() -> None:
    none = Bounds.of([parse_prior("normal(0, 1)")] * 2, np.ones(2))
    b = np.array([1.0, -2.0])
    for found in (none.inside(b), none.outside(b), none.started(b)):
        np.testing.assert_array_equal(found, b)

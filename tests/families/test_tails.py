"""Distribution functions and their excess, which are each other's derivatives.

The mean of ``Y - E(Y)`` over Y above y falls by ``(y - E(Y)) p(y)`` as y rises: of numbers this is
checked by differences, of counts by sums.
"""

import numpy as np
import pytest

from hiermix.families.table import find

OWN = {"sigma": 0.8, "nu": 4.0, "shape": 1.7, "phi": 5.0, "zi": 0.3, "hu": 0.3, "beta": 1.2,
       "ndt": 0.15}  # fmt: skip
NUMBERS = ("gaussian", "student_t", "lognormal", "gamma", "beta", "weibull", "exponential",
           "exgaussian", "inverse_gaussian", "shifted_lognormal")  # fmt: skip
COUNTS = ("poisson", "negative_binomial", "geometric", "zero_inflated_poisson",
          "zero_inflated_negative_binomial", "hurdle_poisson",
          "hurdle_negative_binomial")  # fmt: skip


def own_of(name: str) -> dict[str, np.ndarray]:
    return {each.name: np.array([OWN[each.name]]) for each in find(name).own}


@pytest.mark.parametrize("eta", [-0.6, 0.8])
@pytest.mark.parametrize("name", NUMBERS)
def test_of_numbers_they_are_derivatives_of_each_other(name: str, eta: float) -> None:
    family, own, at, h = find(name), own_of(name), np.array([eta]), 1e-6
    y = np.array([0.2, 0.4, 0.55, 0.8]) if name == "beta" else np.array([0.3, 0.9, 1.6, 4.0])
    assert family.linked_log_tails is not None
    assert family.linked_excess is not None
    below, above = family.linked_log_tails(family.link, y, at, own)
    np.testing.assert_allclose(np.exp(below) + np.exp(above), 1, rtol=1e-12)
    density = np.exp(family.log_density(y, at, own))
    up, down = (np.exp(family.linked_log_tails(family.link, y + s, at, own)[0]) for s in (h, -h))
    np.testing.assert_allclose((up - down) / (2 * h), density, rtol=1e-6, atol=1e-9)
    mean = family.mean(at, own)
    more, less = (family.linked_excess(family.link, y + s, at, own) for s in (h, -h))
    np.testing.assert_allclose((more - less) / (2 * h), (mean - y) * density, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("eta", [-0.6, 1.3])
@pytest.mark.parametrize("name", COUNTS)
def test_of_counts_they_are_sums(name: str, eta: float) -> None:
    family, own, at = find(name), own_of(name), np.array([eta])
    y = np.arange(0.0, 400.0)
    p = np.exp(family.log_density(y, at, own))
    mean = float(y @ p)
    assert family.mean(at, own)[0] == pytest.approx(mean, rel=1e-10)
    assert family.linked_log_tails is not None
    assert family.linked_excess is not None
    few = y[:12]
    below, above = family.linked_log_tails(family.link, few, at, own)
    np.testing.assert_allclose(np.exp(below), np.cumsum(p)[:12], rtol=1e-10)
    np.testing.assert_allclose(np.exp(above), p.sum() - np.cumsum(p)[:12], rtol=1e-8, atol=1e-14)
    left = ((y - mean) * p).sum() - np.cumsum((y - mean) * p)[:12]
    np.testing.assert_allclose(family.linked_excess(family.link, few, at, own), left, rtol=1e-8,
                               atol=1e-12)  # fmt: skip

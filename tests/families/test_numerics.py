"""Pieces of log densities against mpmath, at tiny and huge arguments."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

from hiermix.families import numerics

SMALL_TO_LARGE = [1e-30, 1e-12, 1e-6, 9.9e-6, 1.1e-5, 0.3, 1.0, 7.5, 99.9, 100.1, 1e5, 1e12]
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], list[float]]] = {
    "log_mills": (
        numerics.log_mills, lambda x: mpmath.log(mpmath.ncdf(x)) + x**2 / 2,
        [-1e4, -30.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 6.0],
    ),
    "log_softplus": (
        numerics.log_softplus, lambda x: mpmath.log(mpmath.log1p(mpmath.exp(x))),
        [-700.0, -36.5, -35.5, -1.0, 0.0, 2.0, 50.0, 800.0],
    ),
    "log1m_exp_exp": (
        numerics.log1m_exp_exp, lambda x: mpmath.log(-mpmath.expm1(-mpmath.exp(x))),
        [-700.0, -40.0, -1.0, -0.36, -0.35, 0.0, 1.0, 3.0],
    ),
    "excess": (numerics.excess, lambda x: mpmath.expm1(x) - x, [-50.0, -1.0, 0.5, 3.0, 100.0]),
    "stirling": (
        numerics.stirling, lambda x: x * mpmath.log(x) - x - mpmath.loggamma(x + 1), SMALL_TO_LARGE,
    ),
    "lgamma1p": (numerics.lgamma1p, lambda x: mpmath.loggamma(1 + x), SMALL_TO_LARGE[:9]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_keep_their_digits(name: str) -> None:
    ours, exact, points = FUNCTIONS[name]
    with mp.workdps(60):
        expected = [float(exact(mp.mpf(x))) for x in points]
    np.testing.assert_allclose(ours(np.array(points)), expected, rtol=3e-13, atol=1e-16)
    for x, value in zip(points, expected, strict=True):  # alone as beside others
        np.testing.assert_allclose(ours(np.array([x])), value, rtol=3e-13, atol=1e-16)


@pytest.mark.parametrize("count", [0.0, 1.0, 3.0, 250.0])
def test_rising_factorials_keep_their_digits(count: float) -> None:
    x = np.array([1e-80, 1e-3, 2.0, 99.0, 101.0, 1e9])
    with mp.workdps(120):
        expected = [
            float(mpmath.loggamma(z + count) - mpmath.loggamma(z) - count * mpmath.log(z))
            for z in map(mp.mpf, x.tolist())
        ]
    found = numerics.log_rising(np.array([count]), x, np.log(x))
    np.testing.assert_allclose(found, expected, rtol=2e-12, atol=1e-12 * max(count, 1))


def test_tilts_keep_their_digits() -> None:
    m, total = np.array([1.0, 40.0, 50.0]), np.array([3.0, 1e6, 100.0])
    for x in (-800.0, -1e-5, 1e-5, 3.0, 650.0, 750.0):
        with mp.workdps(60):
            expected = [
                float(a * mp.mpf(x) - n * mpmath.log1p(mp.mpf(a) / n * mpmath.expm1(x)))
                for a, n in zip(m.tolist(), total.tolist(), strict=True)
            ]
        found = numerics.log_tilt(m, total, np.full(3, x))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_draws_of_gammas_of_tiny_shapes_have_logarithms() -> None:
    """log Y / shape is minus an exponential then: P(Y < y) goes like y^shape."""
    shape, n = np.array([1e-3]), 4_000
    found = shape * numerics.log_gamma_draw(np.random.default_rng(1), shape, (n,))
    assert np.isfinite(found).all()
    assert -found.mean() == pytest.approx(1, abs=5 / np.sqrt(n))
    plain = numerics.log_gamma_draw(np.random.default_rng(2), np.array([3.0]), (n,))
    assert np.exp(plain).mean() == pytest.approx(3, abs=5 * np.sqrt(3 / n))


def test_numbers_end_at_the_largest() -> None:
    found = numerics.exp(np.array([-800.0, 0.0, 700.0, 1e5, np.inf]))
    assert np.isfinite(found).all()
    assert found[:2].tolist() == [0, 1]
    assert (numerics.positive(np.array([0.0, np.inf, 2.0])) > 0).all()
    assert np.isfinite(numerics.positive(np.array([np.inf])))[0]

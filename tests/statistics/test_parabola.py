"""The parabola that touches a log density, against derivatives in closed form."""

import numpy as np

from hiermix.statistics.parabola import parabola


def test_slope_and_curvature_of_a_poisson_density() -> None:
    y, eta = np.array([0.0, 3.0, 8.0]), np.array([-1.0, 0.5, 2.0])
    found = parabola(lambda at: y * at - np.exp(at), eta, 1e-4)
    # Differences err by step^2 / 6 and by rounding / step^2.
    np.testing.assert_array_equal(found.value, y * eta - np.exp(eta))
    np.testing.assert_allclose(found.slope, y - np.exp(eta), rtol=1e-6)
    np.testing.assert_allclose(found.curvature, np.exp(eta), rtol=1e-5)


def test_a_parabola_touches_itself_whatever_the_step() -> None:
    eta = np.array([[0.3, -2.0], [5.0, 1.0]])
    found = parabola(lambda at: 1 + 3 * at - 2 * at**2, eta, np.array([[0.5], [2.0]]))
    np.testing.assert_allclose(found.slope, 3 - 4 * eta, rtol=1e-12)
    np.testing.assert_allclose(found.curvature, 4.0, rtol=1e-12)

"""Weights to which group effects are tuned follow the family's own parameters."""

import numpy as np
import pandas as pd
import pytest
from arviz_stats import ess

import hiermix as hm
from hiermix.engines import embedded
from hiermix.stan.chart import Chart


def alone(rows_a_level: int = 2, levels: int = 14, sigma: float = 0.4) -> pd.DataFrame:
    """Levels of a row or a few, one of them of one more, inside six others."""
    rng = np.random.default_rng(6)
    g = np.append(np.repeat(np.arange(levels), rows_a_level), 0)
    x = rng.normal(size=len(g))
    y = 1 + 0.3 * x + 0.6 * rng.normal(size=levels)[g] + sigma * rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": g, "s": g % 6})


def test_those_of_gaussian_rows_go_with_the_inverse_square_of_sigma() -> None:
    data = hm.Model("y ~ x + (1 | g)", alone(), effects="sampled").stan_data()
    np.testing.assert_allclose(data["weight_by_own"], [[-2.0]], rtol=1e-3)
    # Nothing else moves with sigma: Z'w e grows as Z'w Z does. (The quick fit ends within 1 %.)
    assert np.abs(data["along_own"]).max() < 0.02 * np.abs(data["ZtWR"][:, 0]).max()


def test_those_of_gamma_rows_go_with_the_shape() -> None:
    rows = alone().assign(y=lambda frame: np.exp(frame["y"]))
    data = hm.Model("y ~ x + (1 | g)", rows, family="gamma").stan_data()
    np.testing.assert_allclose(data["weight_by_own"], [[1.0]], rtol=0.05)


def test_outer_factors_and_parameters_that_are_known_are_not_followed() -> None:
    nested = hm.Model("y ~ x + (1 | s) + (1 | g)", alone(), effects="sampled").stan_data()
    np.testing.assert_allclose(nested["weight_by_own"], [[0.0], [-2.0]], rtol=1e-3)
    many = hm.Model("y ~ x + (1 | g)", alone(rows_a_level=20), effects="sampled").stan_data()
    assert many["own_weighing"] == 0


def test_a_point_has_the_coordinates_that_lead_to_it() -> None:
    model = hm.Model("y ~ x + (1 | s) + (1 + x | g)", alone(), effects="sampled")
    data = model.stan_data()
    assert data["own_weighing"] == 1
    chart = Chart(data)
    q = np.random.default_rng(0).normal(size=chart.size)
    np.testing.assert_allclose(chart.coordinates(chart.point(q)), q, atol=1e-8)


@pytest.mark.parametrize("far", [1e3, -1e3])
def test_own_parameters_of_any_size_have_a_density_or_are_rejected(far: float) -> None:
    model = hm.Model("y ~ x + (1 | g)", alone(), effects="sampled")
    data = model.stan_data()
    point = np.zeros(Chart(data).size)
    point[2] = far  # log sigma
    value, _ = embedded.density(model._posterior.program, data)(point)
    assert not np.isnan(value)


@pytest.mark.slow
def test_a_sigma_that_one_row_a_level_leaves_open_is_sampled() -> None:
    """Without it there were 7 to 30 effective draws of 4,000; with it 116 to 1,190 in four fits."""
    model = hm.Model("y ~ x + (1 | s) + (1 | g)", alone(1, 40), effects="sampled")
    posterior = model.fit(seed=3, progress=False).data.posterior
    assert float(ess(posterior["sigma"].to_numpy())) > 40

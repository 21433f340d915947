"""Units of the response and of predictors change nothing: the same density in the coordinates."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.combinations import thinned

FORMULAS = {
    "no groups": "y ~ x",
    "intercept": "y ~ x + (1 | g)",
    "slope": "y ~ x + (x | g)",
    "apart": "y ~ x + (x || g)",
    "crossed": "y ~ x + (x | g) + (1 | h)",
    "nested": "y ~ x + (1 | h / g)",
}
UNITS = (2.0**-86, 2.0**86)  # 1e-26 and 1e26, which round nothing


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    g, h, x = np.arange(120) % 12, np.arange(120) % 5, rng.normal(size=120)
    y = 2 + 0.5 * x + rng.normal(size=12)[g] + 0.3 * rng.normal(size=12)[g] * x
    y += 0.4 * rng.normal(size=5)[h] + 0.7 * rng.normal(size=120)
    return pd.DataFrame({"y": y, "x": x, "g": g, "h": h})


def densities(data: pd.DataFrame, formula: str, family: str) -> tuple[np.ndarray, np.ndarray]:
    """Log density and gradient at points of the standardised coordinates."""
    model = hm.Model(formula, data, family=family)
    handed = model.stan_data()
    size = int(handed["D"]) + int(handed.get("K", 0))
    points = np.random.default_rng(3).normal(size=(8, size))
    return Embedded().log_density(model._posterior.program, handed, points)


@pytest.mark.parametrize(
    ("name", "family", "column", "unit"),
    thinned(3, FORMULAS, ["gaussian", "student_t"], ["y", "x"], UNITS),
)
def test_density_has_no_units(name: str, family: str, column: str, unit: float) -> None:
    data = frame()
    value, gradient = densities(data, FORMULAS[name], family)
    scaled = data.assign(**{column: data[column] * unit})
    found, slope = densities(scaled, FORMULAS[name], family)
    # Up to a constant, the logarithm of the unit once a row and once a parameter, and up to the
    # hundredth of an sd at which the search for the coordinates ends.
    np.testing.assert_allclose(found - found[0], value - value[0], rtol=0, atol=0.1)
    np.testing.assert_allclose(slope, gradient, rtol=0, atol=0.02 * np.abs(gradient).max())


@pytest.mark.parametrize("effects", ["integrated", "sampled"])
def test_a_prior_of_any_width_is_taken(effects: str) -> None:
    """Sds that a prior holds at zero leave least squares; 300 effective draws and 0.4 errors."""
    data = frame()
    priors = {"sd": "normal(0, 1e-9)"}
    model = hm.Model("y ~ x + (x | g)", data, priors=priors, effects=effects)
    posterior = model.fit(seed=1, chains=2, draws=300).data.posterior
    X = np.column_stack([np.ones(len(data)), data["x"]])
    b, rss, *_ = np.linalg.lstsq(X, data["y"])
    error = np.sqrt(rss[0] / (len(data) - 2) * np.linalg.inv(X.T @ X)[1, 1])
    assert float(posterior["sd_g"].max()) < 1e-7
    assert abs(float(posterior["b"].mean()) - b[1]) < 0.4 * error
    assert float(posterior["b"].std()) == pytest.approx(error, rel=0.2)

"""Units of the response and of predictors change nothing: the same density in the coordinates."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.engines.embedded import Embedded

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


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("column", ["y", "x"])
@pytest.mark.parametrize("family", ["gaussian", "student_t"])
@pytest.mark.parametrize("name", FORMULAS)
def test_density_has_no_units(name: str, family: str, column: str, unit: float) -> None:
    data = frame()
    value, gradient = densities(data, FORMULAS[name], family)
    scaled = data.assign(**{column: data[column] * unit})
    found, slope = densities(scaled, FORMULAS[name], family)
    # Up to a constant, the logarithm of the unit once a row and once a parameter, and up to the
    # hundredth of an sd at which the search for the coordinates ends.
    np.testing.assert_allclose(found - found[0], value - value[0], rtol=0, atol=0.1)
    np.testing.assert_allclose(slope, gradient, rtol=0, atol=0.02 * np.abs(gradient).max())

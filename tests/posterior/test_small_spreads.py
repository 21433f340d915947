"""Sds that may be zero: the density near zero, and the spread where the rows are."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from hiermix.formula.equations import EquationText
from hiermix.posterior import small_spreads

LEVELS = (np.arange(4000) + 0.5) / 4000


@pytest.mark.parametrize(
    ("law", "rises"),
    [
        (stats.halfnorm(scale=3), True),
        (stats.expon(scale=0.1), True),
        (stats.halfcauchy(), True),
        (stats.gamma(4), False),
        (stats.norm(5, 1), False),
        (stats.lognorm(0.3), False),
    ],
)
def test_the_density_rises_towards_zero_or_not(law: stats.rv_continuous, rises: bool) -> None:
    assert small_spreads.at_zero(law.ppf(LEVELS)) is rises


def test_effects_of_an_equation_go_with_its_intercept() -> None:
    equations = [EquationText(name, "", ()) for name in ("mu", "sigma")]
    origins = {"x": 3.0, "z": 0.0, "sigma_x": 2.0, "sigmoid": 1.0}
    assert small_spreads._moved(origins, equations) == [
        {"Intercept": 1.0, "x": 3.0, "sigmoid": 1.0},
        {"sigma_Intercept": 1.0, "sigma_x": 2.0},
    ]


def test_the_spread_of_intercepts_is_that_where_the_rows_are() -> None:
    """A line whose levels differ at x = 0 alone by what slopes make of the way to x = 10."""
    rng = np.random.default_rng(1)
    slope, at_mean = 0.5 + rng.random((2, 300)), np.abs(rng.normal(size=(2, 300)))
    intercept = np.sqrt(at_mean**2 + (10 * slope) ** 2)  # independent at x = 10
    cor = -10 * slope / intercept
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({
        "sd_g": (("chain", "draw", "g_effect"), np.stack([intercept, slope], axis=-1)),
        "cor_g": (("chain", "draw", "g_pair"), cor[..., None]),
    }, coords={"g_effect": ["Intercept", "x"], "g_pair": ["Intercept, x"]})})  # fmt: skip
    tree.attrs |= {"formula": "y ~ x + (x | g)", "origins": '{"g": [0.0, 10.0]}'}
    found = small_spreads._at_mean(
        {"Intercept": 1.0, "x": 10.0}, tree, "g", tree["posterior"].dataset["sd_g"]
    )
    np.testing.assert_allclose(found.sel(g_effect="Intercept"), at_mean, atol=1e-6)
    np.testing.assert_array_equal(found.sel(g_effect="x"), slope)
    (said,) = small_spreads.sentences(tree, ["g"])
    most = np.quantile(at_mean, 0.95)
    assert said == (
        f"sd of Intercept by g at the mean of the bar's columns may be zero; up to {most:.2g} "
        "(95 %): the data don't tell whether this intercept varies."
    )

"""Lognormal responses are Gaussian on the log scale: the same draws, and answers in units.

Two fits share their draws: one of the logarithms, whose answers are tested elsewhere, and one of
the responses. Densities of these are those of logarithms less the logarithm, draws are exponentials
and means those of a lognormal, by quadrature where something is known of a row.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import hiermix as hm
from hiermix.errors import DataError, HiermixWarning

SETTINGS = {"seed": 1, "chains": 2, "warmup": 200, "draws": 100, "progress": False}


def both(formula: str, rows: pd.DataFrame) -> tuple[hm.Fit, hm.Fit]:
    """Return a fit of the logarithm and one of the response, of the same draws."""
    logs = hm.Model(formula, rows).fit(**SETTINGS)
    model = hm.Model(formula, rows.assign(y=np.exp(rows["y"])), family="lognormal")
    assert model.program_name == logs.data.attrs["program"]
    tree = xr.DataTree.from_dict({"posterior": logs.data["posterior"].to_dataset()})
    tree.attrs["seed"] = logs.data.attrs["seed"]
    return logs, hm.Fit(model, tree)


@pytest.fixture(scope="module")
def crossed() -> tuple[hm.Fit, hm.Fit, pd.DataFrame]:
    rng = np.random.default_rng(3)
    g, h = np.arange(90) % 9, rng.integers(0, 5, 90)
    rows = pd.DataFrame({"x": rng.normal(size=90), "g": [f"g{k}" for k in g], "h": h})
    rows["y"] = 1 + 0.4 * rows["x"] + rng.normal(size=9)[g] + rng.normal(0, 0.5, 90)
    return *both("y ~ x + (1 | g) + (1 | h)", rows), rows


@pytest.fixture(scope="module")
def series() -> tuple[hm.Fit, hm.Fit, pd.DataFrame]:
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"s": np.repeat([f"u{k}" for k in range(12)], 8),
                         "t": np.tile(np.arange(8), 12)})  # fmt: skip
    level = np.repeat(rng.normal(size=12), 8)
    e = rng.multivariate_normal(np.zeros(8), 0.6 ** abs(np.subtract.outer(*2 * [np.arange(8)])), 12)
    rows["y"] = 0.5 + level + 0.7 * e.ravel()
    return *both("y ~ 1 + (1 | s) + ar(t, by=s)", rows), rows


@pytest.mark.parametrize("which", ["crossed", "series"])
def test_densities_are_those_of_logarithms_less_the_logarithm(
    which: str, request: pytest.FixtureRequest
) -> None:
    logs, fit, rows = request.getfixturevalue(which)
    found, beside = fit.log_likelihood(), logs.log_likelihood()
    np.testing.assert_allclose(
        found.to_numpy(), beside.to_numpy() - rows["y"].to_numpy(), rtol=1e-9, atol=1e-9
    )
    by = "g" if which == "crossed" else "s"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HiermixWarning)  # few draws, of few groups
        one, two = fit.loo(by=by), logs.loo(by=by)
    sums = rows["y"].groupby(rows[by], sort=False).sum()
    np.testing.assert_allclose(one.elpd_i, two.elpd_i - sums.to_numpy(), rtol=1e-8)


def test_draws_are_exponentials_of_those_of_logarithms(
    crossed: tuple[hm.Fit, hm.Fit, pd.DataFrame], series: tuple[hm.Fit, hm.Fit, pd.DataFrame]
) -> None:
    for logs, fit, rows in (crossed, series):
        new = rows.iloc[:6].drop(columns="y")
        found = fit.predict(new, kind="response").to_numpy()
        expected = np.exp(logs.predict(new, kind="response").to_numpy())
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_forecasts_carry_the_residual_of_the_logarithm_on(
    series: tuple[hm.Fit, hm.Fit, pd.DataFrame],
) -> None:
    logs, fit, _ = series
    later = pd.DataFrame({"s": "u3", "t": [8, 10]})
    one, two = (each.forecast(later).data["predictions"] for each in (logs, fit))
    np.testing.assert_allclose(two["y"], np.exp(one["y"]), rtol=1e-10)
    own, ahead = fit.data["posterior"], xr.DataArray([1, 3], dims="row")
    variance = own["sigma"] ** 2 * (1 - own["rho"] ** (2 * ahead))
    # Of a lognormal whose log has what is left of the variance after so many steps.
    mean = np.exp(one["mean"] + variance / 2)
    np.testing.assert_allclose(two["mean"], mean.transpose(*two["mean"].dims), rtol=1e-10)


def test_new_groups_learn_from_logarithms(crossed: tuple[hm.Fit, hm.Fit, pd.DataFrame]) -> None:
    logs, fit, _ = crossed
    new = pd.DataFrame({"x": [0.0, 1.0], "g": "new", "h": 1, "y": [2.0, 2.5]})
    one = logs.predict(new, kind="linear", new_groups="update")
    units = new.assign(y=np.exp(new["y"]))
    two = fit.predict(units, kind="linear", new_groups="update")
    np.testing.assert_allclose(two, one, rtol=1e-9)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (1 | g) + (1 | h)"])
def test_sums_are_those_of_logarithms(
    formula: str, crossed: tuple[hm.Fit, hm.Fit, pd.DataFrame], tmp_path: Path
) -> None:
    rows = crossed[2]
    logs = hm.statistics(formula, rows)
    units = rows.assign(y=np.exp(rows["y"]))
    sums = hm.statistics(formula, units, "lognormal")
    sums.save(tmp_path / "sums.nc")
    found = type(sums).load(tmp_path / "sums.nc")
    one, two = hm.Model.from_statistics(logs), hm.Model.from_statistics(found)
    assert two.family.name == "lognormal"
    assert one.program_name == two.program_name
    whole = hm.Model(formula, units, family="lognormal")
    prior, expected = two.priors["Intercept"].arguments, whole.priors["Intercept"].arguments
    assert prior == pytest.approx(expected, rel=1e-6)
    same, theirs = one.stan_data(), two.stan_data()
    for name in ("center", "b_prior", "sigma_prior"):
        if name in same:
            np.testing.assert_allclose(theirs[name], same[name], rtol=1e-5, atol=1e-6)
    with pytest.raises(DataError, match="of families 'gaussian' and 'lognormal' can't be added"):
        logs + found


BAD = [
    ("y | se(x) ~ 1 + (1 | g)", DataError, "family 'lognormal' takes no standard errors"),
    ("y | cens(c) ~ 1 + ar(t, by=g)", DataError, "residuals of censored or truncated responses"),
    ("z ~ x + (1 | g)", DataError, "'z'"),
]


@pytest.mark.parametrize(("formula", "error", "words"), BAD)
def test_bad_input(formula: str, error: type[Exception], words: str) -> None:
    rows = pd.DataFrame({
        "y": [1.0, 2, 3, 5, 4, 2], "x": [0.5, 1, 2, 1, 0.5, 3], "g": list("aabbcc"),
        "z": [1.0, -2, 3, 5, 4, 2], "c": [0, 1, 0, 0, 0, 0], "t": [0, 1, 0, 1, 0, 1],
    })  # fmt: skip
    with pytest.raises(error, match=words):
        hm.Model(formula, rows, family="lognormal")

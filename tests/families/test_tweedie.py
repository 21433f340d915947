"""Tweedie responses: sums of a Poisson number of gamma amounts, whatever way they are added up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.errors import DataError, FormulaError
from hiermix.families.table import find
from hiermix.stan.chart import Chart


def density(y: float, mu: float, phi: float, power: float) -> float:
    """Of each number of amounts, by scipy, and of all of them together."""
    rate = mu ** (2 - power) / phi / (2 - power)
    if y == 0:
        return -rate
    likeliest = y ** (2 - power) / phi / (2 - power)
    width = 15 * np.sqrt(likeliest) + 80
    number = np.arange(max(1, int(likeliest - width)), int(likeliest + width))
    alpha, scale = (2 - power) / (power - 1), phi * (power - 1) * mu ** (power - 1)
    each = stats.poisson(rate).logpmf(number) + stats.gamma(number * alpha, scale=scale).logpdf(y)
    return float(special.logsumexp(each))


@pytest.mark.parametrize("size", [1.0, 0.02, 5e-4])
def test_the_density_is_the_sum_over_numbers_of_amounts(size: float) -> None:
    """At 200 points; up to 500,000 amounts where phi is small, whose terms lose digits in scipy."""
    rng = np.random.default_rng(1)
    power = rng.uniform(1.01, 1.99, 200)
    mu, phi = np.exp(rng.normal(0, 1, 200)), size * np.exp(rng.normal(0, 1, 200))
    y = mu * np.exp(np.sqrt(np.minimum(size, 1)) * rng.normal(size=200)) * (rng.random(200) > 0.1)
    found = find("tweedie").log_density(y, np.log(mu), {"phi": phi, "power": power})
    expected = np.array([density(*each) for each in zip(y, mu, phi, power, strict=True)])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 if size > 0.01 else 2e-9)


def test_densities_are_numbers_where_there_are_more_amounts_than_can_be_counted() -> None:
    """A power of two is a gamma, and next to it the Tweedie of many amounts nearly one."""
    phi = np.array([1e-12, 1e-6, 1e-3])
    found = find("tweedie").log_density(
        np.full(3, 1.3), np.full(3, np.log(1.3)), {"phi": phi, "power": np.full(3, 1.5)}
    )
    normal = stats.norm(0, np.sqrt(phi * 1.3**1.5)).logpdf(0)
    np.testing.assert_allclose(found, normal, atol=1e-3)


def frame(rows: int = 96) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    shop = np.arange(rows) % 8
    x = rng.normal(size=rows)
    eta = 0.4 + 0.4 * x + 0.4 * rng.normal(size=8)[shop]
    number = rng.poisson(np.exp(0.5 * eta) / 0.6)
    claims = [
        rng.gamma(1, 0.6 * np.exp(0.5 * at), n).sum() for at, n in zip(eta, number, strict=True)
    ]
    return pd.DataFrame({"paid": claims, "x": x, "shop": shop, "year": np.arange(rows) // 8})


@pytest.mark.parametrize("least", [-1.0, -4.0, -7.0])
def test_the_program_adds_up_the_same(least: float) -> None:
    """Where phi is so small that most rows have many amounts; rows without weight have none."""
    model = hm.Model("paid ~ x", frame(), family="tweedie")
    data, program = model.stan_data(), model._posterior.program
    chart, rng = Chart(data), np.random.default_rng(6)
    points = [chart.point(0.3 * rng.normal(size=chart.size)) for _ in range(6)]
    points = [replace(each, own=each.own + np.array([least, 0])) for each in points]
    at = np.array([chart.coordinates(each) for each in points])
    found, slopes = Embedded().log_density(program, data, at)
    without, slopes_without = Embedded().log_density(
        program, data | {"weight": np.zeros_like(data["weight"])}, at
    )
    rows, (phi, power) = frame(), model.family.own

    def likelihood(raw: np.ndarray) -> float:
        point = chart.point(raw)
        mu = np.exp(point.b[0] + point.b[1] * (rows["x"] - rows["x"].mean()))
        values = phi.value(point.own[0], model.design), power.value(point.own[1], model.design)
        return sum(
            density(y, m, *map(float, values)) for y, m in zip(rows["paid"], mu, strict=True)
        )

    expected = [likelihood(each) for each in at]
    np.testing.assert_allclose(found - without, expected, rtol=1e-10)
    steps = 1e-5 * np.eye(chart.size)
    by_differences = [(likelihood(at[0] + e) - likelihood(at[0] - e)) / 2e-5 for e in steps]
    size = np.abs(by_differences).max()
    np.testing.assert_allclose((slopes - slopes_without)[0], by_differences, atol=1e-6 * size)


def test_its_power_has_no_equation_and_it_takes_no_limits() -> None:
    with pytest.raises(FormulaError, match=r"no parameter 'power' .* may have one: phi"):
        hm.Model(["paid ~ x", "power ~ x"], frame(), family="tweedie")
    rows = frame().assign(c=0)
    for term, what in (("cens(c)", "censoring"), ("trunc(ub=99)", "truncation")):
        with pytest.raises(DataError, match=f"family 'tweedie' takes no {what}"):
            hm.Model(f"paid | {term} ~ x", rows, family="tweedie")


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    model = hm.Model(["paid ~ x + (1 | shop)", "phi ~ 1"], frame(), family="tweedie")
    return model.fit(seed=1, chains=2, warmup=250, draws=250, progress=False)


def test_what_was_simulated_is_found(fit: hm.Fit) -> None:
    for name, value in {"b[x]": 0.4, "Intercept_phi": np.log(1.2), "power": 1.5}.items():
        draws = fit[name]
        assert abs(float(draws.mean()) - value) < 4 * float(draws.std())


def test_predictions_are_those_of_the_law(fit: hm.Fit) -> None:
    mu, y = fit.predict(kind="mean"), fit.predict(kind="response")
    assert np.allclose(mu, np.exp(fit.predict(kind="linear")))
    phi = np.exp(fit["Intercept_phi"].to_numpy())[..., None]
    power = fit["power"].to_numpy()[..., None]
    none = np.exp(-(mu.to_numpy() ** (2 - power)) / phi / (2 - power))
    error = np.sqrt(np.mean(none * (1 - none)) / none.size)
    assert abs(float((y == 0).mean()) - none.mean()) < 5 * error
    square = ((y - mu) ** 2 / (phi * mu**power)).to_numpy()
    assert abs(square.mean() - 1) < 5 * square.std() / np.sqrt(square.size)
    expected = [density(each, *values) for each, *values in zip(
        frame()["paid"][:4], mu.to_numpy()[0, 0], np.repeat(phi[0, 0], 4),
        np.repeat(power[0, 0], 4), strict=False)]  # fmt: skip
    assert np.allclose(fit.log_likelihood().to_numpy()[0, 0, :4], expected)


DOORS: dict[str, Callable[[hm.Fit], Any]] = {
    "loo": lambda fit: fit.loo(),
    "loo by group": lambda fit: fit.loo(by="shop"),
    "summary": lambda fit: fit.summary(),
    "repr": repr,
    "hypothesis": lambda fit: fit.hypothesis("power > 1.2"),
    "variance": lambda fit: fit.variance_table(),
    "comparisons": lambda fit: fit.comparisons(variables="x").table(),
    "population": lambda fit: fit.predictions(over="population").table(),
    "update": lambda fit: fit.predict(
        pd.DataFrame({"x": [0.0, 1.0], "shop": "new", "paid": [0.0, 5.0]}), new_groups="update"
    ),
    "forecast": lambda fit: fit.forecast(
        pd.DataFrame({"x": 0.0, "shop": range(8), "year": 99}), time="year"
    ).table(),
    "check": lambda fit: fit.check(["pit", "priors"]),
    "plot_check": lambda fit: fit.plot_check(),
    "plot_residuals": lambda fit: fit.plot_residuals(),
    "plot_shrinkage": lambda fit: fit.plot_shrinkage("shop"),
    "log_prior": lambda fit: fit.log_prior(),
}
LONG = ("check", "loo by group")
"""Those that take ten seconds."""


@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
@pytest.mark.parametrize(
    "door", [pytest.param(each, marks=pytest.mark.slow if each in LONG else ()) for each in DOORS]
)
def test_every_door_serves_it(fit: hm.Fit, door: str) -> None:
    assert DOORS[door](fit) is not None


def test_it_is_saved(fit: hm.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "claims.nc")
    loaded = hm.load(tmp_path / "claims.nc")
    new = {"x": 1.0, "shop": 3}
    assert np.array_equal(fit.predict(new, kind="response"), loaded.predict(new, kind="response"))

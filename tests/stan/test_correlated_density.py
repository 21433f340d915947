"""Residuals that go together, with sds by an equation of sigma: against dense rows."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.stan.test_gaussian_density import correlation, lkj_log_density
from tests.stan.test_patterned_density import (
    FEW,
    MANY,
    Case,
    Curves,
    Parts,
    check,
    equation_of_sigma,
    frame,
    steps_apart,
)

pytestmark = pytest.mark.usefixtures("unclimbed")

type Correlated = Callable[[Parts], tuple[np.ndarray, float]]
"""Correlations of the rows, and what the priors of its own parameters add."""


def in_time(parts: Parts) -> tuple[np.ndarray, float]:
    apart, series, least = steps_apart(parts.model)
    odds = 1 / (1 + np.exp(-parts.own[0]))
    rho = least + (1 - least) * odds
    lp = np.log(1 - least) + np.log(odds) + np.log1p(-odds)
    lp += stats.truncnorm((least - 0.1) / 0.4, 0.9 / 0.4, 0.1, 0.4).logpdf(rho)
    R = np.sign(rho) ** np.round(apart) * np.abs(rho) ** apart
    return R * (series[:, None] == series), float(lp)


def at_positions(parts: Parts) -> tuple[np.ndarray, float]:
    rows = parts.model.design.frame
    position, labels = pd.factorize(rows["visit"], sort=True)
    unit = pd.factorize(rows["id"])[0]
    L, jacobian = correlation(parts.own, len(labels))
    R = (L @ L.T)[position[:, None], position] * (unit[:, None] == unit)
    return R, float(jacobian + lkj_log_density(L, 1.3))


def covariance_of(correlated: Correlated) -> Correlated:
    def covariance(parts: Parts) -> tuple[np.ndarray, float]:
        D, of_equation = equation_of_sigma(parts)
        R, of_own = correlated(parts)
        sd = np.sqrt(np.diag(D))
        return sd[:, None] * R * sd, of_equation + of_own

    return covariance


def of_series(*formulas: str, curves: Curves = ()) -> Case:
    priors = {"rho": "normal(0.1, 0.4)"}
    return _case(formulas, in_time, "autoregressive", priors, 1, curves)


def of_units(*formulas: str, curves: Curves = ()) -> Case:
    priors = {"cor_residual": "lkj(1.3)"}
    return _case(formulas, at_positions, "unstructured", priors, 6, curves)


def _case(
    formulas: tuple[str, ...], law: Correlated, program: str, priors: dict[str, str], own: int,
    curves: Curves,
) -> Case:  # fmt: skip
    if "~ 0 + offset" not in formulas[1]:
        priors["b_sigma"] = "normal(0, 1)"
    if "~ 0 +" not in formulas[1]:
        priors["Intercept_sigma"] = "normal(0, 1)"
    return Case(list(formulas), covariance_of(law), program, priors=priors, own=own, curves=curves)


CASES = {
    "even steps": of_series("y ~ x + (1 | g) + ar(order, by=g)", "sigma ~ arm"),
    "gaps and slopes": of_series("y ~ x + ar(steps, by=g) + (x | g)", "sigma ~ arm + offset(k)"),
    "uneven steps": of_series("y ~ x + ar(late, by=g) + (x + w || g)", "sigma ~ 0 + arm:sex"),
    "series of a stratum": of_series("y ~ x + ar(steps, by=g) + (x | site)", "sigma ~ site"),
    "a number": of_series("y ~ x + ar(order, by=g)", "sigma ~ w"),
    "an offset alone": of_series("y ~ x + ar(order, by=g)", "sigma ~ 0 + offset(k)"),
    "smooths and slopes": of_series(
        "y ~ w + s(x, k=5) + (x | g) + ar(steps, by=g)", "sigma ~ arm", curves=(("x", 5),)
    ),
    "positions": of_units("y ~ x + unstr(visit, by=id)", "sigma ~ 0 + visit"),
    "positions by arm": of_units("y ~ x + (1 | g) + unstr(visit, by=id)", "sigma ~ visit + arm"),
    "positions and slopes": of_units(
        "y ~ x + unstr(visit, by=id) + (x | g) + (0 + w | g)", "sigma ~ visit * sex"
    ),
    "a smooth of positions": of_units(
        "y ~ w + s(x, k=6) + unstr(visit, by=id) + (1 | g)", "sigma ~ site", curves=(("x", 6),)
    ),
}


@pytest.mark.parametrize("name", ["even steps", "gaps and slopes", "positions by arm"])
def test_log_density_equals_that_of_dense_rows(name: str) -> None:
    check(CASES[name], frame(), FEW)


@pytest.mark.slow
def test_log_density_is_the_same_far_apart() -> None:
    rows = frame()
    level = pd.factorize(rows["g"])[0]
    far = rows.assign(y=rows["y"] + 1e3 * level + 30 * level * rows["x"])
    check(CASES["gaps and slopes"], far, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_log_density_equals_that_of_dense_rows_at_many_points(name: str) -> None:
    check(CASES[name], frame(), MANY)

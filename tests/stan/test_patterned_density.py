"""Programs of patterned residuals are the model: their log density against that of dense rows.

The reference builds the N x N covariance of the response; the priors are scipy's distributions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.design.curve_factors import as_factors
from hiermix.engines.embedded import Embedded
from tests.design.test_curves import kernel
from tests.stan.test_gaussian_density import (
    compare_gradient,
    correlation,
    lkj_log_density,
    population,
)

pytestmark = pytest.mark.usefixtures("unclimbed")

FEW, MANY = 20, 200
"""Points, in the quick suite and in the slow one."""
PRIORS = {"Intercept": "normal(1, 3)", "b": "normal(0.2, 2)"}
OF_EFFECTS = {"sd": "normal(0.3, 1)"}

type Theta = np.ndarray
type Curves = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Parts:
    """What a case's covariance of residuals is made of."""

    model: hm.Model
    b_sigma: Theta
    own: Theta


@dataclass(frozen=True)
class Case:
    formulas: list[str]
    covariance: Callable[[Parts], tuple[np.ndarray, float]]
    """Of the residuals; and what the priors of its own parameters add to the log density."""
    program: str = "strata"
    keywords: dict[str, object] = field(default_factory=dict)
    priors: dict[str, str] = field(default_factory=dict)
    own: int = 0
    """Coordinates of own parameters."""
    curves: Curves = ()
    """Columns of smooths, and their k."""


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    rows = 60
    g, arm, sex = (rng.integers(0, n, rows) for n in (9, 3, 2))
    x, w = rng.normal(3, 2, rows), rng.normal(size=rows)
    y = 1 + 0.5 * x + rng.normal(size=9)[g] + np.array([0.5, 1, 2])[arm] * rng.normal(size=rows)
    names = rng.permutation([f"n{i}" for i in range(rows)])
    order = pd.Series(g).groupby(g).cumcount().to_numpy()  # a place for each row of a level
    steps = pd.Series(rng.integers(1, 4, rows)).groupby(g).cumsum().to_numpy()
    return pd.DataFrame({
        "order": order, "steps": steps, "late": order + rng.uniform(0, 0.9, rows),
        "id": [f"{a}{b}" for a, b in zip(g, order // 4, strict=True)], "visit": names[order % 4],
        "y": y, "x": x, "w": w, "g": names[g], "arm": names[arm], "sex": names[sex],
        "site": names[g % 4], "h": rng.uniform(0.5, 2, rows), "k": rng.normal(size=rows),
    })  # fmt: skip


def equation_of_sigma(parts: Parts) -> tuple[np.ndarray, float]:
    design = parts.model.design
    weights = np.ones(design.rows) if design.weights is None else design.weights
    equation = design.equation("sigma")
    X = design.X(equation="sigma")
    if "Intercept" in equation.terms:
        X[:, 1:] -= np.average(X[:, 1:], axis=0, weights=weights)
    sigma = np.exp(X @ parts.b_sigma + equation.known(design.rows))
    lp = float(np.sum(stats.norm(0, 1).logpdf(parts.b_sigma)))
    # A weight multiplies a row's log density: it counts as that many rows.
    lp -= 0.5 * float(np.sum(np.log(weights) + (weights - 1) * np.log(2 * np.pi * sigma**2)))
    return np.diag(sigma**2 / weights), lp


def of_sigma(*formulas: str, curves: Curves = (), **keywords: object) -> Case:
    priors = {"b_sigma": "normal(0, 1)"} if "~ 0 + offset" not in formulas[1] else {}
    if "~ 0 +" not in formulas[1]:
        priors["Intercept_sigma"] = "normal(0, 1)"
    return Case(list(formulas), equation_of_sigma, keywords=keywords, priors=priors, curves=curves)


def steps_apart(model: hm.Model) -> tuple[np.ndarray, np.ndarray, float]:
    """Return how many steps rows are apart, the series of each, and the least rho."""
    rows, term = model.design.frame, model.design.formula.specials[-1]
    least = -1.0 if term.place != "late" else 0.0
    time = rows[term.place].to_numpy(dtype=float)
    apart = np.abs(time[:, None] - time)
    if term.place == "late":
        gaps = rows.sort_values("late").groupby("g")["late"].diff().dropna()
        apart = apart / np.median(gaps)
    series = np.zeros(len(rows)) if term.by is None else pd.factorize(rows[term.by])[0]
    return apart, series, least


def autoregression(parts: Parts) -> tuple[np.ndarray, float]:
    apart, series, least = steps_apart(parts.model)
    sigma, odds = np.exp(parts.own[0]), 1 / (1 + np.exp(-parts.own[1]))
    rho = least + (1 - least) * odds
    log_slope = np.log(1 - least) + np.log(odds) + np.log1p(-odds)
    R = np.sign(rho) ** np.round(apart) * np.abs(rho) ** apart
    prior = stats.truncnorm((least - 0.1) / 0.4, 0.9 / 0.4, 0.1, 0.4)
    lp = prior.logpdf(rho) + log_slope + stats.gamma(2, scale=1 / 1.5).logpdf(sigma)
    return sigma**2 * R * (series[:, None] == series), float(lp + parts.own[0])


def unstructured(parts: Parts) -> tuple[np.ndarray, float]:
    rows = parts.model.design.frame
    position, labels = pd.factorize(rows["visit"], sort=True)
    T = len(labels)
    sd = np.exp(parts.own[:T])
    L, jacobian = correlation(parts.own[T:], T)
    R = np.outer(sd, sd) * (L @ L.T)
    unit = pd.factorize(rows["id"])[0]
    lp = np.sum(stats.gamma(2, scale=1 / 1.5).logpdf(sd) + np.log(sd))
    lp += jacobian + lkj_log_density(L, 1.3)
    covariance = R[position[:, None], position] * (unit[:, None] == unit)
    return covariance, float(lp)


def in_series(formula: str, *curves: tuple[str, int]) -> Case:
    priors = {"sigma": "gamma(2, 1.5)", "rho": "normal(0.1, 0.4)"}
    return Case([formula], autoregression, "autoregressive", priors=priors, own=2, curves=curves)


def of_units(formula: str, *curves: tuple[str, int]) -> Case:
    priors = {"sd_residual": "gamma(2, 1.5)", "cor_residual": "lkj(1.3)"}
    return Case([formula], unstructured, "unstructured", priors=priors, own=4 + 6, curves=curves)


CASES = {
    "no groups": of_sigma("y ~ x + w", "sigma ~ arm"),
    "intercepts": of_sigma("y ~ x + w + (1 | g)", "sigma ~ arm"),
    "slopes": of_sigma("y ~ x + (x | g)", "sigma ~ arm + sex"),
    "a cell each": of_sigma("y ~ x + (x + w || g)", "sigma ~ 0 + arm:sex"),
    "two bars": of_sigma("y ~ x + (x | g) + (0 + w | g)", "sigma ~ arm * sex"),
    "between groups": of_sigma("y ~ x + w + (1 | g)", "sigma ~ site"),
    "weights and offsets": of_sigma(
        "y ~ x + offset(k) + (x | g)", "sigma ~ arm + offset(k)", weights="h"
    ),
    "an offset alone": of_sigma("y ~ x + (1 | g)", "sigma ~ 0 + offset(k)"),
    "a number": of_sigma("y ~ x + (1 | g)", "sigma ~ w"),
    "no intercept": of_sigma("y ~ 0 + arm + (1 | g)", "sigma ~ arm"),
    "strata and a smooth": of_sigma(
        "y ~ w + s(x, k=5) + (x | g)", "sigma ~ arm", curves=(("x", 5),)
    ),
    "strata and smooths alone": of_sigma(
        "y ~ s(x, k=5) + s(w, k=4)", "sigma ~ arm", curves=(("x", 5), ("w", 4))
    ),
    "strata, and factors that cross": of_sigma(
        "y ~ x + w + (x | g) + (x || sex) + (1 | arm)", "sigma ~ site", weights="h"
    ),
    "even steps": in_series("y ~ x + w + (1 | g) + ar(order, by=g)"),
    "even steps alone": in_series("y ~ x + ar(order, by=g)"),
    "gaps": in_series("y ~ x + w + ar(steps, by=g) + (x | g)"),
    "uneven steps": in_series("y ~ x + offset(k) + ar(late, by=g) + (x + w || g)"),
    "series inside of levels": in_series("y ~ x + ar(steps, by=g) + (x | site)"),
    "positions": of_units("y ~ x + unstr(visit, by=id)"),
    "positions and intercepts": of_units("y ~ x + w + unstr(visit, by=id) + (1 | g)"),
    "positions and slopes": of_units("y ~ x + unstr(visit, by=id) + (x | g) + (0 + w | g)"),
    "a smooth alone": in_series("y ~ w + s(x, k=5) + ar(order, by=g)", ("x", 5)),
    "smooths and slopes": in_series(
        "y ~ s(x, k=5) + s(w, k=4) + ar(steps, by=g) + (x | g)", ("x", 5), ("w", 4)
    ),
    "a smooth of positions": of_units(
        "y ~ w + s(x, k=6) + unstr(visit, by=id) + (1 | g)", ("x", 6)
    ),
    "sites around": of_units("y ~ x + (1 + w || site) + (1 | id) + unstr(visit, by=id)"),
    "nested, and a smooth": in_series(
        "y ~ w + s(x, k=5) + (1 | site) + (x | g) + ar(late, by=g)", ("x", 5)
    ),
}
"""Sites hold whole series, and levels of g, or of id."""


def dense(case: Case, model: hm.Model, raw: np.ndarray) -> float:
    """Log density of the coordinates, of dense rows."""
    data, design = model.stan_data(), as_factors(model.design)
    theta = data["center"] + data["scale"] @ raw
    blocks = [size for each in design.groupings for size in each.blocks]
    P, P_mu, A, E = int(data["P"]), len(design.terms), case.own, sum(blocks)
    t = (theta - data["center"])[P + A : P + A + E] / data["sd_spread"]
    bend, softplus = data["sd_bend"], np.logaddexp(0, -t)
    sd = np.exp(theta[P + A : P + A + E] - bend * softplus**2 / 2)
    lp = float(np.sum(np.log(1 + bend * softplus / (1 + np.exp(t)) / data["sd_spread"])))
    L, at, k = np.eye(E), 0, 0
    for size in blocks:
        pairs, part = size * (size - 1) // 2, slice(at, at + size)
        if size > 1:
            L[part, part], jacobian = correlation(theta[P + A + E :][k : k + pairs], size)
            lp += jacobian + lkj_log_density(L[part, part], 1.7)
        at, k = at + size, k + pairs
    b, log_width = population(data, raw, sd, L)
    covariance, log_prior = case.covariance(Parts(model, b[P_mu:], theta[P : P + A]))
    weights = np.ones(design.rows) if design.weights is None else design.weights
    X = design.X()
    if "Intercept" in design.terms:
        X[:, 1:] -= np.average(X[:, 1:], axis=0, weights=weights)
    plain = model.design.groupings
    ends = np.cumsum([len(each.effects) for each in plain]).astype(int)
    for each, end in zip(plain, ends, strict=True):
        part = slice(end - len(each.effects), end)
        Lambda = sd[part, None] * L[part, part]
        Z = design.Z(each.name) - model.origins[each.name]
        covariance = covariance + (each.codes[:, None] == each.codes) * (
            Z @ Lambda @ Lambda.T @ Z.T
        )
    for (column, k), one in zip(case.curves, sd[E - len(case.curves) :], strict=True):
        covariance = covariance + one**2 * kernel(design.frame[column].to_numpy(), k)
    y = design.response - (0 if design.offset is None else design.offset)
    lp += log_width + log_prior + stats.multivariate_normal(X @ b[:P_mu], covariance).logpdf(y)
    first = int("Intercept" in design.terms)
    lp += stats.norm(1, 3).logpdf(b[0]) if first else 0.0
    lp += float(np.sum(stats.norm(0.2, 2).logpdf(b[first:P_mu])))
    lp += float(np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sd) + np.log(sd)))
    return float(lp)


def model_of(case: Case, rows: pd.DataFrame) -> hm.Model:
    priors = PRIORS | case.priors
    if "| g" in case.formulas[0] or "| site" in case.formulas[0]:
        priors |= OF_EFFECTS
    if case.curves:
        priors["sd_smooth"] = OF_EFFECTS["sd"]
    if "(x |" in case.formulas[0]:
        priors["cor"] = "lkj(1.7)"
    if "~ 0 +" in case.formulas[0]:
        priors.pop("Intercept")
    return hm.Model(case.formulas, rows, priors=priors, **case.keywords)


def check(case: Case, rows: pd.DataFrame, points: int) -> None:
    model = model_of(case, rows)
    assert model.program_name == case.program
    data = model.stan_data()
    at = np.random.default_rng(5).normal(0, 1.5, (points, int(data["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, data, at)
    expected = np.array([dense(case, model, point) for point in at])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, at[:4], gradient[:4])


@pytest.mark.parametrize("name", CASES)
def test_log_density_equals_that_of_dense_rows(name: str) -> None:
    check(CASES[name], frame(), FEW)


@pytest.mark.parametrize(
    "name",
    ["slopes", "between groups", "gaps", "smooths and slopes",
     pytest.param("positions and slopes", marks=pytest.mark.slow)],
)  # fmt: skip
def test_log_density_is_the_same_far_apart(name: str) -> None:
    rows = frame()
    level = pd.factorize(rows["g"])[0]
    check(CASES[name], rows.assign(y=rows["y"] + 1e3 * level + 30 * level * rows["x"]), FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_log_density_equals_that_of_dense_rows_at_many_points(name: str) -> None:
    check(CASES[name], frame(), MANY)

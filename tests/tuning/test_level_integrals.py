"""Effects of levels with few rows are integrated: moments, coordinates, and what chains make of it.

Right values are those of a fine grid, one level at a time.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from arviz_stats import ess, rhat
from scipy import stats
from scipy.special import expit

import hiermix as hm
from benchmarks import designs
from hiermix.stan import assemble
from hiermix.stan.chart import Chart
from hiermix.tuning.level_integrals import Levels

ALIKE, MIXED, NONE, LARGE = [1, 1, 1], [1, 0], [0], [40_000, 41_000]
"""Responses of a level."""


def levels(family: str, responses: list[list[int]], rest: float) -> Levels:
    data = pd.DataFrame({
        "y": np.concatenate(responses),
        "g": np.repeat(np.arange(len(responses)), [len(each) for each in responses]),
    })  # fmt: skip
    model = hm.Model("y ~ 1 + (1 | g)", data, family=family)
    problem = assemble.problem_of(model.design, model.family, model.priors, np.zeros(1), None)
    N = model.design.rows
    factor = model.design.grouping("g").factor
    return Levels(problem, factor, np.ones(N), np.full(N, rest), np.zeros(0))


def moments(log_likelihood: Callable[[np.ndarray], np.ndarray], sd: float) -> tuple[float, float]:
    """Mean and sd of v ~ normal(0, 1), given rows of log_likelihood(sd v)."""
    low, high = -50.0, 50.0
    for _ in range(6):  # looks closer
        v = np.linspace(low, high, 4001)
        height = log_likelihood(sd * v) - v**2 / 2
        inside = np.flatnonzero(height > height.max() - 40)
        low, high = v[max(inside[0] - 1, 0)], v[min(inside[-1] + 1, 4000)]
    weight = np.exp(height - height.max())
    mean = np.average(v, weights=weight)
    return float(mean), float(np.sqrt(np.average((v - mean) ** 2, weights=weight)))


CASES = [
    ("bernoulli", ALIKE), ("bernoulli", MIXED), ("bernoulli", NONE), ("poisson", NONE),
    ("poisson", [2, 5]), ("poisson", LARGE),
]  # fmt: skip


def density(family: str, response: list[int], rest: float) -> Callable[[np.ndarray], np.ndarray]:
    y = np.array(response)[:, None]

    def log_likelihood(u: np.ndarray) -> np.ndarray:
        if family == "poisson":
            return np.asarray((y * (rest + u) - np.exp(rest + u)).sum(axis=0))
        each = y * stats.logistic.logcdf(rest + u) + (1 - y) * stats.logistic.logsf(rest + u)
        return np.asarray(each.sum(axis=0))

    return log_likelihood


@pytest.mark.parametrize("sd", [0.3, 8.0])
@pytest.mark.parametrize(("family", "response"), CASES)
def test_moments_are_those_of_a_fine_grid(family: str, response: list[int], sd: float) -> None:
    found = levels(family, [response, response], 0.7).integrate(sd)
    mean, spread = moments(density(family, response, 0.7), sd)
    # To a thirtieth of an sd, which is what a tuning needs.
    np.testing.assert_allclose(found.mean, mean, atol=spread / 30)
    np.testing.assert_allclose(np.sqrt(found.variance), spread, rtol=1 / 30)


@pytest.mark.parametrize("sd", [0.3, 8.0])
@pytest.mark.parametrize(("family", "response"), CASES)
def test_coordinates_do_not_move_with_the_sd_and_not_with_a_shift(
    family: str, response: list[int], sd: float
) -> None:
    """Of z = sqrt(A) v - s sd / sqrt(A), A = 1 + sd^2 W: by differences."""
    W, s, shift = (each[0] for each in levels(family, [response] * 2, 0.7).integrate(sd).tuned())

    def z(log_step: float, moved: float) -> tuple[float, float]:
        scale = sd * np.exp(log_step)
        mean, spread = moments(density(family, response, 0.7 + moved), scale)
        root = np.sqrt(1 + scale**2 * W)
        return root * mean - (s - shift * moved) * scale / root, root * spread

    h = 0.02
    up, down = np.array(z(h, 0.0)), np.array(z(-h, 0.0))
    # In sds of z, for a change of the sd by a factor of e: of a tuning to the mode up to one.
    assert (np.abs(up - down) / (2 * h * z(0.0, 0.0)[1]) < 0.1).all()
    along = (z(0.0, h)[0] - z(0.0, -h)[0]) / (2 * h)
    assert abs(along) / z(0.0, 0.0)[1] < 0.1


# Fits --------------------------------------------------------------------------------------------


def answers(family: str, sd: float, seed: int = 1, persons: int = 150) -> pd.DataFrame:
    """One to three answers a person."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(persons), rng.integers(1, 4, persons))
    eta = 0.3 + sd * rng.normal(size=persons)[g]
    match family:
        case "bernoulli":
            y = rng.binomial(1, expit(eta))
        case "binomial":
            y = rng.binomial(5, expit(eta))
        case "poisson":
            y = rng.poisson(np.exp(np.minimum(eta, 12)))
        case _:
            y = 1 + (eta[:, None] + rng.logistic(size=len(g))[:, None] > [-3, 0, 2]).sum(axis=1)
    return pd.DataFrame({"y": y, "g": g, "n": 5})


def formula(family: str) -> str:
    return "y | trials(n) ~ 1 + (1 | g)" if family == "binomial" else "y ~ 1 + (1 | g)"


def log_marginal(yes: np.ndarray, no: np.ndarray, b: float, sd: float) -> float:
    """Log likelihood of answers of persons, their effects integrated over a fine grid."""
    v = np.linspace(-8, 8, 201)
    eta = b + sd * v
    rows = -np.outer(yes, np.logaddexp(0, -eta)) - np.outer(no, np.logaddexp(0, eta))
    weight = stats.norm.pdf(v) * (v[1] - v[0])
    return float(np.log(np.exp(rows) @ weight).sum())


def test_the_quick_fit_finds_the_sd_of_people_who_answer_alike() -> None:
    """Within half a posterior sd of the mode of the log sd, by a grid over it and the intercept."""
    data = answers("bernoulli", 8.0)
    model = hm.Model("y ~ 1 + (1 | g)", data, family="bernoulli")
    prior = {name: model.priors[name].frozen() for name in ("Intercept", "sd[g, Intercept]")}
    b, log_sd = np.linspace(-4, 6, 31), np.linspace(0.8, 3.6, 29)
    yes, no = (data["y"].eq(answer).groupby(data["g"]).sum().to_numpy() for answer in (1, 0))
    height = np.array([[log_marginal(yes, no, at, np.exp(each)) for at in b] for each in log_sd])
    height += prior["Intercept"].logpdf(b)
    height += (prior["sd[g, Intercept]"].logpdf(np.exp(log_sd)) + log_sd)[:, None]
    weight = np.exp(height - height.max()).sum(axis=1)
    mean = np.average(log_sd, weights=weight)
    spread = np.sqrt(np.average((log_sd - mean) ** 2, weights=weight))
    ready = model.assemble(prior_only=False)
    point = Chart(ready.data).point(np.zeros(Chart(ready.data).size))
    assert abs(point.log_sd[0] - log_sd[weight.argmax()]) < 0.5 * spread
    assert ready.data["scale"][1, 1] == pytest.approx(spread, rel=0.3)


@pytest.mark.parametrize("parameterisation", ["centered", "noncentered"])
def test_modes_are_where_the_posterior_is_in_any_coordinates(parameterisation: str) -> None:
    """That of the log sd is 1.9 with an sd of 0.25; Laplace's approximation is off by two."""
    data = answers("bernoulli", 8.0)
    model = hm.Model("y ~ 1 + (1 | g)", data, family="bernoulli", parameterisation=parameterisation)
    ready, modes = model._started
    assert 1.0 < Chart(ready.data).point(modes[0].at).log_sd[0] < 2.5


@pytest.mark.parametrize("family", [
    "bernoulli", *(pytest.param(each, marks=pytest.mark.slow)
                   for each in ("binomial", "poisson", "ordinal")),
])  # fmt: skip
def test_few_answers_a_person_sample_well(family: str) -> None:
    """Of 4,000 draws, 60 to 400 were effective when an effect's mode stood for its mean."""
    model = hm.Model(formula(family), answers(family, 8.0), family=family)
    found = model.fit(seed=1, progress=False).data
    assert min(float(each.min()) for each in ess(found)["/posterior"].data_vars.values()) > 400
    assert max(float(each.max()) for each in rhat(found)["/posterior"].data_vars.values()) < 1.02


def test_rows_that_tell_nothing_of_their_level_do_not_send_others_away() -> None:
    """Zeros that may be no counts: sds of another factor went up to 1e7, and digits were lost."""
    drawn = designs.draw(321)
    data = hm.Model(drawn.formula, drawn.data, family=drawn.family).stan_data()
    P, A = int(data["P"]), int(data["own_count"])
    log_sd = data["center"][P + A : P + A + int(data["S"])]
    assert np.abs(log_sd).max() < 3  # the sds that were simulated lie between 0.1 and 3

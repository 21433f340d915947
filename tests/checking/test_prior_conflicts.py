"""Sensitivities beside ArviZ's own summary, and what priors say of values."""

import arviz_stats
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.checking import prior_conflicts
from hiermix.families.prior import parse_prior
from hiermix.posterior.log_prior import probability_below


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    rng = np.random.default_rng(21)
    g = np.repeat(np.arange(10), 8)
    x = rng.normal(size=80)
    y = 1 + 0.4 * x + 0.5 * rng.normal(size=10)[g] + rng.normal(size=80)
    frame = pd.DataFrame({"g": g, "x": x, "y": y})
    model = hm.Model("y ~ x + (x | g)", frame, priors={"b[x]": "normal(1, 0.2)"})
    return model.fit(seed=3, progress=False)


def test_sensitivities_are_those_that_arviz_finds_in_the_tree(fit: hm.Fit) -> None:
    names = ["Intercept", "b", "sigma", "sd_g", "cor_g"]
    expected = arviz_stats.psense_summary(fit.data, var_names=names, round_to=12)
    found = prior_conflicts.sensitivities(fit.posterior, fit.model, 1)
    assert [each.about for each in found] == list(expected.index)
    for each in found:
        assert each.prior == pytest.approx(expected.loc[each.about, "prior"], rel=1e-6)
        assert each.likelihood == pytest.approx(expected.loc[each.about, "likelihood"], rel=1e-6)


def test_how_far_out_the_data_are_is_told_by_the_default_priors(fit: hm.Fit) -> None:
    free = hm.Model("y ~ x + (x | g)", fit.design.frame).fit(seed=4, progress=False)
    below = stats.norm(1, 0.2).cdf(free["b[x]"].to_numpy()).mean()
    (slope,) = (each for each in prior_conflicts.sensitivities(fit.posterior, fit.model, 1)
                if each.about == "b[x]")  # fmt: skip
    assert slope.far == pytest.approx(2 * min(below, 1 - below), abs=0.03)
    assert slope.said.startswith("prior normal(1, 0.2), the data say ")


@pytest.mark.parametrize(
    ("text", "positive", "exact"),
    [
        ("normal(0, 2)", False, stats.norm(0, 2)),
        ("normal(0, 2)", True, stats.halfnorm(0, 2)),
        ("student_t(3, 1, 2)", True, None),
        ("exponential(0.5)", True, stats.expon(scale=2)),
        ("normal(0, 2, upper=3)", False, stats.truncnorm(-np.inf, 1.5, 0, 2)),
        ("half_normal(2)", False, stats.halfnorm(0, 2)),
        ("lognormal(0.3, 0.5)", True, stats.lognorm(0.5, scale=np.exp(0.3))),
    ],
)
def test_probabilities_below_are_those_of_the_prior_where_it_is_cut(
    text: str, positive: bool, exact: object
) -> None:
    x = np.array([0.01, 0.5, 2.0, 7.0, 40.0])
    if exact is None:
        t = stats.t(3, 1, 2)
        expected = (t.cdf(x) - t.cdf(0)) / t.sf(0)
    else:
        expected = exact.cdf(x)  # type: ignore[attr-defined]
    found = probability_below(parse_prior(text), x, positive=positive)
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_results_and_priors_call_a_parameter_by_two_names() -> None:
    assert prior_conflicts.prior_name("sd_g[Intercept]") == "sd[g, Intercept]"
    assert prior_conflicts.prior_name("sd_a÷b[x]") == "sd[a÷b, x]"
    assert prior_conflicts.prior_name("b[x]") == "b[x]"
    assert prior_conflicts.prior_name("sigma") == "sigma"

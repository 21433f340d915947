"""Families in numpy against scipy, their draws against their means, and the rules of responses."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.design.plan import Given
from hiermix.errors import ArgumentError, DataError
from hiermix.families import table
from tests.stan.test_log_density import CASES, Case, frame

IDS = [f"{case.family}-{case.link}" for case in CASES]
OWN = {
    "sigma": 0.7, "nu": 4.5, "shape": 1.8, "phi": 3.0, "zi": 0.3, "hu": 0.4, "alpha": -2.5,
    "beta": 1.3, "zoi": 0.4, "coi": 0.3, "kappa": 1.6, "ndt": 0.05, "power": 1.6,
    "threshold": np.array([-0.8, 0.3, 1.4]),
}  # fmt: skip


def own_of(case: Case) -> dict[str, Any]:
    return {name: np.asarray(OWN[name]) for name in case.own}


def beside(case: Case, rows: pd.DataFrame) -> dict[str, Any]:
    if table.FAMILIES[case.family].trials and case.family != "bernoulli":
        return {"trials": rows["size"].to_numpy(float)}
    if case.family in ("weibull", "exponential"):
        late = (rows["late"] == "right").to_numpy()
        return {
            "low": np.where(late, rows["y"], np.nan),
            "high": np.where(late, np.inf, np.nan),
        }
    return {}


def test_every_family_and_link_has_a_row_in_the_table_of_log_densities() -> None:
    listed = {(case.family, case.link) for case in CASES}
    # Those of several linear predictors are in test_categorical and test_multinomial.
    listed |= {("categorical", "logit"), ("multinomial", "logit")}
    known = {(row.name, link) for row in table.FAMILIES.values() for link in row.links}
    assert listed == known


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_log_density_equals_scipy_and_broadcasts(case: Case) -> None:
    rows = frame(case.family)
    family = table.find(case.family, case.link)
    eta = np.random.default_rng(1).normal(0, 1.2, (3, len(rows)))
    own = own_of(case) | beside(case, rows)
    found = family.log_density(rows["y"].to_numpy(float), eta, own)
    expected = [case.log_density(rows, each, *own_of(case).values()) for each in eta]
    if case.family == "lognormal":  # the table has the density of log y
        expected = [each - np.log(rows["y"]) for each in expected]
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-10)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_rows_by_draws_broadcast_as_predictions_need(case: Case) -> None:
    family = table.find(case.family, case.link)
    rows = frame(case.family).iloc[:5]
    eta = np.random.default_rng(2).normal(size=(5, 7))
    own = {name: np.broadcast_to(value, (7, *value.shape)) for name, value in own_of(case).items()}
    own |= {name: values[:, None] for name, values in beside(case, rows).items()}
    y = rows["y"].to_numpy(float)[:, None]
    assert family.mean(eta, own).shape == (5, 7)
    assert family.draw(np.random.default_rng(3), eta, own).shape == (5, 7)
    assert family.log_density(y, eta, own).shape == (5, 7)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_draws_have_the_mean_of_the_family(case: Case) -> None:
    family = table.find(case.family, case.link)
    eta = np.array([[-0.6], [0.4], [1.1]])
    own = own_of(case) | ({"trials": np.array(6.0)} if "binomial" in family.name else {})
    if family.name in ("negative_binomial", "bernoulli") or "negative" in family.name:
        own.pop("trials", None)
    draws = family.draw(np.random.default_rng(4), np.repeat(eta, 200_000, axis=1), own)
    mean = family.mean(eta, own)
    away = family.residual(draws, mean)  # of angles by the shorter way
    error = away.std(axis=1) / np.sqrt(draws.shape[1])
    assert np.all(np.abs(away.mean(axis=1)) < 5 * error)


TAKEN = [
    ("hurdle_gamma", [0.0, 2.5], [-1.0, 2.0], "needs numbers from 0 up: column 'y' has -1 (row 0)"),
    ("tweedie", [0.0, 2.5], [-1.0, 2.0], "needs numbers from 0 up"),
    ("hurdle_lognormal", [0.0, 2.5], [1.0, -0.5], "needs numbers from 0 up"),
    ("zero_inflated_beta", [0.0, 0.5], [0.5, 1.0], "needs numbers from 0 up and below 1"),
    ("zero_one_inflated_beta", [0.0, 1.0, 0.5], [0.5, 1.5], "needs numbers from 0 to 1"),
    ("geometric", [0.0, 3.0], [0.5, 1.0], "needs counts 0, 1, 2, ..."),
    ("shifted_lognormal", [0.3, 2.0], [0.0, 1.0], "needs numbers above 0"),
    ("inverse_gaussian", [0.3, 2.0], [-1.0, 1.0], "needs numbers above 0"),
    ("von_mises", [-3.1, np.pi], [3.2, 1.0], "needs angles from -pi to pi, in radians"),
    ("skew_normal", [-3.0, 3.0], [1.0, np.inf], "infinite"),
    ("exgaussian", [-3.0, 3.0], [1.0, -np.inf], "infinite"),
]


@pytest.mark.parametrize(("family", "good", "bad", "message"), TAKEN)
def test_what_a_response_may_be(
    family: str, good: list[float], bad: list[float], message: str
) -> None:
    rule = table.find(family).response_rule()
    np.testing.assert_array_equal(rule.read(Given(pd.Series(good), "y")).numbers, good)
    with pytest.raises(DataError, match=re.escape(message)):
        rule.read(Given(pd.Series(bad), "y"))


DISCRETE = [case for case in CASES if not table.FAMILIES[case.family].continuous]


@pytest.mark.parametrize("case", DISCRETE, ids=lambda case: f"{case.family}-{case.link}")
def test_draws_come_as_often_as_the_log_density_says(case: Case) -> None:
    family = table.find(case.family, case.link)
    own = own_of(case)
    if family.trials and not family.binary:
        own["trials"] = np.array(6.0)
    support = np.arange(1, 5) if family.thresholds else np.arange(2 if family.binary else 7)
    eta = np.array(0.4)
    p = np.exp(family.log_density(support.astype(float), np.full(len(support), eta), own))
    if family.thresholds or family.name in ("bernoulli", "binomial", "beta_binomial"):
        assert p.sum() == pytest.approx(1.0, rel=1e-12)
    n = 200_000
    draws = family.draw(np.random.default_rng(5), np.full(n, eta), own)
    often = np.array([np.mean(draws == each) for each in support])
    assert np.all(np.abs(often - p) < 5 * np.sqrt(p * (1 - p) / n))


def test_ordinal_probabilities_add_up_and_give_the_expected_category() -> None:
    family = table.find("ordinal", "probit")
    eta, own = np.linspace(-2, 2, 5), {"threshold": OWN["threshold"]}
    p = family.probabilities(eta, own)
    assert p.shape == (5, 4)
    np.testing.assert_allclose(p.sum(axis=-1), 1.0)
    np.testing.assert_allclose(p @ np.arange(1, 5), family.mean(eta, own))


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_log_probabilities_are_exact_far_out(link: str) -> None:
    family = table.find("bernoulli", link)
    low = family.log_density(np.array(1.0), np.array(-30.0), {})
    expected = {"logit": -30.0, "cloglog": -30.0, "probit": -454.3212439955}
    assert low == pytest.approx(expected[link], rel=1e-9)


# Responses ---------------------------------------------------------------------------------------


def rows(**columns: Any) -> pd.DataFrame:
    base = {"x": np.arange(8.0), "g": list("aabbccdd")}
    return pd.DataFrame(base | columns)


def model(family: str, y: Any, formula: str = "y ~ x + (1 | g)", **options: Any) -> hm.Model:
    extra = options.pop("columns", {})
    return hm.Model(formula, rows(y=y, **extra), family=family, **options)


def test_negative_count() -> None:
    message = r"family 'poisson' needs counts 0, 1, 2, \.\.\.: column 'y' has -1 \(row 2\)"
    with pytest.raises(DataError, match=message):
        model("poisson", [0, 1, -1, 3, 4, 5, 6, 7])


def test_count_that_is_not_whole() -> None:
    message = r"family 'negative_binomial' needs counts 0, 1, 2, \.\.\.: column 'y' has 2\.5 \(row"
    with pytest.raises(DataError, match=message):
        model("negative_binomial", [0, 1, 2.5, 3, 4, 5, 6, 7])


def test_whole_counts_stored_as_float_are_counts() -> None:
    whole = model("poisson", [0, 1, 2, 3, 4, 5, 6, 7]).stan_data()
    stored = model("poisson", [0.0, 1, 2, 3, 4, 5, 6, 7]).stan_data()
    np.testing.assert_array_equal(whole["y"], stored["y"])


def test_binary_response_with_a_2() -> None:
    message = r"family 'bernoulli' needs 0 or 1: column 'y' has 2 \(row 3\)"
    with pytest.raises(DataError, match=message):
        model("bernoulli", [0, 1, 0, 2, 1, 1, 0, 0])


def test_no_modelled_as_success() -> None:
    y = ["no", "yes", "no", "no", "yes", "yes", "no", "no"]
    with pytest.raises(DataError, match="say which is success: success='yes'"):
        model("bernoulli", y)
    said = model("bernoulli", y, success="yes")
    np.testing.assert_array_equal(said.design.response, [0, 1, 0, 0, 1, 1, 0, 0])
    other = model("bernoulli", y, success="no")
    np.testing.assert_array_equal(other.design.response, [1, 0, 1, 1, 0, 0, 1, 1])


def test_a_success_that_is_no_label() -> None:
    with pytest.raises(ArgumentError, match="success='ja' is no value of column 'y'"):
        model("bernoulli", ["no", "yes"] * 4, success="ja")


def test_truth_values_are_a_binary_response() -> None:
    np.testing.assert_array_equal(model("bernoulli", [True, False] * 4).design.response, [1, 0] * 4)


def test_text_response() -> None:
    for family in ("gaussian", "poisson", "gamma"):
        with pytest.raises(DataError, match="column 'y' holds text"):
            model(family, list("abcdabcd"))


@pytest.mark.parametrize(("family", "value"), [("gamma", 0.0), ("lognormal", -1.0), ("weibull", 0)])
def test_response_that_is_not_positive(family: str, value: float) -> None:
    message = rf"family '{family}' needs numbers above 0: column 'y' has {int(value)} \(row 1\)"
    with pytest.raises(DataError, match=message):
        model(family, [1, value, 2, 3, 4, 5, 6, 7])


def test_shares_at_the_ends() -> None:
    with pytest.raises(DataError, match=r"between 0 and 1, without 0 and 1: column 'y' has 0, 1 "):
        model("beta", [0.0, 1.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def test_successes_above_trials() -> None:
    y, size = [1, 2, 9, 0, 1, 2, 1, 1], [3, 3, 8, 2, 2, 2, 2, 2]
    message = r"successes can't be more than the trials of the row: 'y' has 9 \(row 2\)"
    with pytest.raises(DataError, match=message):
        model("binomial", y, "y | trials(n) ~ x + (1 | g)", columns={"n": size})


@pytest.mark.parametrize("bad", [0, -3, 1.5])
def test_trials_that_are_no_number_of_trials(bad: float) -> None:
    size = [3, bad, 8, 2, 2, 2, 2, 2]
    message = rf"trials must be whole numbers from 1 up: there is {bad:g} \(row 1\)"
    with pytest.raises(DataError, match=message):
        model("binomial", [0, 0, 1, 1, 0, 2, 1, 1], trials="n", columns={"n": size})


def test_binomial_without_trials() -> None:
    with pytest.raises(DataError, match="needs the number of trials"):
        model("binomial", [0, 0, 1, 1, 0, 2, 1, 1])


def test_trials_in_formula_and_keyword_are_the_same() -> None:
    y, columns = [0, 0, 1, 1, 0, 2, 1, 1], {"n": [2, 3, 4, 2, 2, 2, 2, 2]}
    one = model("binomial", y, "y | trials(n) ~ x + (1 | g)", columns=columns)
    two = model("binomial", y, trials="n", columns=columns)
    for name, value in one.stan_data().items():
        np.testing.assert_array_equal(value, two.stan_data()[name])


def test_censoring_in_formula_and_keyword_are_the_same() -> None:
    y, columns = [1, 2, 3, 4, 1, 2, 1, 5], {"late": ["none", "right"] * 4}
    one = model("weibull", y, "y | cens(late) ~ x + (1 | g)", columns=columns).stan_data()
    two = model("weibull", y, censored="late", columns=columns).stan_data()
    np.testing.assert_array_equal(one["weight"], [1, 0] * 4)
    np.testing.assert_array_equal(one["weight"], two["weight"])
    for data in (one, two):
        np.testing.assert_array_equal(data["row_above"], [2, 4, 6, 8])
        np.testing.assert_array_equal(data["end_above"], [2, 4, 2, 5])


def test_censoring_where_it_has_no_meaning() -> None:
    columns = {"late": ["none", "right"] * 4}
    with pytest.raises(DataError, match="family 'bernoulli' takes no censoring"):
        model("bernoulli", [0, 1] * 4, censored="late", columns=columns)


def test_trials_where_they_have_no_meaning() -> None:
    with pytest.raises(DataError, match="family 'poisson' has no trials"):
        model("poisson", np.arange(8), trials=9)


def test_thresholds_need_no_intercept() -> None:
    with pytest.raises(DataError, match="has thresholds in the place of an intercept"):
        model("ordinal", [1, 2, 3, 1, 2, 3, 1, 2], "y ~ 0 + x + (1 | g)")


def test_ordered_categories_keep_their_order() -> None:
    y = pd.Categorical(["low", "high", "mid", "low"] * 2, ["low", "mid", "high"], ordered=True)
    np.testing.assert_array_equal(model("ordinal", y).design.response, [1, 3, 2, 1] * 2)
    with pytest.raises(DataError, match="column 'y' is not ordered"):
        model("ordinal", pd.Categorical(["low", "high"] * 4))
    with pytest.raises(DataError, match="ordered=True"):
        model("ordinal", ["low", "high"] * 4)


@pytest.mark.parametrize(
    ("name", "said"),
    {
        "student": "'student_t'", "t": "'student_t'", "StudentT": "'student_t'",
        "Gamma": "'gamma'", "inverse.gaussian": "'inverse_gaussian'", "wald": "'inverse_gaussian'",
        "negbinomial": "'negative_binomial'", "nbinom2": "'negative_binomial'",
        "negativebinomial": "'negative_binomial'", "zero_inflated_negbinomial":
        "'zero_inflated_negative_binomial'", "hurdle_negativebinomial":
        "'hurdle_negative_binomial'", "Beta": "'beta'", "beta_family": "'beta'",
        "vonmises": "'von_mises'", "cumulative": "'ordinal'", "cumulative(\"probit\")": "'ordinal'",
        "ziGamma": "'hurdle_gamma'", "quasipoisson": "family='negative_binomial'",
        "quasibinomial": "family='beta_binomial'", "nbinom1": "equation", "cox": "'weibull'",
        "mixture": "brms", "dirichlet": "'multinomial'", "com_poisson": "hm.CustomFamily",
        "asym_laplace": "hm.CustomFamily", "wiener": "hm.CustomFamily",
        "ordbeta": "'zero_one_inflated_beta'",
    }.items(),
)  # fmt: skip
def test_families_of_other_tools_are_answered_with_what_to_write(name: str, said: str) -> None:
    with pytest.raises(ArgumentError, match="unknown family") as raised:
        table.find(name)
    answer = str(raised.value).split(" Known: ")[0]
    assert said in answer
    assert "here" in answer


def test_unknown_family_and_link() -> None:
    with pytest.raises(
        ArgumentError, match=r"unknown family 'gausian'\. Did you mean 'gaussian'\?"
    ):
        model("gausian", np.arange(8))
    with pytest.raises(ArgumentError, match=r"unknown link 'probitt'.*Did you mean 'probit'\?"):
        model("bernoulli", [0, 1] * 4, link="probitt")


# Rows that repeat --------------------------------------------------------------------------------


def test_bernoulli_rows_become_binomial_rows() -> None:
    data = pd.DataFrame({"y": [0, 1, 1, 0, 1, 1], "x": [0.0, 0, 0, 1, 1, 1], "g": list("aabaab")})
    again = pd.concat([data] * 3, ignore_index=True)
    found = hm.Model("y ~ x + (1 | g)", again, family="bernoulli").stan_data()
    assert found["N"] == 4
    np.testing.assert_array_equal(found["trials"], [6, 3, 6, 3])
    np.testing.assert_array_equal(found["successes"], [3, 3, 3, 3])


def test_poisson_rows_are_added_up_by_offset() -> None:
    data = pd.DataFrame(
        {"y": [0, 1, 5, 2], "x": [0.0, 1, 0, 1], "o": [1.0, 1, 2, 1], "g": list("abab")}
    )
    again = pd.concat([data] * 2, ignore_index=True)
    found = hm.Model("y ~ x + (1 | g)", again, family="poisson", offset="o").stan_data()
    np.testing.assert_array_equal(found["y"], [0, 6, 10])
    np.testing.assert_array_equal(found["exposure"], [2, 4, 2])
    np.testing.assert_array_equal(found["known"][:, 0], [1, 1, 2])

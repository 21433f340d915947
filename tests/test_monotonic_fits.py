"""Monotonic effects through every door of a fit."""

import re

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SETTINGS = {"seed": 1, "chains": 2, "draws": 400, "warmup": 400, "progress": False}
INCOMES = ["below_20", "20_to_40", "40_to_100", "greater_100"]


def incomes() -> pd.DataFrame:
    """Life satisfaction by income, as the vignette of brms on monotonic effects makes it."""
    rng = np.random.default_rng(1)
    income = rng.integers(0, 4, 100)
    return pd.DataFrame({
        "income": pd.Categorical.from_codes(income, INCOMES, ordered=True),
        "ls": np.array([30, 60, 70, 75])[income] + 7 * rng.normal(size=100),
        "city": np.repeat(np.arange(10), 10),
        "age": rng.integers(20, 60, 100),
    })  # fmt: skip


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("ls ~ mo(income) + age + (1 | city)", incomes()).fit(**SETTINGS)


def test_steps_are_recovered(fit: hm.Fit) -> None:
    posterior = fit.data["posterior"]
    assert posterior["simo_income_step"].to_numpy().tolist() == INCOMES[1:]
    assert posterior["term"].to_numpy().tolist()[1:] == [
        f"mo(income)[{one}]" for one in INCOMES[1:]
    ]
    truth = {"mo_income": 15.0, "simo_income[20_to_40]": 2 / 3, "simo_income[40_to_100]": 2 / 9,
             "simo_income[greater_100]": 1 / 9}  # fmt: skip
    for name, true in truth.items():
        draws = fit[name]
        assert abs(float(draws.mean()) - true) < 4 * float(draws.std())
    np.testing.assert_allclose(posterior["simo_income"].sum("simo_income_step"), 1.0)
    steps = posterior["b"].isel(term=slice(1, None)).to_numpy()
    np.testing.assert_allclose(steps.mean(axis=-1), posterior["mo_income"], rtol=1e-9)
    assert (np.sign(steps) == np.sign(steps[..., :1])).all()


def test_what_is_predicted_are_sums_of_steps(fit: hm.Fit) -> None:
    posterior = fit.data["posterior"]
    rows = pd.DataFrame({"income": INCOMES, "age": 40, "city": 0})
    found = fit.predict(rows, group_effects="none").to_numpy()
    steps = posterior["b"].isel(term=slice(1, None)).to_numpy()
    ways = np.cumsum(np.concatenate([0 * steps[..., :1], steps], axis=-1), axis=-1)
    base = posterior["Intercept"] + 40 * posterior["b"].sel(term="age")
    np.testing.assert_allclose(found, base.to_numpy()[..., None] + ways, rtol=1e-8)


def test_a_factor_crossed_and_another_family() -> None:
    rng = np.random.default_rng(4)
    o = rng.integers(1, 6, 600)
    g = rng.integers(0, 20, 600)
    effect = -2.0 * np.array([0, 0.5, 0.75, 0.9, 1.0])[o - 1]
    eta = 1 + effect + 0.5 * rng.normal(size=20)[g]
    data = pd.DataFrame({"y": rng.poisson(np.exp(eta)), "o": o, "g": g})
    fit = hm.Model("y ~ mo(o) + (1 | g)", data, family="poisson").fit(**SETTINGS)
    assert abs(float(fit["mo_o"].mean()) + 0.5) < 4 * float(fit["mo_o"].std())
    first = fit["simo_o[2]"]
    assert abs(float(first.mean()) - 0.5) < 4 * float(first.std())


@pytest.mark.parametrize("family", ["ordinal", "acat"])
def test_thresholds_in_the_place_of_an_intercept_leave_steps_their_prior(family: str) -> None:
    """Mean steps have the prior that is written, shares are uniform: variances of 1 / 18."""
    rng = np.random.default_rng(7)
    rows = pd.DataFrame({"y": rng.integers(1, 5, 80), "o": rng.integers(0, 4, 80)})
    model = hm.Model("y ~ mo(o)", rows, family=family, priors={"b[mo(o)]": "normal(0, 0.5)"})
    fit = model.fit(prior_only=True, seed=1, chains=2, warmup=300, draws=500, progress=False)
    draws = fit.data["posterior"]
    # Of 300 effective draws and more: six errors.
    assert abs(float(draws["mo_o"].std()) / 0.5 - 1) < 6 / np.sqrt(600)
    shares = draws["simo_o"].to_numpy().reshape(-1, 3)
    assert np.abs(shares.mean(axis=0) - 1 / 3).max() < 6 * np.sqrt(1 / 18 / 300)
    assert np.abs(shares.var(axis=0) * 18 - 1).max() < 0.5


def test_every_question(fit: hm.Fit, tmp_path) -> None:
    data = incomes()
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(data[:3]), fit.predict(data[:3]))
    assert str(again.design.formula) == "ls ~ age + mo(income) + (1 | city)"
    found = fit.comparisons("income", by=True, over="population").table()
    assert found["estimate"].iloc[0] == pytest.approx(float(fit["b[mo(income)[20_to_40]]"].mean()))
    assert fit.hypothesis("mo_income > 0")["probability"].iloc[0] > 0.99
    assert len(fit.plot_effects("income").data) == 4
    assert np.isfinite(fit.loo().elpd)
    assert np.isfinite(fit.kfold(groups="city", folds=2).elpd)
    prior = fit.log_prior()
    scale = fit.model.priors["b[mo(income)]"].scale
    from scipy import stats

    np.testing.assert_allclose(prior["mo_income"], stats.norm(0, scale).logpdf(fit["mo_income"]))
    np.testing.assert_allclose(prior["simo_income"], np.log(2))


def test_without_rows_shares_are_uniform() -> None:
    model = hm.Model("ls ~ mo(income)", incomes(), priors={"b[mo(income)]": "normal(0, 1)"})
    fit = model.fit(**SETTINGS | {"draws": 2000, "prior_only": True})
    shares = fit.data["posterior"]["simo_income"]
    # A share of three is Beta(1, 2): mean 1/3, sd 0.236; 4,000 draws, a fifth of them effective.
    assert np.abs(shares.mean(("chain", "draw")) - 1 / 3).max() < 6 * 0.236 / np.sqrt(800)
    assert float(fit["mo_income"].std()) == pytest.approx(1.0, rel=0.15)


def test_without_rows_shares_have_the_prior_that_is_written() -> None:
    """Dirichlet(4, 1, 1): shares are Beta(4, 2), Beta(1, 5) and Beta(1, 5)."""
    priors = {"b[mo(income)]": "normal(0, 1)", "simo_income": "dirichlet(4, 1, 1)"}
    model = hm.Model("ls ~ mo(income)", incomes(), priors=priors)
    fit = model.fit(**SETTINGS | {"draws": 1000, "prior_only": True})
    shares = fit.data["posterior"]["simo_income"].to_numpy().reshape(-1, 3)
    # 2,000 draws, a fifth of them effective.
    assert np.abs(shares.mean(axis=0) - np.array([4, 1, 1]) / 6).max() < 6 * 0.178 / np.sqrt(400)
    from scipy import stats

    expected = stats.dirichlet((4, 1, 1)).logpdf(shares.T)
    np.testing.assert_allclose(fit.log_prior()["simo_income"].to_numpy().ravel(), expected)


@pytest.fixture(scope="module")
def alike() -> hm.Fit:
    rng = np.random.default_rng(6)
    o, z, g = rng.integers(0, 4, 400), rng.normal(size=400), np.arange(400) % 8
    way = np.array([0, 0.6, 0.9, 1.0])[o]
    slope = 1.5 + rng.normal(0, 0.5, 8)
    y = rng.normal(slope[g] * way - 1.2 * way * z + 0.3 * z, 0.3)
    data = pd.DataFrame({"y": y, "o": o, "z": z, "g": g})
    formula = 'y ~ mo(o, id="a") * z + (mo(o, id="a") | g)'
    return hm.Model(formula, data).fit(**SETTINGS)


def test_effects_of_one_id_share_alike(alike: hm.Fit, tmp_path) -> None:
    posterior = alike.data["posterior"]
    assert [name for name in posterior if str(name).startswith("simo")] == ["simo_o"]
    shares = posterior["simo_o"]
    error = (shares.mean(("chain", "draw")) - [0.6, 0.3, 0.1]) / shares.std(("chain", "draw"))
    assert np.abs(error).max() < 4
    for name in ("mo(o)", "mo(o):z"):
        terms = [term for term in posterior["term"].to_numpy() if term.startswith(f"{name}[")]
        steps = posterior["b"].sel(term=terms).to_numpy()
        whole = steps.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(steps / whole, shares, rtol=1e-8)
    assert abs(float(alike["mo_o:z"].mean()) + 0.4) < 4 * float(alike["mo_o:z"].std())
    alike.save(tmp_path / "fit.nc")
    again, rows = hm.load(tmp_path / "fit.nc"), alike.design.frame[:3]
    assert str(again.design.formula) == str(alike.design.formula)
    assert "mo(o, id='a'):z" in str(again.design.formula)
    np.testing.assert_array_equal(again.predict(rows), alike.predict(rows))
    assert set(alike.log_prior().data_vars) >= {"mo_o", "mo_o:z", "simo_o"}
    assert np.isfinite(alike.loo().elpd)


WRONG_SHARES = [
    ({"simo_income": "dirichlet(1, 2)"}, "it has 3 shares, and a number for each or one for all"),
    ({"simo_income": "dirichlet(1, 2, -1)"}, "its shape is -1 but must be positive and finite"),
    ({"simo": "dirichlet()"}, "dirichlet takes 1 arguments (shape), not 0"),
    ({"simo": "normal(0, 1)"}, "can't be the prior of 'simo[mo(income)]': write dirichlet(1)"),
    ({"b": "dirichlet(1, 1)"}, "dirichlet(1, 1) can't be the prior of 'b[age]'"),
    ({"simo[mo(age)]": "dirichlet(1)"}, "not in the model. Did you mean 'simo[mo(income)]'"),
]


@pytest.mark.parametrize(("priors", "message"), WRONG_SHARES)
def test_what_is_no_prior_of_shares(priors: dict[str, str], message: str) -> None:
    with pytest.raises(hm.PriorError, match=re.escape(message)):
        hm.Model("ls ~ mo(income) + age", incomes(), priors=priors)


WRONG: list[tuple[str, dict[str, object], str]] = [
    ("ls ~ mo(z)", {}, "'z', not a column"),
    ("ls ~ mo(o)", {"o": list("ab") * 50}, "mo(o): 'o' has no order"),
    ("ls ~ mo(o)", {"o": pd.Categorical(list("ab") * 50)}, "the categories of 'o' have no order"),
    ("ls ~ mo(o)", {"o": np.arange(100) / 4}, "numbers that are not whole, such as 0.25"),
    ("ls ~ mo(o)", {"o": 3}, "'o' has 1 level"),
    ("ls ~ mo(o)", {"o": [None] + [1, 2, 3] * 33}, "column 'o' has 1 missing value"),
    ("ls ~ mo(income) + mo(income)", {}, "twice"),
    ("ls ~ mo(income, age)", {}, "mo() has no place for this"),
    ("ls ~ mo(income, id=age)", {}, 'mo(): id is a text, such as "A"'),
    ("ls ~ mo(income, id='a') + mo(o, id='a')", {"o": [1, 2] * 50}, "have 3 and 1"),
    ("ls ~ mo(income, id='a') + (mo(income) | city)", {}, "where mo(income) is missing"),
    ("ls ~ mo(income)/age", {}, "mo() stands in products with : and * alone"),
    ("ls ~ (mo(income) | city)", {}, "where mo(income) is missing"),
]


@pytest.mark.parametrize(("formula", "columns", "message"), WRONG)
def test_what_is_no_monotonic_effect(
    formula: str, columns: dict[str, object], message: str
) -> None:
    with pytest.raises(hm.HiermixError, match=re.escape(message)):
        hm.Model(formula, incomes().assign(**columns))


def test_levels_that_the_fit_never_saw_are_refused(fit: hm.Fit) -> None:
    with pytest.raises(hm.DataError, match="'nothing'"):
        fit.predict(incomes()[:2].assign(income="nothing"))


def test_shrunk_slopes_stand_beside_none() -> None:
    model = hm.Model("ls ~ mo(income) + age", incomes(), priors={"b[age]": "normal(0, 1)"})
    assert model.stan_data()["monotonic"] == 1
    with pytest.raises(hm.PriorError, match="beside no monotonic effect yet"):
        hm.Model("ls ~ mo(income) + age", incomes(), priors={"b": "horseshoe(1)"}).stan_data()

"""Counts of several categories as one response, each in a column of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.errors import ArgumentError, DataError, FormulaError
from hiermix.formula.formula import parse
from tests.stan.test_log_density import compare_gradients

FAST: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 200, "draws": 100, "progress": False}
NAMES = ["bus", "car", "on foot"]
RESPONSE = "c(bus, car, `on foot`)"
PRIORS = {"Intercept": "normal(0.2, 2)", "Intercept[car]": "student_t(4, 1, 3)",
          "b": "normal(0, 1.5)", "b[car, x]": "double_exponential(0, 1)"}  # fmt: skip


def frame(rows: int = 48, seed: int = 2) -> pd.DataFrame:
    """How often people of a town went to work in each way."""
    rng = np.random.default_rng(seed)
    x, g = rng.integers(0, 4, rows) - 1.2, np.arange(rows) % 6
    u = rng.normal(0, 0.6, (6, 2))
    eta = np.stack([0 * x, 0.4 + 0.6 * x + u[g, 0], -0.3 - 0.4 * x + u[g, 1]], axis=1)
    days = rng.integers(0, 30, rows)
    each = [rng.multinomial(n, p) for n, p in zip(days, special.softmax(eta, axis=1), strict=True)]
    counts = pd.DataFrame(np.array(each), columns=NAMES)
    weight = rng.choice([0.5, 1.0, 2.0], rows)
    return counts.assign(x=x, g=g, days=days, weight=weight)


@pytest.fixture(scope="module")
def fitted() -> hm.Fit:
    return hm.Model(f"{RESPONSE} ~ x + (1 | g)", frame(), family="multinomial").fit(**FAST)


def eta_of(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    """Linear predictors (chain, draw, row, category) of the draws, the reference first."""
    posterior = fit.data.posterior
    r = posterior["r_g"].sel(g=rows["g"].to_list()).to_numpy()[..., 0]
    b = posterior["b"].to_numpy()[..., 0, None]
    eta = posterior["Intercept"].to_numpy()[..., None] + b * rows["x"].to_numpy() + r
    return np.moveaxis(np.concatenate([0 * eta[:, :, :1], eta], axis=2), 2, -1)


@pytest.mark.parametrize("number", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_log_density_is_that_of_scipy(number: int) -> None:
    rows = frame()
    model = hm.Model(f"{RESPONSE} ~ x", rows, family="multinomial", weights="weight", priors=PRIORS)
    data, program = model.stan_data(), model._posterior.program
    assert data["N"] == 4  # rows of equal predictors are one
    points = np.random.default_rng(5).normal(0, 2.0, (number, int(data["D"])))
    found, gradient = Embedded().log_density(program, data, points)
    x = rows["x"] - np.average(rows["x"], weights=rows["weight"])
    expected = []
    for point in points:
        b = data["center"] + data["scale"] @ point
        eta = np.stack([0 * x, b[0] + b[1] * x, b[2] + b[3] * x], axis=1)
        law = stats.multinomial(rows["days"], special.softmax(eta, axis=1))
        lp = stats.t(4, 1, 3).logpdf(b[0]) + stats.norm(0.2, 2).logpdf(b[2])
        lp += stats.laplace(0, 1).logpdf(b[1]) + stats.norm(0, 1.5).logpdf(b[3])
        expected.append(lp + rows["weight"] @ law.logpmf(rows[NAMES].to_numpy()))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradients(program, data, points[:3], gradient[:3])


def test_predictions_are_counts_by_category(fitted: hm.Fit) -> None:
    rows = frame().iloc[3:9]
    p = special.softmax(eta_of(fitted, rows), axis=-1)
    share = fitted.predict(rows[["x", "g"]], kind="probability")
    mean, drawn = fitted.predict(rows), fitted.predict(rows, kind="response")
    assert share.dims == mean.dims == drawn.dims == ("chain", "draw", "row", "category")
    assert drawn["category"].to_numpy().tolist() == NAMES
    np.testing.assert_allclose(share, p, rtol=1e-10)
    np.testing.assert_allclose(mean, rows["days"].to_numpy()[:, None] * p, rtol=1e-10)
    assert (drawn.sum("category") == rows["days"].to_numpy()).all()
    # Of 200 draws each: six Monte-Carlo errors.
    error = np.sqrt(rows["days"].to_numpy()[:, None] / 4 / drawn[..., 0, 0].size)
    assert (np.abs((drawn - mean).mean(("chain", "draw"))) <= 6 * error).all()


def test_densities_are_those_of_rows_with_their_orders(fitted: hm.Fit) -> None:
    rows = frame()
    p = special.softmax(eta_of(fitted, rows), axis=-1)[:, :5]
    expected = stats.multinomial.logpmf(
        rows[NAMES].to_numpy()[None, None], rows["days"].to_numpy()[None, None], p
    )
    np.testing.assert_allclose(fitted.log_likelihood()[:, :5], expected, rtol=1e-9)
    assert fitted.loo().elpd < 0


def test_trials_say_the_total_of_new_rows() -> None:
    rows = frame()
    model = hm.Model(f"{RESPONSE} | trials(days) ~ x", rows, family="multinomial")
    fit = model.fit(**FAST)
    mean = fit.predict({"x": [0.0, 1.0], "days": [10, 20]})
    np.testing.assert_allclose(mean.sum("category"), np.broadcast_to([10, 20], mean.shape[:3]))
    with pytest.raises(DataError, match="counts of a row add up to its trials: bus"):
        fit.predict(rows.assign(days=99))


def test_a_category_may_have_a_formula_of_its_own() -> None:
    texts = [f"{RESPONSE} ~ x + (1 | p | g)", "car ~ 1 + (1 | p | g)"]
    fit = hm.Model(texts, frame(), family="multinomial").fit(**FAST)
    assert {"Intercept_car", "b_on foot", "cor_g"} <= set(fit.data.posterior)
    assert "b_car" not in fit.data.posterior
    mean = fit.predict(frame().head(4))
    np.testing.assert_allclose(mean.sum("category")[0, 0], frame()["days"].head(4))


def test_saved_fits_trees_and_tables(fitted: hm.Fit, tmp_path: Path) -> None:
    rows = frame()
    fitted.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    assert str(again.design.formula) == f"{RESPONSE} ~ x + (1 | g)"
    drawn = fitted.predict(rows, kind="response")
    assert (again.predict(rows, kind="response") == drawn).all()
    name = fitted.design.response_name
    seen = fitted.data.observed_data[name]
    assert seen.dims == ("row", "category")
    assert seen.to_numpy().tolist() == rows[NAMES].to_numpy().tolist()
    lazy = fitted.data.posterior_predictive[name].isel(row=[5, 2], category=1)
    assert (lazy.to_numpy() == drawn[:, :, [5, 2], 1].to_numpy()).all()
    table = fitted.predictions(newdata="mean").table()
    assert table["category"].tolist() == NAMES
    assert table["estimate"].sum() == pytest.approx(1.0)
    assert fitted.kfold(folds=2).elpd < 0
    curves = fitted.plot_effects("x").data
    assert curves["estimate"].between(0, 1).all()


def test_sums_of_rows_are_the_model() -> None:
    rows = frame()
    found = hm.statistics(f"{RESPONSE} ~ x + (1 | g)", rows, family="multinomial")
    half = [hm.statistics(f"{RESPONSE} ~ x + (1 | g)", part, family="multinomial")
            for part in (rows.head(20), rows.tail(28))]  # fmt: skip
    assert half[0] + half[1]
    one = hm.Model.from_statistics(found).stan_data()
    whole = hm.Model(f"{RESPONSE} ~ x + (1 | g)", rows, family="multinomial").stan_data()
    np.testing.assert_allclose(one["chosen"].sum(axis=0), whole["chosen"].sum(axis=0))
    assert one["base"] == pytest.approx(whole["base"])


def test_spellings() -> None:
    for text in ("c(a,b) ~ x", "cbind(a, b) ~ x", "bind( a, `b`) ~ x"):
        assert str(parse(text)) == "c(a, b) ~ x"
    assert parse("c(a, b) | trials(n) ~ x").response_columns == ("a", "b")
    assert parse("c ~ a").response == "c"  # a column may be called so


WRONG: dict[str, tuple[str, dict[str, Any], type[Exception], str]] = {
    "labels": ("g ~ x", {}, FormulaError, r"write c\(a, b, c\) ~ ..., not g ~ ..."),
    "other family": (f"{RESPONSE} ~ x", {"family": "poisson"}, FormulaError, "'multinomial'"),
    "twice": ("c(bus, bus) ~ x", {}, FormulaError, "'bus' twice"),
    "one": ("c(bus) ~ x", {}, FormulaError, "two or more"),
    "expression": ("c(bus, car - 1) ~ x", {}, FormulaError, "two or more"),
    "predictor": ("c(bus, x) ~ x", {}, FormulaError, "both sides"),
    "fraction": ("c(bus, weight) ~ x", {}, DataError, "needs counts 0, 1, 2, ...: column 'weight'"),
    "none": ("c(bus, unknown) ~ x", {}, DataError, "names 'unknown'"),
    "offset": (f"{RESPONSE} ~ x + offset(g)", {}, DataError, "takes no offset"),
    "censored": (f"{RESPONSE} | cens(g) ~ x", {}, DataError, "censor"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_such_response(case: str) -> None:
    text, options, error, said = WRONG[case]
    with pytest.raises(error, match=said):
        hm.Model(text, frame(), **({"family": "multinomial"} | options))


def test_missing_counts() -> None:
    rows = frame().astype({"bus": float})
    rows.loc[2, "bus"] = np.nan
    with pytest.raises(DataError, match="'bus'"):
        hm.Model(f"{RESPONSE} ~ x", rows, family="multinomial")
    model = hm.Model(f"{RESPONSE} ~ x", rows, family="multinomial", missing="drop")
    assert model.design.rows == len(rows) - 1
    fit = model.fit(**FAST)
    with pytest.raises(DataError, match=r"need its total.*row 2"):
        fit.predict(rows.head(4))
    assert np.isfinite(fit.predict(rows.head(4), kind="probability")).all()
    with pytest.raises(DataError, match="all categories are zero"):
        hm.Model(f"{RESPONSE} ~ x", rows.assign(**dict.fromkeys(NAMES, 0)), family="multinomial")


ASK: dict[str, Any] = {
    "plot_check": lambda fit: fit.plot_check(),
    "variance": lambda fit: fit.variance(),
    "residuals": lambda fit: fit.plot_residuals(),
    "shrinkage": lambda fit: fit.plot_shrinkage("g"),
    "update": lambda fit: fit.predict(frame(), new_groups="update"),
    "loo": lambda fit: fit.loo(by="g"),
    "score": lambda fit: fit.forecast(frame().head(2)).score(frame().head(2)),
    "pooling": lambda _: hm.pooling(f"{RESPONSE} ~ x + (1 | g)", frame(), family="multinomial"),
}


@pytest.mark.parametrize("what", ASK)
def test_what_needs_one_number_a_row_says_so(fitted: hm.Fit, what: str) -> None:
    with pytest.raises(ArgumentError, match="are counts of several categories"):
        ASK[what](fitted)

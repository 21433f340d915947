"""Responses with standard errors that are known, `y | se(s)`: closed forms, dense rows, doors."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.errors import DataError, FormulaError, HiermixError
from hiermix.formula.formula import parse
from tests.stan.test_gaussian_density import compare_gradient, population

POINTS = 20
PRIORS = {"Intercept": "normal(0, 2)", "b": "normal(0, 1)", "sigma": "gamma(2, 3)",
          "sd": "normal(0.3, 1)"}  # fmt: skip


def studies(number: int = 24) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    s, x = rng.uniform(0.1, 0.6, number), rng.normal(size=number)
    region = np.arange(number) % 4
    y = 0.4 + 0.3 * x + 0.25 * rng.normal(size=number) + s * rng.normal(size=number)
    return pd.DataFrame({
        "y": y, "s": s, "x": x, "w": rng.uniform(0.5, 2, number), "k": rng.normal(size=number),
        "study": [f"s{i:02}" for i in range(number)], "region": [f"r{i}" for i in region],
        "lab": rng.integers(0, 3, number), "kind": np.where(x > 0, "a", "b"),
    })  # fmt: skip


@pytest.mark.parametrize("text", ["y | se(s)", "y | se(s, sigma=True)", "y | se(`a b`)"])
def test_it_is_read_and_written(text: str) -> None:
    formula = parse(f"{text} ~ x + (1 | g)")
    assert str(formula) == f"{text} ~ x + (1 | g)"
    assert parse(str(formula)) == formula
    assert formula.beside.known_errors == ("sigma" not in text)


def test_sigma_false_is_the_default() -> None:
    assert parse("y | se(s, sigma=False) ~ x") == parse("y | se(s) ~ x")
    with pytest.raises(FormulaError, match=r"se\(sigma=\) is True or False"):
        parse("y | se(s, sigma=2) ~ x")


def dense(model: hm.Model, raw: np.ndarray, own: int, known: bool) -> float:
    """Log density of the coordinates, of dense rows with intercepts that vary."""
    data, design = model.stan_data(), model.design
    theta = data["center"] + data["scale"] @ raw
    P, E = len(design.terms), len(design.groupings)
    t = (theta - data["center"])[P + own : P + own + E] / data["sd_spread"]
    bend, softplus = data["sd_bend"], np.logaddexp(0, -t)
    sd = np.exp(theta[P + own : P + own + E] - bend * softplus**2 / 2)
    lp = float(np.sum(np.log(1 + bend * softplus / (1 + np.exp(t)) / data["sd_spread"])))
    b, log_width = population(data, raw, sd, np.eye(E))
    weights = np.ones(design.rows) if design.weights is None else design.weights
    variance = design.limits.se**2 + (0.0 if known else np.exp(2 * theta[P]))
    V = np.diag(variance / weights)
    for place, each in enumerate(design.groupings):
        V += sd[place] ** 2 * (each.codes[:, None] == each.codes)
    X = design.X()
    X[:, 1:] -= np.average(X[:, 1:], axis=0, weights=weights)
    y = design.response - (0 if design.offset is None else design.offset)
    lp += log_width + stats.multivariate_normal(X @ b, V).logpdf(y)
    # A weight multiplies a row's log density: it counts as that many rows.
    lp -= 0.5 * np.sum(np.log(weights) + (weights - 1) * np.log(2 * np.pi * variance))
    lp += stats.norm(0, 2).logpdf(b[0]) + np.sum(stats.norm(0, 1).logpdf(b[1:]))
    if own:
        lp += stats.gamma(2, scale=1 / 3).logpdf(np.exp(theta[P])) + theta[P]
    return float(lp + np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sd) + np.log(sd)))


DENSE = [
    ("y | se(s) ~ x", "strata", {}),
    ("y | se(s) ~ x + (1 | study)", "strata", {"weights": "w"}),
    ("y | se(s) ~ x + offset(k) + (1 | region)", "strata", {}),
    ("y | se(s) ~ x + (1 | region/study)", "nested", {"weights": "w"}),
    ("y | se(s) ~ x + offset(k) + (1 | region) + (1 | lab)", "nested", {"effects": "integrated"}),
    ("y | se(s, sigma=True) ~ x + (1 | region)", "strata", {"weights": "w"}),
    ("y | se(s, sigma=True) ~ x", "strata", {}),
]


@pytest.mark.parametrize(("formula", "program", "keywords"), DENSE, ids=[d[0] for d in DENSE])
def test_log_density_equals_that_of_dense_rows(
    formula: str, program: str, keywords: dict[str, Any]
) -> None:
    known = "sigma" not in formula
    left_out = {"sigma"} if known else set()
    left_out |= set() if "|" in formula.partition("~")[2] else {"sd"}
    priors = {name: text for name, text in PRIORS.items() if name not in left_out}
    model = hm.Model(formula, studies(), priors=priors, **keywords)
    assert model.program_name == program
    data, program_ = model.stan_data(), model._posterior.program
    points = np.random.default_rng(5).normal(0, 1.5, (POINTS, int(data["D"])))
    found, gradient = Embedded().log_density(program_, data, points)
    expected = [dense(model, point, int(not known), known) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:3], gradient[:3])


def test_a_common_effect_is_the_weighted_mean() -> None:
    rows = studies()
    fit = hm.Model("y | se(s) ~ 1", rows, priors={"Intercept": "normal(0, 1000)"}).fit(
        seed=1, progress=False
    )
    drawn = fit.data["posterior"]["Intercept"]
    precision = np.sum(rows["s"] ** -2.0)
    mean, sd = np.sum(rows["y"] / rows["s"] ** 2) / precision, precision**-0.5
    # More than 1,000 effective draws of a normal posterior.
    assert abs(float(drawn.mean()) - mean) < 6 * sd / np.sqrt(1000)
    assert abs(float(drawn.std()) / sd - 1) < 6 / np.sqrt(2000)


@pytest.fixture(scope="module")
def meta() -> hm.Fit:
    return hm.Model("y | se(s) ~ x + (1 | study)", studies()).fit(seed=1, progress=False)


def test_sampled_effects_are_those_that_are_integrated_out(meta: hm.Fit) -> None:
    rows = studies()
    pairs = [(meta, hm.Model("y | se(s) ~ x + (1 | study)", rows, effects="sampled"))]
    formula = "y | se(s, sigma=True) ~ x + (1 | region)"
    pairs += [(hm.Model(formula, rows).fit(seed=3, progress=False),
               hm.Model(formula, rows, effects="sampled"))]  # fmt: skip
    for one, model in pairs:
        assert model.program_name == "gaussian"
        other = model.fit(seed=2, progress=False)
        for name in ("Intercept", "b", *(["sigma"] if "sigma" in other.data["posterior"] else [])):
            a, b = (each.data["posterior"][name] for each in (one, other))
            # Means of more than 300 effective draws each: six errors of their difference.
            assert abs(float(a.mean() - b.mean())) < 6 * float(b.std()) * np.sqrt(2 / 300), name
            assert 0.75 < float(a.std() / b.std()) < 1.35, name


def test_there_is_no_sigma(meta: hm.Fit) -> None:
    assert "sigma" not in meta.data["posterior"]
    assert "standard errors that are known" in repr(meta.model)
    residual = meta.variance()["variance"].sel(component="residual")
    np.testing.assert_allclose(residual, np.mean(studies()["s"] ** 2))


def test_effects_shrink_as_the_closed_form_says(meta: hm.Fit) -> None:
    rows, post = studies(), meta.data["posterior"].to_dataset()
    tau2 = (post["sd_study"].sel(study_effect="Intercept") ** 2).to_numpy().ravel()
    mu = post["Intercept"].to_numpy().ravel()[:, None]
    mu = mu + post["b"].sel(term="x").to_numpy().ravel()[:, None] * rows["x"].to_numpy()
    share = tau2[:, None] / (tau2[:, None] + rows["s"].to_numpy() ** 2)
    expected = share * (rows["y"].to_numpy() - mu)
    spread = np.sqrt(share) * rows["s"].to_numpy()
    r = post["r_study"].sel(study=rows["study"].to_list(), study_effect="Intercept").to_numpy()
    z = (r.reshape(-1, len(rows)) - expected) / spread
    # Standard normals, independent in 4,000 draws of 24 studies.
    assert (np.abs(z.mean(axis=0)) < 6 / np.sqrt(4000)).all()
    assert (np.abs(z.std(axis=0) - 1) < 6 / np.sqrt(8000)).all()


def test_responses_have_the_errors_of_their_rows(meta: hm.Fit, tmp_path: Path) -> None:
    rows = studies().head(2).assign(s=[0.01, 3.0])
    noise = meta.predict(rows, kind="response") - meta.predict(rows)
    z = noise.std(("chain", "draw")).to_numpy() / rows["s"].to_numpy()
    assert (np.abs(z - 1) < 6 / np.sqrt(8000)).all()
    np.testing.assert_array_equal(meta.predict(rows.drop(columns="s")), meta.predict(rows))
    with pytest.raises(DataError, match=r"the new rows lack column 's' of se\(\)"):
        meta.predict(rows.drop(columns="s"), kind="response")
    meta.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc").predict(rows, kind="response")
    np.testing.assert_array_equal(again, meta.predict(rows, kind="response"))


def test_rows_have_the_density_of_their_errors(meta: hm.Fit) -> None:
    rows, eta = studies(), meta.predict(kind="linear").isel(chain=1, draw=7).to_numpy()
    expected = stats.norm(eta, rows["s"]).logpdf(rows["y"])
    np.testing.assert_allclose(meta.log_likelihood().isel(chain=1, draw=7), expected)
    assert np.isfinite(meta.loo().elpd)
    assert np.isfinite(meta.loo(by="study").elpd)
    meta.plot_shrinkage("study")


ROWS = studies()
BAD = [
    ("y | se(s) ~ x", ROWS.assign(s=np.where(ROWS.index < 2, 0.0, ROWS["s"])), {}, DataError,
     "se(s) must be finite and above 0: there is 0, 0 (rows 0, 1)"),
    ("y | se(s) ~ x", ROWS.assign(s=np.where(ROWS.index == 5, -1.0, ROWS["s"])), {}, DataError,
     "se(s) must be finite and above 0: there is -1 (row 5)"),
    ("y | se(s) ~ x", ROWS.assign(s=np.where(ROWS.index == 5, np.nan, ROWS["s"])), {}, DataError,
     "column 's' has 1 missing value (row 5)"),
    ("y | se(ss) ~ x", ROWS, {}, DataError, "formula names 'ss', not a column"),
    ("y | se(kind) ~ x", ROWS, {}, DataError, "se: column 'kind' holds"),
    (["y | se(s) ~ x", "sigma ~ x"], ROWS, {}, DataError,
     "se() alone has no sigma for an equation"),
    ("y | se(s) ~ x", ROWS, {"family": "student_t"}, DataError, "takes no standard errors"),
    ("y | se(s) ~ x + ar(k)", ROWS, {}, DataError, "leave one of these out"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "rows", "keywords", "error", "message"), BAD,
                         ids=[b[4] for b in BAD])  # fmt: skip
def test_bad_input_is_refused(
    formula: Any, rows: pd.DataFrame, keywords: Any, error: type[HiermixError], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        hm.Model(formula, rows, **keywords)


def test_one_row_a_study_is_no_remark() -> None:
    hm.Model("y | se(s) ~ x + (1 | study)", ROWS)  # warnings are errors

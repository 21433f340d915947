"""Missing values of predictors: the posterior beside closed forms, and every door of a fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats

import hiermix as hm

ROWS = 160
TRUTH = {"Intercept": 1.0, "mi(x)": 1.2, "z": -0.7}


def lost(seed: int = 4) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows whose x is missing the more often the larger y is, and all of x."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=ROWS)
    x = 0.5 + 0.8 * z + rng.normal(size=ROWS)
    y = TRUTH["Intercept"] + TRUTH["mi(x)"] * x + TRUTH["z"] * z + rng.normal(0, 0.8, ROWS)
    gone = rng.random(ROWS) < stats.norm.cdf(2 * (y - 1.8))
    return pd.DataFrame({"y": y, "x": np.where(gone, np.nan, x), "z": z}), x


FORMULAS = ["y ~ mi(x) + z", "x | mi() ~ z"]
WIDE = dict.fromkeys(("Intercept", "b", "Intercept_x", "b_x"), "normal(0, 10)")
WIDE |= {"sigma": "exponential(0.1)", "sigma_x": "exponential(0.1)"}


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model(FORMULAS, lost()[0], priors=WIDE).fit(
        seed=1, chains=2, warmup=300, draws=1000, progress=False
    )


def parameters(fit: hm.Fit) -> np.ndarray:
    """(S, 7): a, b, c, log sigma of y; d, e, log sigma of x."""
    posterior = fit.data.posterior
    columns = [posterior["Intercept"], *posterior["b"].transpose("term", ...),
               np.log(posterior["sigma"]), posterior["Intercept_x"], posterior["b_x"][..., 0],
               np.log(posterior["sigma_x"])]  # fmt: skip
    return np.stack([np.asarray(each).ravel() for each in columns], axis=1)


def location(theta: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (S, n) and sd (S, 1) of y where x is missing."""
    a, b, c, log_s, d, e, log_t = theta.T[:, :, None]
    return a + c * z + b * (d + e * z), np.hypot(np.exp(log_s), b * np.exp(log_t))


def normal(y: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Log densities (S,) of all values together, but for a constant."""
    return np.sum(-0.5 * ((y - mean) / sd) ** 2 - np.log(sd), axis=1)


def observed(theta: np.ndarray, data: pd.DataFrame) -> np.ndarray:
    """Log posterior (S,) with missing values integrated out, but for a constant.

    y and x are jointly normal; priors of intercepts are as good as flat.
    """
    a, b, c, log_s, d, e, log_t = theta.T[:, :, None]
    y, x, z = data.dropna().to_numpy().T
    rest = data[data["x"].isna()]
    s, t = np.exp(log_s), np.exp(log_t)
    lp = normal(y, a + b * x + c * z, s) + normal(x, d + e * z, t)
    lp = lp + normal(rest["y"].to_numpy(), *location(theta, rest["z"].to_numpy()))
    slopes = np.hstack([b, c, e])
    return lp - 0.5 * np.sum((slopes / 10) ** 2, axis=1) + (log_s + log_t - (s + t) / 10)[:, 0]


def test_posterior_is_that_of_the_observed_data(fit: hm.Fit) -> None:
    """By importance sampling around the mode of the closed form; flat priors of intercepts."""
    data, rng = lost()[0], np.random.default_rng(2)
    found = optimize.minimize(
        lambda theta: -observed(theta[None], data)[0], np.zeros(7), method="BFGS"
    )
    law = stats.multivariate_t(found.x, 1.3 * found.hess_inv, df=8)
    proposals = law.rvs(4000, random_state=rng)
    log_weight = observed(proposals, data) - law.logpdf(proposals)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    effective = 1 / np.sum(weight**2)
    assert effective > 1500
    mean = weight @ proposals
    sd = np.sqrt(weight @ (proposals - mean) ** 2)
    draws = parameters(fit)
    # Effective draws of the fit are at least 400; the normal(0, 10) of intercepts moves nothing.
    error = sd * np.sqrt(1 / 400 + 1 / effective)
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * error).all()
    assert (np.abs(np.log(draws.std(axis=0) / sd)) < 5 * np.sqrt(1 / 400 + 1 / effective)).all()


def test_truth_is_found_where_complete_rows_are_biased(fit: hm.Fit) -> None:
    data, x = lost()
    b = fit.data.posterior["b"].sel(term="mi(x)")
    known = data.dropna()
    X = np.column_stack([np.ones(len(known)), known["x"], known["z"]])
    solved, rss, *_ = np.linalg.lstsq(X, known["y"].to_numpy(), rcond=None)
    se = np.sqrt(rss[0] / (len(X) - 3) * np.linalg.inv(X.T @ X)[1, 1])
    assert solved[1] < TRUTH["mi(x)"] - 3 * se
    assert abs(float(b.mean()) - TRUTH["mi(x)"]) < 3 * float(b.std())
    # Missing values themselves lie where their intervals say, four in five of them at least.
    draws = fit.data.posterior["mi_x"]
    gone = np.flatnonzero(data["x"].isna())
    np.testing.assert_array_equal(draws["mi_x_row"], gone)
    low, high = draws.quantile([0.025, 0.975], ("chain", "draw")).to_numpy()
    assert np.mean((low < x[gone]) & (x[gone] < high)) > 0.8


def test_missing_values_mix(fit: hm.Fit) -> None:
    assert fit.summary(["mi_x"])["ess_bulk"].min() > 400
    assert "mi_x" not in repr(fit)


def test_density_of_a_response_knows_nothing_of_draws_that_saw_it(fit: hm.Fit) -> None:
    data = lost()[0]
    rest = np.flatnonzero(data["x"].isna())
    found = fit.log_likelihood().transpose("chain", "draw", "row").to_numpy().reshape(-1, ROWS)
    for place in (0, 7, 900):
        mean, sd = location(parameters(fit)[[place]], data["z"].to_numpy())
        expected = stats.norm(mean[0], sd[0]).logpdf(data["y"])
        np.testing.assert_allclose(found[place, rest], expected[rest], rtol=1e-5)
    assert np.isfinite(fit.loo().elpd)


def test_new_rows_have_what_is_given_or_a_draw_from_the_equation(fit: hm.Fit) -> None:
    theta = parameters(fit)
    rows = pd.DataFrame({"x": [0.3, np.nan, np.nan], "z": [0.5, 0.5, -1.0]})
    drawn = fit.predict(rows).transpose("row", "chain", "draw").to_numpy().reshape(3, -1)
    a, b, c, _, d, e, log_t = theta.T
    np.testing.assert_allclose(drawn[0], a + 0.3 * b + 0.5 * c, rtol=1e-10)
    for row, z in ((1, 0.5), (2, -1.0)):
        noise = (drawn[row] - a - c * z - b * (d + e * z)) / (b * np.exp(log_t))
        assert stats.kstest(noise, "norm").pvalue > 1e-6
    again = fit.predict(rows.iloc[[2, 1]]).transpose("row", ...).to_numpy().reshape(2, -1)
    np.testing.assert_array_equal(again, drawn[[2, 1]])
    linear = fit.predict({"x": None, "z": 0.5}, kind="linear").to_numpy().ravel()
    np.testing.assert_allclose(linear, drawn[1], rtol=1e-12)


def test_fitted_rows_have_the_draws_of_their_missing_values(fit: hm.Fit) -> None:
    data, theta = lost()[0], parameters(fit)
    linear = fit.predict(kind="linear").transpose("row", ...).to_numpy().reshape(ROWS, -1)
    x = np.repeat(data["x"].to_numpy()[:, None], len(theta), axis=1)
    gone = data["x"].isna().to_numpy()
    x[gone] = (
        fit.data.posterior["mi_x"].transpose("mi_x_row", ...).to_numpy().reshape(gone.sum(), -1)
    )
    expected = theta[:, 0] + theta[:, 1] * x + theta[:, 2] * data["z"].to_numpy()[:, None]
    np.testing.assert_allclose(linear, expected, rtol=1e-8, atol=1e-8)


# Groups, counts, a product, and two predictors of which one needs the other ----------------------


def counted() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g = np.arange(90) % 6
    w, z = rng.normal(size=90), rng.normal(size=90)
    x = 0.5 * w + rng.normal(0, 0.5, 6)[g] + rng.normal(0, 0.5, 90)
    u = rng.normal(0, 0.5, 6)[g]
    y = rng.poisson(np.exp(0.5 + 0.4 * x - 0.2 * w + 0.2 * x * z + u))
    x[rng.random(90) < 0.25] = w[rng.random(90) < 0.2] = np.nan
    return pd.DataFrame({"y": y, "x": x, "w": w, "z": z, "g": [f"g{i}" for i in g]})


@pytest.fixture(scope="module")
def counts() -> hm.Fit:
    formulas = ["y ~ mi(x) * z + mi(w) + (1 | g)", "x | mi() ~ mi(w) + (1 | g)", "w | mi() ~ 1"]
    return hm.Model(formulas, counted(), family="poisson").fit(
        seed=2, chains=1, warmup=200, draws=60, progress=False
    )


def test_names_are_those_of_the_equations(counts: hm.Fit) -> None:
    labels = {line.split("  ")[0] for line in repr(counts).splitlines()}
    assert {"b[mi(x)]", "b[mi(w)]", "b[mi(x):z]", "Intercept_x", "b_x[mi(w)]", "sigma_x",
            "Intercept_w", "sigma_w", "sd_g[Intercept]", "sd_g[x_Intercept]"} < labels  # fmt: skip
    assert float(counts.hypothesis("sigma_x > 0")["probability"].iloc[0]) == 1.0
    text = repr(counts.model)
    assert "missing  x: " in text
    assert "normal around an equation of its own; sampled" in text


def test_density_of_counts_is_integrated_over_both_predictors(counts: hm.Fit) -> None:
    """By quadrature over the location, whose mean and sd come of a chain of regressions."""
    data, draws = counted(), counts.data.posterior.isel(chain=0)
    found = counts.log_likelihood().isel(chain=0).to_numpy()
    both = np.flatnonzero(data["x"].isna() & data["w"].isna())
    one = np.flatnonzero(data["x"].notna() & data["w"].isna())
    assert len(both)
    for row, place in ((both[0], 3), (one[0], 40)):
        at, here = data.iloc[row], draws.isel(draw=place)
        b = {str(each): float(here["b"].sel(term=each)) for each in here["term"].to_numpy()}
        r = here["r_g"].sel(g=at["g"])
        slope = b["mi(x)"] + b["mi(x):z"] * at["z"]
        base = float(here["Intercept"]) + b["z"] * at["z"] + float(r.sel(g_effect="Intercept"))
        mean_w, sd_w = float(here["Intercept_w"]), float(here["sigma_w"])
        along = float(here["b_x"].sel(x_term="mi(w)"))
        mean_x = float(here["Intercept_x"]) + float(r.sel(g_effect="x_Intercept"))
        if np.isnan(at["x"]):
            mean = base + slope * (mean_x + along * mean_w) + b["mi(w)"] * mean_w
            sd = np.hypot((slope * along + b["mi(w)"]) * sd_w, slope * float(here["sigma_x"]))
        else:
            mean, sd = base + slope * at["x"] + b["mi(w)"] * mean_w, abs(b["mi(w)"]) * sd_w
        law = stats.norm(mean, sd)
        density, _ = integrate.quad(
            lambda eta, y=at["y"], law=law: stats.poisson(np.exp(eta)).pmf(y) * law.pdf(eta),
            mean - 9 * sd, mean + 9 * sd, epsabs=1e-13, epsrel=1e-10,
        )  # fmt: skip
        assert found[place, row] == pytest.approx(np.log(density), rel=1e-5)


def test_a_saved_fit_predicts_the_same(counts: hm.Fit, tmp_path: Any) -> None:
    counts.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(), counts.predict())
    some = counted().head(12)
    np.testing.assert_array_equal(again.predict(some), counts.predict(some))


def test_refits_leave_rows_out_and_number_missing_values_anew(counts: hm.Fit) -> None:
    model = counts.model
    rows = np.arange(20, 90)
    tree = model.refit(rows, seed=1, chains=1, warmup=100, draws=20)
    gone = np.flatnonzero(counted()["x"].isna().to_numpy()[rows])
    np.testing.assert_array_equal(tree["posterior"]["mi_x_row"], gone)


@pytest.mark.slow
def test_left_out_rows_are_new_to_a_refit(counts: hm.Fit) -> None:
    """Their missing values have no draws there: elpd is near that of leaving out one row."""
    folds, one = counts.kfold(folds=3), counts.loo()
    assert abs(folds.elpd - one.elpd) < 3 * one.se


def test_grids_hold_predictors_at_what_is_known(counts: hm.Fit) -> None:
    found = counts.comparisons("z", newdata="mean").table()
    assert np.isfinite(found["estimate"]).all()
    steep = counts.slopes("x", newdata=counted().dropna().head(4), scale="linear").draws
    b = counts.data.posterior["b"].isel(chain=0)
    z = counted().dropna()["z"].iloc[0]
    expected = b.sel(term="mi(x)") + b.sel(term="mi(x):z") * z
    np.testing.assert_allclose(np.asarray(steep)[..., 0].ravel(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("door", "message"),
    [
        (lambda fit: fit.loo(by="g"), "is missing in"),
        (lambda fit: fit.variance(), "is missing in"),
        (lambda fit: fit.plot_shrinkage("g"), "is missing in"),
        (lambda fit: fit.model.fit(algorithm="laplace"), "use algorithm='nuts'"),
        (lambda fit: fit.comparisons("z"), r"pass newdata= with rows that have it"),
        (lambda fit: fit.predictions(), r"pass newdata= with rows that have it"),
        (lambda fit: fit.predict(counted().assign(g="new"), new_groups="update"), "update"),
    ],
)
def test_doors_that_need_complete_rows_say_so(
    counts: hm.Fit, door: Callable[[hm.Fit], Any], message: str
) -> None:
    with pytest.raises((hm.ArgumentError, hm.DataError), match=message):
        door(counts)


# Bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(x=np.nan), "column 'x' has 0 values"),
        (lambda d: d.assign(x=np.where(np.arange(ROWS) < 3, 1.0, np.nan)), "'x' is constant"),
        (lambda d: d.assign(x=np.where(np.arange(ROWS) < 2, d["z"], np.nan)),
         "has 2 values and its equation 2 coefficients"),
        (lambda d: d.assign(x=d["x"].where(d["x"].isna(), 2 * d["z"] + 1)), "is an exact sum"),
        (lambda d: d.assign(x=np.where(d["x"] > 0, "a", "b")), "text"),
        (lambda d: d.assign(x=pd.Categorical(np.where(d["x"] > 0, 1, 2))), "no measurements"),
        (lambda d: d.assign(x=d["x"] > 0), "no measurements"),
        (lambda d: d.assign(x=d["x"].where(d.index != 3, np.inf)), "infinite value"),
        (lambda d: d.assign(z=d["z"].where(d.index != 3)), "column 'z' has 1 missing value"),
        (lambda d: d.drop(columns="x"), "'x', not a column"),
    ],
)  # fmt: skip
def test_columns_that_have_no_equation(change: Callable[..., pd.DataFrame], message: str) -> None:
    with pytest.raises(hm.DataError, match=message):
        hm.Model(FORMULAS, change(lost()[0]))


@pytest.mark.parametrize(
    ("formulas", "options", "message"),
    [
        (FORMULAS, {"weights": np.ones(ROWS)}, "repeat the rows"),
        (["k ~ mi(x)", "x | mi() ~ z"], {"family": "categorical"}, "without an order"),
        (["y ~ mi(x) + ar(t)", "x | mi() ~ z"], {}, "leave out ar"),
        (["y ~ mi(sigma)", "sigma | mi() ~ z"], {}, "Rename the column"),
        (
            ["y ~ mi(x):mi(z)", "x | mi() ~ 1", "z | mi() ~ 1"],
            {},
            "one predictor with missing values at most",
        ),
    ],
)
def test_models_that_have_no_missing_values(
    formulas: list[str], options: dict[str, Any], message: str
) -> None:
    data = lost()[0].assign(t=np.arange(ROWS), k=np.arange(ROWS) % 3)
    data["sigma"] = data["x"]
    with pytest.raises(hm.HiermixError, match=message):
        hm.Model(formulas, data, **options)


def test_rows_are_dropped_for_other_columns_alone() -> None:
    data = lost()[0].assign(g=["a", "b"] * (ROWS // 2))
    data.loc[3, "z"] = np.nan
    data.loc[5, "y"] = np.nan
    model = hm.Model(FORMULAS, data, missing="drop")
    assert model.design.rows == ROWS - 2
    with pytest.raises(hm.FormulaError, match="statistics know nothing of missing values"):
        hm.statistics(FORMULAS, data)


@pytest.mark.parametrize("dtype", ["Float64", "float32", "Float64[pyarrow]"])
def test_missing_values_of_any_storage_are_the_same(dtype: str) -> None:
    data = lost()[0].round(2)
    kept = pd.ArrowDtype(__import__("pyarrow").float64()) if "arrow" in dtype else dtype
    other = hm.Model(FORMULAS, data.assign(x=data["x"].astype(kept)))
    known = hm.Model(FORMULAS, data).design.imputed[0]
    found = other.design.imputed[0]
    np.testing.assert_array_equal(found.lacking, known.lacking)
    np.testing.assert_allclose(found.filled, known.filled, rtol=1e-6)

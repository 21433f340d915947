"""Models whose parameters have equations of their own, through every door of a fit."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hiermix as hm
from hiermix.errors import ArgumentError, FormulaError
from hiermix.formula.formula import parse

J, N = 40, 1000
BOTH = ["y ~ x + (1 | p | g)", "sigma ~ x + (1 | p | g)"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g, x = rng.integers(0, J, N), rng.normal(size=N)
    u = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 0.25]], J)
    sigma = np.exp(-0.5 + 0.4 * x + u[g, 1])
    y = 1 + 2 * x + u[g, 0] + sigma * rng.normal(size=N)
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{place:02}" for place in g]})


@pytest.fixture(scope="module")
def fit(frame: pd.DataFrame) -> hm.Fit:
    return hm.Model(BOTH, frame).fit(seed=1, draws=500)


# Formulas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        BOTH,
        "; ".join(BOTH),
        ["count ~ x + offset(w) + (x | g)", "shape ~ z", "zi ~ 0 + x + offset(z) + (1 || g)"],
    ],
)
def test_a_formula_of_several_equations_can_be_read_again(text: str | list[str]) -> None:
    once = parse(text)
    assert parse(str(once)) == once
    assert [each.name for each in once.further] in (["sigma"], ["shape", "zi"])


def test_a_semicolon_inside_a_name_is_part_of_it() -> None:
    assert parse("`y; z` ~ x").response == "`y; z`"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (["y ~ x", "sigma"], "an equation of a parameter starts with its name: sigma ~ x"),
        (["y ~ x", "np.log(sigma) ~ x"], "an equation of a parameter starts with its name"),
        (["y ~ x", "sigma ~ x", "sigma ~ z"], "'sigma' has an equation already"),
        (["y ~ x", "mu ~ x"], "'mu' has an equation already"),
        (["y ~ x", "sigma ~ y"], "response 'y' is on both sides of the formula"),
        (["y ~ x", "sigma ~ (1 | g) + (x | g)"], "group terms repeat the intercept for 'g'"),
        ([], "the list of formulas is empty: write ['y ~ x', 'sigma ~ x']"),
        (["y ~ x", 3], "formula is int, not text"),
        ("y ~ x + (1 | p.q | g)", "between two bars stands a plain word"),
    ],
)
def test_what_is_no_equation_is_said(text: object, message: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(message)):
        parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("family", "name", "message"),
    [
        ("gaussian", "sigm", "no parameter 'sigm' for an equation. Did you mean 'sigma'?"),
        ("gaussian", "tau", "Parameters that may have one: sigma"),
        ("poisson", "zi", "family 'poisson' has no parameter 'zi' for an equation. Parameters "
                          "that may have one: none"),
        ("ordinal", "threshold", "Parameters that may have one: disc"),
        ("student_t", "mu2", "Parameters that may have one: sigma, nu"),
    ],
)  # fmt: skip
def test_the_family_knows_its_parameters(
    frame: pd.DataFrame, family: str, name: str, message: str
) -> None:
    with pytest.raises(FormulaError, match=re.escape(message)):
        hm.Model(["y ~ 1", f"{name} ~ 1"], frame, family=family)


def test_columns_of_every_equation_are_checked(frame: pd.DataFrame) -> None:
    with pytest.raises(hm.errors.DataError, match="'z'"):
        hm.Model(["y ~ x", "sigma ~ z"], frame)
    holes = frame.assign(z=np.where(np.arange(N) == 3, np.nan, 1.0 * np.arange(N)))
    with pytest.raises(hm.errors.DataError, match="column 'z' has 1 missing value"):
        hm.Model(["y ~ x", "sigma ~ z"], holes)
    with pytest.raises(hm.errors.DataError, match="constant"):
        hm.Model(["y ~ x", "sigma ~ z"], frame.assign(z=1.0))


# Priors -------------------------------------------------------------------------------------------


def test_priors_of_an_equation(frame: pd.DataFrame) -> None:
    model = hm.Model(BOTH, frame, priors={"b_sigma": "normal(0, 0.5)", "b": "normal(0, 3)"})
    assert str(model.priors["b_sigma[x]"]) == "normal(0, 0.5)"
    assert str(model.priors["b[x]"]) == "normal(0, 3)"
    # Median of the default prior of a sigma, exponential(1 / s); 2.5 on the log scale.
    s = frame["y"].std(ddof=0)
    location, scale = model.priors["Intercept_sigma"].arguments
    assert location == pytest.approx(np.log(np.log(2) * s))
    assert scale == 2.5
    assert "sigma" not in model.priors
    assert str(model.priors["sd[g, sigma_Intercept]"]) == "student_t(3, 0, 2.5)"


def test_the_model_does_not_depend_on_where_x_is_zero(frame: pd.DataFrame) -> None:
    formulas = ["y ~ x + (x | g)", "sigma ~ x + (x | g)"]
    near = hm.Model(formulas, frame)
    far = hm.Model(formulas, frame.assign(x=frame["x"] + 2000))
    for name, prior in near.priors.items():
        assert far.priors[name].arguments == pytest.approx(prior.arguments, rel=1e-6), name
    mean = frame["x"].mean()
    np.testing.assert_allclose(near.origins["g"], [0, mean, 0, mean], atol=1e-12)
    np.testing.assert_allclose(far.origins["g"], [0, mean + 2000, 0, mean + 2000])


# What it finds ------------------------------------------------------------------------------------


def test_truth_is_within_its_interval(fit: hm.Fit) -> None:
    """Of seven intervals of 99.9 %."""
    true = {
        "Intercept": 1.0, "b[x]": 2.0, "Intercept_sigma": -0.5, "b_sigma[x]": 0.4,
        "sd_g[Intercept]": 1.0, "sd_g[sigma_Intercept]": 0.5,
        "cor_g[Intercept, sigma_Intercept]": 0.6,
    }  # fmt: skip
    table = fit.summary(prob=0.999)
    assert list(table.index) == list(true)
    low, high = (name for name in table if str(name).startswith("q"))
    for name, value in true.items():
        assert table.loc[name, low] < value < table.loc[name, high], name
    assert table["ess_bulk"].min() > 500  # of 2,000


def test_sigma_of_cells_is_that_of_separate_fits() -> None:
    """Two arms, each with its own mean and sigma: two closed forms, under flat priors."""
    rng = np.random.default_rng(3)
    arm = np.repeat(["a", "b"], 60)
    y = np.where(arm == "a", rng.normal(0, 1, 120), rng.normal(2, 3, 120))
    data = pd.DataFrame({"y": y, "arm": arm})
    wide = {"b": "normal(0, 1000)", "b_sigma": "normal(0, 100)"}
    fit = hm.Model(["y ~ 0 + arm", "sigma ~ 0 + arm"], data, priors=wide).fit(seed=2, draws=2000)
    found = fit.data.posterior["b_sigma"]
    for label in "ab":
        part = y[arm == label]
        # A flat prior of log sigma: (n - 1) s^2 / sigma^2 is chi-squared.
        law = stats.invgamma((len(part) - 1) / 2, scale=part.var(ddof=0) * len(part) / 2)
        log_sigma = found.sel(sigma_term=f"arm[{label}]").to_numpy().ravel()
        exact = 0.5 * np.log(law.rvs(200_000, random_state=1))
        # Eight thousand draws, of which more than 2,000 effective: five standard errors.
        assert log_sigma.mean() == pytest.approx(exact.mean(), abs=5 * exact.std() / 2000**0.5)
        assert log_sigma.std() == pytest.approx(exact.std(), rel=5 / 4000**0.5)


# Every door ---------------------------------------------------------------------------------------


def by_hand(fit: hm.Fit, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Location and sigma (row, draw), from the labelled draws."""
    draws = fit.data.posterior.to_dataset().stack(sample=("chain", "draw"))  # noqa: PD013
    r = draws["r_g"].sel(g=frame["g"].to_numpy())
    x = frame["x"].to_numpy()[:, None]
    mu = draws["Intercept"].to_numpy() + draws["b"].sel(term="x").to_numpy() * x
    log_sigma = (
        draws["Intercept_sigma"].to_numpy() + draws["b_sigma"].sel(sigma_term="x").to_numpy() * x
    )
    effects = [
        r.sel(g_effect=name).transpose("g", "sample").to_numpy()
        for name in ("Intercept", "sigma_Intercept")
    ]
    return mu + effects[0], np.exp(log_sigma + effects[1])


def test_predictions_and_densities_are_those_of_the_draws(fit: hm.Fit, frame: pd.DataFrame) -> None:
    rows = frame.iloc[::50]
    mu, sigma = by_hand(fit, rows)
    linear = fit.predict(rows, kind="linear").stack(sample=("chain", "draw"))  # noqa: PD013
    np.testing.assert_allclose(linear.transpose("row", "sample"), mu, rtol=1e-10)
    response = fit.predict(rows, kind="response").stack(sample=("chain", "draw"))  # noqa: PD013
    z = (response.transpose("row", "sample").to_numpy() - mu) / sigma
    # Twenty rows of 2,000 standard normals, independent of each other.
    assert abs(z.mean()) < 5 / z.size**0.5
    assert z.std() == pytest.approx(1, abs=5 / (2 * z.size) ** 0.5)
    density = fit.data["log_likelihood"]["y"].isel(row=slice(None, None, 50))
    expected = stats.norm(mu, sigma).logpdf(rows["y"].to_numpy()[:, None])
    flat = density.stack(sample=("chain", "draw")).transpose("row", "sample")  # noqa: PD013
    np.testing.assert_allclose(flat, expected, rtol=1e-9, atol=1e-9)


def test_a_new_level_has_correlated_effects_in_all_equations(fit: hm.Fit) -> None:
    """The variance of its response: that of N(mu + u, exp(2 (s + v))) with u and v correlated."""
    new = {"x": [0.5] * 2, "g": ["new", "new"]}
    found = fit.predict(new, new_groups="sample", kind="response").stack(s=("chain", "draw"))  # noqa: PD013
    draws = fit.data.posterior.to_dataset().stack(sample=("chain", "draw"))  # noqa: PD013
    sd = draws["sd_g"].transpose("sample", ...).to_numpy()
    rho = draws["cor_g"].to_numpy().ravel()
    rng = np.random.default_rng(0)
    z = rng.standard_normal((3, 50, len(sd)))
    u = sd[:, 0] * z[0]
    v = sd[:, 1] * (rho * z[0] + np.sqrt(1 - rho**2) * z[1])
    mu = draws["Intercept"].to_numpy() + 0.5 * draws["b"].to_numpy()[0]
    s = draws["Intercept_sigma"].to_numpy() + 0.5 * draws["b_sigma"].to_numpy()[0]
    expected = (mu + u + np.exp(s + v) * z[2]).ravel()
    y = found.to_numpy()
    probs = np.array([0.1, 0.5, 0.9])
    # Quantiles of 2,000 draws: five binomial standard errors.
    for p, at in zip(probs, np.quantile(expected, probs), strict=True):
        share = float((y[0] < at).mean())
        assert share == pytest.approx(p, abs=5 * (p * (1 - p) / y.shape[1]) ** 0.5)
    # The two rows share one level: their responses are correlated by u, and by nothing else.
    cov = np.cov(y)[0, 1]
    assert cov == pytest.approx((sd[:, 0] ** 2).mean() + mu.var(), rel=0.35)


def test_a_saved_fit_is_the_same(fit: hm.Fit, frame: pd.DataFrame, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    rows = frame.iloc[:7]
    for kind in ("linear", "mean", "response"):
        np.testing.assert_array_equal(again.predict(rows, kind=kind), fit.predict(rows, kind=kind))
    assert str(again.model.design.formula) == "; ".join(map(str, [parse(BOTH)]))


def test_variance_has_the_mean_residual_variance_of_the_rows(
    fit: hm.Fit, frame: pd.DataFrame
) -> None:
    _, sigma = by_hand(fit, frame)
    found = fit.variance()["variance"].stack(sample=("chain", "draw"))  # noqa: PD013
    residual = found.sel(component="residual").to_numpy()
    np.testing.assert_allclose(residual, (sigma**2).mean(axis=0), rtol=1e-9)
    group = found.sel(component="g").to_numpy()
    sd = fit.data.posterior["sd_g"].sel(g_effect="Intercept").stack(sample=("chain", "draw"))  # noqa: PD013
    np.testing.assert_allclose(group, sd.to_numpy() ** 2, rtol=1e-9)


def test_log_prior_of_an_equation(fit: hm.Fit, frame: pd.DataFrame) -> None:
    found, draws, priors = fit.data["log_prior"], fit.data.posterior, fit.model.priors
    b = draws["b_sigma"].sel(sigma_term="x").to_numpy()
    at_mean = draws["Intercept_sigma"].to_numpy() + b * frame["x"].mean()
    location, scale = priors["Intercept_sigma"].arguments
    np.testing.assert_allclose(
        found["Intercept_sigma"], stats.norm(location, scale).logpdf(at_mean)
    )
    location, scale = priors["b_sigma[x]"].arguments
    np.testing.assert_allclose(found["b_sigma"][..., 0], stats.norm(location, scale).logpdf(b))


def test_tables_and_statements_name_the_equation(fit: hm.Fit) -> None:
    draws = fit.data.posterior
    table = fit.coefficients("g")
    r = draws["r_g"].sel(g="g03", g_effect="sigma_Intercept") + draws["Intercept_sigma"]
    assert table.loc[("g03", "sigma_Intercept"), "mean"] == pytest.approx(float(r.mean()))
    said = fit.hypothesis("b_sigma[x] > 0.4")
    assert said["probability"].iloc[0] == pytest.approx(float((draws["b_sigma"] > 0.4).mean()))
    said = fit.hypothesis("g[g03, sigma_Intercept] > -0.5")
    assert said["probability"].iloc[0] == pytest.approx(float((r > -0.5).mean()))


def test_plots_of_shrinkage_show_effects_of_the_location(fit: hm.Fit) -> None:
    data = fit.plot_shrinkage("g").data
    assert data["effect"].unique().tolist() == ["Intercept"]
    # A group alone: least squares with the rows' own sigmas.
    assert data["no_pooling"].notna().all()
    with pytest.raises(ArgumentError, match="'sigma_Intercept' does not vary by g"):
        fit.plot_shrinkage("g", effects="sigma_Intercept")
    shown = fit.plot_groups("g", effects="sigma_Intercept", kind="coefficients").data
    assert len(shown) == J


def test_an_update_knows_effects_of_the_location_alone(fit: hm.Fit) -> None:
    rows = {"x": [0.0, 1.0], "g": ["new", "new"], "y": [1.0, 2.0]}
    with pytest.raises(ArgumentError, match="new_groups='update' knows effects of the response's"):
        fit.predict(rows, new_groups="update")


# Other families -----------------------------------------------------------------------------------


def test_zeros_with_a_predictor() -> None:
    """Zero-inflated counts whose zi and shape have predictors: the truth in 99.9 % intervals."""
    rng = np.random.default_rng(5)
    n, groups = 500, 25
    g, x, w = rng.integers(0, groups, n), rng.normal(size=n), rng.integers(0, 2, n)
    mu = np.exp(1 + 0.5 * x + rng.normal(0, 0.4, groups)[g])
    shape, zi = np.exp(0.5 + 0.8 * w), special.expit(-1.5 + x)
    y = rng.poisson(mu * rng.gamma(shape, 1 / shape)) * (rng.random(n) > zi)
    data = pd.DataFrame({"y": y, "x": x, "w": w, "g": g.astype(str)})
    fit = hm.Model(
        ["y ~ x + (1 | g)", "zi ~ x", "shape ~ w"], data,
        family="zero_inflated_negative_binomial",
    ).fit(seed=3, chains=2, warmup=300, draws=400)  # fmt: skip
    table = fit.summary(prob=0.999)
    low, high = (name for name in table if str(name).startswith("q"))
    true = {"Intercept": 1.0, "b[x]": 0.5, "Intercept_zi": -1.5, "b_zi[x]": 1.0,
            "Intercept_shape": 0.5, "b_shape[w]": 0.8, "sd_g[Intercept]": 0.4}  # fmt: skip
    for name, value in true.items():
        assert table.loc[name, low] < value < table.loc[name, high], name
    assert int(fit.data["sample_stats"]["diverging"].sum()) == 0
    mean = fit.predict(data.iloc[:3], kind="mean").mean(("chain", "draw")).to_numpy()
    assert (mean > 0).all()


@pytest.mark.parametrize("family", ["gaussian", "student_t", "gamma", "negative_binomial"])
def test_an_equation_of_an_intercept_alone_is_the_parameter(family: str) -> None:
    """With the same prior, moved to the link: posteriors of the same shape."""
    rng = np.random.default_rng(8)
    g = np.arange(150) % 10
    eta = 1 + rng.normal(0, 0.5, 10)[g]
    response = {
        "gaussian": rng.normal(eta, 0.7),
        "student_t": eta + 0.7 * rng.standard_t(4, 150),
        "gamma": rng.gamma(3, np.exp(eta) / 3),
        "negative_binomial": rng.poisson(np.exp(eta) * rng.gamma(3, 1 / 3, 150)),
    }
    name = {"gaussian": "sigma", "student_t": "sigma"}.get(family, "shape")
    data = pd.DataFrame({"y": response[family], "g": g.astype(str)})
    options = {"family": family, "effects": "sampled"}
    plain = hm.Model(
        "y ~ (1 | g)", data, priors={name: "lognormal(0.2, 0.6)"}, **options
    ).fit(seed=1)  # fmt: skip
    other = hm.Model(
        ["y ~ (1 | g)", f"{name} ~ 1"], data,
        priors={f"Intercept_{name}": "normal(0.2, 0.6)"}, **options,
    ).fit(seed=2)  # fmt: skip
    one, two = np.log(plain.data.posterior[name]), other.data.posterior[f"Intercept_{name}"]
    # Each has more than 1,000 effective draws.
    assert float(one.mean()) == pytest.approx(
        float(two.mean()), abs=7 * float(one.std()) / 1000**0.5
    )
    assert float(one.std()) == pytest.approx(float(two.std()), rel=7 / 2000**0.5)


def test_an_average_over_groups_moves_every_equation(frame: pd.DataFrame) -> None:
    """Means (1 - zi) exp(mu + u), logit zi = s + v, over correlated u and v, by simulation."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(np.exp(frame["y"] / 4)) * (rng.random(N) < 0.7)
    formulas = ["y ~ x + (1 | p | g)", "zi ~ (1 | p | g)"]
    model = hm.Model(formulas, frame.assign(y=counts), family="zero_inflated_poisson")
    fit = model.fit(seed=4, draws=100, warmup=300)
    found = fit.predictions({"x": [0.3]}, over="population").draws.to_numpy().ravel()
    draws = fit.data.posterior.to_dataset()
    mu = (draws["Intercept"] + 0.3 * draws["b"].isel(term=0)).to_numpy().ravel()
    s = draws["Intercept_zi"].to_numpy().ravel()
    sd = draws["sd_g"].to_numpy().reshape(-1, 2)
    rho = draws["cor_g"].to_numpy().ravel()
    z = rng.standard_normal((2, 400_000))
    for place in range(0, len(mu), 80):
        u = sd[place, 0] * z[0]
        v = sd[place, 1] * (rho[place] * z[0] + np.sqrt(1 - rho[place] ** 2) * z[1])
        means = special.expit(-s[place] - v) * np.exp(mu[place] + u)
        error = means.std() / len(means) ** 0.5
        assert found[place] == pytest.approx(means.mean(), abs=6 * error + 1e-3)

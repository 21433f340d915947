"""Gaussian processes in models: dense regression with the exact kernel, and every door."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.errors import DataError, FormulaError
from hiermix.families.priors import between
from hiermix.formula.formula import parse
from hiermix.formula.terms.gaussian_processes import Process

ROWS = 90
SHORT = {"seed": 1, "chains": 2, "warmup": 150, "draws": 100, "progress": False}


@cache
def frame(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    x, g = rng.uniform(0, 10, rows), rng.integers(0, 6, rows)
    y = np.sin(x) + rng.normal(0, 0.5, 6)[g] + rng.normal(0, 0.4, rows)
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{i}" for i in g],
                         "f": rng.choice(["a", "b"], rows),
                         "c": rng.poisson(np.exp(0.5 * y)), "t": np.arange(rows)})  # fmt: skip


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ hsgp(x, k=8) + (1 | g)", frame()).fit(**SHORT)


@pytest.fixture(scope="module")
def counts() -> hm.Fit:
    return hm.Model("c ~ f + hsgp(x, k=6, by=f)", frame(), family="poisson").fit(**SHORT)


@pytest.fixture(params=["fit", "counts"])
def each(request: pytest.FixtureRequest) -> hm.Fit:
    return request.getfixturevalue(request.param)


def error_of(values: np.ndarray) -> float:
    """Monte-Carlo error of a mean of draws (chain, draw)."""
    from arviz_stats import mcse

    return float(mcse(values, method="mean"))


def test_a_curve_that_tells_nothing_has_a_place_to_start_from() -> None:
    """Twelve waves leave so little of the intercept that groups seemed to be far apart."""
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=150), rng.integers(0, 10, 150)
    data = pd.DataFrame({"x": x, "g": g, "k": rng.poisson(np.exp(0.5 + rng.normal(0, 0.4, 10)[g]))})
    model = hm.Model("k ~ hsgp(x, k=12) + (1 | g)", data, family="poisson")
    stan = model.stan_data()
    assert np.abs(stan["center"]).max() < 10
    assert np.abs(stan["scale"]).max() < 10


# The posterior -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_curve_is_that_of_regression_with_the_exact_kernel() -> None:
    """Summed up over a grid of sd, lengthscale and sigma; the columns are many on a wide range."""
    data = frame(30)
    priors = {"Intercept": "normal(0, 1)", "sd_smooth": "lognormal(0, 0.5)",
              "lengthscale": "lognormal(0.5, 0.5)", "sigma": "lognormal(-0.7, 0.5)"}  # fmt: skip
    model = hm.Model("y ~ hsgp(x, k=40, c=3)", data, priors=priors)
    fit = model.fit(seed=2, chains=4, warmup=300, draws=400, progress=False)
    x, y = data["x"].to_numpy(), data["y"].to_numpy()
    at = np.linspace(-3, 3, 21)
    log_weight, means = [], []
    for u in at:
        kernel = np.exp(-0.5 * ((x[:, None] - x) / np.exp(0.5 + 0.5 * u)) ** 2)
        for v in at:
            signal = 1.0 + np.exp(v) * kernel  # sd squared: its logarithm has sd one
            values, vectors = np.linalg.eigh(signal)
            turned = vectors.T @ y
            for w in at:
                variance = values + np.exp(-1.4 + w)
                log_weight.append(
                    -0.5 * np.sum(turned**2 / variance + np.log(variance))
                    - 0.5 * (u**2 + v**2 + w**2)
                )
                means.append(vectors @ (values * turned / variance))
    weight = np.exp(np.array(log_weight) - np.max(log_weight))
    expected = weight @ np.array(means) / weight.sum()
    draws = fit.predict(kind="mean").transpose("chain", "draw", "row").to_numpy()
    for k in range(30):  # beside Monte Carlo, what the grid and the columns leave
        away = abs(draws[:, :, k].mean() - expected[k])
        assert away < 5.5 * error_of(draws[:, :, k]) + 2e-3, k


def test_one_posterior_integrated_and_sampled(fit: hm.Fit) -> None:
    other = hm.Model("y ~ hsgp(x, k=8) + (1 | g)", frame(), effects="sampled")
    assert other.program_name == "gaussian"
    other = other.fit(seed=2, warmup=200, draws=200, chains=2, progress=False)
    for name in ("s", "sd_smooth", "lengthscale", "sigma"):
        one, two = (each.data.posterior[name].to_numpy() for each in (fit, other))
        one, two = (values.reshape(*values.shape[:2], -1) for values in (one, two))
        for k in range(one.shape[2]):
            error = np.hypot(error_of(one[:, :, k]), error_of(two[:, :, k]))
            assert abs(one[:, :, k].mean() - two[:, :, k].mean()) < 5.5 * error, (name, k)


def test_default_lengthscales_lie_between_what_columns_tell_and_the_range() -> None:
    shape, scale = between(0.5, 8.0)
    np.testing.assert_allclose(stats.invgamma(shape, scale=scale).ppf([0.01, 0.99]), [0.5, 8.0])
    data = frame()
    prior = hm.Model("y ~ hsgp(x, k=20)", data).priors["lengthscale[hsgp(x)]"]
    low, high = stats.invgamma(prior.arguments[0], scale=prior.arguments[1]).ppf([0.01, 0.99])
    width = data["x"].max() - data["x"].min()
    np.testing.assert_allclose([low, high], [1.75 * 1.5 * width / 2 / 20, width], rtol=1e-6)


# Doors -------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:sd of Intercept by g may be zero")
def test_draws_and_print_have_names(fit: hm.Fit, counts: hm.Fit) -> None:
    posterior = counts.data.posterior
    labels = ["hsgp(x, by=f)[a]", "hsgp(x, by=f)[b]"]
    assert posterior["smooth"].to_numpy().tolist() == labels
    assert posterior["process"].to_numpy().tolist() == labels
    assert posterior["lengthscale"].dims == ("chain", "draw", "process")
    assert posterior["basis"].sizes["basis"] == 12
    names = fit.summary().index.tolist()
    assert {"sd_smooth[hsgp(x)]", "lengthscale[hsgp(x)]"} <= set(names)
    assert "hsgp(x): 8 columns, for values from" in repr(fit.model)
    assert "8 columns of smooths in one block" in repr(fit.model)


def test_a_smooth_and_a_process_stand_side_by_side() -> None:
    model = hm.Model("y ~ s(t, k=4) + hsgp(x, k=5) + (1 | g)", frame())
    fit = model.fit(seed=1, chains=1, warmup=100, draws=50, progress=False)
    assert fit.data.posterior["smooth"].to_numpy().tolist() == ["s(t)", "hsgp(x)"]
    assert fit.data.posterior["process"].to_numpy().tolist() == ["hsgp(x)"]
    assert fit.data.posterior["s"].sizes["basis"] == 2 + 5
    eta = fit.predict(kind="linear")
    b = fit.data.posterior["s"].sel(basis=[f"hsgp(x)[{k}]" for k in range(1, 6)])
    X = model.design.X()[:, -5:]
    curve = eta - (b.to_numpy() @ X.T)
    other = fit.predict(frame().assign(x=frame()["x"][::-1].to_numpy()), kind="linear")
    np.testing.assert_allclose(other - (b.to_numpy() @ X[::-1].T), curve, atol=1e-9)


def test_new_values_are_predicted_inside_of_the_range_alone(each: hm.Fit) -> None:
    new = frame().head(3)
    inside = each.predict(kind="linear").isel(row=[0, 1, 2])
    np.testing.assert_allclose(each.predict(new, kind="linear"), inside, rtol=1e-12)
    far = new.assign(x=[5.0, 20.0, -3.0])
    with pytest.raises(DataError, match=r"'x' lies outside of the range .*\(rows 1, 2\): 20.0, -3"):
        each.predict(far)


def test_a_range_that_is_written_holds_for_predictions() -> None:
    model = hm.Model("y ~ hsgp(x, k=8, c=1.3, lower=-5, upper=15)", frame())
    assert str(model.design.formula).endswith("hsgp(x, k=8, c=1.3, lower=-5, upper=15)")
    fit = model.fit(seed=1, chains=1, warmup=100, draws=50, progress=False)
    assert np.isfinite(fit.predict(pd.DataFrame({"x": [-5.0, 14.9]}))).all()


def test_saved_fits_predict_the_same(each: hm.Fit, tmp_path: Path) -> None:
    each.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    new = frame().head(5).assign(x=np.linspace(0.5, 9, 5))
    np.testing.assert_array_equal(each.predict(new, kind="mean"), again.predict(new, kind="mean"))
    assert again.model.design.formula == each.model.design.formula
    np.testing.assert_array_equal(again.plot_smooth("x").data, each.plot_smooth("x").data)


def test_log_priors_are_those_of_the_distributions(fit: hm.Fit) -> None:
    found, draws = fit.log_prior(), fit.data.posterior
    prior = fit.model.priors["lengthscale[hsgp(x)]"]
    law = stats.invgamma(prior.arguments[0], scale=prior.arguments[1])
    np.testing.assert_allclose(found["lengthscale"], law.logpdf(draws["lengthscale"]), rtol=1e-12)
    assert found["sd_smooth"].dims == ("chain", "draw", "smooth")


def test_other_doors(each: hm.Fit) -> None:
    data = frame()
    assert np.isfinite(each.loo().elpd)
    assert np.isfinite(each.variance()["variance"]).all()
    name = str(each.data.posterior["process"].to_numpy()[0])
    assert each.hypothesis(f"lengthscale[{name}] > 0")["probability"].iloc[0] == 1.0
    ahead = data.head(2).assign(t=[500, 501]).drop(columns=["y", "c"])
    assert np.isfinite(each.forecast(ahead, time="t").table()["mean"]).all()
    later = data.tail(9).assign(g="new")
    assert np.isfinite(each.predict(later, kind="mean", new_groups="update").to_numpy()).all()
    assert np.isfinite(each.slopes("x", scale="linear").table()["estimate"]).all()
    assert len(each.plot_smooth("x").data)


def test_a_process_of_sigma_and_draws_without_chains() -> None:
    model = hm.Model(["y ~ f", "sigma ~ hsgp(x, k=4)"], frame())
    fit = model.fit(seed=1, chains=1, warmup=100, draws=50, progress=False)
    assert fit.data.posterior["process"].to_numpy().tolist() == ["sigma_hsgp(x)"]
    assert np.isfinite(fit.predict(frame().head(3)).to_numpy()).all()
    quick = hm.Model("y ~ hsgp(x, k=6)", frame()).fit(
        seed=1, chains=2, draws=300, algorithm="laplace", progress=False
    )
    assert (quick.data.posterior["lengthscale"] > 0).all()
    # The curve is drawn without its level over the rows, that the intercept has as well.
    drawn = quick.plot_smooth("x").data
    along = quick.predict(drawn[["x"]], kind="linear")
    curve = along - quick.predict(frame(), kind="linear").mean("row")
    np.testing.assert_allclose(drawn["estimate"], curve.mean(("chain", "draw")), atol=1e-10)
    ends = curve.quantile([0.05, 0.95], ("chain", "draw"))
    np.testing.assert_allclose(
        drawn[["low", "high"]], ends.transpose("row", "quantile"), atol=1e-10
    )


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ hsgp(x, k=0)", "k is a whole number from 1 up, not 0"),
        ("y ~ hsgp(x, c=1)", "c is a number above 1, not 1"),
        ("y ~ hsgp(x, lower=3, upper=2)", "lower is below upper"),
        ("y ~ hsgp(x, bounds=2)", "no place for 'bounds'"),
        ("y ~ hsgp(x) * f", "in no product of terms"),
    ],
)
def test_calls_that_mean_nothing(formula: str, words: str) -> None:
    with pytest.raises(FormulaError, match=words):
        hm.Model(formula, frame())


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ hsgp(nothing)", "formula names 'nothing', not a column"),
        ("y ~ hsgp(one)", "'one' has 1 distinct value, and a curve takes 2 or more"),
        ("y ~ hsgp(g)", "'g'"),
        ("y ~ hsgp(x, lower=2)", r"values of 'x' outside of 2 to .* The range has to hold all"),
        ("y ~ hsgp(x, by=few)", "where 'few' is 'b', 'x' has 1 distinct value"),
        ("y ~ hsgp(x) + hsgp(x, k=5)", r"hsgp\(x\) stands in the formula twice"),
    ],
)
def test_data_that_tell_no_process(formula: str, words: str) -> None:
    data = frame().assign(one=1.0, few=["b", *["a"] * (ROWS - 1)])
    with pytest.raises(hm.HiermixError, match=words):
        hm.Model(formula, data)


def test_what_was_written_is_read_again() -> None:
    text = "y ~ 1 + hsgp(x, k=9, by=f, c=2.5, lower=-1e-05)"
    formula = parse(text)
    assert formula.specials == (Process("x", 9, "f", factor=2.5, lower=-1e-5),)
    assert parse(str(formula)) == formula

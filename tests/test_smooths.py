"""Fits with smooths: the posterior worked out on a grid of dense rows, and every door."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.errors import ArgumentError
from tests.design.test_curves import kernel

ROWS = 150


def frame(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x, z, g = rng.uniform(0, 9, rows), rng.normal(size=rows), rng.integers(0, 8, rows)
    f = rng.choice(["a", "b"], rows)
    eta = np.where(f == "a", np.sin(x), np.cos(x / 2)) + rng.normal(0, 0.5, 8)[g]
    return pd.DataFrame({"x": x, "z": z, "g": [f"g{i}" for i in g], "f": f,
                         "t": np.arange(rows), "y": eta + rng.normal(0, 0.4, rows),
                         "c": rng.poisson(np.exp(eta))})  # fmt: skip


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ z + s(x) + (1 | g)", frame()).fit(
        seed=1, warmup=300, draws=500, progress=False
    )


@pytest.fixture(scope="module")
def counts() -> hm.Fit:
    return hm.Model("c ~ f + s(x, k=6, by=f) + (1 | g)", frame(), family="poisson").fit(
        seed=1, warmup=300, draws=300, progress=False
    )


FITS = ("fit", "counts")


@pytest.fixture(params=FITS)
def each(request: pytest.FixtureRequest) -> hm.Fit:
    found: hm.Fit = request.getfixturevalue(request.param)
    return found


def error_of(values: np.ndarray) -> float:
    """Monte-Carlo error of a mean of draws (chain, draw)."""
    from arviz_stats import mcse

    return float(mcse(values, method="mean"))


# The posterior -----------------------------------------------------------------------------------


def test_the_curve_is_that_of_dense_rows_on_a_grid_of_their_sds() -> None:
    """Means of a curve given both sds are those of a normal; their posterior is summed up."""
    data = frame(60)
    priors = {"Intercept": "normal(0, 2)", "b": "normal(0, 1)", "sd_smooth": "normal(0, 2)",
              "sigma": "exponential(1)"}  # fmt: skip
    model = hm.Model("y ~ s(x, k=8)", data, priors=priors)
    draws = model.fit(seed=2, warmup=500, draws=1000, progress=False)
    x, y = data["x"].to_numpy(), data["y"].to_numpy()
    line = np.column_stack([np.ones(60), x - x.mean()])
    fixed, K = line @ np.diag([4.0, 1.0]) @ line.T, kernel(x, 8)
    log_weight, means = [], []
    for sd in np.exp(np.linspace(-4.5, 2.2, 60)):
        for sigma in np.exp(np.linspace(-1.5, 0.3, 40)):
            signal = fixed + sd**2 * K
            C = np.linalg.cholesky(signal + sigma**2 * np.eye(60))
            u = np.linalg.solve(C, y)
            log_weight.append(
                -0.5 * u @ u - np.log(np.diag(C)).sum() + stats.norm(0, 2).logpdf(sd) - sigma
                + np.log(sd * sigma)
            )  # fmt: skip
            means.append(signal @ np.linalg.solve(C.T, u))
    weight = np.exp(np.array(log_weight) - np.max(log_weight))
    expected = weight @ np.array(means) / weight.sum()
    values = draws.predict(kind="mean").transpose("chain", "draw", "row").to_numpy()
    away = [(values[:, :, k].mean() - expected[k]) / error_of(values[:, :, k]) for k in range(60)]
    assert np.abs(away).max() < 5.5  # of 60 once in a million


def test_one_posterior_integrated_and_sampled(fit: hm.Fit) -> None:
    other = hm.Model("y ~ z + s(x) + (1 | g)", frame(), effects="sampled").fit(
        seed=2, warmup=300, draws=500, progress=False
    )
    for name in ("s", "sd_smooth", "b", "sigma"):
        one, two = (each.data.posterior[name].to_numpy() for each in (fit, other))
        one, two = (values.reshape(*values.shape[:2], -1) for values in (one, two))
        for k in range(one.shape[2]):
            error = np.hypot(error_of(one[:, :, k]), error_of(two[:, :, k]))
            assert abs(one[:, :, k].mean() - two[:, :, k].mean()) < 5 * error, (name, k)


def test_programs_are_chosen_by_what_they_cost() -> None:
    data = frame()
    assert hm.Model("y ~ s(x)", data).program_name == "nested"
    assert "smooths integrated out" in repr(hm.Model("y ~ s(x)", data))
    assert "exact, with 8 columns of smooths in one block" in repr(hm.Model("y ~ s(x)", data))
    crossed = hm.Model("y ~ s(x) + (1 | g) + (1 | f)", data)
    assert "2 effects of crossed factors and 8 columns of smooths in one block" in repr(crossed)
    many = hm.Model("y ~ s(x, k=120)", data)
    assert many.program_name == "gaussian"
    assert "118 columns of smooths are too many for one block" in repr(many)
    assert hm.Model(["y ~ s(x)", "sigma ~ s(z)"], data).program_name == "gaussian"


def test_equations_have_smooths_of_their_own() -> None:
    fit = hm.Model(["y ~ f + (1 | g)", "sigma ~ s(x, k=4) + (1 | g)"], frame()).fit(
        seed=1, chains=2, warmup=200, draws=100, progress=False
    )
    posterior = fit.data.posterior
    assert posterior["smooth"].to_numpy().tolist() == ["sigma_s(x)"]
    assert posterior["basis"].to_numpy().tolist() == ["sigma_s(x)[1]", "sigma_s(x)[2]"]
    assert posterior["sigma_term"].to_numpy().tolist() == ["s(x)[linear]"]
    assert str(fit.model.design.formula).endswith("sigma ~ 1 + s(x, k=4) + (1 | g)")
    assert fit.plot_smooth("x").data["smooth"].unique().tolist() == ["sigma_s(x)"]
    assert np.isfinite(fit.predict(frame().head(3)).to_numpy()).all()


# Doors -------------------------------------------------------------------------------------------


def test_draws_and_summary_have_names(fit: hm.Fit, counts: hm.Fit) -> None:
    posterior = counts.data.posterior
    labels = ["s(x, by=f)[a]", "s(x, by=f)[b]"]
    assert posterior["smooth"].to_numpy().tolist() == labels
    assert posterior["sd_smooth"].dims == ("chain", "draw", "smooth")
    assert posterior["basis"].to_numpy().tolist() == [
        f"{label}[{place}]" for label in labels for place in range(1, 5)
    ]
    names = fit.summary().index.tolist()
    assert "sd_smooth[s(x)]" in names
    assert "b[s(x)[linear]]" in names
    assert not any(name.startswith("s[") for name in names)
    assert "s[s(x)[1]]" in fit.summary(variables=["s"]).index


def test_new_values_are_predicted_and_beyond_the_rows_straight_on(each: hm.Fit) -> None:
    new = frame().head(3)
    inside = each.predict(kind="linear").isel(row=[0, 1, 2])
    np.testing.assert_allclose(each.predict(new, kind="linear"), inside, rtol=1e-12)
    far = new.iloc[[0, 0, 0]].assign(x=[20.0, 21.0, 23.0])
    eta = each.predict(far, kind="linear").transpose("row", ...).to_numpy()
    np.testing.assert_allclose(eta[2] - eta[0], 3 * (eta[1] - eta[0]), rtol=1e-7, atol=1e-9)


def test_saved_fits_predict_the_same(each: hm.Fit, tmp_path: Path) -> None:
    each.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    new = frame().head(5).assign(x=np.linspace(-1, 11, 5))
    np.testing.assert_array_equal(each.predict(new, kind="mean"), again.predict(new, kind="mean"))
    assert again.model.design.formula == each.model.design.formula
    np.testing.assert_array_equal(again.plot_smooth("x").data, each.plot_smooth("x").data)


def test_effects_that_are_not_kept_leave_the_curve_as_it_is(tmp_path: Path) -> None:
    model, new = hm.Model("y ~ s(x, k=4) + (1 | g)", frame()), frame().head(4)
    settings = {"seed": 1, "chains": 1, "warmup": 100, "draws": 50, "progress": False}
    kept, lean = model.fit(**settings), model.fit(**settings, memory=0)
    lean.save(tmp_path / "fit.nc")
    for other in (lean, hm.load(tmp_path / "fit.nc")):
        np.testing.assert_array_equal(kept.data.posterior["s"], other.data.posterior["s"])
        np.testing.assert_array_equal(
            kept.predict(new, kind="mean"), other.predict(new, kind="mean")
        )


def test_answers_along_a_curve(each: hm.Fit) -> None:
    new = frame().head(2)
    step = 1e-4
    eta = [each.predict(new.assign(x=new["x"] + h), kind="linear") for h in (-step, step)]
    slope = (eta[1] - eta[0]).mean(("chain", "draw")).to_numpy() / (2 * step)
    found = each.slopes("x", newdata=new, scale="linear").table()["estimate"]
    np.testing.assert_allclose(found, slope, rtol=1e-4, atol=1e-6)
    table = each.comparisons({"x": [2.0, 4.0]}, newdata=new, scale="linear").table()
    pair = [each.predict(new.assign(x=x), kind="linear") for x in (2.0, 4.0)]
    expected = (pair[1] - pair[0]).mean(("chain", "draw"))
    np.testing.assert_allclose(table["estimate"], expected, rtol=1e-9)


def test_log_priors_are_those_of_the_distributions(fit: hm.Fit) -> None:
    found, draws = fit.log_prior(), fit.data.posterior
    scale = fit.model.priors["sd_smooth[s(x)]"].arguments[2]
    expected = stats.t(3, 0, scale).logpdf(draws["sd_smooth"]) + np.log(2)
    np.testing.assert_allclose(found["sd_smooth"], expected, rtol=1e-12)
    assert found["b"]["term"].to_numpy().tolist() == ["z", "s(x)[linear]"]
    assert "s" not in found


def test_other_doors(each: hm.Fit) -> None:
    data = frame()
    assert np.isfinite(each.loo().elpd)
    assert np.isfinite(each.variance()["variance"]).all()
    smooth = str(each.data.posterior["smooth"].to_numpy()[0])
    assert each.hypothesis(f"sd_smooth[{smooth}] > 0")["probability"].iloc[0] == 1.0
    ahead = data.head(2).assign(t=[500, 501], g="g1").drop(columns=["y", "c"])
    assert np.isfinite(each.forecast(ahead, time="t").table()["mean"]).all()
    later = data.tail(9).assign(g="new")
    learned = each.predict(later, kind="mean", new_groups="update")
    assert np.isfinite(learned.to_numpy()).all()
    half = each.model.of_rows(np.arange(0, ROWS, 2)).fit(
        seed=1, chains=1, warmup=100, draws=50, progress=False
    )
    assert half.data.posterior["s"].sizes["basis"] == each.data.posterior["s"].sizes["basis"]


def test_a_curve_is_drawn_as_it_is_predicted(fit: hm.Fit, counts: hm.Fit) -> None:
    data = fit.plot_smooth("x", prob=0.8).data
    new = pd.DataFrame({"x": data["x"], "z": 0.0, "g": "g1"})
    eta = fit.predict(new, kind="linear")
    curve = eta - eta.mean("row") - (data["estimate"] - data["estimate"].mean()).to_numpy()
    np.testing.assert_allclose(curve.mean(("chain", "draw")), 0, atol=1e-9)
    x = frame()["x"].to_numpy()
    away = np.interp(x, data["x"], data["estimate"])  # zero on the average of the rows
    assert abs(away.mean()) < 1e-3
    assert counts.plot_smooth("x").data["smooth"].unique().tolist() == [
        "s(x, by=f)[a]", "s(x, by=f)[b]",
    ]  # fmt: skip
    assert len(counts.plot_smooth("s(x, by=f)").data) == 200
    with pytest.raises(
        ArgumentError, match=r"'z' is no smooth of this fit. .*Known: 'x', 's\(x\)'"
    ):
        fit.plot_smooth("z")
    with pytest.raises(ArgumentError, match="prob must be between 0 and 1"):
        fit.plot_smooth("x", prob=2)


def test_priors_of_smooths_have_names() -> None:
    data = frame()
    for name in ("sd_smooth[s(x)]", "sd_smooth", "sd"):
        model = hm.Model("y ~ s(x)", data, priors={name: "exponential(3)"})
        assert str(model.priors["sd_smooth[s(x)]"]) == "exponential(3)"
    with pytest.raises(hm.PriorError, match=r"Did you mean 'sd_smooth\[s\(x\)\]'"):
        hm.Model("y ~ s(x)", data, priors={"sd_smooth[s(z)]": "exponential(3)"})


def test_the_prior_alone_and_draws_without_chains() -> None:
    model = hm.Model("y ~ s(x, k=5) + (1 | g)", frame())
    prior = model.fit(seed=1, chains=2, warmup=200, draws=200, prior_only=True, progress=False)
    scale = model.priors["sd_smooth[s(x)]"].arguments[2]
    median = float(prior.data.posterior["sd_smooth"].median())
    assert 0.5 < median / (scale * stats.t(3).ppf(0.75)) < 2
    quick = model.fit(seed=1, chains=2, draws=500, algorithm="importance", progress=False)
    assert quick.data.attrs["pareto_k"] < 0.7

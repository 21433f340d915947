"""Unordered categories with formulas of their own, and effects that go together across them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan.test_gaussian_density import correlation, lkj_log_density, population
from tests.stan.test_log_density import bent, compare_gradients, effects, weights, working

FAST: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 100, "draws": 50, "progress": False}
FORMULAS = ["y ~ x + (1 | p | g)", "`so so` ~ x + w + (1 | p | g)"]
PRIORS = {
    "Intercept_good": "student_t(4, 1, 3)", "b_good": "normal(0.2, 2)",
    "Intercept_so so": "student_t(4, 1, 3)", "b_so so": "normal(0.2, 2)",
    "sd": "normal(0.3, 1)", "cor": "lkj(1.7)",
}  # fmt: skip
LABELS = ["bad", "good", "so so"]


def frame(rows: int = 160, levels: int = 8, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(2, rows)).round(1)
    g = np.arange(rows) % levels
    r = rng.normal(size=(levels, 2)) @ np.array([[1.0, 0.6], [0.0, 0.5]])
    eta = np.stack([0 * x, 0.3 + 0.8 * x + r[g, 0], -0.2 - 0.5 * x + w + r[g, 1]], axis=1)
    y = (rng.random(rows)[:, None] > special.softmax(eta, axis=1).cumsum(axis=1)).sum(axis=1)
    weight = rng.choice([0.5, 1.0, 2.0], rows)
    return pd.DataFrame({"y": np.array(LABELS)[y], "x": x, "w": w, "g": g, "weight": weight})


def reference(data: dict[str, Any], rows: pd.DataFrame, point: np.ndarray) -> float:
    """Log density of the coordinates, row by row and with the normal law of each level."""
    D = int(data["D"])
    theta = data["center"] + data["scale"] @ point[:D]
    _, sd, raw = np.split(theta, [5, 7])
    sd, lp = bent(sd, data["center"][5:7], data["sd_spread"], data["sd_bend"])
    L, jacobian = correlation(raw, 2)
    half = stats.truncnorm(-0.3, np.inf, 0.3, 1)
    lp += jacobian + lkj_log_density(L, 1.7) + np.sum(half.logpdf(sd) + np.log(sd))
    b, log_width = population(data, point[:D], sd, L)
    J = len(data["ZtWZ"])
    r, lp_r, common = effects(
        weights(data, theta), working(data, theta), sd[:, None] * L, b - data["b_hat"],
        point[D:].reshape(2, J), data["share"], data["extent"][0],
    )  # fmt: skip
    b[0], b[2] = b[0] - common[0], b[2] - common[1]
    x, w = (rows[name] - np.average(rows[name], weights=rows["weight"]) for name in ("x", "w"))
    g = rows["g"].to_numpy()
    eta = np.stack([0 * x, b[0] + b[1] * x + r[g, 0], b[2] + b[3] * x + b[4] * w + r[g, 1]], axis=1)
    chosen = rows["y"].map(LABELS.index).to_numpy()[:, None]
    pointwise = np.take_along_axis(special.log_softmax(eta, axis=1), chosen, 1)[:, 0]
    slope, intercept = stats.norm(0.2, 2), stats.t(4, 1, 3)
    lp += intercept.logpdf(b[[0, 2]]).sum() + slope.logpdf(b[[1, 3, 4]]).sum()
    return float(lp + log_width + lp_r + np.sum(rows["weight"] * pointwise))


@pytest.mark.parametrize("number", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_log_density_equals_scipy(number: int) -> None:
    rows = frame(48, 4)
    model = hm.Model(FORMULAS, rows, family="categorical", weights="weight", priors=PRIORS)
    data, program = model.stan_data(), model._posterior.program
    points = np.random.default_rng(5).normal(0, 0.8, (number, int(data["D"]) + int(data["K"])))
    found, gradient = Embedded().log_density(program, data, points)
    expected = [reference(data, rows, point) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert np.isfinite(Embedded().log_density(program, data, 4 * points)[0]).all()
    compare_gradients(program, data, points[:3], gradient[:3])


@pytest.fixture(scope="module")
def fitted() -> hm.Fit:
    return hm.Model(FORMULAS, frame(), family="categorical").fit(**FAST)


def linear(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    draws, x, w = fit.data.posterior, rows["x"].to_numpy(), rows["w"].to_numpy()
    r = draws["r_g"].sel(g=rows["g"].to_numpy())
    good, so_so = (draws[f"b_{name}"].to_numpy()[..., None, :] for name in LABELS[1:])
    each = [
        draws["Intercept_good"].to_numpy()[..., None] + good[..., 0] * x
        + r.sel(g_effect="good_Intercept").to_numpy(),
        draws["Intercept_so so"].to_numpy()[..., None] + so_so[..., 0] * x + so_so[..., 1] * w
        + r.sel(g_effect="so so_Intercept").to_numpy(),
    ]  # fmt: skip
    return np.stack(each, axis=-1)


@pytest.mark.filterwarnings("ignore:sd of .* by g may be zero")
@pytest.mark.filterwarnings("ignore:fewer than 400 effective draws")
def test_categories_have_equations_by_name(fitted: hm.Fit, tmp_path: Path) -> None:
    assert [*fitted.summary().index] == [
        "Intercept_good", "b_good[x]", "Intercept_so so", "b_so so[x]", "b_so so[w]",
        "sd_g[good_Intercept]", "sd_g[so so_Intercept]", "cor_g[good_Intercept, so so_Intercept]",
    ]  # fmt: skip
    rows = frame().head(6)
    eta = linear(fitted, rows)
    found = fitted.predict(rows, kind="linear")
    assert found["category"].to_numpy().tolist() == LABELS[1:]
    np.testing.assert_allclose(found, eta, rtol=1e-9, atol=1e-12)
    p = special.softmax(np.concatenate([0 * eta[..., :1], eta], axis=-1), axis=-1)
    np.testing.assert_allclose(fitted.predict(rows), p, rtol=1e-9)
    np.testing.assert_allclose(fitted.forecast(rows).table(), p.mean((0, 1)), rtol=1e-9)
    average = fitted.predictions(rows, scale="linear", by=True).draws
    np.testing.assert_allclose(np.ravel(average), eta.mean(2).ravel(), rtol=1e-9)
    chosen = rows["y"].map(LABELS.index).to_numpy()[None, None, :, None]
    pointwise = np.log(np.take_along_axis(p, chosen, -1))[..., 0]
    np.testing.assert_allclose(
        fitted.data["log_likelihood"]["y"][..., :6], pointwise, rtol=1e-8, atol=1e-12
    )
    fitted.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(rows), fitted.predict(rows))


def test_new_groups_and_averages_know_that_effects_go_together(fitted: hm.Fit) -> None:
    draws = fitted.data.posterior
    row = frame().head(1)
    found = np.asarray(fitted.predictions(row, over="population").draws).reshape(100, 3)
    new = fitted.predict(row.assign(g=99), new_groups="sample", kind="linear")
    known = fitted.predict(row, group_effects="none", kind="linear")
    away = (new - known).to_numpy().reshape(100, 2)
    sd, cor = draws["sd_g"].to_numpy().reshape(100, 2), draws["cor_g"].to_numpy().ravel()
    z = away / sd
    free = (z[:, 1] - cor * z[:, 0]) / np.sqrt(1 - cor**2)
    for each in (z[:, 0], free):  # standard normals, 100 of each
        assert abs(each.mean()) < 5 / np.sqrt(100)
        assert abs(each.std() - 1) < 5 / np.sqrt(200)
    assert abs(np.mean(z[:, 0] * free)) < 5 / np.sqrt(100)
    e = np.random.default_rng(3).standard_normal((2, 200_000))
    eta0 = known.to_numpy().reshape(100, 2)
    for s in (0, 50):
        first, second = e[0], cor[s] * e[0] + np.sqrt(1 - cor[s] ** 2) * e[1]
        eta = np.stack([0 * first, eta0[s, 0] + sd[s, 0] * first, eta0[s, 1] + sd[s, 1] * second])
        p = special.softmax(eta, axis=0)
        error = p.std(axis=1) / np.sqrt(200_000)
        assert np.all(np.abs(found[s] - p.mean(axis=1)) < 6 * error)


def test_a_curve_of_each_category() -> None:
    fit = hm.Model("y ~ s(x, k=4)", frame(), family="categorical").fit(**FAST)
    eta = fit.predict(kind="linear")
    mean = special.softmax(np.concatenate([0 * eta[..., :1], eta], axis=-1), axis=-1)
    np.testing.assert_allclose(fit.predict(), mean, rtol=1e-9)
    assert fit.data.posterior["sd_smooth"].sizes["smooth"] == 2


def test_formulas_that_categories_can_not_have() -> None:
    data, of = frame(), {"family": "categorical"}
    with pytest.raises(hm.FormulaError, match="'bad' is the first category, the reference"):
        hm.Model(["y ~ x", "bad ~ w"], data, **of)
    with pytest.raises(hm.FormulaError, match="'goood' is no category of 'y'"):
        hm.Model(["y ~ x", "goood ~ w"], data, **of)
    with pytest.raises(hm.FormulaError, match="an offset stands in the formula of one of them"):
        hm.Model(["y ~ x + offset(w)", "good ~ w"], data, **of)
    with pytest.raises(hm.FormulaError, match="'good' has an equation already"):
        hm.Model(["y ~ x", "good ~ w", "good ~ x"], data, **of)
    gone = data.assign(x=data["x"].where(data["y"] != "good"))
    with pytest.raises(hm.DataError, match="no row of category 'good' of 'y' is complete"):
        hm.Model(["y ~ x", "good ~ w"], gone, missing="drop", **of)
    slash = data.assign(y=data["y"].replace("good", "fine/good"))
    with pytest.raises(hm.FormulaError, match="category 'fine/good' can't name a formula"):
        hm.Model("y ~ x + (1 | p | g)", slash, **of)
    with pytest.raises(hm.DataError, match="takes no offset"):
        hm.Model("y ~ x + offset(w)", data, **of)


def test_counts_of_categories_are_weights() -> None:
    """Rows of equal predictors are merged, and their weights are the counts again."""
    counts = pd.DataFrame({"x": [0.0, 1.0, 2.5], "a": [3, 0, 5], "b": [2, 4, 0], "c": [1, 1, 6]})
    rows = counts.melt(id_vars="x", var_name="kind", value_name="n")
    data = hm.Model("kind ~ x", rows, family="categorical", weights="n").stan_data()
    assert data["N"] == 3
    order = np.argsort(data["X"][:, 1])
    np.testing.assert_array_equal(data["chosen"][order], counts[["b", "c"]])
    np.testing.assert_array_equal(data["weight"][order], counts[["a", "b", "c"]].sum(axis=1))


def test_a_category_may_be_called_as_a_column_is() -> None:
    data = frame().assign(good=lambda rows: (rows["y"] == "good").astype(int))
    model = hm.Model(["y ~ x", "good ~ w"], data, family="categorical")
    assert "b_good[w]" in model.priors


def test_an_equation_may_be_empty_or_have_an_offset() -> None:
    model = hm.Model(["y ~ x", "good ~ 0 + offset(w)"], frame(), family="categorical")
    assert [*model.priors] == ["Intercept_so so", "b_so so[x]"]
    np.testing.assert_array_equal(np.unique(model.stan_data()["known"][:, 1]), [0])
    assert np.ptp(model.stan_data()["known"][:, 0]) > 1


@pytest.mark.slow
def test_correlated_effects_are_found_again() -> None:
    rows = frame(6000, 60)
    fit = hm.Model(FORMULAS, rows, family="categorical").fit(seed=3, draws=500, progress=False)
    assert fit.summary()["r_hat"].max() < 1.02
    truth = {"b_good[x]": 0.8, "b_so so[x]": -0.5, "b_so so[w]": 1.0,
             "cor_g[good_Intercept, so so_Intercept]": 0.6 / np.hypot(0.6, 0.5),
             "sd_g[good_Intercept]": 1.0, "sd_g[so so_Intercept]": np.hypot(0.6, 0.5)}  # fmt: skip
    summary = fit.summary()
    for name, value in truth.items():
        assert abs(summary.loc[name, "mean"] - value) < 4 * summary.loc[name, "sd"], name

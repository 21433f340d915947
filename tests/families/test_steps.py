"""Ordered categories step by step: sratio, cratio, acat, and effects that differ by threshold."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.families.table import find
from tests.stan.test_gaussian_density import population
from tests.stan.test_log_density import (
    LAWS,
    adjacent,
    bent,
    compare_gradients,
    each_category,
    effects,
    ratio,
    weights,
    working,
)

FAST: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 100, "draws": 50, "progress": False}
FORMULAS = ["y ~ x + cs(w) + (1 | g)", "disc ~ 0 + late"]
PRIORS = {
    "b": "normal(0.2, 2)", "threshold": "student_t(3, 0, 2.5)", "sd": "normal(0.3, 1)",
    "b_disc": "normal(0.1, 1)", **{f"b_cs{k}": "normal(0, 1.5)" for k in (1, 2, 3)},
}  # fmt: skip
SCORES = {
    ("acat", "logit"): each_category(adjacent),
    **{
        (family, link): ratio(law, onward=family == "cratio")
        for family in ("sratio", "cratio")
        for link, law in LAWS.items()
    },
}


def frame(rows: int = 160, levels: int = 8, seed: int = 4) -> pd.DataFrame:
    """Four grades of stopping ratios; w matters for the first step alone."""
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(2, rows)).round(1)
    g, late = np.arange(rows) % levels, rng.integers(0, 2, rows)
    eta = 0.8 * x + 0.7 * rng.normal(size=levels)[g]
    y = np.full(rows, 1)
    for step, threshold in enumerate((-0.5, 0.4, -0.2)):
        at = threshold - eta - (w if step == 0 else 0.0)
        y += (y == step + 1) & (rng.random(rows) > special.expit(at))
    weight = rng.choice([0.5, 1.0, 2.0], rows)
    return pd.DataFrame({"y": y, "x": x, "w": w, "g": g, "late": late, "weight": weight})


def reference(
    of: tuple[str, str], data: dict[str, Any], rows: pd.DataFrame, point: np.ndarray
) -> float:
    """Log density of the coordinates: x, late, w at three thresholds, two differences, an sd."""
    D = int(data["D"])
    theta = data["center"] + data["scale"] @ point[:D]
    sd, lp = bent(theta[8:9], data["center"][8:9], data["sd_spread"], data["sd_bend"])
    b, log_width = population(data, point[:D], sd, np.eye(1))
    half = stats.truncnorm(-0.3, np.inf, 0.3, 1)
    lp += np.sum(half.logpdf(sd) + np.log(sd)) + log_width
    J = len(data["ZtWZ"])
    r, lp_r, common = effects(
        weights(data, theta), working(data, theta), sd[:, None], b - data["b_hat"],
        point[D:].reshape(1, J), data["share"], data["extent"][0],
    )  # fmt: skip
    b[0] -= common[0]
    x, w = (rows[name] - np.average(rows[name], weights=rows["weight"]) for name in ("x", "w"))
    eta = (b[1] * x + r[rows["g"], 0]).to_numpy()
    cut = np.insert(theta[6:8], int(data["anchor"]) - 1, 0.0) - b[0]
    lp += stats.t(3, 0, 2.5).logpdf(cut).sum() + stats.norm(0.2, 2).logpdf(b[1])
    lp += stats.norm(0, 1.5).logpdf(b[3:6]).sum() + stats.norm(0.1, 1).logpdf(b[2])
    of_rows = cut - w.to_numpy()[:, None] * b[3:6]
    disc = np.exp(b[2] * rows["late"].to_numpy())
    pointwise = SCORES[of](rows, eta, of_rows, disc)
    return float(lp + lp_r + np.sum(rows["weight"] * pointwise))


@pytest.mark.parametrize(
    ("of", "number"),
    [
        (("acat", "logit"), 20),
        *(pytest.param(each, 200, marks=pytest.mark.slow) for each in SCORES),
    ],
    ids=str,
)
def test_log_density_equals_scipy(of: tuple[str, str], number: int) -> None:
    rows = frame(60, 4)
    model = hm.Model(FORMULAS, rows, family=of[0], link=of[1], weights="weight", priors=PRIORS)
    data, program = model.stan_data(), model._posterior.program
    points = np.random.default_rng(5).normal(0, 0.8, (number, int(data["D"]) + int(data["K"])))
    found, gradient = Embedded().log_density(program, data, points)
    expected = [reference(of, data, rows, point) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    far, _ = Embedded().log_density(program, data, 4 * points)
    assert not np.isnan(far).any()
    compare_gradients(program, data, points[:3], gradient[:3])


@pytest.fixture(scope="module")
def fitted() -> hm.Fit:
    return hm.Model(FORMULAS, frame(), family="sratio").fit(**FAST)


@pytest.mark.filterwarnings("ignore:fewer than 400 effective draws")
@pytest.mark.filterwarnings("ignore:sd of Intercept by g may be zero")
def test_thresholds_have_equations(fitted: hm.Fit, tmp_path: Path) -> None:
    assert [*fitted.summary().index] == [
        "b[x]", "b_disc[late]", "b_cs1[w]", "b_cs2[w]", "b_cs3[w]",
        "threshold[1|2]", "threshold[2|3]", "threshold[3|4]", "sd_g[Intercept]",
    ]  # fmt: skip
    draws, rows = fitted.data.posterior, frame().head(7)
    x, w = rows["x"].to_numpy(), rows["w"].to_numpy()
    r = draws["r_g"].sel(g=rows["g"].to_numpy(), g_effect="Intercept").to_numpy()
    eta = draws["b"].to_numpy() * x + r
    np.testing.assert_allclose(fitted.predict(rows, kind="linear"), eta, rtol=1e-9, atol=1e-12)
    slopes = np.concatenate([draws[f"b_cs{k}"].to_numpy() for k in (1, 2, 3)], axis=-1)
    disc = np.exp(draws["b_disc"].to_numpy() * rows["late"].to_numpy())[..., None]
    cut = draws["threshold"].to_numpy()[:, :, None, :]
    stop = special.expit(disc * (cut - eta[..., None] - slopes[:, :, None, :] * w[:, None]))
    going = np.concatenate([np.ones((2, 50, 7, 1)), np.cumprod(1 - stop, axis=-1)], axis=-1)
    p = going * np.concatenate([stop, np.ones((2, 50, 7, 1))], axis=-1)
    found = fitted.predict(rows, kind="probability")
    np.testing.assert_allclose(found, p, rtol=1e-9)
    np.testing.assert_allclose(fitted.predict(rows), p @ np.arange(1, 5), rtol=1e-9)
    pointwise = np.log(np.take_along_axis(p, rows["y"].to_numpy()[None, None, :, None] - 1, -1))
    np.testing.assert_allclose(
        fitted.data["log_likelihood"]["y"][..., :7], pointwise[..., 0], rtol=1e-7, atol=1e-10
    )
    np.testing.assert_allclose(fitted.forecast(rows, kind="probability").table(), p.mean((0, 1)))
    fitted.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(rows, kind="probability"), found)
    over = fitted.predictions(rows.head(1), over="population").draws
    np.testing.assert_allclose(np.asarray(over).reshape(100, 4).sum(axis=1), 1)
    with pytest.raises(hm.ArgumentError, match="is not known"):
        fitted.variance()


@pytest.mark.parametrize(("family", "link"), [*SCORES], ids=str)
def test_draws_come_as_often_as_the_probabilities_say(family: str, link: str) -> None:
    row, own = find(family, link), {"threshold": np.array([0.4, -0.8, 0.9])}
    eta, n = np.array(0.3), 100_000
    p = row.probabilities(eta, own)
    assert p.sum() == pytest.approx(1, rel=1e-12)
    draws = row.draw(np.random.default_rng(5), np.full(n, eta), own)
    often = np.bincount(draws.astype(int), minlength=5)[1:] / n
    assert np.all(np.abs(often - p) < 5 * np.sqrt(p * (1 - p) / n))
    assert row.mean(eta, own) == pytest.approx(float(p @ np.arange(1, 5)))


def test_two_categories_are_a_binary_response() -> None:
    """The one threshold is minus the intercept, whatever the family."""
    eta, y = np.array([-0.3, 1.2]), np.array([2.0, 1.0])
    own = {"threshold": np.zeros((2, 1))}
    expected = np.log(special.expit([-0.3, -1.2]))
    for family in ("sratio", "cratio", "acat", "ordinal"):
        np.testing.assert_allclose(find(family, "logit").log_density(y, eta, own), expected)


def test_effects_of_thresholds_where_there_are_none() -> None:
    rows = frame()
    for family in ("ordinal", "categorical", "gaussian"):
        with pytest.raises(hm.FormulaError, match=r"cs\(w\): effects that differ between thresh"):
            hm.Model("y ~ x + cs(w)", rows, family=family)
    with pytest.raises(hm.FormulaError, match="x stands in cs"):
        hm.Model("y ~ x + cs(x)", rows, family="sratio")
    with pytest.raises(hm.FormulaError, match="'cs4' is the equation of no threshold: there are 3"):
        hm.Model(["y ~ x", "cs4 ~ w"], rows, family="sratio")
    with pytest.raises(hm.FormulaError, match="has no term"):
        hm.Model("y ~ x + cs(1)", rows, family="acat")
    with pytest.raises(hm.FormulaError, match="is in the equations of all thresholds"):
        hm.Model(["y ~ x + cs(w)", "cs1 ~ w"], rows, family="acat")
    with pytest.raises(hm.FormulaError, match="x stands in the formula of the response and"):
        hm.Model(["y ~ x", *(f"cs{k} ~ w + x" for k in (1, 2, 3))], rows, family="acat")


def test_columns_that_thresholds_have_already_are_refused() -> None:
    rows = frame().assign(one=1.0, only="a", v=lambda each: 2 * each["w"] + 1)
    for formulas, message in [
        ("y ~ x + cs(one)", "column 'one' is constant"),
        ("y ~ x + cs(only)", "column 'only' has one level"),
        ("y ~ x + cs(w + v)", "v is a linear combination of w"),
        (["y ~ x", "cs2 ~ one + (1 | g)"], "column 'one' is constant"),
    ]:
        with pytest.raises(hm.DataError, match=message):
            hm.Model(formulas, rows, family="sratio")


def test_categories_of_a_predictor_have_a_reference_at_each_threshold() -> None:
    rows = frame().assign(f=lambda each: np.array(list("abc"))[each.index % 3])
    model = hm.Model("y ~ x + cs(f)", rows, family="cratio")
    names = [name for name in model.priors if name.startswith("b_cs")]
    assert names == [f"b_cs{k}[f[T.{level}]]" for k in (1, 2, 3) for level in "bc"]
    one = hm.Model(["y ~ x", "cs1 ~ w + (1 | g)"], rows, family="cratio")
    assert [*one.priors] == ["b[x]", "b_cs1[w]", "sd[g, cs1_Intercept]", "threshold"]
    np.testing.assert_array_equal(one.stan_data()["specific"], [2, 0, 0])


@pytest.mark.slow
def test_effects_of_one_step_are_found_again() -> None:
    fit = hm.Model("y ~ x + cs(w) + (1 | g)", frame(4000, 40), family="sratio").fit(
        seed=2, draws=500, progress=False
    )
    summary = fit.summary()
    assert summary["r_hat"].max() < 1.02
    truth = {"b[x]": 0.8, "b_cs1[w]": 1.0, "b_cs2[w]": 0.0, "b_cs3[w]": 0.0, "sd_g[Intercept]": 0.7}
    for name, value in truth.items():
        assert abs(summary.loc[name, "mean"] - value) < 4 * summary.loc[name, "sd"], name

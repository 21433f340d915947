"""Variance partition against loops over rows, and residual variances against their formulas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import expit, logit

import hiermix as hm
from hiermix.design.design import Design
from hiermix.families.table import FAMILIES, find
from hiermix.posterior.posterior import Posterior
from hiermix.prediction.variance_partition import components

FIT: dict[str, Any] = {"seed": 1, "chains": 2, "draws": 200, "progress": False}


@pytest.fixture(scope="module")
def radon() -> hm.Fit:
    frame = hm.load_dataset("radon")
    return hm.Model("log_radon ~ floor + log_uranium + (1 + floor | county)", frame).fit(**FIT)


def test_components_are_sums_over_the_rows(radon: hm.Fit) -> None:
    posterior, frame = radon.data.posterior, hm.load_dataset("radon")
    found = radon.variance()
    for chain, draw in ((0, 3), (1, 150)):
        one = posterior.isel(chain=chain, draw=draw)
        b = one["b"]
        eta = b.sel(term="floor").item() * frame["floor"]
        eta += b.sel(term="log_uranium").item() * frame["log_uranium"]
        sd, cor = one["sd_county"].to_numpy(), one["cor_county"].item()
        covariance = np.array(
            [[sd[0] ** 2, cor * sd[0] * sd[1]], [cor * sd[0] * sd[1], sd[1] ** 2]]
        )
        county = np.mean([z @ covariance @ z for z in ([1, x] for x in frame["floor"])])
        parts = [np.var(eta), county, one["sigma"].item() ** 2]
        at = found.isel(chain=chain, draw=draw)
        np.testing.assert_allclose(at["variance"], parts)
        np.testing.assert_allclose(at["share"], np.array(parts) / sum(parts))
        assert at["icc"].sel(factor="county").item() == pytest.approx(county / (county + parts[2]))
        assert at["r2_marginal"].item() == pytest.approx(parts[0] / sum(parts))
        assert at["r2_conditional"].item() == pytest.approx((parts[0] + county) / sum(parts))


def test_the_table_summarises_the_draws(radon: hm.Fit) -> None:
    table, found = radon.variance_table(prob=0.5), radon.variance()
    assert table.index.tolist() == [
        "population", "county", "residual", "R2 marginal", "R2 conditional",
    ]  # fmt: skip
    share = found["share"].sel(component="county").to_numpy()
    row = table.loc["county"]
    assert row["share"] == pytest.approx(share.mean())
    assert (row["q25"], row["q75"]) == pytest.approx(tuple(np.quantile(share, [0.25, 0.75])))
    assert table["share"].iloc[:3].sum() == pytest.approx(1)
    assert table.loc["residual", "sd"] == pytest.approx(float(radon.data.posterior["sigma"].mean()))


def test_known_variances_come_back() -> None:
    """Shares 1/6, 3/6 and 2/6, from 200 groups of 10 rows."""
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(200), 10)
    x = rng.normal(0, 1, 2000)
    y = x + rng.normal(0, np.sqrt(3), 200)[group] + rng.normal(0, np.sqrt(2), 2000)
    fit = hm.Model("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": group})).fit(**FIT)
    share = fit.variance()["share"].mean(("chain", "draw"))
    # Four sampling errors of a share that 200 groups tell.
    np.testing.assert_allclose(share, [1 / 6, 3 / 6, 2 / 6], atol=4 * 0.03)


def test_a_model_without_groups_has_two_components() -> None:
    fit = hm.Model("Reaction ~ Days", hm.load_dataset("sleepstudy")).fit(**FIT)
    found = fit.variance()
    assert found["component"].to_numpy().tolist() == ["population", "residual"]
    np.testing.assert_allclose(found["r2_marginal"], found["r2_conditional"])


def mixed(own: dict[str, float], intercept: float = 0.7) -> tuple[Any, Design]:
    """One draw of a model of three groups of sd 0.5."""
    import xarray as xr

    frame = pd.DataFrame({"y": [0.2, 1.0, 0.4, 2.0] * 3, "g": list("abc") * 4})
    at = ("chain", "draw")
    posterior = xr.Dataset({
        "Intercept": (at, [[intercept]]),
        "sd_g": ((*at, "g_effect"), [[[0.5]]]),
        "r_g": ((*at, "g", "g_effect"), np.zeros((1, 1, 3, 1))),
        **{name: (at, [[value]]) for name, value in own.items()},
    }, coords={"g": list("abc"), "g_effect": ["Intercept"]})  # fmt: skip
    tree = xr.DataTree.from_dict({"posterior": posterior})
    return tree, hm.Model("y ~ 1 + (1 | g)", frame).design


LATENT = [
    ("bernoulli", "logit", {}, 3.289868),
    ("binomial", "probit", {}, 1.0),
    ("binomial", "cloglog", {}, 1.644934),
    ("poisson", "log", {}, np.log(1 + 1 / np.exp(0.7 + 0.5**2 / 2))),
    ("negative_binomial", "log", {"shape": 2.0}, np.log(1 + 1 / np.exp(0.825) + 1 / 2)),
    ("gamma", "log", {"shape": 3.0}, np.pi**2 / 6 - 1 - 1 / 4),
    ("student_t", "identity", {"sigma": 2.0, "nu": 4.0}, 8.0),
]


@pytest.mark.parametrize(("family", "link", "own", "expected"), LATENT)
def test_residual_variance_of_other_families(
    family: str, link: str, own: dict[str, float], expected: float
) -> None:
    """Nakagawa, Johnson and Schielzeth (2017), table 2: here with intercept 0.7 and sd 0.5."""
    tree, design = mixed(own)
    found = components(Posterior.of(tree, design, find(family, link)))
    assert found["g"] == pytest.approx([0.25])
    assert found["residual"] == pytest.approx([expected], rel=1e-6)


def test_exposures_and_slopes_enter_the_mean_response() -> None:
    """The mean count over rows, each exp(offset + X b + z' Sigma z / 2): Johnson (2014)."""
    import xarray as xr

    frame = pd.DataFrame({
        "y": [1, 0, 30, 900], "x": [0.0, 1.0, 2.0, 5.0], "g": list("abab"),
        "size": [1.0, 2.0, 50.0, 400.0],
    })  # fmt: skip
    model = hm.Model("y ~ x + offset(log(size)) + (1 + x || g)", frame, family="poisson")
    at = ("chain", "draw")
    posterior = xr.Dataset({
        "Intercept": (at, [[0.2]]), "b": ((*at, "term"), [[[0.1]]]),
        "sd_g": ((*at, "g_effect"), [[[0.5, 0.3]]]),
        "r_g": ((*at, "g", "g_effect"), np.zeros((1, 1, 2, 2))),
    }, coords={"term": ["x"], "g": list("ab"), "g_effect": ["Intercept", "x"]})  # fmt: skip
    tree = xr.DataTree.from_dict({"posterior": posterior})
    x = frame["x"]
    means = frame["size"] * np.exp(0.2 + 0.1 * x + (0.25 + 0.09 * x**2) / 2)
    found = components(Posterior.of(tree, model.design, find("poisson")))
    assert found["residual"] == pytest.approx([np.log1p(1 / means.mean())])


def test_shares_add_up_where_the_residual_has_no_variance() -> None:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(12), 20)
    y = rng.normal(0, 1, 12)[g] + rng.standard_t(1.6, 240)
    frame = pd.DataFrame({"y": y, "g": g})
    fit = hm.Model("y ~ 1 + (1 | g)", frame, family="student_t").fit(**FIT)
    nu = fit.data.posterior["nu"].to_numpy()
    assert np.mean(nu <= 2) > 0.05
    with pytest.warns(hm.HiermixWarning, match=r"nu is 2 or less in .* % of draws"):
        table = fit.variance_table()
    assert table["share"].iloc[:3].sum() == pytest.approx(1)
    assert table.loc["residual", "share"] >= np.mean(nu <= 2)
    assert np.isfinite(table["share"]).all()
    assert table.loc["R2 conditional", "share"] == pytest.approx(table["share"].iloc[:2].sum())


def positive(
    draw: Callable[[np.random.Generator, int], np.ndarray], rng: np.random.Generator, n: int
) -> np.ndarray:
    """n counts above zero, by drawing until there are enough."""
    drawn = draw(rng, 4 * n)
    return drawn[drawn > 0][:n]


MEAN = np.exp(0.7 + 0.5**2 / 2)
SHARE = integrate.quad(lambda z: expit(0.7 + 0.5 * z) * stats.norm.pdf(z), -9, 9)[0]
type Draw = Callable[[np.random.Generator, int], np.ndarray]


def counts(shape: float | None) -> Draw:
    """Poisson counts, or negative binomial ones as Poisson counts of gamma means."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.poisson(MEAN * (1 if shape is None else rng.gamma(shape, 1 / shape, n)), n)

    return draw


def shares(rng: np.random.Generator, n: int) -> np.ndarray:
    return logit(rng.beta(SHARE * 3.0, (1 - SHARE) * 3.0, n))


def logarithmic(y: np.ndarray) -> float:
    """Variance of the log by the lognormal approximation."""
    return float(np.log1p(y.var() / y.mean() ** 2))


def amounts(rng: np.random.Generator, number: np.ndarray) -> np.ndarray:
    """Sums of gamma amounts, such that phi is 1.3 and power 1.4."""
    return 1.3 * 0.4 * MEAN**0.4 * rng.gamma(np.maximum(1.5 * number, 1e-300)) * (number > 0)


SIMULATED: dict[str, tuple[dict[str, float], Draw, Callable[[np.ndarray], float]]] = {
    "beta": ({"phi": 3.0}, shares, np.var),
    # A trial is a success where its logit and a standard logistic error are above zero.
    "beta_binomial": (
        {"phi": 3.0}, lambda rng, n: shares(rng, n) + rng.logistic(size=n), np.var
    ),
    "hurdle_gamma": (
        {"hu": 0.4, "shape": 2.0},
        lambda rng, n: MEAN * rng.gamma(2, 0.5, n) * (rng.random(n) > 0.4), logarithmic,
    ),
    "tweedie": (
        {"phi": 1.3, "power": 1.4},
        lambda rng, n: amounts(rng, rng.poisson(MEAN**0.6 / (1.3 * 0.6), n)), logarithmic,
    ),
    "hurdle_lognormal": (
        {"hu": 0.4, "sigma": 0.7},
        lambda rng, n: rng.lognormal(0.7, 0.7, n) * (rng.random(n) > 0.4), logarithmic,
    ),
    "exgaussian": (
        {"sigma": 0.7, "beta": 1.4},
        lambda rng, n: 0.7 * rng.normal(size=n) + 1.4 * rng.standard_exponential(n), np.var,
    ),
    "geometric": ({}, lambda rng, n: rng.geometric(1 / (1 + MEAN), n) - 1.0, logarithmic),
    "zero_inflated_poisson": (
        {"zi": 0.3}, lambda rng, n: counts(None)(rng, n) * (rng.random(n) > 0.3), logarithmic
    ),
    "zero_inflated_negative_binomial": (
        {"zi": 0.3, "shape": 2.0}, lambda rng, n: counts(2.0)(rng, n) * (rng.random(n) > 0.3),
        logarithmic,
    ),
    "hurdle_poisson": (
        {"hu": 0.4}, lambda rng, n: positive(counts(None), rng, n) * (rng.random(n) > 0.4),
        logarithmic,
    ),
    "hurdle_negative_binomial": (
        {"hu": 0.4, "shape": 2.0},
        lambda rng, n: positive(counts(2.0), rng, n) * (rng.random(n) > 0.4), logarithmic,
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", SIMULATED)
def test_residual_variance_is_that_of_simulated_responses(family: str) -> None:
    """At the mean response: intercept 0.7, groups of sd 0.5."""
    own, draw, spread = SIMULATED[family]
    rng = np.random.default_rng(5)
    found = [spread(draw(rng, 20_000)) for _ in range(50)]
    error = np.std(found) / np.sqrt(50)
    tree, design = mixed(own)
    residual = components(Posterior.of(tree, design, find(family)))["residual"]
    assert residual == pytest.approx([np.mean(found)], abs=5 * error)
    assert error < 0.01 * residual


def test_every_family_that_is_a_number_has_a_residual_variance() -> None:
    own = {"sigma": 1.0, "nu": 5.0, "shape": 2.0, "phi": 3.0, "zi": 0.2, "hu": 0.2, "alpha": 2.0,
           "beta": 0.7, "zoi": 0.2, "coi": 0.3, "ndt": 0.1, "power": 1.5}  # fmt: skip
    tree, design = mixed(own | {"threshold": 0.0})
    for family in FAMILIES.values():
        if family.residual_variance is not None:  # tests/families/test_table.py says whose it is
            parts = components(Posterior.of(tree, design, find(family.name)))
            assert np.isfinite(parts["residual"]).all()
            assert (parts["residual"] > 0).all()


def test_extreme_means_have_finite_variances() -> None:
    for intercept in (-400.0, 400.0):
        tree, design = mixed({"phi": 1e-3}, intercept)
        assert np.isfinite(components(Posterior.of(tree, design, find("beta")))["residual"]).all()


def test_a_fit_of_counts_with_many_zeros_has_its_parts() -> None:
    rng = np.random.default_rng(3)
    g = np.arange(400) % 20
    y = rng.poisson(np.exp(1 + rng.normal(0, 0.6, 20)[g])) * (rng.random(400) > 0.3)
    frame = pd.DataFrame({"y": y, "g": g})
    fit = hm.Model("y ~ 1 + (1 | g)", frame, family="zero_inflated_poisson").fit(**FIT)
    table = fit.variance_table()
    assert table["share"].iloc[:3].sum() == pytest.approx(1)
    posterior = fit.data.posterior
    mean = np.exp(posterior["Intercept"] + posterior["sd_g"][..., 0] ** 2 / 2)
    zi = posterior["zi"]
    moments = (1 - zi) * mean, (1 - zi) * (mean + mean**2)
    expected = np.log(moments[1] / moments[0] ** 2)
    np.testing.assert_allclose(fit.variance()["variance"].sel(component="residual"), expected)

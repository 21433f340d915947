"""Draws without a chain: their weights, what they are worth, and that they say so."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arviz_stats import mcse
from scipy import stats
from scipy.special import expit

import hiermix as hm
from hiermix.chain_starts import Mode
from hiermix.errors import ArgumentError
from hiermix.mode_draws import Proposal
from hiermix.statistics.pareto_weights import copies

FORMULA = "log_radon ~ floor + log_uranium + (1 + floor | county)"


@pytest.fixture(scope="module")
def model() -> hm.Model:
    return hm.Model(FORMULA, hm.load_dataset("radon"))


@pytest.fixture(scope="module")
def weighed(model: hm.Model) -> hm.Fit:
    return model.fit(seed=1, algorithm="importance")


def test_proposals_have_the_density_that_is_said() -> None:
    """Raw is Student t with one tail for all, effects are normal given raw: scipy's numbers."""
    rng = np.random.default_rng(2)
    root = np.tril(rng.normal(size=(3, 3))) + 2 * np.eye(3)
    # A factor of four levels with two effects: places are effect after effect.
    roots = np.tril(rng.normal(size=(4, 2, 2))) + 1.5 * np.eye(2)
    along, at = rng.normal(size=(8, 3)), rng.normal(size=11)
    mode = Mode(at, 0.0, 0.0, root, along, [(slice(0, 8), roots)])
    q = Proposal([mode], np.ones(1), 5.0).draw(rng, 7)
    found = Proposal([mode], np.ones(1), 5.0).log_density(q)
    order = [k * 4 + j for j in range(4) for k in range(2)]
    for row, value in zip(q, found, strict=True):
        raw = row[:3] - at[:3]
        lp = stats.multivariate_t(np.zeros(3), root @ root.T, df=5).logpdf(raw)
        rest = (row[3:] - at[3:] - along @ raw)[order].reshape(4, 2)
        for j in range(4):
            lp += stats.multivariate_normal(np.zeros(2), roots[j] @ roots[j].T).logpdf(rest[j])
        assert value == pytest.approx(lp, rel=1e-10)
    normal = Proposal([mode], np.ones(1), np.inf).log_density(q)
    exact = stats.multivariate_normal(at[:3], root @ root.T).logpdf(q[:, :3])
    t = stats.multivariate_t(at[:3], root @ root.T, df=5).logpdf(q[:, :3])
    np.testing.assert_allclose(normal - found, exact - t, rtol=1e-9)


def test_resampling_is_in_proportion_and_in_order() -> None:
    weight = np.array([0.1, 0.4, 0.0, 0.3, 0.2])
    chosen = np.repeat(np.arange(5), copies(weight, 1000, np.random.default_rng(3)))
    assert len(chosen) == 1000
    assert (np.diff(chosen) >= 0).all()
    assert (np.abs(np.bincount(chosen, minlength=5) - 1000 * weight) <= 1).all()


def test_weighed_draws_are_those_of_the_chains(model: hm.Model, weighed: hm.Fit) -> None:
    chains = model.fit(seed=2).data.posterior
    found = weighed.data.posterior
    for name in ("Intercept", "b", "sigma", "sd_county", "cor_county"):
        one, two = found[name], chains[name]
        error = np.hypot(mcse(one, method="mean"), mcse(two, method="mean"))
        off = one.mean(("chain", "draw")) - two.mean(("chain", "draw"))
        assert (abs(off) < 6 * error).all(), name
        assert (error < 0.1 * two.std(("chain", "draw"))).all(), name


def test_what_the_weights_are_worth_is_said(weighed: hm.Fit) -> None:
    attrs = weighed.data.attrs
    assert attrs["algorithm"] == "importance"
    assert attrs["pareto_k"] < 0.7
    assert 400 < attrs["effective_draws"] < 4000
    # Copies of a draw stand side by side: tables count effective draws as the weights do.
    table = weighed.summary()
    worth = attrs["effective_draws"]
    assert 0.5 * worth < table["ess_bulk"].median() < 1.6 * worth
    assert f"importance, Pareto k {attrs['pareto_k']:.2f}" in repr(weighed)


def test_a_fit_without_chains_is_a_fit(weighed: hm.Fit, tmp_path: Path) -> None:
    again = weighed.model.fit(seed=1, algorithm="importance")
    np.testing.assert_array_equal(again.data.posterior["b"], weighed.data.posterior["b"])
    weighed.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    assert loaded.data.attrs["pareto_k"] == weighed.data.attrs["pareto_k"]
    rows = hm.load_dataset("radon").iloc[:5]
    np.testing.assert_array_equal(
        loaded.predict(rows, kind="response"), weighed.predict(rows, kind="response")
    )


FAMILIES = {
    "negative_binomial": ("count ~ zAge + (1 | patient)", "epilepsy", {}),
    "binomial": ("incidence | trials(size) ~ period + (1 | herd)", "cbpp", {}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_sampled_effects_are_drawn_with_the_rest(family: str) -> None:
    formula, name, options = FAMILIES[family]
    model = hm.Model(formula, hm.load_dataset(name), family=family, **options)
    chains, found = model.fit(seed=3), model.fit(seed=4, algorithm="importance")
    group = model.design.groupings[0].name
    for variable in ("Intercept", "b", f"sd_{group}", f"r_{group}"):
        one, two = found.data.posterior[variable], chains.data.posterior[variable]
        error = np.hypot(mcse(one, method="mean"), mcse(two, method="mean"))
        off = one.mean(("chain", "draw")) - two.mean(("chain", "draw"))
        assert (abs(off) < 7 * error).all(), variable


def test_laplace_is_marked_and_warns_where_it_is_far_off() -> None:
    """Two answers of each person, most of them alike: the sd has a tail that no normal has."""
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(60), 2)
    chance = expit(1 + 8 * rng.normal(size=60)[person])
    data = pd.DataFrame({"person": person, "y": (rng.random(120) < chance).astype(int)})
    model = hm.Model(
        "y ~ 1 + (1 | person)", data, family="bernoulli", priors={"sd": "normal(0, 20)"}
    )
    with pytest.warns(hm.HiermixWarning, match=r"far from the posterior \(Pareto k .*'nuts'"):
        fit = model.fit(seed=5, algorithm="laplace", draws=250)
    assert fit.data.attrs["pareto_k"] > 0.7
    assert "laplace, Pareto k" in repr(fit)


@pytest.mark.filterwarnings("ignore:draws from the normal distribution at the mode")
def test_thresholds_of_laplace_increase() -> None:
    inhaler = hm.load_dataset("inhaler")
    model = hm.Model("rating ~ treat + (1 | subject)", inhaler, family="ordinal")
    fit = model.fit(seed=5, algorithm="laplace", draws=250)
    assert (fit.data.posterior["threshold"].diff("threshold_dim") > 0).all()


def test_a_mode_and_its_curvature_give_a_normal_posterior_exactly() -> None:
    """Known sigma, to six digits, and normal priors: conjugate; no weight differs."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=200)
    data = pd.DataFrame({"x": x, "y": 1 + 2 * x + rng.normal(size=200)})
    priors = {"sigma": "normal(1, 1e-6)", "Intercept": "normal(0, 1)", "b": "normal(0, 1)"}
    fit = hm.Model("y ~ x", data, priors=priors).fit(seed=7, algorithm="laplace")
    X = np.column_stack([np.ones(200), x - x.mean()])
    covariance = np.linalg.inv(X.T @ X + np.eye(2))
    mean = covariance @ X.T @ data["y"]
    b = fit.data.posterior["b"].to_numpy().ravel()
    assert b.mean() == pytest.approx(mean[1], abs=5 * covariance[1, 1] ** 0.5 / 4000**0.5)
    assert b.std() == pytest.approx(covariance[1, 1] ** 0.5, rel=5 / 8000**0.5)
    assert fit.data.attrs["pareto_k"] < 0.5


def test_only_these_algorithms(model: hm.Model) -> None:
    with pytest.raises(ArgumentError, match="algorithm must be one of nuts, importance, laplace"):
        model.fit(algorithm="pathfinder")  # type: ignore[arg-type]


def test_studies_take_the_algorithm() -> None:
    sleep = hm.load_dataset("sleepstudy")
    three = hm.pooling(
        "Reaction ~ Days + (1 | Subject)", sleep, seed=1, draws=250, algorithm="importance"
    )
    assert {fit.data.attrs["algorithm"] for fit in three.fits.values()} == {"importance"}


def large(effects: int = 2_100) -> hm.Model:
    rng = np.random.default_rng(8)
    g = np.tile(np.arange(effects), 3)
    y = rng.normal(size=effects)[g] + rng.normal(size=len(g))
    return hm.Model("y ~ 1 + (1 | g)", pd.DataFrame({"y": y, "g": g}))


def test_large_models_are_drawn_by_importance_where_that_is_safe(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    model = large()
    fit = model.fit(seed=1, algorithm="auto", draws=250)
    assert fit.data.attrs["algorithm"] == "importance"
    assert fit.data.attrs["pareto_k"] < 0.7
    said = caplog.text + capsys.readouterr().err
    assert "took draws by importance (Pareto k" in said
    same = model.fit(seed=1, algorithm="importance", draws=250)
    np.testing.assert_array_equal(fit.data.posterior["sigma"], same.data.posterior["sigma"])


def test_small_models_and_unsafe_weights_are_chains(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    few = {"seed": 1, "chains": 2, "warmup": 100, "draws": 100, "algorithm": "auto"}
    small = hm.Model("Reaction ~ Days + (1 | Subject)", hm.load_dataset("sleepstudy"))
    assert small.fit(**few).data.attrs["algorithm"] == "nuts"
    caplog.set_level("INFO")
    monkeypatch.setattr("hiermix.sampling.RELIABLE", -9.0)
    assert large().fit(**few).data.attrs["algorithm"] == "nuts"
    assert "takes chains: importance weights can't be trusted" in caplog.text

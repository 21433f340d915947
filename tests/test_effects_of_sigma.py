"""Fits whose sigma has effects of groups: what is integrated beside them, and every door."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.stan.chart import Chart
from hiermix.tuning.points import Point

BOTH = ["y ~ x + (1 + x | g)", "sigma ~ arm + (1 | g)"]


def panel() -> pd.DataFrame:
    """Return groups of 1 to 25 rows."""
    rng = np.random.default_rng(31)
    J = 16
    g = np.repeat(np.arange(J), [1, 1, 2, 2, 3, 3, 4, 6, 8, 10, 12, 15, 18, 20, 22, 25])
    rows = len(g)
    x, arm = rng.normal(1, 1, rows), rng.integers(0, 2, rows)
    spread = np.exp(-0.3 + 0.4 * arm + 0.6 * rng.normal(size=J)[g])
    y = 1 + x + rng.normal(size=J)[g] + spread * rng.normal(size=rows)
    rows_of = {"y": y, "x": x, "arm": np.array(["a", "b"])[arm], "g": [f"g{i}" for i in g]}
    return pd.DataFrame(rows_of).assign(site=[f"s{i % 5}" for i in g])


@pytest.fixture(scope="module")
def fits() -> tuple[hm.Fit, hm.Fit]:
    rows = panel()
    beside, sampled = hm.Model(BOTH, rows), hm.Model(BOTH, rows, effects="sampled")
    assert (beside.program_name, sampled.program_name) == ("strata_beside", "gaussian")
    return beside.fit(seed=1, draws=500), sampled.fit(seed=2, draws=500)


def test_integrated_effects_are_those_that_are_sampled(fits: tuple[hm.Fit, hm.Fit]) -> None:
    one, other = (fit.data["posterior"].dataset for fit in fits)
    for name in ("Intercept", "b", "Intercept_sigma", "b_sigma", "sd_g", "cor_g", "r_g"):
        mean = [np.ravel(each[name].mean(("chain", "draw"))) for each in (one, other)]
        sd = np.ravel(other[name].std(("chain", "draw")))
        # Means of more than 300 effective draws each: six errors of their difference.
        assert (np.abs(mean[0] - mean[1]) < 6 * sd * np.sqrt(2 / 300)).all(), name
        spread = np.ravel(one[name].std(("chain", "draw"))) / sd
        assert ((spread > 0.7) & (spread < 1.45)).all(), name


def test_results_have_the_names_of_any_fit(fits: tuple[hm.Fit, hm.Fit]) -> None:
    one, other = (fit.summary() for fit in fits)
    assert list(one.index) == list(other.index)
    assert {"sd_g[sigma_Intercept]", "sd_g[x]", "cor_g[Intercept, x]"} <= set(one.index)
    r = fits[0].data["posterior"]["r_g"]
    assert r["g_effect"].to_numpy().tolist() == ["Intercept", "x", "sigma_Intercept"]


def test_print_says_what_is_integrated_and_what_is_sampled() -> None:
    text = repr(hm.Model(BOTH, panel()))
    assert "strata_beside.stan (effects of sigma sampled, others integrated out)" in text
    assert "integrated out: exact, with one factor and 27 values of sigma" in text
    assert "those of sigma sampled, from sums over rows" in text
    text = repr(hm.Model(["y ~ x + (1 | p | g)", "sigma ~ (1 | p | g)"], panel()))
    assert "gaussian.stan (group effects sampled)" in text
    text = repr(hm.Model(["y ~ s(x, k=5) + (1 | g) + (1 | site)", "sigma ~ (1 | g)"], panel()))
    assert "exact, with one factor and 8 columns in one block and 16 values of sigma" in text
    assert "sampled: exact" not in text
    # Few rows: many columns beside each other cost more than these.
    several = hm.Model(["y ~ s(x, k=30) + (1 | g) + (1 | site)", "sigma ~ arm + (1 | g)"], panel())
    assert several.program_name == "gaussian"


@pytest.mark.slow
def test_factors_and_smooths_beside_are_those_that_are_sampled() -> None:
    rows = panel().assign(day=np.arange(152) % 6)
    rows["y"] += np.array([0.5, -1, 0, 1, 2, -0.5])[rows["day"]] + np.sin(2 * rows["x"])
    formulas = ["y ~ s(x, k=6) + (1 | g) + (1 | day)", "sigma ~ arm + (1 | g)"]
    beside, sampled = hm.Model(formulas, rows), hm.Model(formulas, rows, effects="sampled")
    assert (beside.program_name, sampled.program_name) == ("strata_beside", "gaussian")
    one, other = (
        model.fit(seed=seed).data["posterior"].dataset
        for seed, model in enumerate((beside, sampled))
    )
    names = ("Intercept", "b_sigma", "sd_g", "sd_day", "sd_smooth", "r_g", "r_day", "s")
    for name in names:
        mean = [np.ravel(each[name].mean(("chain", "draw"))) for each in (one, other)]
        sd = np.ravel(other[name].std(("chain", "draw")))
        # Means of more than 400 effective draws each: six errors of their difference.
        assert (np.abs(mean[0] - mean[1]) < 6 * sd * np.sqrt(2 / 400)).all(), name
        spread = np.ravel(one[name].std(("chain", "draw"))) / sd
        assert ((spread > 0.7) & (spread < 1.45)).all(), name


def test_rows_of_a_level_the_fit_never_saw_have_a_spread_of_their_own(
    fits: tuple[hm.Fit, hm.Fit],
) -> None:
    rows = pd.DataFrame({"x": [1.0], "arm": ["a"], "g": ["new"]})
    draws = fits[0].predict(rows, kind="response", new_groups="sample", seed=3).to_numpy().ravel()
    posterior = fits[0].data["posterior"].dataset
    # Draw by draw a mixture: kurtosis comes from effects of sigma alone, as simulated here.
    rng = np.random.default_rng(4)
    sd = posterior["sd_g"].to_numpy().reshape(-1, 3).T
    log_sigma = posterior["Intercept_sigma"].to_numpy().ravel() + sd[2] * rng.normal(size=len(sd.T))
    cor, z = posterior["cor_g"].to_numpy().ravel(), rng.normal(size=(2, len(sd.T)))
    line = sd[0] * z[0] + sd[1] * (cor * z[0] + np.sqrt(1 - cor**2) * z[1])
    b = (posterior["Intercept"].to_numpy() + posterior["b"].to_numpy()[..., 0]).ravel()
    expected = b + line + np.exp(log_sigma) * rng.normal(size=len(b))
    for q in (0.1, 0.25, 0.5, 0.75, 0.9):
        below = np.mean(draws < np.quantile(expected, q))
        # Draws of one chain go together: 1,000 of 2,000 count, in both samples.
        assert abs(below - q) < 6 * np.sqrt(2 * q * (1 - q) / 1000), q


def test_doors_are_open(fits: tuple[hm.Fit, hm.Fit], tmp_path: Path) -> None:
    fit = fits[0]
    assert abs(fit.loo().elpd - fits[1].loo().elpd) < 2
    fit.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    assert loaded.model.program_name == "strata_beside"
    rows = panel().head(4)
    np.testing.assert_array_equal(loaded.predict(rows), fit.predict(rows))
    assert fit.hypothesis("sd_g[sigma_Intercept] > 0")["probability"].iloc[0] == 1


def test_draws_around_the_mode_are_in_the_same_order(fits: tuple[hm.Fit, hm.Fit]) -> None:
    around = fits[0].model.fit(algorithm="importance", seed=5).data["posterior"]
    chains = fits[0].data["posterior"]
    mean, sd = chains["r_g"].mean(("chain", "draw")), chains["r_g"].std(("chain", "draw"))
    # Approximate: a level put in another's place, or an effect, would be off by many sds.
    assert float(np.abs((around["r_g"].mean(("chain", "draw")) - mean) / sd).max()) < 1
    ratio = around["sd_g"].mean(("chain", "draw")) / chains["sd_g"].mean(("chain", "draw"))
    assert ((ratio > 0.6) & (ratio < 1.5)).all()


def test_the_prior_is_sampled_without_the_rows() -> None:
    priors = {"b_sigma": "normal(-2, 0.1)", "sd[g, sigma_Intercept]": "gamma(400, 100)"}
    drawn = hm.Model(BOTH, panel(), priors=priors).fit(prior_only=True, seed=1, draws=300)
    posterior = drawn.data["posterior"]
    sd = posterior["sd_g"].sel(g_effect="sigma_Intercept")
    assert abs(float(sd.mean()) - 4) < 6 * 0.2 / np.sqrt(300)
    assert abs(float(posterior["b_sigma"].mean()) + 2) < 6 * 0.1 / np.sqrt(300)
    effects = posterior["r_g"].sel(g_effect="sigma_Intercept") / sd
    assert abs(float(effects.std()) - 1) < 0.1


def test_levels_without_rows_have_effects_from_the_spread() -> None:
    rows = panel()
    model = hm.Model(BOTH, rows)
    kept = np.flatnonzero((rows["g"] != "g9").to_numpy())
    drawn = model.of_rows(kept).fit(seed=1, draws=500).data["posterior"]
    left = (drawn["r_g"] / drawn["sd_g"]).sel(g="g9")
    for effect in ("Intercept", "sigma_Intercept"):
        assert abs(float(left.sel(g_effect=effect).mean())) < 0.2
        assert abs(float(left.sel(g_effect=effect).std()) - 1) < 0.1


def test_digits_that_are_lost_make_no_mode() -> None:
    rows = panel()
    wide = {"sd[g, Intercept]": "normal(0, 1e7)"}
    ready = hm.Model(["y ~ x + (1 | g)", "sigma ~ (1 | g)"], rows, priors=wide).assemble(
        prior_only=False
    )
    chart, two = Chart(ready.data), rows[rows["g"] == "g2"]
    slope = np.diff(two["y"])[0] / np.diff(two["x"])[0]  # on a line: sigma may be nothing
    level = sorted(set(rows["g"])).index("g2")
    found = []
    for log_sigma in np.linspace(-36, -24, 40):
        r = np.where(np.arange(16) == level, log_sigma, 2.0)
        at = Point(np.array([1.0, slope, 0.0]), np.zeros(0), np.array([2.0, 17.0]), np.zeros(0), r)
        found.append(Embedded().log_density(
            ready.program, ready.data, chart.coordinates(at)[None])[0][0])  # fmt: skip
    # Two rows on a line add some 30 to the log density, and effects of 24 take hundreds.
    assert max(found) < -300


@pytest.mark.slow
def test_far_groups_lose_no_digits() -> None:
    rows = panel()
    far = rows.assign(y=rows["y"] + 1e6 * rows["g"].str[1:].astype(float))
    wide = {"sd[g, Intercept]": "normal(0, 1e7)"}
    found = [hm.Model(["y ~ x + (1 | g)", "sigma ~ (1 | g)"], data, priors=wide).fit(
        seed=1, draws=500).data["posterior"]["r_g"].sel(g_effect="sigma_Intercept")
        for data in (rows, far)]  # fmt: skip
    mean = [each.mean(("chain", "draw")) for each in found]
    # Of 1 row whose group is fitted exactly, sigma is as the prior has it: of the others as before.
    assert float(np.abs(mean[0] - mean[1]).sel(g=[f"g{i}" for i in range(9, 16)]).max()) < 0.15

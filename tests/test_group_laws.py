"""Effects with a law of their own, through every door of a fit."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SETTINGS = {"seed": 1, "chains": 2, "draws": 300, "warmup": 300, "progress": False}


def strata_frame() -> pd.DataFrame:
    """Groups of stratum A differ little in their intercepts, those of B a lot."""
    rng = np.random.default_rng(1)
    sd = np.repeat([0.3, 2.0], 30)
    g = np.repeat(np.arange(60), 8)
    x = rng.normal(size=480)
    u, v = rng.normal(size=60) * sd, rng.normal(size=60) * 0.5
    return pd.DataFrame({
        "y": 1 + x + u[g] + v[g] * x + 0.7 * rng.normal(size=480), "x": x,
        "g": [f"g{i:02d}" for i in g], "f": np.array(list("AB"))[(g >= 30).astype(int)],
        "t": np.tile(np.arange(8), 60),
    })  # fmt: skip


@pytest.fixture(scope="module")
def strata() -> hm.Fit:
    return hm.Model("y ~ x + (1 + x | gr(g, by=f))", strata_frame()).fit(**SETTINGS)


def test_strata_have_their_own_spread(strata: hm.Fit) -> None:
    posterior = strata.data["posterior"]
    assert posterior["g_effect"].to_numpy().tolist() == [
        "Intercept:fA", "x:fA", "Intercept:fB", "x:fB",
    ]  # fmt: skip
    assert posterior["g_pair"].to_numpy().tolist() == [
        "Intercept:fA, x:fA", "Intercept:fB, x:fB",
    ]  # fmt: skip
    assert posterior["r_g"].dims == ("chain", "draw", "g", "g_term")
    assert posterior["g_term"].to_numpy().tolist() == ["Intercept", "x"]
    # 30 levels tell an sd within 13 %: four of its standard errors either way.
    for name, true in {"Intercept:fA": 0.3, "Intercept:fB": 2.0, "x:fA": 0.5, "x:fB": 0.5}.items():
        mean, sd = (float(f()) for f in (strata[f"sd_g[{name}]"].mean, strata[f"sd_g[{name}]"].std))
        assert abs(mean - true) < 4 * sd


def test_integrated_and_sampled_strata_agree(strata: hm.Fit) -> None:
    model = hm.Model("y ~ x + (1 + x | gr(g, by=f))", strata_frame(), effects="sampled")
    sampled = model.fit(**SETTINGS)
    for name in ("sd_g", "r_g", "b"):
        one, other = (fit.data["posterior"][name] for fit in (strata, sampled))
        # 600 draws of which a quarter at least are effective, in each: five standard errors.
        error = np.hypot(one.std(("chain", "draw")), other.std(("chain", "draw"))) / np.sqrt(150)
        away = np.abs((one - other).mean(("chain", "draw"))) / error
        assert float(away.max()) < 6


def test_new_groups_are_of_their_stratum(strata: hm.Fit) -> None:
    rows = pd.DataFrame({"x": [0.0, 0.0], "g": ["new a", "new b"], "f": ["A", "B"]})
    drawn = strata.predict(rows, new_groups="sample", seed=3)
    posterior = strata.data["posterior"]
    for row, stratum in enumerate("AB"):
        sd = posterior["sd_g"].sel(g_effect=f"Intercept:f{stratum}")
        spread = np.sqrt(float((sd**2).mean()) + float(posterior["Intercept"].var()))
        assert float(drawn[..., row].std()) == pytest.approx(spread, rel=0.2)


def test_a_level_stays_in_its_stratum(strata: hm.Fit) -> None:
    rows = strata_frame().iloc[:2]
    for wrong in (rows.assign(f="B"), rows.assign(g="new", f=["A", "B"])):
        with pytest.raises(hm.DataError, match="1 level of 'g' has rows of more than one 'f'"):
            strata.predict(wrong, new_groups="sample")
    with pytest.raises(hm.DataError, match="'C'"):
        strata.predict(rows.assign(f="C", g="new"), new_groups="sample")
    plain = strata.predict(rows.assign(f="B"), group_effects="none")
    np.testing.assert_array_equal(plain, strata.predict(rows, group_effects="none"))


def test_variance_of_strata_is_weighed_by_their_rows(strata: hm.Fit) -> None:
    data, posterior = strata_frame(), strata.data["posterior"]
    total = 0.0
    for stratum in "AB":
        x = data.loc[data["f"] == stratum, "x"]
        sd, slope = (posterior["sd_g"].sel(g_effect=f"{name}:f{stratum}", drop=True)
                     for name in ("Intercept", "x"))  # fmt: skip
        cor = posterior["cor_g"].sel(g_pair=f"Intercept:f{stratum}, x:f{stratum}", drop=True)
        mean = sd**2 + 2 * cor * sd * slope * x.mean() + slope**2 * (x**2).mean()
        total = total + mean / 2
    found = strata.variance()["variance"].sel(component="g")
    np.testing.assert_allclose(found, total, rtol=1e-8)


def test_coefficients_of_a_level_are_population_plus_effect(strata: hm.Fit) -> None:
    posterior = strata.data["posterior"]
    found = strata.coefficients("g")["mean"]
    r = posterior["r_g"].mean(("chain", "draw"))
    for term, b in (("Intercept", posterior["Intercept"]), ("x", posterior["b"].sel(term="x"))):
        expected = float(b.mean()) + r.sel(g="g31", g_term=term)
        assert found.loc["g31", term] == pytest.approx(float(expected))
    assert strata.levels("g", effect="x").table().shape[0] == 60


def test_a_saved_fit_keeps_its_strata(strata: hm.Fit, tmp_path) -> None:
    strata.save(tmp_path / "fit.nc")
    again, rows = hm.load(tmp_path / "fit.nc"), strata_frame().iloc[[0, 300]]
    np.testing.assert_array_equal(again.predict(rows, seed=1), strata.predict(rows, seed=1))
    assert str(again.design.formula) == "y ~ x + (1 + x | gr(g, by=f))"


def test_strata_are_served_by_every_question(strata: hm.Fit) -> None:
    data = strata_frame()
    later = data[data["t"] == 7].assign(t=8)
    assert len(strata.forecast(later, time="t", seed=1).score(later)) == 60
    first = data.iloc[:3].assign(g="new")
    updated = strata.predict(first, new_groups="update", seed=2).std()
    assert float(updated) < float(strata.predict(first, new_groups="sample", seed=2).std())
    for over in ("these groups", "typical group", "new group", "population"):
        table = strata.comparisons("x", by=True, over=over).table()
        assert table["estimate"][0] == pytest.approx(1.0, abs=0.35)
    assert strata.log_prior()["sd_g"].sizes["g_effect"] == 4
    found = strata.hypothesis("sd_g[Intercept:fA] < sd_g[Intercept:fB]", "r_g[g40, x] > 0")
    assert found["probability"].iloc[0] > 0.99
    assert len(strata.kfold(groups="g", folds=2).elpd_i) == 480


@pytest.mark.parametrize("name", ["plot_shrinkage", "plot_groups", "plot_ranks"])
def test_strata_are_drawn(strata: hm.Fit, name: str) -> None:
    data = getattr(strata, name)("g").data
    assert len(data) in (60, 120)
    assert np.isfinite(data["mean"] if "mean" in data else data["rank"]).all()

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


# Related levels -----------------------------------------------------------------------------------


def related_frame() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Levels on a line, like their neighbours; the last three have no rows."""
    rng = np.random.default_rng(2)
    names = [f"s{i:02d}" for i in range(43)]
    near = np.exp(-np.abs(np.subtract.outer(np.arange(43), np.arange(43))) / 5.0)
    u = 1.5 * np.linalg.cholesky(near) @ rng.normal(size=43)
    g = np.repeat(np.arange(40), 6)
    x = rng.normal(size=240)
    data = pd.DataFrame({"y": 1 + x + u[g] + 0.7 * rng.normal(size=240), "x": x,
                         "g": np.array(names)[g], "t": np.tile(np.arange(6), 40)})  # fmt: skip
    return data, pd.DataFrame(near, index=names, columns=names), u


@pytest.fixture(scope="module")
def related() -> hm.Fit:
    data, matrix, _ = related_frame()
    model = hm.Model("y ~ x + (1 | gr(g, cov='A'))", data, data2={"A": matrix})
    return model.fit(**SETTINGS)


def test_related_levels_are_recovered(related: hm.Fit) -> None:
    posterior = related.data["posterior"]
    sd = posterior["sd_g"]
    assert abs(float(sd.mean()) - 1.5) < 4 * float(sd.std())
    *_, u = related_frame()
    r = posterior["r_g"].isel(g_effect=0)
    away = (r + posterior["Intercept"] - 1).mean(("chain", "draw")) - u
    assert (np.abs(away) < 5 * (r + posterior["Intercept"]).std(("chain", "draw"))).all()
    # Of levels without rows neighbours tell the more the nearer they are.
    spread = r.std(("chain", "draw")).to_numpy()[-3:]
    assert (np.diff(spread) > 0).all()


def test_integrated_and_sampled_related_levels_agree(related: hm.Fit) -> None:
    data, matrix, _ = related_frame()
    model = hm.Model("y ~ x + (1 | gr(g, cov='A'))", data, data2={"A": matrix}, effects="sampled")
    sampled = model.fit(**SETTINGS)
    for name in ("sd_g", "r_g", "b"):
        one, other = (fit.data["posterior"][name] for fit in (related, sampled))
        error = np.hypot(one.std(("chain", "draw")), other.std(("chain", "draw"))) / np.sqrt(150)
        away = np.abs((one - other).mean(("chain", "draw"))) / error
        assert float(away.max()) < 6


def test_levels_without_rows_are_predicted_and_others_refused(related: hm.Fit) -> None:
    rows = pd.DataFrame({"x": [0.0, 0.0], "g": ["s40", "s42"]})
    posterior = related.data["posterior"]
    expected = posterior["Intercept"] + posterior["r_g"].sel(g=["s40", "s42"], g_effect="Intercept")
    np.testing.assert_allclose(related.predict(rows), expected.transpose("chain", "draw", "g"))
    for policy in ("error", "sample", "update"):
        with pytest.raises(hm.DataError, match=r"1 label of 'g' not in data2\['A'\]: 'new'"):
            related.predict(rows.assign(g="new", y=0.0), new_groups=policy)
    zero = related.predict(rows.assign(g="new"), new_groups="population")
    np.testing.assert_allclose(zero[..., 0], posterior["Intercept"])


def test_questions_about_related_levels(related: hm.Fit, tmp_path) -> None:
    data, *_ = related_frame()
    related.save(tmp_path / "fit.nc")
    again, rows = hm.load(tmp_path / "fit.nc"), data.iloc[[0, 100]]
    np.testing.assert_array_equal(again.predict(rows, seed=1), related.predict(rows, seed=1))
    refitted = again.refit(data, draws=10, warmup=50, chains=1).data["posterior"]
    assert refitted.sizes["g"] == 43
    with pytest.raises(hm.ArgumentError, match="levels of 'g' are related"):
        related.loo(by="g")
    assert np.isfinite(related.kfold(groups="g", folds=2).elpd)
    assert len(related.plot_fit("x", by="g").data) > 0
    assert len(related.plot_shrinkage("g").data) == 43
    later = data[data["t"] == 5].assign(t=6)
    assert len(related.forecast(later, time="t", seed=1).score(later)) == 40
    sd = related.data["posterior"]["sd_g"].isel(g_effect=0).to_numpy()
    found = related.variance()["variance"].sel(component="g")
    np.testing.assert_allclose(found, sd**2)


@pytest.mark.parametrize("law", ["cov='A'", "dist='student'"])
def test_residuals_in_time_know_plain_effects_alone(law: str) -> None:
    data, matrix, _ = related_frame()
    data2 = {"A": matrix} if "cov" in law else None
    with pytest.raises(hm.ArgumentError, match=r"ar\(t, by=g\) integrates group effects out, and"):
        hm.Model(f"y ~ x + ar(t, by=g) + (1 | gr(g, {law}))", data, data2=data2)


@pytest.mark.parametrize("formula", ["y | se(e) ~ x", ["y ~ x", "sigma ~ h"]])
def test_residuals_of_several_sds_beside_related_levels(formula: str | list[str]) -> None:
    """These are integrated out beside independent levels alone."""
    data, matrix, _ = related_frame()
    data = data.assign(e=0.7, h=np.arange(240) % 2)
    first, *rest = [formula] if isinstance(formula, str) else formula
    text = [f"{first} + (1 | gr(g, cov='A'))", *rest]
    model = hm.Model(text, data, data2={"A": matrix})
    assert model.program_name == "gaussian"
    assert model.stan_data()["related"].tolist() == [1]


def test_variance_counts_how_much_each_level_varies() -> None:
    data, matrix, _ = related_frame()
    size = np.linspace(0.5, 2, 43)
    wide = matrix * np.outer(size, size)
    model = hm.Model("y ~ x + (1 | gr(g, cov='A'))", data, data2={"A": wide})
    fit = model.fit(seed=1, chains=1, draws=20, warmup=100, progress=False)
    sd = fit.data["posterior"]["sd_g"].isel(g_effect=0).to_numpy()
    found = fit.variance()["variance"].sel(component="g")
    np.testing.assert_allclose(found, sd**2 * np.mean(size[:40] ** 2))


def test_related_levels_beside_others_in_another_family() -> None:
    data, matrix, u = related_frame()
    rng = np.random.default_rng(3)
    data["h"] = rng.integers(0, 8, 240)
    data["y"] = rng.poisson(np.exp(0.5 + 0.3 * data["x"] + u[:40].repeat(6) / 2))
    model = hm.Model("y ~ x + (1 | gr(g, cov='A')) + (1 | h)", data, family="poisson",
                     data2={"A": matrix})  # fmt: skip
    fit = model.fit(**SETTINGS)
    sd = fit["sd_g[Intercept]"]
    assert abs(float(sd.mean()) - 0.75) < 4 * float(sd.std())
    assert float(fit.summary().loc[["Intercept", "sd_g[Intercept]"], "ess_bulk"].min()) > 200


# t-distributed effects ----------------------------------------------------------------------------


def heavy_frame() -> pd.DataFrame:
    """A few levels lie far from the others."""
    rng = np.random.default_rng(5)
    u = 0.5 * rng.normal(size=60)
    u[[7, 30, 55]] = [6, -7, 8]
    g = np.repeat(np.arange(60), 5)
    return pd.DataFrame({"y": 1 + u[g] + 0.7 * rng.normal(size=300), "g": [f"g{i:02d}" for i in g]})


@pytest.fixture(scope="module")
def heavy() -> hm.Fit:
    return hm.Model("y ~ 1 + (1 | gr(g, dist='student'))", heavy_frame()).fit(**SETTINGS)


def test_levels_far_away_make_tails_and_not_a_spread(heavy: hm.Fit) -> None:
    assert "t-distributed" in repr(heavy.model)
    assert "df[g]            ~ gamma(2, 0.1)" in repr(heavy.model)
    df, sd = heavy["df_g"], heavy["sd_g[Intercept]"]
    assert float(df.quantile(0.9)) < 4
    assert float(sd.mean()) < 0.9  # the sd of all effects is 1.7
    far = heavy.group_effects("g").loc["g07", "mean"].iloc[0]
    assert far == pytest.approx(6, abs=1.5)


def test_new_levels_have_the_tails_of_the_fit(heavy: hm.Fit) -> None:
    rows = pd.DataFrame({"g": [f"new {i}" for i in range(400)]})
    drawn = heavy.predict(rows, new_groups="sample", seed=1)
    posterior = heavy.data["posterior"]
    r = (drawn - posterior["Intercept"]).to_numpy().ravel()
    df, sd = posterior["df_g"].to_numpy(), posterior["sd_g"].to_numpy()[..., 0]
    for prob in (0.9, 0.99):
        from scipy import stats

        # Quantiles of the mixture of t over the draws, by bisection.
        low, high = 0.0, 1000.0
        for _ in range(60):
            middle = (low + high) / 2
            below = stats.t.cdf(middle / sd, df).mean()
            low, high = (middle, high) if below < prob else (low, middle)
        assert np.quantile(r, prob) == pytest.approx(low, rel=0.1)


def test_what_needs_normal_effects_says_so(heavy: hm.Fit, tmp_path) -> None:
    data = heavy_frame()
    with pytest.raises(hm.ArgumentError, match="those of 'g' are t-distributed"):
        heavy.predict(data.iloc[:3].assign(g="new"), new_groups="update")
    with pytest.raises(hm.ArgumentError, match="those of 'g' are t-distributed"):
        heavy.loo(by="g")
    mean = heavy.predictions(by=True, over="population").table()["estimate"][0]
    assert mean == pytest.approx(float(heavy["Intercept"].mean()))
    found = heavy.variance()["variance"].sel(component="g").to_numpy()
    df, sd = heavy["df_g"].to_numpy(), heavy["sd_g[Intercept]"].to_numpy()
    expected = np.where(df > 2, sd**2 * df / np.where(df > 2, df - 2, 1), np.inf)
    np.testing.assert_allclose(found, expected)
    heavy.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(hm.load(tmp_path / "fit.nc")["df_g"], heavy["df_g"])
    from scipy import stats

    np.testing.assert_allclose(
        heavy.log_prior()["df_g"], stats.gamma(2, scale=10).logpdf(df), rtol=1e-10
    )
    assert heavy.hypothesis("df_g < 5")["probability"].iloc[0] > 0.8


def test_tails_of_effects_in_a_family_whose_mean_bends() -> None:
    data = heavy_frame()
    data["y"] = (data["y"] > 1).astype(int)
    model = hm.Model("y ~ 1 + (1 | gr(g, dist='student'))", data, family="bernoulli")
    fit = model.fit(seed=1, chains=1, draws=50, warmup=200, progress=False)
    with pytest.raises(hm.ArgumentError, match=r"over='population' knows normal effects alone"):
        fit.predictions(by=True, over="population")
    assert np.isfinite(fit.predictions(by=True, over="new group").table()["estimate"]).all()
    with pytest.raises(hm.DataError, match="one number of degrees of freedom"):
        hm.Model("f ~ 1 + (1 | gr(g, dist='student'))",
                 data.assign(f=np.arange(300) % 3), family="categorical")  # fmt: skip
